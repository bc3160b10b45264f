// Ids of tool calls: generated ones, and the pairing of results with calls.

import Chat
import HTTP
import JSON
import Testing

@testable import Formats

@Suite struct CallIDTests {
    // MARK: The ids themselves

    @Test func formIsLegalEverywhere() {
        let ids = LocalCallIDs()
        let all = (0..<5000).map { ids[$0] }
        #expect(Set(all).count == all.count)
        for id in all {
            #expect(id.utf8.count == 9 && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
            #expect(LocalCallIDs.isLocal(id))
        }
        #expect(LocalCallIDs(start: 62)[0] == LocalCallIDs(start: 0)[62])
        #expect(LocalCallIDs(start: .max)[3].utf8.count == 9)
    }

    @Test(arguments: ["", "a", "call_0", "mr0000001", "mr00000000", "mr-000000", "functions.get:0", "Mr0000000"])
    func othersAreTold(id: String) {
        #expect(!LocalCallIDs.isLocal(id))
    }

    /// Replies whose calls lack ids, or share one: format, frames.
    private static let replies: [(WireFormat, [String])] = [
        (
            WireFormat.openAIChat,
            [
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}},{"index":1,"id":"","function":{"name":"f","arguments":"{\"a\":1}"}}]}}]}"#,
                "[DONE]",
            ]
        ),
        (
            WireFormat.openAIChat,
            [
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"0","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"0","function":{"name":"g","arguments":"{\"a\":1}"}}]}}]}"#,
                "[DONE]",
            ]
        ),
        (
            WireFormat.gemini,
            [
                #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"f","args":{"a":1}}}]},"finishReason":"STOP"}]}"#
            ]
        ),
        (
            WireFormat.ollama,
            [
                #"{"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}},{"function":{"name":"f","arguments":{}}}]}}"#,
                #"{"done":true,"done_reason":"stop"}"#,
            ]
        ),
        (
            WireFormat.cohere,
            [
                #"{"event_type":"tool-calls-generation","tool_calls":[{"name":"f","parameters":{}},{"name":"f","parameters":{"a":1}}]}"#,
                #"{"event_type":"stream-end","finish_reason":"COMPLETE","response":{}}"#,
            ]
        ),
        (
            WireFormat.anthropicMessages,
            [
                #"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"f","input":{}}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"","name":"f","input":{}}}"#,
                #"{"type":"content_block_stop","index":1}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"message_stop"}"#,
            ]
        ),
        (
            WireFormat.openAIResponses,
            [
                #"{"type":"response.completed","response":{"output":[{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call","name":"f","arguments":"{}"}]}}"#
            ]
        ),
    ]

    @Test(arguments: replies.indices) func eachCallHasAnIDOfItsOwn(place: Int) {
        let (dialect, frames) = Self.replies[place]
        let outcome = StreamHarness.run(frames: frames.map { (.data, "", $0) }, dialect: dialect)
        let ids = outcome.summary.toolCalls.map(\.id)
        #expect(ids.count == 2 && Set(ids).count == 2 && !ids.contains(""), "\(dialect.name): \(ids)")
        #expect(LocalCallIDs.isLocal(ids[1]))
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.message["tool_calls"]?.array?.map { $0["id"]?.string } == ids)
        let again = StreamHarness.run(frames: frames.map { (.data, "", $0) }, dialect: dialect)
        #expect(again.summary.toolCalls[1].id != ids[1], "two turns have the same id")
        let (first, second) = LocalCallIDs.$fixedStart.withValue(7) {
            let run = { StreamHarness.run(frames: frames.map { (.data, "", $0) }, dialect: dialect) }
            return (run(), run())
        }
        #expect(first.message == second.message)
    }

    // MARK: Requests

    private static let dialects: [WireFormat] = [
        WireFormat.openAIChat, WireFormat.openAIResponses, WireFormat.anthropicMessages, WireFormat.gemini,
        WireFormat.ollama,
        WireFormat.cohere,
    ]

    /// A call or a result in a request.
    private struct Place: Equatable {
        var id: String?
        /// Argument `n` of a call, or the text of a result.
        var what: String
    }

    /// Calls and results of a body in order.
    private static func places(_ body: JSONValue) -> (calls: [Place], results: [Place]) {
        var calls: [Place] = []
        var results: [Place] = []
        func visit(_ value: JSONValue) {
            if let elements = value.array { return elements.forEach(visit) }
            guard let object = value.object else { return }
            let text = { (value: JSONValue?) in value?.string ?? value.map { JSONWriter.text($0) } ?? "" }
            if let function = object["function"] ?? object["functionCall"], let name = function["name"]?.string,
                name == "f"
            {
                calls.append(
                    Place(
                        id: (object["id"] ?? function["id"])?.string,
                        what: text(function["arguments"] ?? function["args"])))
            } else if object["type"] == "tool_use" || object["type"] == "function_call" {
                calls.append(
                    Place(
                        id: (object["call_id"] ?? object["id"])?.string,
                        what: text(object["input"] ?? object["arguments"])))
            } else if object["role"] == "tool" {
                results.append(Place(id: object["tool_call_id"]?.string, what: text(object["content"])))
            } else if object["type"] == "tool_result" || object["type"] == "function_call_output" {
                results.append(
                    Place(
                        id: (object["tool_use_id"] ?? object["call_id"])?.string,
                        what: text(object["content"] ?? object["output"])))
            } else if let response = object["functionResponse"] {
                results.append(Place(id: response["id"]?.string, what: text(response["response"])))
            } else {
                for member in object { visit(member.value) }
            }
        }
        visit(body["messages"] ?? body["input"] ?? body["contents"] ?? .null)
        return (calls, results)
    }

    private static func sent(_ messages: [JSONValue], _ dialect: WireFormat) throws -> (
        calls: [Place], results: [Place]
    ) {
        let endpoint = Endpoint(provider: "p", dialect: dialect.name, baseURL: "https://api.example/v1")
        let request = ChatRequest(model: "m", messages: [["role": "user", "content": "q"]] + messages)
        return places(try JSONReader.value(dialect.encode(request, endpoint: endpoint, key: nil).body))
    }

    private static func turn(_ ids: [String?]) -> JSONValue {
        let calls = ids.enumerated().map { number, id -> JSONValue in
            var call: JSONObject = ["type": "function"]
            if let id { call["id"] = .string(id) }
            call["function"] = ["name": "f", "arguments": .string("{\"n\":\(number)}")]
            return .object(call)
        }
        return ["role": "assistant", "content": .null, "tool_calls": .array(calls)]
    }

    private static func result(_ id: String?, _ text: String) -> JSONValue {
        var message: JSONObject = ["role": "tool", "content": .string("result \(text)")]
        if let id { message["tool_call_id"] = .string(id) }
        return .object(message)
    }

    /// Each result is paired with its call: by id where ids are sent, else by order.
    private static func expectPaired(
        _ messages: [JSONValue], _ dialect: WireFormat, wanted: [String], hasIDs: Bool,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let (calls, results) = try sent(messages, dialect)
        #expect(calls.count == wanted.count && results.count == wanted.count, sourceLocation: location)
        guard calls.count == wanted.count, results.count == wanted.count else { return }
        let isOptional = dialect.name == "gemini" || dialect.name == "ollama"
        if hasIDs || !isOptional {
            #expect(calls.allSatisfy { $0.id?.isEmpty == false }, "\(dialect.name)", sourceLocation: location)
        } else {
            #expect(calls.allSatisfy { $0.id == nil } && results.allSatisfy { $0.id == nil }, sourceLocation: location)
        }
        for (place, call) in calls.enumerated() {
            let own = call.id == nil || isOptional ? results[place] : results.first { $0.id == call.id }
            #expect(own?.what.contains("result \(wanted[place])") == true, "\(dialect.name)", sourceLocation: location)
            #expect(own?.id == call.id, "\(dialect.name)", sourceLocation: location)
        }
    }

    @Test(arguments: dialects.indices) func madeIDsPairInAnyOrder(place: Int) throws {
        let ids = LocalCallIDs()
        try Self.expectPaired(
            [Self.turn([ids[0], ids[1]]), Self.result(ids[1], "b"), Self.result(ids[0], "a")], Self.dialects[place],
            wanted: ["a", "b"], hasIDs: false)
    }

    @Test(arguments: dialects.indices) func givenIDsPairInAnyOrder(place: Int) throws {
        try Self.expectPaired(
            [Self.turn(["x", "y"]), Self.result("y", "b"), Self.result("x", "a")], Self.dialects[place],
            wanted: ["a", "b"], hasIDs: true)
    }

    @Test(
        arguments: dialects.indices,
        [
            [result(nil, "a"), result(nil, "b")], [result("", "a"), result("", "b")],
            // Ids that the script made for results only.
            [result("1", "a"), result("2", "b")],
        ]) func callsWithoutIDs(place: Int, results: [JSONValue]) throws
    {
        try Self.expectPaired(
            [Self.turn([nil, ""])] + results, Self.dialects[place], wanted: ["a", "b"], hasIDs: false)
    }

    @Test(arguments: dialects.indices) func resultsWithoutIDs(place: Int) throws {
        try Self.expectPaired(
            [Self.turn(["x", "y"]), Self.result(nil, "a"), Self.result(nil, "b")], Self.dialects[place],
            wanted: ["a", "b"], hasIDs: true)
        try Self.expectPaired(
            [Self.turn(["x", "y"]), Self.result("y", "b"), Self.result(nil, "a")], Self.dialects[place],
            wanted: ["a", "b"], hasIDs: true)
    }

    @Test(arguments: dialects.indices) func oneIDForTwoCalls(place: Int) throws {
        let messages = [Self.turn(["x", "x"]), Self.result("x", "a"), Self.result("x", "b")]
        let (calls, results) = try Self.sent(messages, Self.dialects[place])
        #expect(calls.map(\.id) == results.map(\.id))
        #expect(Set(calls.map(\.id)).count == 2)
        #expect(results[0].what.contains("result a") && results[1].what.contains("result b"))
    }

    /// Servers restart numbering in each turn: `call_0`.
    @Test(arguments: dialects.indices) func oneIDInTwoTurns(place: Int) throws {
        let dialect = Self.dialects[place]
        let messages = [
            Self.turn(["call_0"]), Self.result("call_0", "a"), Self.turn(["call_0", "call_1"]),
            Self.result("call_1", "c"), Self.result("call_0", "b"),
        ]
        let (calls, results) = try Self.sent(messages, dialect)
        #expect(calls.count == 3 && results.count == 3)
        let byTurn = ["openai", "gemini", "ollama"].contains(dialect.name)
        // There an id is scoped to its turn.
        #expect(Set(calls.map(\.id)).count == (byTurn ? 2 : 3), "\(dialect.name)")
        #expect(calls[0].id == results[0].id && results[0].what.contains("result a"))
        let second = results[1...].first { $0.id == calls[1].id }
        #expect(second?.what.contains("result b") == true, "\(dialect.name)")
        #expect(results[1...].first { $0.id == calls[2].id }?.what.contains("result c") == true, "\(dialect.name)")
    }

    @Test func resultsByName() throws {
        let calls: JSONValue = [["name": "f", "arguments": [:]], ["name": "g", "arguments": [:]]]
        for dialect in [WireFormat.gemini, WireFormat.ollama] as [WireFormat] {
            let (_, results) = try Self.sent(
                [
                    ["role": "assistant", "tool_calls": calls],
                    ["role": "tool", "name": "g", "content": "of g"], ["role": "tool", "name": "f", "content": "of f"],
                ], dialect)
            #expect(results.map { $0.what.contains("of f") } == [true, false])
        }
    }

    /// The beginning of a conversation is stable, so that provider caches match it.
    @Test func madeIDsStayTheSame() throws {
        let first = [Self.turn([nil]), Self.result(nil, "a")]
        let more = first + [["role": "user", "content": "more"], Self.turn([nil]), Self.result(nil, "b")]
        let (short, long) = (try Self.sent(first, WireFormat.openAIChat), try Self.sent(more, WireFormat.openAIChat))
        #expect(short.calls == Array(long.calls.prefix(1)))
        #expect(long.calls[0].id != long.calls[1].id)
    }

    @Test func veryManyCalls() throws {
        let count = 20_000
        let messages =
            [Self.turn([String?](repeating: nil, count: count))]
            + (0..<count).reversed().map { _ in Self.result(nil, "a") }
        let clock = ContinuousClock()
        let start = clock.now
        for dialect in Self.dialects { #expect(try Self.sent(messages, dialect).results.count == count) }
        #expect(clock.now - start < .seconds(120))
    }
}
