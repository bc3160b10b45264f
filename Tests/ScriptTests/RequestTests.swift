// Requests as scripts make them: ask, start and stream, what is sent, what comes back, and how they end. Callbacks have
// CallbackTests to themselves; failures, FailureTests.

import Moonrill
import ProviderSimulator
import Testing

@Suite struct RequestTests {
    @Test(arguments: Self.flows) func flow(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let flows = [
        ScriptCase(
            "ask answers with a reply", prints: ["tok1 tok2 tok3 |stop|stop|1|mock", "tok1 tok2 tok3 ", "assistant"],
            """
            local reply, err = client:ask("hi")
            assert(err == nil)
            print(reply.text .. "|" .. reply.finish_reason .. "|" .. reply.finish_reason_raw .. "|" .. reply.attempts
              .. "|" .. reply.provider)
            print(tostring(reply))
            print(reply.message.role)
            assert(reply.message.content == reply.text)
            assert(reply.reasoning == "" and #reply.tool_calls == 0)
            assert(type(reply.id) == "string" and type(reply.model) == "string")
            assert(reply.timing.first_token >= 0 and reply.timing.total >= reply.timing.first_token)
            """),
        ScriptCase(
            "usage has whole numbers", prints: ["integer", "3", "true", "1"],
            """
            local seen = 0
            local reply = client:ask("hi", { on_usage = function(u) seen = seen + 1 end })
            local u = reply.usage
            print(math.type(u.input_tokens))
            print(u.output_tokens)
            print(u.total_tokens == u.input_tokens + u.output_tokens and u.estimated == false)
            print(seen)
            """),
        ScriptCase(
            "the last pulled event holds the reply",
            prints: ["start token token token usage finish", "tok1 tok2 tok3 "],
            """
            local types, reply = {}, nil
            for e in client:stream("hi") do if e.type ~= "heartbeat" then types[#types + 1] = e.type end reply = e.reply end
            print(table.concat(types, " "))
            print(reply)
            """),
        ScriptCase(
            "start runs in the background",
            prints: ["before", "waiting", "tok1 tok2 tok3 ", "finished", "tok1 tok2 tok3 "],
            """
            local call = client:start("hi")
            print("before")
            print(call.status)
            print((call:wait()))
            print(call.status)
            print((call:wait()))
            """),
        ScriptCase(
            "cancel gives nil and an error",
            prints: ["nil cancelled", "true", "failed", "1", "nil cancelled true failed"],
            """
            local errors = 0
            local call
            call = client:start("hi", {
              headers = count("inf"),
              on_token = function() call:cancel() end,
              on_finish = function() print("never") end,
              on_error = function(err) errors = errors + 1 told = err end,
            })
            local reply, err = call:wait()
            print(tostring(reply) .. " " .. err.kind)
            print(told == err)
            print(call.status)
            call:cancel()
            print(errors)
            local second = client:start("hi", { on_error = function(err) told = err end })
            second:cancel()
            local reply, err = second:wait()
            print(reply, err.kind, told == err, second.status)
            """),
        ScriptCase(
            "pause holds the events, resume lets them go", rate: 200,
            prints: ["paused", "true", "true", "tok1 tok2 tok3 tok4 tok5 "],
            """
            local n, call = 0, nil
            call = client:start("hi", { headers = count(5), on_token = function() n = n + 1 if n == 2 then call:pause() end end })
            llm.spawn(function()
              while n < 2 do llm.sleep(0.002) end
              print(call.status)
              llm.sleep(0.1)
              print(n == 2)
              call:resume()
            end)
            local reply = assert(call:wait())
            print(n == 5)
            print(reply)
            """),
        ScriptCase(
            "a request paused at once shows nothing until it is resumed", prints: ["0 paused", "true"],
            """
            local seen = 0
            local call = client:start("hi", { on_token = function() seen = seen + 1 end })
            call:pause()
            llm.sleep(0.05)
            print(seen, call.status)
            call:resume()
            print(call:wait() ~= nil and seen == 3)
            """),
        ScriptCase(
            "one handle for many waiters", prints: ["tok1 tok2 tok3 ", "tok1 tok2 tok3 ", "true"],
            """
            local call = client:start("hi")
            local replies = {}
            local function wait() local reply = call:wait() replies[#replies + 1] = reply print(reply) end
            local a, b = llm.spawn(wait), llm.spawn(wait)
            a:wait() b:wait()
            print(replies[1] == replies[2])
            """),
        ScriptCase(
            "a request inside a user's own coroutines", prints: ["a", "tok1 tok2 tok3 ", "b"],
            """
            local co = coroutine.wrap(function()
              coroutine.yield("a")
              local inner = coroutine.wrap(function() coroutine.yield(client:ask("hi").text) end)
              coroutine.yield(inner())
              coroutine.yield("b")
            end)
            for _ = 1, 3 do print(co()) end
            """),
        ScriptCase(
            "reasoning comes apart from the text", prints: ["true", "true", "true"],
            """
            local c = llm.client { model = "moonrill-reasoner" }
            local thought, text, order = "", "", ""
            local reply = c:ask("Tell me of the moon", {
              on_reasoning = function(t) thought = thought .. t order = order .. "r" end,
              on_token = function(t) text = text .. t order = order .. "t" end,
            })
            print(#thought > 0 and reply.reasoning == thought)
            print(reply.text == text and #text > 0)
            print(order:find("^r+t+$") ~= nil)
            """),
        ScriptCase(
            "tool calls arrive whole", prints: ["get_weather", "table", "true", "tool_calls", "0", "true"],
            """
            local c = llm.client { model = "moonrill-chat" }
            local seen
            local messages = { { role = "user", content = "What is the weather in Paris?" } }
            local tools = { { type = "function", ["function"] = { name = "get_weather", parameters = {
              type = "object", properties = { city = { type = "string" } }, required = { "city" } } } } }
            local reply = assert(c:ask(messages, { tools = tools, on_tool_call = function(call) seen = call end }))
            local call = reply.tool_calls[1]
            print(call.name)
            print(type(call.arguments))
            print(seen.id == call.id and llm.json.decode(call.arguments_json).city == call.arguments.city
              and type(call.arguments.city) == "string")
            print(reply.finish_reason)
            messages[2] = reply.message
            messages[3] = { role = "tool", tool_call_id = call.id, content = "sunny" }
            local second = assert(c:ask(messages, { tools = tools }))
            print(#second.tool_calls)
            print(#second.text > 0)
            """),
        ScriptCase(
            "the arguments of a tool call keep their integers", prints: ["add integer true"],
            """
            local tools = { { type = "function", ["function"] = { name = "add", parameters = { type = "object",
              properties = { a = { type = "integer" } }, required = { "a" } } } } }
            local reply = assert(llm.client {}:ask("use add", { tools = tools, tool_choice = "required" }))
            local call = reply.tool_calls[1]
            print(call.name, math.type(call.arguments.a), call.arguments_json:find('"a"') ~= nil)
            """),
        ScriptCase(
            "replies of odd shapes that are whole all the same", prints: ["stop", "stop", "true"],
            """
            local function ask(f, prompt) return assert(llm.client { headers = { ["X-Moonrill-Fault"] = f } }:ask(prompt)) end
            print(ask("no-done", "hi").finish_reason)
            print(ask("whole", "hi").finish_reason)
            print(utf8.len(ask("split-utf8", "写一首诗").text) > 5)
            """),
        ScriptCase(
            "a length limit is told", prints: ["length", "tok1 tok2 "],
            """
            local reply = client:ask("hi", { max_tokens = 2 })
            print(reply.finish_reason)
            print(reply)
            """),
    ]

    @Test(arguments: ["break", "return", "error('out')", "goto out"]) func leavingALoopCancels(_ way: String) throws {
        let run = try ScriptHarness.run(
            """
            local ok, message = pcall(function()
              for event in client:stream("hi", { headers = count("inf") }) do
                if event.type == "token" then \(way) end
              end
              ::out::
            end)
            print(ok)
            -- Nothing is left that could hold the script.
            """, rate: 500, settleAborts: 1)
        #expect(run.result.ending == .finished)
        #expect(run.lines == [way.hasPrefix("error") ? "false" : "true"])
        #expect(run.statistics.aborted == 1)
    }

    @Test func aFailedLoopRaisesTheError() throws {
        let caught = try ScriptHarness.run(
            """
            local ok, err = pcall(function()
              for event in client:stream("hi", { headers = fault("401") }) do print(event.type) end
            end)
            print(ok, err.kind, err.status, err.retryable)
            """)
        #expect(caught.lines == ["false auth 401 false"])
        let raised = try ScriptHarness.run("for event in client:stream('hi', { headers = fault('401') }) do end")
        #expect(raised.failure.contains("auth (401)"))
    }

    @Test func whatIsAskedIsWhatIsSent() throws {
        let run = try ScriptHarness.run(
            """
            local c = llm.client { model = "m-1", system = "Be brief.", headers = { ["X-One"] = "1", ["X-Two"] = "2" },
              params = { temperature = 0.5, stop = { "a" }, seed = 7 } }
            c:ask({ { role = "user", content = "one" }, { role = "assistant", content = "two" },
              { role = "user", content = { { type = "text", text = "three" } } } },
              { model = "m-2", temperature = 0.25, max_tokens = 9, headers = { ["X-Two"] = "22" },
                params = { seed = 8, custom = { deep = llm.json.array {} } }, system = "Be kind." })
            """)
        #expect(run.result.ending == .finished)
        let request = try #require(run.requests.first)
        #expect(request.path == "/v1/chat/completions")
        #expect(request.headers["x-one"] == "1")
        #expect(request.headers["x-two"] == "22")
        #expect(request.headers["content-type"] == "application/json")
        let body = try #require(run.bodies.first)
        #expect(body["model"]?.string == "m-2")
        #expect(body["temperature"] == .double(0.25))
        #expect(body["seed"] == .int(8))
        #expect(body["max_tokens"] == .int(9))
        #expect(body["stream"] == .bool(true))
        #expect(body["stop"] == .array(["a"]))
        #expect(body["custom"]?["deep"] == .array([]))
        let messages = try #require(body["messages"]?.array)
        #expect(messages.map { $0["role"]?.string } == ["system", "user", "assistant", "user"])
        #expect(messages[0]["content"]?.string == "Be kind.")
        #expect(messages[3]["content"]?.array?.first?["text"]?.string == "three")
    }

    @Test(arguments: [
        ("'json'", "json_object"), ("'text'", "text"), ("{ type = 'json_object' }", "json_object"),
        ("{ type = 'json_schema', schema = { type = 'object' } }", "json_schema"),
    ]) func theFormOfTheAnswerIsSent(_ written: String, _ type: String) throws {
        let run = try ScriptHarness.run("assert(client:ask('hi', { response_format = \(written) }))")
        #expect(run.result.ending == .finished)
        #expect(run.bodies.first?["response_format"]?["type"]?.string == type)
    }
}
