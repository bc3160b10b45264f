// Callbacks: their order, what they may do (wait, ask, stop, raise), and what comes of it.

import Moonrill
import ProviderSimulator
import Testing

@Suite struct CallbackTests {
    @Test(arguments: Self.flows) func flow(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let flows = [
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
            "a loop with callbacks shows each event to the callback first, and the end once",
            prints: ["tptptp", "F", "true"],
            """
            local log = ""
            for e in client:stream("hi", { on_token = function() log = log .. "t" end,
              on_finish = function() log = log .. "F" end, on_error = function() log = log .. "E" end }) do
              if e.type == "token" then log = log .. "p" end
            end
            print(log:sub(1, 6))
            print(log:sub(7, 7))
            print(#log == 7)
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
            "a callback may be a function written in C", prints: ["stop"],
            """
            print(assert(client:ask("hi", { on_token = tostring })).finish_reason)
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
            "coalesce gathers tokens", rate: 500, prints: ["true", "true"],
            """
            local calls, text = 0, ""
            local reply = client:ask("hi", { headers = count(60), coalesce = 0.05,
              on_token = function(t) calls = calls + 1 text = text .. t end })
            print(text == reply.text and #text > 100)
            print(calls > 0 and calls < 30)
            """),
        ScriptCase(
            "what was gathered is shown before the end", prints: ["1 true"],
            """
            local calls, text = 0, ""
            local reply = assert(client:ask("hi", { coalesce = 10,
              on_token = function(t) calls, text = calls + 1, text .. t end }))
            print(calls, text == reply.text)
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
    ]

    @Test func stoppingClosesTheConnection() throws {
        let run = try ScriptHarness.run(
            "client:ask('hi', { headers = count('inf'), on_token = function() return false end })", settleAborts: 1)
        #expect(run.result.ending == .finished)
        #expect(run.statistics.aborted == 1)
    }

    /// A slow reader slows the server down instead of filling memory.
    @Test func aSlowCallbackHoldsTheServerBack() throws {
        let run = try ScriptHarness.run(
            """
            local n = 0
            local reply = assert(client:ask("hi", { headers = count("inf"), on_token = function()
              n = n + 1
              if n % 100 == 0 then llm.sleep(0.01) end
              return n < 2000
            end }))
            print(reply.finish_reason, n)
            """)
        #expect(run.lines == ["cancelled 2000"])
        // What the socket and the buffers hold is far below what an unhindered server would have sent.
        #expect(run.statistics.events < 100_000)
    }

    static let raisers = ["on_token", "on_reasoning", "on_event", "on_usage", "on_chunk", "on_finish"]

    /// The error is the callback's own, with its traceback and no other; one line says who waited.
    @Test(arguments: raisers) func raisingInACallbackReachesTheCaller(_ name: String) throws {
        let run = try ScriptHarness.run(
            """
            local function deep() error("no good") end
            local function asks()
              llm.client { model = "moonrill-reasoner" }:ask("hi", {
                \(name) = function() deep() end,
              })
            end
            asks()
            """)
        #expect(
            run.result.ending
                == .failed(
                    message: "test.lua:2: no good",
                    traceback: """
                        stack traceback:
                        \t[C]: in function 'error'
                        \ttest.lua:2: in upvalue 'deep'
                        \ttest.lua:5: in function <test.lua:5>
                        waited for at test.lua:4
                        """))
    }

    @Test(arguments: raisers) func whatIsCaughtOfACallbackHasItsTraceback(_ name: String) throws {
        let run = try ScriptHarness.run(
            """
            local reasoner = llm.client { model = "moonrill-reasoner" }
            local ok, message = pcall(reasoner.ask, reasoner, "hi", { \(name) = function() error("no good") end })
            print(ok)
            print(message)
            """)
        #expect(
            run.lines == [
                "false", "test.lua:3: no good", "stack traceback:", " [C]: in function 'error'",
                " test.lua:3: in function <test.lua:3>",
            ])
    }

    /// An error that is a table has no place in it for a traceback: it is kept beside it, through every wait.
    @Test func aTableRaisedInACallbackIsTracedAsWell() throws {
        let run = try ScriptHarness.run(
            """
            local mine = setmetatable({}, { __tostring = function() return "mine" end })
            local task = llm.spawn(function()
              client:ask("hi", { on_token = function() error(mine) end })
            end)
            task:wait()
            """)
        #expect(
            run.result.ending
                == .failed(
                    message: "mine",
                    traceback: """
                        stack traceback:
                        \t[C]: in function 'error'
                        \ttest.lua:4: in function <test.lua:4>
                        waited for at test.lua:4
                        waited for at test.lua:6
                        """))
    }

    @Test func raisingInACallbackCancelsAndCanBeCaught() throws {
        let run = try ScriptHarness.run(
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
        let run = try ScriptHarness.run("client:start('hi', { on_token = function() error('lost') end })")
        #expect(
            run.result.ending
                == .failed(
                    message: "test.lua:2: lost",
                    traceback: "stack traceback:\n\t[C]: in function 'error'\n\ttest.lua:2: in function <test.lua:2>"))
    }
}
