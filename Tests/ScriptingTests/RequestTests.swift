// Requests as scripts make them: ask, start and stream, callbacks and their order, and how they end.
// Length: one table of short scripts, a case each; parted, the cases would no longer be read side by side.

import Moonrill
import MoonrillMock
import Testing
import Wire

@Suite struct RequestTests {
    @Test(arguments: Self.flows) func flow(_ test: ScriptCase) throws { try Mocked.check(test) }

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
            "callbacks run in order, on_finish last", prints: ["ttt", "tok1 tok2 tok3 ", "finish"],
            """
            local order, text = "", ""
            client:ask("hi", {
              on_token = function(t, event)
                assert(event.type == "token" and event.text == t)
                order = order .. "t"
                text = text .. t
              end,
              on_finish = function(reply) assert(reply.text == text) print(order) print(text) order = "over" print("finish") end,
              on_error = function() print("error") end,
              on_event = function(event) assert(order ~= "over") end,
            })
            """),
        ScriptCase(
            "callbacks, on_event and a pull loop see one order", prints: ["true", "true", "true"],
            """
            local c = llm.client {}
            local function key(event) return event.type .. ":" .. tostring(event.text) end
            local pushed, pulled, called = {}, {}, {}
            c:ask("Tell me a story", { on_event = function(e) pushed[#pushed + 1] = key(e) end })
            for e in c:stream("Tell me a story") do pulled[#pulled + 1] = key(e) end
            c:ask("Tell me a story", {
              on_token = function(t) called[#called + 1] = "token:" .. t end,
              on_reasoning = function(t) called[#called + 1] = "reasoning:" .. t end,
            })
            print(table.concat(pushed, "\\n") == table.concat(pulled, "\\n"))
            local texts = {}
            for _, k in ipairs(pulled) do if k:find("^token:") or k:find("^reasoning:") then texts[#texts + 1] = k end end
            print(#texts > 3 and table.concat(texts, "\\n") == table.concat(called, "\\n"))
            print(pulled[1]:find("^start") ~= nil and pulled[#pulled]:find("^finish") ~= nil)
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
            "on_token's false stops with what was delivered",
            prints: ["tok1 tok2 ", "cancelled", "finish tok1 tok2 ", "tok1 tok2 ", "2"],
            """
            local n, got = 0, ""
            local reply = assert(client:ask("hi", {
              headers = count("inf"),
              on_token = function(t) n = n + 1 got = got .. t if n == 2 then return false end end,
              on_finish = function(r) print(got) print(r.finish_reason) print("finish " .. r.text) end,
              on_error = function() print("never") end,
            }))
            print(reply.text)
            print(n)
            """),
        ScriptCase(
            "every callback can stop", prints: ["cancelled", "cancelled", "cancelled", "cancelled"],
            """
            local c = llm.client { headers = count("inf") }
            for _, name in ipairs { "on_token", "on_event", "on_chunk" } do
              print(assert(c:ask("hi", { [name] = function() return false end })).finish_reason)
            end
            local reasoner = llm.client { model = "moonrill-reasoner" }
            print(assert(reasoner:ask("Tell me of the moon", { on_reasoning = function() return false end })).finish_reason)
            """),
        ScriptCase(
            "stopped and cancelled replies hold what was delivered, though the whole has come",
            prints: ["cancelled tok1 tok2 50", "cancelled tok1 tok2 50"],
            """
            local stopped, cancelled = 0, 0
            for _ = 1, 50 do
              local n, call = 0, nil
              local reply = assert(client:ask("hi", { on_token = function() n = n + 1 return n < 2 end }))
              if reply.finish_reason == "cancelled" and reply.text == "tok1 tok2 " and n == 2 then stopped = stopped + 1 end
              n = 0
              call = client:start("hi", { on_token = function() n = n + 1 if n == 2 then call:cancel() end end })
              local reply, err = call:wait()
              if err and err.kind == "cancelled" and err.partial.text == "tok1 tok2 " then cancelled = cancelled + 1 end
            end
            print("cancelled tok1 tok2", stopped)
            print("cancelled tok1 tok2", cancelled)
            """),
        ScriptCase(
            "the end is told once, whatever its callback does",
            prints: ["1 stop", "1 stop", "1 stop", "1 auth", "1 stop"],
            """
            local function times(make, options)
              local n = 0
              options = options or {}
              options.on_finish = make(function() n = n + 1 end)
              options.on_error = options.on_finish
              call = client:start("hi", options)
              local reply, err = call:wait()
              print(n, reply and reply.finish_reason or err.kind)
            end
            times(function(count) return function() count() return false end end)
            times(function(count) return function() count() call:cancel() end end)
            times(function(count) return function()
              count()
              llm.spawn(function() call:cancel() end)
              llm.sleep(0.01)
            end end)
            times(function(count) return function() count() call:cancel() return false end end, { headers = fault("401") })
            times(function(count) return count end, { on_event = function(e) if e.type == "finish" then return false end end })
            """),
        ScriptCase(
            "callbacks may wait", prints: ["tok1 /tok1 tok2 tok3 |tok2 /tok1 tok2 tok3 |tok3 /tok1 tok2 tok3 |"],
            """
            local log = ""
            client:ask("outer", { on_token = function(t)
              llm.sleep(0.005)
              local inner = assert(client:ask("inner"))
              log = log .. t .. "/" .. inner.text .. "|"
            end })
            print(log)
            """),
        ScriptCase(
            "a chain of requests through on_finish", prints: ["1", "2", "3", "done"],
            """
            local function step(n)
              client:start("hi", { on_finish = function()
                print(n)
                if n < 3 then step(n + 1) else print("done") end
              end })
            end
            step(1)
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
            "cancel gives nil and an error", prints: ["nil cancelled", "cancelled", "failed", "1"],
            """
            local errors = 0
            local call
            call = client:start("hi", {
              headers = count("inf"),
              on_token = function() call:cancel() end,
              on_finish = function() print("never") end,
              on_error = function(err) errors = errors + 1 kind = err.kind end,
            })
            local reply, err = call:wait()
            print(tostring(reply) .. " " .. err.kind)
            print(kind)
            print(call.status)
            call:cancel()
            print(errors)
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
            "coalesce gathers tokens", rate: 500, prints: ["true", "true"],
            """
            local calls, text = 0, ""
            local reply = client:ask("hi", { headers = count(60), coalesce = 0.05,
              on_token = function(t) calls = calls + 1 text = text .. t end })
            print(text == reply.text and #text > 100)
            print(calls > 0 and calls < 30)
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
            "a client's callbacks are the defaults, and merge by name", prints: ["default", "own", "default finish"],
            """
            local once = { token = false }
            local c = llm.client { headers = count(1), on_token = function() print("default") end }
            c:ask("hi")
            local d = llm.client { headers = count(1), on_token = function() print("never") end,
              on_finish = function() print("default finish") end }
            d:ask("hi", { on_token = function() print("own") end })
            """),
        ScriptCase(
            "on_chunk sees each payload as sent", prints: ["true", "[DONE]"],
            """
            local chunks = {}
            client:ask("hi", { on_chunk = function(raw) chunks[#chunks + 1] = raw end })
            local first = assert(llm.json.decode(chunks[1]))
            print(first.object == "chat.completion.chunk")
            print(chunks[#chunks])
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
            "a length limit is told", prints: ["length", "tok1 tok2 "],
            """
            local reply = client:ask("hi", { max_tokens = 2 })
            print(reply.finish_reason)
            print(reply)
            """),
    ]

    @Test(arguments: ["break", "return", "error('out')", "goto out"]) func leavingALoopCancels(_ way: String) throws {
        let run = try Mocked.run(
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

    @Test func stoppingClosesTheConnection() throws {
        let run = try Mocked.run(
            "client:ask('hi', { headers = count('inf'), on_token = function() return false end })", settleAborts: 1)
        #expect(run.result.ending == .finished)
        #expect(run.statistics.aborted == 1)
    }

    @Test(arguments: ["on_token", "on_event", "on_chunk", "on_usage", "on_finish"])
    func raisingInACallbackReachesTheCaller(_ name: String) throws {
        let run = try Mocked.run(
            """
            local function deep() error("no good") end
            client:ask("hi", {
              \(name) = function() deep() end,
            })
            print("never")
            """)
        #expect(run.lines == [])
        #expect(run.failure.contains("test.lua:2: no good"))
        guard case .failed(let message, let traceback) = run.result.ending else { return }
        #expect(message == "test.lua:2: no good")
        #expect(traceback.contains("\ttest.lua:4: in "), "the callback's own line: \(traceback)")
        #expect(traceback.hasSuffix("\nwaited for at test.lua:3"), "\(traceback)")
        #expect(traceback.split(separator: "stack traceback").count == 1)
    }

    @Test func raisingInACallbackCancelsAndCanBeCaught() throws {
        let run = try Mocked.run(
            """
            local ok, message = pcall(client.ask, client, "hi", { headers = count("inf"),
              on_token = function() error({ code = 7 }) end,
              on_finish = function() print("never") end })
            print(ok, message.code)
            local call = client:start("hi", { headers = count("inf"), on_token = function() error("own") end })
            local ok, message = pcall(call.wait, call)
            print(ok, message:match("own"))
            local ok, err = pcall(function() for e in client:stream("hi", { headers = count("inf"),
              on_token = function() error("pulled") end }) do end end)
            print(ok, err:match("pulled"))
            """, settleAborts: 3)
        #expect(run.result.ending == .finished)
        #expect(run.lines == ["false 7", "false own", "false pulled"])
        #expect(run.statistics.aborted == 3)
    }

    @Test func anErrorInABackgroundCallbackFailsTheScript() throws {
        let run = try Mocked.run("client:start('hi', { on_token = function() error('lost') end })")
        #expect(run.failure.contains("test.lua:2: lost"))
    }

    @Test func aFailedLoopRaisesTheError() throws {
        let caught = try Mocked.run(
            """
            local ok, err = pcall(function()
              for event in client:stream("hi", { headers = fault("401") }) do print(event.type) end
            end)
            print(ok, err.kind, err.status, err.retryable)
            """)
        #expect(caught.lines == ["false auth 401 false"])
        let raised = try Mocked.run("for event in client:stream('hi', { headers = fault('401') }) do end")
        #expect(raised.failure.contains("auth (401)"))
    }

    @Test func whatIsAskedIsWhatIsSent() throws {
        let run = try Mocked.run(
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
        let run = try Mocked.run("assert(client:ask('hi', { response_format = \(written) }))")
        #expect(run.result.ending == .finished)
        #expect(run.bodies.first?["response_format"]?["type"]?.string == type)
    }
}
