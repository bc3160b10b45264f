// What a script's conversation looks like at the provider, after tools, save, load and fork.

import Foundation
import JSON
import Moonrill
import Support
import Testing

@Suite struct SentHistoryTests {
    /// A Chat Completions stream of these chunks.
    private static func stream(_ deltas: String..., finish: String) -> String {
        let chunks = deltas.map { #"{"id":"r","model":"m","choices":[{"index":0,"delta":\#($0)}]}"# }
        let end = #"{"choices":[{"index":0,"delta":{},"finish_reason":"\#(finish)"}]}"#
        return (chunks + [end, "[DONE]"]).map { "data: \($0)\n\n" }.joined()
    }

    private static func call(_ name: String, _ arguments: String) -> String {
        let function = JSONWriter.text(["name": .string(name), "arguments": .string(arguments)])
        return #"{"tool_calls":[{"index":0,"id":"A","function":\#(function)}]}"#
    }

    /// Runs a script against a server that gives these answers in turn, and the last for ever.
    private static func run(_ lua: String, answers: [String]) throws -> (lines: [String], bodies: [JSONValue]) {
        let bodies = Locked([JSONValue]())
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                let number = bodies.withLock { seen in
                    seen.append((try? JSONReader.value(request.body)) ?? .null)
                    return seen.count
                }
                _ = connection.answer(
                    answers[min(number, answers.count) - 1], headers: ["Content-Type: text/event-stream"])
            }
        }
        defer { server.stop() }
        let run = try ScriptHarness.run(
            """
            local llm = require 'llm'
            local BASE = 'http://127.0.0.1:\(server.port)/v1'
            local tool = llm.tool { name = "get", run = function() return "result" end }

            """ + lua, prelude: ""
        ) { $0.offlineBaseURL = nil }
        #expect(run.result.ending == .finished, "\(run.result.ending)")
        return (run.lines, bodies.withLock { $0 })
    }

    private static func replies(_ body: JSONValue) -> [JSONValue] {
        (body["messages"]?.array ?? []).filter { $0["role"] == "assistant" }
    }

    /// The reasoning of a turn with tools goes back for ever, also through a file and in hand-made messages.
    @Test func deepSeekKeepsTheReasoningOfTurnsWithTools() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/chat.json"
        let (_, bodies) = try Self.run(
            """
            llm.provider { name = "deepseek", base_url = BASE, key_env = false }
            local client = llm.client { provider = "deepseek" }
            local chat = client:chat { tools = { tool } }
            assert(chat:send("a"))
            assert(chat:send("b"))
            assert(chat:save("\(path)"))
            local other = assert(client:chat { tools = { tool }, load = "\(path)" })
            assert(other:fork():send("c"))
            local messages = chat:messages()
            messages[#messages + 1] = { role = "user", content = "d" }
            assert(client:ask(messages))
            """,
            answers: [
                Self.stream(#"{"reasoning_content":"r1"}"#, Self.call("get", "{}"), finish: "tool_calls"),
                Self.stream(#"{"reasoning_content":"r2"}"#, #"{"content":"x"}"#, finish: "stop"),
                Self.stream(#"{"reasoning_content":"r3"}"#, #"{"content":"y"}"#, finish: "stop"),
            ])
        #expect(bodies.count == 5)
        let sent = bodies.map { Self.replies($0).map { $0["reasoning_content"]?.string } }
        #expect(sent == [[], ["r1"], ["r1", "r2"], ["r1", "r2", nil], ["r1", "r2", nil]])
    }

    /// The provider gets a legal call, the script what the model sent, the model the error.
    @Test func aMalformedCallDoesNotEndAConversation() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/chat.json"
        let (lines, bodies) = try Self.run(
            """
            local client = llm.client { base_url = BASE, dialect = "openai", model = "m" }
            local chat = client:chat { tools = { tool } }
            assert(chat:send("a"))
            local call = chat:messages()[2].tool_calls[1]["function"]
            print(call.name, call.arguments)
            assert(chat:save("\(path)"))
            assert(assert(client:chat { load = "\(path)" }):send("b"))
            """,
            answers: [
                Self.stream(Self.call("get it!", #"{"a":"#), finish: "tool_calls"),
                Self.stream(#"{"content":"x"}"#, finish: "stop"),
            ])
        #expect(lines == [#"get it! {"a":"#])
        #expect(bodies.count == 3)
        for body in bodies.dropFirst() {
            let function = Self.replies(body).first?["tool_calls"]?.array?.first?["function"]
            #expect(function?["name"] == "get_it_")
            #expect(function?["arguments"] == "{}")
            let result = body["messages"]?.array?.first { $0["role"] == "tool" }
            #expect(result?["content"]?.string?.contains("there is no tool 'get it!'") == true)
        }
    }

    @Test func anEmptyReplyIsRememberedAndNotSent() throws {
        let (lines, bodies) = try Self.run(
            """
            local client = llm.client { base_url = BASE, dialect = "openai", model = "m" }
            local chat = client:chat {}
            assert(chat:send("a"))
            assert(chat:send("b"))
            print(#chat:messages())
            """,
            answers: [
                Self.stream(#"{"reasoning_content":"hm"}"#, finish: "stop"),
                Self.stream(#"{"content":"x"}"#, finish: "stop"),
            ])
        #expect(lines == ["4"])
        let sent = bodies.last?["messages"]?.array ?? []
        #expect(sent.map { $0["role"] } == ["user", "user"])
        #expect(sent.map { $0["content"] } == ["a", "b"])
    }

    /// A stream of these payloads, as server-sent events.
    private static func events(_ payloads: String...) -> String { payloads.map { "data: \($0)\n\n" }.joined() }

    /// Streams with a call, then two pieces of text, and one of the text "z" alone.
    private static let stopped: [(dialect: String, call: String, plain: String)] = [
        (
            "openai",
            stream(call("get", "{}"), #"{"content":"x"}"#, #"{"content":"y"}"#, finish: "tool_calls"),
            stream(#"{"content":"z"}"#, finish: "stop")
        ),
        (
            "anthropic",
            events(
                #"{"type":"message_start","message":{"id":"m","content":[],"usage":{}}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"A","name":"get","input":{}}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
                #"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x"}}"#,
                #"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"y"}}"#,
                #"{"type":"content_block_stop","index":1}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#, #"{"type":"message_stop"}"#),
            events(
                #"{"type":"message_start","message":{"id":"m","content":[],"usage":{}}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"z"}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"message_stop"}"#)
        ),
        (
            "gemini",
            events(
                #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get","args":{}}}]}}]}"#,
                #"{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}"#,
                #"{"candidates":[{"content":{"parts":[{"text":"y"}]},"finishReason":"STOP"}]}"#),
            events(#"{"candidates":[{"content":{"parts":[{"text":"z"}]},"finishReason":"STOP"}]}"#)
        ),
        (
            "responses",
            events(
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"A","name":"get","arguments":"{}"}}"#,
                #"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"x"}"#,
                #"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"y"}"#,
                #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"function_call","id":"fc","call_id":"A","name":"get","arguments":"{}"},{"type":"message","id":"m","content":[{"type":"output_text","text":"xy"}]}]}}"#
            ),
            events(
                #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"z"}"#,
                #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","id":"m","content":[{"type":"output_text","text":"z"}]}]}}"#
            )
        ),
    ]

    /// Wherever a script stops a stream, the chat holds what it saw and no call, and goes on.
    @Test(arguments: stopped.map(\.dialect), 1...2) func aStoppedReplyLeavesNoCall(dialect: String, count: Int) throws {
        let streams = try #require(Self.stopped.first { $0.dialect == dialect })
        let (lines, bodies) = try Self.run(
            """
            local client = llm.client { base_url = BASE, dialect = "\(dialect)", model = "m" }
            local chat = client:chat { tools = { tool } }
            local count = 0
            local reply = assert(chat:send("a", { on_token = function()
              count = count + 1
              if count == \(count) then return false end
            end }))
            print(reply.finish_reason, #reply.tool_calls, reply.message.tool_calls, reply.message.content == reply.text)
            print(assert(chat:send("b")).text)
            """,
            answers: [streams.call, streams.plain])
        #expect(lines == ["cancelled 0 nil true", "z"])
        #expect(bodies.count == 2)
        let body = try #require(bodies.last)
        let history = try #require((body["messages"] ?? body["contents"] ?? body["input"])?.array)
        #expect(!JSONWriter.text(.array(history)).contains("get"))
        #expect(history.count == 3)
    }
}
