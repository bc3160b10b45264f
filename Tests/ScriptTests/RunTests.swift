// Text that comes in one stroke, hundreds of pieces at once: callbacks see each piece, in order, and may do between any
// two of them what they may do anywhere.

import Moonrill
import Support
import Testing

@Suite struct RunTests {
    /// What a piece is, by its number; every seventh is written with an escape, every fifth is beyond ASCII.
    private static func piece(_ number: Int) -> (wire: String, text: String) {
        if number % 7 == 0 { return ("n\(number)\\n", "n\(number)\n") }
        if number % 5 == 0 { return ("月\(number) ", "月\(number) ") }
        return ("t\(number) ", "t\(number) ")
    }

    private static func frame(_ delta: String, _ rest: String = #""finish_reason":null"#) -> String {
        #"data: {"id":"c","choices":[{"index":0,"delta":{\#(delta)},\#(rest)}]}"# + "\n\n"
    }

    /// Reasoning, then text, then reasoning and text in turn.
    private static let body =
        (1...100).map { frame(#""reasoning_content":"\#(piece($0).wire)""#) }.joined()
        + (1...300).map { frame(#""content":"\#(piece($0).wire)""#) }.joined()
        + (1...20).map { number in
            (1...6).map { frame(#""\#(number % 2 == 0 ? "content" : "reasoning_content")":"\#($0)""#) }.joined()
        }
        .joined() + frame("", #""finish_reason":"stop""#) + "data: [DONE]\n\n"

    private static let prelude = """
        local llm = require 'llm' local client = llm.client {} local pieces = {} \
        local function piece(n) return n % 7 == 0 and "n" .. n .. "\\n" or n % 5 == 0 and "月" .. n .. " " or "t" .. n .. " " end \
        local function first(n) local all = {} for i = 1, n do all[i] = piece(i) end return table.concat(all) end \
        local function took(t) pieces[#pieces + 1] = t assert(#pieces > 300 or t == piece(#pieces), t) end

        """

    /// Answers every request with the body, in one write.
    private static func run(_ lua: String) throws -> ScriptHarness {
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                guard connection.answer(body, headers: ["Content-Type: text/event-stream"]) else { return }
            }
        }
        defer { server.stop() }
        return try ScriptHarness.run(lua, prelude: prelude) { $0.offlineBaseURL = "http://127.0.0.1:\(server.port)/v1" }
    }

    static let cases = [
        ScriptCase(
            "every piece, in order", prints: ["360 160 true true"],
            """
            local thoughts = 0
            local reply = assert(client:ask("x", { on_token = took, on_reasoning = function() thoughts = thoughts + 1 end }))
            print(#pieces, thoughts, table.concat(pieces) == reply.text, reply.reasoning:sub(1, #first(100)) == first(100))
            """),
        ScriptCase(
            "false stops between two pieces", prints: ["113 cancelled true true"],
            """
            local reply = assert(client:ask("x", { on_token = function(t) took(t) return #pieces < 113 end }))
            print(#pieces, reply.finish_reason, reply.text == first(113), reply.reasoning:sub(1, #first(100)) == first(100))
            """),
        ScriptCase(
            "false stops in reasoning", prints: ["57 cancelled true true"],
            """
            local reply = assert(client:ask("x", { on_reasoning = function(t) took(t) return #pieces < 57 end }))
            print(#pieces, reply.finish_reason, reply.text == "", reply.reasoning == first(57))
            """),
        ScriptCase(
            "cancel() in a callback", prints: ["5 cancelled true"],
            """
            local call
            call = client:start("x", { on_token = function(t) took(t) if #pieces == 5 then call:cancel() end end })
            local reply, err = call:wait()
            print(#pieces, err.kind, err.partial.text == first(5))
            """),
        ScriptCase(
            "pause() in a callback, then cancel()", prints: ["42 42", "cancelled true"],
            """
            local call
            call = client:start("x", { on_token = function(t) took(t) if #pieces == 42 then call:pause() end end })
            while #pieces < 42 do llm.sleep(0.001) end
            llm.sleep(0.05)
            print(#pieces, call.status == "paused" and 42)
            call:cancel()
            local reply, err = call:wait()
            print(err.kind, err.partial.text == first(42))
            """),
        ScriptCase(
            "pause() and resume() between any two", prints: ["360 true"],
            """
            local call
            call = client:start("x", { on_token = function(t) took(t)
              if #pieces % 50 == 0 then call:pause() llm.spawn(function() call:resume() end) end
            end })
            local reply = assert(call:wait())
            print(#pieces, table.concat(pieces) == reply.text)
            """),
        ScriptCase(
            "a callback that waits holds the pieces behind it", prints: ["360 true 8"],
            """
            local waits = 0
            local reply = assert(client:ask("x", { on_token = function(t)
              if #pieces % 50 == 7 then llm.sleep(0) waits = waits + 1 end
              took(t)
            end }))
            print(#pieces, table.concat(pieces) == reply.text, waits)
            """),
        ScriptCase(
            "a callback that waited may return false", prints: ["100 cancelled true"],
            """
            local reply = assert(client:ask("x", { on_token = function(t)
              took(t)
              if #pieces == 100 then llm.sleep(0.001) return false end
            end }))
            print(#pieces, reply.finish_reason, reply.text == first(100))
            """),
        ScriptCase(
            "a callback that waited may cancel the request, and what it holds back is not shown", prints: ["100 true"],
            """
            local call
            call = client:start("x", { on_token = function(t)
              took(t)
              if #pieces == 100 then llm.sleep(0.001) call:cancel() llm.sleep(0.01) end
            end })
            local reply, err = call:wait()
            print(#pieces, err.partial.text == first(100))
            """),
        ScriptCase(
            "a callback asks", prints: ["360 true 300"],
            """
            local inner = 0
            local reply = assert(client:ask("x", { on_token = function(t)
              if #pieces == 33 then
                local n = 0
                client:ask("y", { on_token = function() n = n + 1 return n < 300 end })
                inner = n
              end
              took(t)
            end }))
            print(#pieces, table.concat(pieces) == reply.text, inner)
            """),
        ScriptCase(
            "two requests, told in turn", prints: ["360 360 true"],
            """
            local texts = { {}, {} }
            local calls = {}
            for i = 1, 2 do
              calls[i] = client:start("x", { on_token = function(t) texts[i][#texts[i] + 1] = t end })
            end
            for i = 1, 2 do assert(calls[i]:wait().text == table.concat(texts[i])) end
            print(#texts[1], #texts[2], table.concat(texts[1]) == table.concat(texts[2]))
            """),
        ScriptCase(
            "a callback's error ends the request, says where, and shows nothing of the host",
            prints: ["77 true true false"],
            """
            local function fail() error("no more") end
            local ok, err = pcall(client.ask, client, "x", { on_token = function(t)
              took(t)
              if #pieces == 77 then fail() end
            end })
            err = tostring(err)
            print(#pieces, err:find("test.lua:2: no more", 1, true) ~= nil, err:find("in function 'fail'", 1, true) ~= nil
              or err:find("in upvalue 'fail'", 1, true) ~= nil, err:find("[C]: in ?", 1, true) ~= nil)
            """),
        ScriptCase(
            "a loop sees each piece by itself", prints: ["360 160 true"],
            """
            local thoughts, text = 0, ""
            for event in client:stream("x") do
              if event.type == "token" then pieces[#pieces + 1] = event.text end
              if event.type == "reasoning" then thoughts = thoughts + 1 end
              if event.type == "finish" then text = event.reply.text end
            end
            print(#pieces, thoughts, table.concat(pieces) == text)
            """),
        ScriptCase(
            "a callback with two parameters gets the event of each", prints: ["360 true"],
            """
            local same = true
            client:ask("x", { on_token = function(t, event) took(t) same = same and event.text == t and event.type == "token" end })
            print(#pieces, same)
            """),
        ScriptCase(
            "gathered text is all of it", prints: ["true"],
            """
            local text = ""
            local reply = assert(client:ask("x", { coalesce = 0.001, on_token = function(t) text = text .. t end }))
            print(text == reply.text)
            """),
        ScriptCase(
            "a budget counts each piece", prints: ["budget true", "360"],
            """
            local _, err = llm.budget { tokens = 60 }:run(function() return client:ask("x", { on_token = took }) end)
            print(err.kind, #pieces < 60)
            pieces = {}
            assert(llm.budget { tokens = 2000 }:run(function() return client:ask("x", { on_token = took }) end))
            print(#pieces)
            """),
    ]

    @Test(arguments: cases) func run(_ test: ScriptCase) throws {
        let run = try Self.run(test.lua)
        #expect(run.result.ending == .finished)
        #expect(run.lines == test.prints)
        #expect(run.result.errorOutput == "")
    }
}
