// Phases of a Responses reply and calls that wait for the client, as a script sees them: from the socket to the callbacks.

import Foundation
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct PhaseTests {
    private static func event(_ type: String, _ members: String) -> String {
        "data: {\"type\":\"response.\(type)\",\(members)}\n\n"
    }

    private static func message(_ index: Int, _ phase: String?, _ words: [String]) -> String {
        let member = phase.map { #","phase":"\#($0)""# } ?? ""
        let item = #"{"type":"message","role":"assistant"\#(member),"content":["#
        let text = words.joined()
        return event("output_item.added", #""output_index":\#(index),"item":\#(item)]}"#)
            + words.map { event("output_text.delta", #""output_index":\#(index),"content_index":0,"delta":"\#($0)""#) }
            .joined()
            + event(
                "output_item.done",
                #""output_index":\#(index),"item":\#(item){"type":"output_text","text":"\#(text)"}]}"#)
    }

    private static let end = event("completed", #""response":{"id":"r","status":"completed"}"#)

    /// Enough equal frames for pieces that come together.
    private static let reply =
        message(0, "commentary", (0..<9).map { "c\($0)" }) + message(1, "final_answer", (0..<9).map { "f\($0)" })
        + message(2, nil, ["x"]) + end

    /// Runs a script against a server that answers with `bodies` in turn, the last of them again and again.
    private static func run(_ bodies: [String], _ lua: String) throws -> ScriptHarness {
        let count = Locked(0)
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                _ = connection.answer(
                    bodies[min(number, bodies.count) - 1], headers: ["Content-Type: text/event-stream"])
            }
        }
        defer { server.stop() }
        let run = try ScriptHarness.run(
            """
            local llm = require 'llm'
            local client = llm.client { base_url = 'http://127.0.0.1:\(server.port)/v1', dialect = 'responses', model = 'm' }
            local seen = {}
            local function note(text, event)
              local phase = event.phase or "-"
              if seen[#seen] and seen[#seen].phase == phase then seen[#seen].text = seen[#seen].text .. text
              else seen[#seen + 1] = { phase = phase, text = text } end
            end
            \(lua)
            for _, part in ipairs(seen) do print(part.phase, part.text) end
            """, prelude: "")
        #expect(run.result.ending == .finished, "\(run.result.ending)")
        return run
    }

    private static let seen = ["commentary c0c1c2c3c4c5c6c7c8", "final_answer f0f1f2f3f4f5f6f7f8", "- x"]

    @Test(
        arguments: [
            #"client:ask("hi", { on_token = function(text, event) note(text, event) end })"#,
            #"client:ask("hi", { coalesce = 30, on_token = function(text, event) note(text, event) end })"#,
            #"client:ask("hi", { on_event = function(e) if e.type == "token" then note(e.text, e) end end })"#,
            #"for e in client:stream("hi") do if e.type == "token" then note(e.text, e) end end"#,
            // A window that holds the beginning back.
            #"llm.flow.fallback { function() return client:ask("hi", { on_token = function(t, e) note(t, e) end }) end }()"#,
        ]) func tokensHaveTheirPhase(lua: String) throws
    {
        #expect(try Self.run([Self.reply], lua).lines == Self.seen)
    }

    @Test func textIsThePlainConcatenation() throws {
        let lua = """
            local text = ""
            local reply = assert(client:ask("hi", { on_token = function(piece) text = text .. piece end }))
            print(reply.text == text, reply.text)
            """
        let words = Self.seen.map { $0.split(separator: " ")[1] }.joined()
        #expect(try Self.run([Self.reply], lua).lines == ["true \(words)"])
    }

    /// The phase of an attempt that broke says nothing of the next one.
    @Test func aNewAttemptBeginsWithoutPhase() throws {
        let broken = Self.message(0, "commentary", ["a"])
        let whole = Self.message(0, nil, ["b"]) + Self.end
        let lua = """
            client:ask("hi", { retry = { base = 0.01, after_output = "restart" },
              on_token = function(text, event) note(text, event) end, on_reset = function() seen = {} end })
            """
        #expect(try Self.run([broken, whole], lua).lines == ["- b"])
    }

    // MARK: Calls that wait for the client

    private static let approval = event(
        "output_item.done",
        #""output_index":0,"item":{"id":"mcpr_1","type":"mcp_approval_request","name":"n","arguments":"{}"}"#)

    @Test func nativeCallsOfAReply() throws {
        let lua = """
            local reply = assert(client:ask("hi"))
            print(reply.finish_reason, #reply.tool_calls, #reply.native_calls, reply.native_calls[1].type)
            local messages = { { role = "user", content = "hi" }, reply.message, { role = "user", content = {
              { type = "mcp_approval_response", approval_request_id = reply.native_calls[1].id, approve = true } } } }
            reply = assert(client:ask(messages))
            print(reply.text, reply.finish_reason, llm.json.encode(reply.native_calls))
            """
        let run = try Self.run([Self.approval + Self.end, Self.message(0, nil, ["done"]) + Self.end], lua)
        #expect(run.lines == ["tool_calls 0 1 mcp_approval_request", "done stop []"])
    }

    /// The loop of tools runs what it can and leaves the rest to the script.
    @Test func theLoopOfToolsStopsForThem() throws {
        let call =
            #"{"id":"fc_1","type":"function_call","call_id":"c","name":"get","arguments":"{}"}"#
        let body = Self.approval + Self.event("output_item.done", #""output_index":1,"item":\#(call)"#) + Self.end
        let lua = """
            local tool = llm.tool { name = "get", run = function() return "x" end }
            local reply = assert(client:ask("hi", { tools = { tool } }))
            print(reply.rounds, #reply.native_calls, #reply.messages, reply.messages[3].content)
            """
        #expect(try Self.run([body], lua).lines == ["1 1 3 x"])
    }
}
