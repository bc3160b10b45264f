// Calls of Responses that wait for the client, and phases of its messages: decoded at each cut, and sent back.

import Base
import Chat
import Formats
import HTTP
import JSON
import Testing

private func event(_ type: String, _ members: String) -> String { #"{"type":"response.\#(type)",\#(members)}"# }

private func done(_ index: Int, _ item: String) -> String {
    event("output_item.done", #""output_index":\#(index),"item":\#(item)"#)
}

private let end = event("completed", #""response":{"status":"completed"}"#)

@Suite struct ResponsesClientCallTests {
    private static let approval =
        #"{"id":"mcpr_1","type":"mcp_approval_request","server_label":"s","name":"n","arguments":"{}"}"#
    private static let computer =
        #"{"id":"cu_1","type":"computer_call","call_id":"call_1","action":{"type":"screenshot"},"status":"completed"}"#
    private static let shell =
        #"{"id":"lsh_1","type":"local_shell_call","call_id":"call_1","action":{"type":"exec","command":["ls"]}}"#
    private static let search =
        #"{"id":"tsc_1","type":"tool_search_call","execution":"client","call_id":"call_1","arguments":{"q":"x"}}"#
    private static let patch =
        #"{"id":"ap_1","type":"apply_patch_call","call_id":"call_1","operation":{"type":"delete_file","path":"a"}}"#
    private static let hosted = #"{"id":"sh_1","type":"shell_call","call_id":"call_1","action":{"commands":["ls"]}}"#

    static let waiting = [approval, computer, shell, search, patch, hosted]

    @Test(arguments: waiting) func waitsForTheClient(item: String) throws {
        let value = try JSONReader.value(item)
        let streams = [
            [done(0, item), end],
            // Servers that send an item in one of its two ways only.
            [event("output_item.added", #""output_index":0,"item":\#(item)"#), end],
            [event("completed", #""response":{"status":"completed","output":[\#(item)]}"#)],
        ]
        for stream in streams {
            let outcome = ResponsesStream.run(stream)
            #expect(outcome.error == nil)
            #expect(outcome.summary.nativeCalls == [value])
            #expect(outcome.summary.toolCalls.isEmpty)
            #expect(outcome.summary.finishReason == .toolCalls)
            #expect(outcome.hasCleanEnd)
        }
    }

    @Test(arguments: [
        (hosted, #"{"type":"shell_call_output","call_id":"call_1","output":[]}"#),
        (computer, #"{"type":"computer_call_output","call_id":"call_1","output":{}}"#),
        (approval, #"{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}"#),
        (search, #"{"type":"tool_search_output","call_id":"call_1","tools":[]}"#),
        (#"{"id":"t","type":"tool_search_call","execution":"server","call_id":null,"arguments":{}}"#, #"{"type":"x"}"#),
    ]) func whatTheProviderAnsweredDoesNotWait(call: String, output: String) {
        let outcome = ResponsesStream.run([done(0, call), done(1, output), end])
        #expect(outcome.summary.nativeCalls.isEmpty)
        #expect(outcome.summary.finishReason == .stop)
    }

    @Test func besideFunctionsInTheOrderOfTheOutput() {
        let call = #"{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#
        let outcome = ResponsesStream.run([done(2, Self.approval), done(1, call), done(0, Self.computer), end])
        #expect(outcome.summary.nativeCalls.map { $0["type"]?.string } == ["computer_call", "mcp_approval_request"])
        #expect(outcome.summary.toolCalls.map(\.name) == ["f"])
    }

    @Test func aCutReplyWaitsForNothing() {
        let incomplete = event(
            "incomplete", #""response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#)
        #expect(ResponsesStream.run([done(0, Self.computer), incomplete]).summary.finishReason == .length)
    }

    // MARK: Back

    private func input(_ messages: JSONValue...) throws -> [JSONValue] {
        let chat = ChatRequest(model: "m", system: nil, messages: messages)
        let endpoint = Endpoint(provider: "p", dialect: "responses", baseURL: "https://p.example/v1")
        let body = try WireFormat.openAIResponses.encode(chat, endpoint: endpoint, key: nil).body
        return try JSONReader.value(body)["input"]?.array ?? []
    }

    @Test(arguments: waiting) func theCallGoesBackWithItsOutput(item: String) throws {
        let message = ResponsesStream.run([done(0, item), end]).message
        let outputs: [JSONValue] = [
            ["type": "computer_call_output", "call_id": "call_1", "output": ["type": "computer_screenshot"]],
            ["type": "local_shell_call_output", "id": "call_1", "output": "a"],
            ["type": "shell_call_output", "call_id": "call_1", "output": []],
            ["type": "apply_patch_call_output", "call_id": "call_1", "status": "completed"],
            ["type": "tool_search_output", "call_id": "call_1", "tools": []],
            ["type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": true],
        ]
        for output in outputs {
            let question: JSONValue = ["role": "user", "content": "hi"]
            let asPart = try input(question, message, ["role": "user", "content": .array([output])])
            #expect(asPart.dropFirst() == [try JSONReader.value(item), output])
            let asNative = try input(
                question, message, ["role": "user", "native": ["dialect": "responses", "output": .array([output])]])
            #expect(asNative == asPart)
        }
    }

    @Test func wordsBesideAnOutputAreAMessage() throws {
        let output: JSONValue = ["type": "shell_call_output", "call_id": "c", "output": []]
        let items = try input(["role": "user", "content": .array([output, "go on"])])
        #expect(items.first == output)
        #expect(items.count == 2 && items.last?["content"]?.array?.first?["text"] == "go on")
    }

    // MARK: Phases

    private static func message(_ phase: String?, _ text: String) -> String {
        let member = phase.map { #","phase":"\#($0)""# } ?? ""
        return #"{"type":"message","role":"assistant"\#(member),"content":[{"type":"output_text","text":"\#(text)"}]}"#
    }

    /// Two messages, each with enough equal frames for the template path.
    private static let phased: [UInt8] = {
        var payloads: [String] = []
        for (index, phase) in ["commentary", "final_answer"].enumerated() {
            payloads.append(
                event(
                    "output_item.added",
                    #""output_index":\#(index),"item":{"type":"message","role":"assistant","phase":"\#(phase)","content":[]}"#
                ))
            for word in 0..<8 {
                payloads.append(
                    event(
                        "output_text.delta",
                        #""output_index":\#(index),"content_index":0,"delta":"\#(phase.prefix(1))\#(word)""#))
            }
            let text = (0..<8).map { "\(phase.prefix(1))\($0)" }.joined()
            payloads.append(done(index, message(phase, text)))
        }
        payloads.append(event("output_text.delta", #""output_index":2,"content_index":0,"delta":"plain""#))
        payloads.append(done(2, message(nil, "plain")))
        return [UInt8]((payloads + [end]).map { "data: \($0)\n\n" }.joined().utf8)
    }()

    /// The text of each phase, in order.
    private func phases(_ events: [DecodedEvent]) -> [[String]] {
        var phase = "-"
        var texts: [[String]] = []
        for event in events {
            if case .phase(let name) = event { phase = name ?? "-" }
            guard case .text(let batch) = event, batch.kind == .text else { continue }
            if texts.last?.first != phase { texts.append([phase, ""]) }
            texts[texts.count - 1][1] += batch.text
        }
        return texts
    }

    @Test func phasesAtEverySplit() {
        let reader = JSONReader()
        let body = Self.phased
        let expected = [["commentary", "c0c1c2c3c4c5c6c7"], ["final_answer", "f0f1f2f3f4f5f6f7"], ["-", "plain"]]
        let whole = StreamHarness.run(sse: body, dialect: WireFormat.openAIResponses, reader: reader)
        #expect(whole.skipped > 0)
        #expect(whole.text == "c0c1c2c3c4c5c6c7f0f1f2f3f4f5f6f7plain")
        for size in 1...body.count where size < 80 || size % 97 == 0 {
            let outcome = StreamHarness.run(sse: body, size: size, dialect: WireFormat.openAIResponses, reader: reader)
            #expect(outcome.error == nil)
            #expect(phases(outcome.events) == expected, "pieces of \(size)")
            #expect(outcome.events.count { if case .phase = $0 { true } else { false } } == 3)
        }
    }

    @Test func phasesOfAReplyThatCameWhole() {
        let output = "[\(Self.message("commentary", "a")),\(Self.message("final_answer", "b"))]"
        let outcome = ResponsesStream.run([
            event("completed", #""response":{"status":"completed","output":\#(output)}"#)
        ])
        #expect(phases(outcome.events) == [["commentary", "a"], ["final_answer", "b"]])
    }

    @Test func aReplyWithoutPhasesHasNoSuchEvent() {
        let outcome = ResponsesStream.run(ResponsesStream.usual.payloads)
        #expect(!outcome.events.contains { if case .phase = $0 { true } else { false } })
    }

    @Test func phasesGoBack() throws {
        let reply = StreamHarness.run(sse: Self.phased, dialect: WireFormat.openAIResponses).message
        let question: JSONValue = ["role": "user", "content": "hi"]
        let items = try input(question, reply, question)
        #expect(items.map { $0["phase"]?.string } == [nil, "commentary", "final_answer", nil, nil])
        // Also for messages that a script has written.
        let own = try input(question, ["role": "assistant", "content": "a", "phase": "final_answer"], question)
        #expect(own.map { $0["phase"]?.string } == [nil, "final_answer", nil])
    }
}
