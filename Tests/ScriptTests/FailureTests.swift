// Requests that fail: retries, what happens after output, timeouts, and what the error says.

import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct FailureTests {
    @Test(arguments: Self.flows) func flow(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let flows = [
        ScriptCase(
            "a retry is told, then succeeds", faults: "503:2",
            prints: ["1 503 true", "2 503 true", "3", "tok1 tok2 tok3 "],
            """
            local reply = assert(client:ask("hi", { retry = { base = 0.001 }, on_retry = function(info)
              print(info.attempt, info.err.status, info.delay >= 0 and info.received.chars == 0)
            end }))
            print(reply.attempts)
            print(reply)
            """),
        ScriptCase(
            "max bounds the attempts", faults: "503", prints: ["nil", "overloaded 503 3 true", "2"],
            """
            local retries = 0
            local reply, err = client:ask("hi", { retry = { max = 2, base = 0.001 },
              on_retry = function() retries = retries + 1 end })
            print(reply)
            print(err.kind, err.status, err.attempts, err.retryable)
            print(retries)
            """),
        ScriptCase(
            "max = 0 means once", faults: "503:1", prints: ["1"],
            """
            local reply, err = client:ask("hi", { retry = { max = 0 } })
            print(err.attempts)
            """),
        ScriptCase(
            "what no retry can cure",
            prints: [
                "400 invalid_request 1", "401 auth 1", "403 permission 1", "404 invalid_request 1",
                "422 invalid_request 1",
            ],
            """
            for _, status in ipairs { 400, 401, 403, 404, 422 } do
              local reply, err = client:ask("hi", { headers = fault(tostring(status)) })
              print(err.status, err.kind, err.attempts)
            end
            """),
        ScriptCase(
            "quota is no rate limit", prints: ["quota 1 false"],
            """
            local reply, err = client:ask("hi", { headers = fault("quota") })
            print(err.kind, err.attempts, err.retryable)
            """),
        ScriptCase(
            "Retry-After is honoured", faults: "429:1@0.2", prints: ["rate_limit", "true", "true"],
            """
            local delay
            local before = llm.now()
            assert(client:ask("hi", { on_retry = function(info) delay = info.delay print(info.err.kind) end }))
            print(delay >= 0.2)
            print(llm.now() - before >= 0.2)
            """),
        ScriptCase(
            "a Retry-After beyond the time left fails at once", faults: "429@60", prints: ["rate_limit 60.0 1 true"],
            """
            local before = llm.now()
            local reply, err = client:ask("hi", { timeout = 5 })
            print(err.kind, err.retry_after, err.attempts, llm.now() - before < 3)
            """),
        ScriptCase(
            "a Retry-After longer than anyone would wait fails at once", faults: "429:9@500",
            prints: ["rate_limit 429 500.0 1"],
            """
            local reply, err = client:ask("hi")
            print(err.kind, err.status, err.retry_after, err.attempts)
            """),
        ScriptCase(
            "auto restarts what nobody saw", faults: "cut@600x1", prints: ["2", "tok1 tok2 tok3 tok4 tok5 "],
            """
            local reply = assert(client:ask("hi", { headers = count(5), retry = { base = 0.001 } }))
            print(reply.attempts)
            print(reply)
            """),
        ScriptCase(
            "a clean end too early is restarted like a cut", faults: "eof@600x1", prints: ["2"],
            """
            print(assert(client:ask("hi", { headers = count(5), retry = { base = 0.001 } })).attempts)
            """),
        ScriptCase(
            "reasoning that was seen counts as output", faults: "stall@800:1x1,eof@900x1",
            prints: ["nil truncated true true"],
            """
            local seen = ""
            local reasoner = llm.client { model = "moonrill-reasoner" }
            local reply, err = reasoner:ask("hi", { on_reasoning = function(t) seen = seen .. t end })
            print(reply, err.kind, #seen > 0, err.partial.reasoning == seen)
            """),
        ScriptCase(
            "auto fails what was seen", faults: "stall@598:1x1,cut@600x1",
            prints: ["truncated", "true", "true", "true", "1"],
            """
            local text = ""
            local reply, err = client:ask("hi", { headers = count(9), on_token = function(t) text = text .. t end })
            print(err.kind)
            print(err.partial.text == text and #text > 0)
            print(err.position.bytes == 600 and err.position.events > 0 and err.position.chars == #text)
            print(err.partial.finish_reason == nil and tostring(err.partial) == text)
            print(err.attempts)
            """),
        ScriptCase(
            "fail fails", faults: "stall@598:1x1,cut@600x1", prints: ["truncated 1"],
            """
            local reply, err = client:ask("hi", { headers = count(9), retry = { after_output = "fail" }, on_token = print and function() end })
            print(err.kind, err.attempts)
            """),
        ScriptCase(
            "restart announces that the text is void", faults: "stall@598:1x1,cut@600x1",
            prints: ["retry", "reset truncated", "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8 tok9 ", "true", "2"],
            """
            local text, first = "", nil
            local reply = assert(client:ask("hi", { headers = count(9), retry = { base = 0.001, after_output = "restart" },
              on_token = function(t) text = text .. t end,
              on_retry = function() print("retry") end,
              on_reset = function(info) print("reset", info.err.kind) first = text text = "" end }))
            print(text)
            print(#first > 0 and text == reply.text)
            print(reply.attempts)
            """),
        ScriptCase(
            "continue delivers only new text", faults: "stall@598:1x1,cut@600x1",
            prints: ["retry true", "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8 tok9 ", "true", "2"],
            """
            local c = llm.client { provider = "deepseek", headers = count(9) }
            local text = ""
            local reply = assert(c:ask("hi", { model = "deepseek-chat", retry = { base = 0.001, after_output = "continue" },
              on_token = function(t) text = text .. t end,
              on_retry = function(info) print("retry", info.received.chars == #text) end,
              on_reset = function() print("never") end }))
            print(text)
            print(text == reply.text)
            print(reply.attempts)
            """),
        ScriptCase(
            "a stream without its end is truncated", prints: ["truncated true"],
            """
            local reply, err = client:ask("hi", { headers = fault("no-done,no-finish"), retry = { max = 0 } })
            print(err.kind, err.partial.text == "tok1 tok2 tok3 ")
            """),
        ScriptCase(
            "what is no stream at all", prints: ["protocol true", "protocol false", "protocol false"],
            """
            for _, f in ipairs { "html", "garbage", "empty" } do
              local reply, err = client:ask("hi", { headers = fault(f), retry = { max = 0 } })
              print(err.kind, err.message:find("html") ~= nil)
            end
            """),
        ScriptCase(
            "an error inside the stream", faults: "error-frame@3x1", prints: ["overloaded", "true"],
            """
            local reply, err = client:ask("hi", { headers = count(9), retry = { max = 0 } })
            print(err.kind)
            print(#tostring(err) > 10)
            """),
        ScriptCase(
            "a loop over a stream that is cut raises", faults: "stall@598:1,cut@600",
            prints: ["false truncated true", "true"],
            """
            local text = ""
            local ok, err = pcall(function()
              for e in client:stream("hi", { headers = count(9), retry = { max = 0 } }) do text = text .. (e.text or "") end
            end)
            print(ok, err.kind, tostring(err):find("mock: truncated") ~= nil)
            print(#text > 0 and err.partial.text == text)
            """),
        ScriptCase(
            "timeouts name their phase", prints: ["timeout first", "timeout idle true", "timeout total"],
            """
            local function ask(f, timeout)
              local reply, err = client:ask("hi", { headers = fault(f, 9), timeout = timeout, retry = { max = 0 } })
              return err.kind, err.phase, err.partial and #err.partial.text > 0
            end
            print((select(1, ask("slow-head:5", { first = 0.1 }))), (select(2, ask("slow-head:5", { first = 0.1 }))))
            print(ask("stall@600:5", { idle = 0.1 }))
            print((select(1, ask("stall@600:5", 0.2))), (select(2, ask("stall@600:5", 0.2))))
            """),
        ScriptCase(
            "on_error fires once, last, and only then", faults: "401", prints: ["event error", "error", "auth"],
            """
            local reply, err = client:ask("hi", {
              on_event = function(e) print("event", e.type) end,
              on_error = function(e) print("error") end, on_finish = function() print("never") end })
            print(err.kind)
            """),
        ScriptCase(
            "assert prints an error well", faults: "401", prints: ["mock: auth (401): ", "true"],
            """
            local ok, message = pcall(function() assert(client:ask("hi")) end)
            local text = tostring(message)
            print(text:sub(1, 18))
            print(message.provider == "mock" and message.model ~= nil and message.message ~= nil)
            """),
    ]

    @Test func aRefusedConnectionIsANetworkError() throws {
        let server = try RawServer { _ in }
        let url = server.url
        server.stop()
        let run = try ScriptHarness.run(
            """
            local c = llm.client { base_url = "\(url)/v1", model = "m" }
            local reply, err = c:ask("hi", { retry = { max = 1, base = 0.001 } })
            print(reply, err.kind, err.attempts, err.retryable, err.provider)
            """)
        #expect(run.lines == ["nil network 2 true 127.0.0.1"])
    }

    @Test func aMissingKeyNamesItsVariable() throws {
        let run = try ScriptHarness.run(
            """
            local c = llm.client { base_url = "http://192.0.2.1/v1", model = "m", key_env = "MOONRILL_TEST_NO_KEY" }
            local reply, err = c:ask("hi")
            print(err.kind, err.attempts)
            print(err)
            """)
        #expect(run.lines.first?.hasPrefix("config ") == true)
        #expect(run.lines.last?.contains("export MOONRILL_TEST_NO_KEY=") == true)
    }

    @Test func theHostsTimeLimitEndsEverything() throws {
        let run = try ScriptHarness.run("print('a') client:ask('hi', { headers = count('inf') })", rate: 100) {
            $0.timeLimit = 0.3
        }
        #expect(run.result.ending == .timedOut(seconds: 0.3))
        #expect(run.lines == ["a"])
        let busy = try ScriptHarness.run("pcall(function() while true do end end) print('never')") {
            $0.timeLimit = 0.2
        }
        #expect(busy.result.ending == .timedOut(seconds: 0.2))
        #expect(busy.lines == [])
    }
}
