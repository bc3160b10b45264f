// What a script's conversation looks like at the provider, after tools, save, load and fork.

import Foundation
import Moonrill
import Support
import Testing
import Wire

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
        let run = try Mocked.run(
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
}
