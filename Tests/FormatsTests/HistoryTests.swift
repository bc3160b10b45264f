// Conversations as sent to a provider: legal calls whatever the model sent, reasoning where required, no empty turns.
// In each format.

import Chat
import Formats
import HTTP
import JSON
import Providers
import Testing

/// Requests in any format.
enum History {
    static let user: JSONValue = ["role": "user", "content": "q"]
    static let result: JSONValue = ["role": "tool", "tool_call_id": "c1", "name": "get x!", "content": "no"]

    static func body(
        _ dialect: String, _ messages: [JSONValue], _ parameters: JSONObject = [:], model: String = "m",
        quirks: Quirks = Quirks(continuation: .prefill), continuing: String? = nil, arrived: Int64 = 0
    ) throws -> JSONValue {
        let endpoint = Endpoint(provider: "p", dialect: dialect, baseURL: "https://api.example/v1", quirks: quirks)
        var request = ChatRequest(model: model, messages: messages, parameters: parameters, continuing: continuing)
        request.lowerOutputLimit(by: arrived)
        let encoder = try #require(FormatCatalog.named(dialect))
        return try JSONReader.value(encoder.encode(request, endpoint: endpoint, key: nil).body)
    }
}

@Suite struct HistoryTests {
    private static let user = History.user
    private static let result = History.result

    /// A call in the form of that format.
    private struct Sent: Equatable {
        var name: String?
        var arguments: JSONValue?
    }

    /// Calls of a request and names of its results. Arguments that are JSON text are decoded.
    private static func calls(_ body: JSONValue) throws -> (calls: [Sent], results: [String]) {
        var calls: [Sent] = []
        var results: [String] = []
        func add(_ object: JSONValue?, _ member: String) throws {
            let text = try object?[member]?.string.map { try JSONReader.strictValue([UInt8]($0.utf8)) }
            calls.append(Sent(name: object?["name"]?.string, arguments: text ?? object?[member]))
        }
        for message in body["messages"]?.array ?? [] {
            for call in message["tool_calls"]?.array ?? [] { try add(call["function"], "arguments") }
            for block in message["content"]?.array ?? [] where block["type"] == "tool_use" { try add(block, "input") }
            if message["role"] == "tool", let name = (message["tool_name"] ?? message["name"])?.string {
                results.append(name)
            }
        }
        for item in body["input"]?.array ?? [] where item["type"] == "function_call" { try add(item, "arguments") }
        for part in (body["contents"]?.array ?? []).flatMap({ $0["parts"]?.array ?? [] }) {
            if let call = part["functionCall"] { try add(call, "args") }
            if let name = part["functionResponse"]?["name"]?.string { results.append(name) }
        }
        return (calls, results)
    }

    private static let dialects = ["openai", "responses", "anthropic", "gemini", "ollama", "cohere"]

    // MARK: Calls

    @Test(
        arguments: dialects,
        [
            (#"{"a":1}"#, ["a": 1]), (#"{"a":"lo"#, [:]), ("[1]", [:]), ("7", [:]), ("null", [:]), (#""x""#, [:]),
            ("not json", [:]), ("", [:]), (" ", [:]), ("{}{}", [:]), (#""{\"a\":1}""#, ["a": 1]),
            // Repaired by lenient readers only.
            ("{\"a\":\"x\u{1}\"}", nil), ("\u{FEFF}{\"a\":1}", ["a": 1]), (#"{"a":"\ud800"}"#, ["a": "\u{FFFD}"]),
            (#"{"a":NaN}"#, ["a": .null]),
        ] as [(String, JSONValue?)])
    func argumentsAreAnObject(dialect: String, sent: (String, JSONValue?)) throws {
        let call: JSONValue = [
            "id": "c1", "type": "function", "function": ["name": "f", "arguments": .string(sent.0)],
        ]
        let body = try History.body(dialect, [Self.user, ["role": "assistant", "tool_calls": [call]], Self.result])
        let (calls, _) = try Self.calls(body)
        let arguments = try #require(calls.first?.arguments)
        #expect(calls.count == 1)
        #expect(arguments.object != nil)
        // Only Messages has a form for broken JSON.
        if let expected = sent.1, dialect != "anthropic" || expected != [:] { #expect(arguments == expected) }
    }

    @Test(
        arguments: dialects,
        [
            "get x!", "", "functions.get", "a b", "é", "日本", "get\n", String(repeating: "x", count: 80), "9", "-x",
            "functions.get." + String(repeating: "x", count: 66), "🙂", "get_weather!",
        ])
    func namesAreLegal(dialect: String, name: String) throws {
        let messages: [JSONValue] = [
            Self.user, ["role": "assistant", "tool_calls": [["id": "c1", "name": .string(name), "arguments": "{}"]]],
            ["role": "tool", "tool_call_id": "c1", "name": .string(name), "content": "no such tool"],
        ]
        let (calls, results) = try Self.calls(History.body(dialect, messages))
        let sent = try #require(calls.first?.name)
        let pattern =
            switch dialect {
            case "gemini": /[a-zA-Z_][a-zA-Z0-9_.-]{0,63}/
            case "cohere": /[a-zA-Z_][a-zA-Z0-9_]{0,63}/
            default: /[a-zA-Z0-9_-]{1,64}/
            }
        #expect(sent.wholeMatch(of: pattern) != nil, "\(sent)")
        #expect(results.allSatisfy { $0 == sent })
        if name.wholeMatch(of: /[a-zA-Z_][a-zA-Z0-9_]{0,63}/) != nil { #expect(sent == name) }
    }

    /// Different names stay different, from each other and from the names of tools.
    @Test(arguments: dialects) func namesStayApart(dialect: String) throws {
        let names = ["get weather", "get.weather!", "get weather", "get_weather", "get weather?", "get@weather"]
        let calls: [JSONValue] = names.enumerated().map { index, name in
            ["id": .string("c\(index)"), "name": .string(name), "arguments": "{}"]
        }
        let messages: [JSONValue] = [Self.user, ["role": "assistant", "tool_calls": .array(calls)]]
        let tools: JSONObject = ["tools": [["name": "get_weather_"], ["name": "get-weather"]]]
        let sent = try Self.calls(History.body(dialect, messages, tools)).calls.compactMap(\.name)
        #expect(sent.count == names.count)
        #expect(sent[0] == sent[2])
        #expect(sent[3] == "get_weather")
        #expect(Set(sent).count == Set(names).count)
        #expect(Set(sent).isDisjoint(with: ["get_weather_", "get-weather"]))
        #expect(try Self.calls(History.body(dialect, messages, tools)).calls.compactMap(\.name) == sent)
    }

    /// A provider's own parts are repaired too; legal ones stay unchanged.
    @Test(
        arguments: [
            (
                "anthropic",
                ["content": [["type": "tool_use", "id": "c1", "name": "get x!", "input": [1], "caller": "k"]]],
                ["content": [["type": "tool_use", "id": "c1", "name": "get_x_", "input": [:], "caller": "k"]]]
            ),
            (
                "gemini",
                ["parts": [["functionCall": ["id": "c1", "name": "9 x", "args": "s"], "thoughtSignature": "S"]]],
                ["parts": [["functionCall": ["id": "c1", "name": "_9_x", "args": [:]], "thoughtSignature": "S"]]]
            ),
            (
                "responses",
                [
                    "output": [
                        [
                            "type": "function_call", "id": "fc", "call_id": "c1", "name": "get x!",
                            "arguments": "[", "status": "completed",
                        ]
                    ]
                ],
                [
                    "output": [
                        [
                            "type": "function_call", "id": "fc", "call_id": "c1", "name": "get_x_",
                            "arguments": "{}", "status": "completed",
                        ]
                    ]
                ]
            ),
        ] as [(String, JSONObject, JSONObject)])
    func ownParts(dialect: String, native: JSONObject, sent: JSONObject) throws {
        let name: JSONValue = dialect == "gemini" ? "9 x" : "get x!"
        let call: JSONValue = ["id": "c1", "type": "function", "function": ["name": name, "arguments": "["]]
        func messages(_ native: JSONObject) -> [JSONValue] {
            var own = native
            own["dialect"] = .string(dialect)
            return [
                Self.user,
                ["role": "assistant", "content": .null, "tool_calls": [call], "native": .object(own)], Self.result,
            ]
        }
        let member = sent.first { $0.key != "dialect" }?.value.array ?? []
        let body = try History.body(dialect, messages(native))
        let turn = (body["messages"] ?? body["contents"] ?? body["input"])?.array ?? []
        #expect(
            turn.dropFirst().first == member.first || turn.dropFirst().first?["content"] == .array(member)
                || turn.dropFirst().first?["parts"] == .array(member))
    }

    // MARK: Reasoning

    /// DeepSeek: the reasoning of a turn with calls is always sent, that of other turns never.
    @Test func reasoningOfTurnsWithCalls() throws {
        let call: JSONValue = ["id": "c1", "type": "function", "function": ["name": "f", "arguments": "{}"]]
        let messages: [JSONValue] = [
            Self.user, ["role": "assistant", "content": "a", "reasoning_content": "r0"], Self.user,
            ["role": "assistant", "content": .null, "reasoning_content": "r1", "tool_calls": [call]], Self.result,
            ["role": "assistant", "content": "b", "reasoning_content": "r2"], Self.user,
            // From another server, and without one.
            ["role": "assistant", "content": .null, "reasoning": "r3", "tool_calls": [call]], Self.result,
            ["role": "assistant", "content": .null, "tool_calls": [call]], Self.result,
            ["role": "assistant", "content": "c", "reasoning_details": []], Self.user,
            ["role": "assistant", "content": "d", "reasoning_content": "r4"], Self.user,
        ]
        let quirks = Quirks(reasoningEcho: .toolLoop)
        let sent = try #require(try History.body("openai", messages, quirks: quirks)["messages"]?.array)
        let replies = sent.filter { $0["role"] == "assistant" }
        #expect(replies.map { $0["reasoning_content"]?.string } == [nil, "r1", "r2", "r3", "", "", nil])
        #expect(replies.allSatisfy { $0["reasoning"] == nil && $0["reasoning_details"] == nil })
        let off = try History.body("openai", messages, ["thinking": false], quirks: quirks)["messages"]?.array ?? []
        #expect(
            off.filter { $0["role"] == "assistant" }.map { $0["reasoning_content"]?.string }
                == [nil, "r1", "r2", "r3", nil, nil, nil])
        let drop = try History.body("openai", messages, quirks: Quirks(reasoningEcho: .drop))["messages"]?.array ?? []
        #expect(drop.allSatisfy { $0["reasoning_content"] == nil && $0["reasoning"] == nil })
        let keep = try History.body("openai", messages, quirks: Quirks(reasoningEcho: .keep))["messages"]?.array
        #expect(keep == messages.map { $0 == Self.result ? Self.legalResult : $0 })
    }

    private static let legalResult: JSONValue = [
        "role": "tool", "tool_call_id": "c1", "name": "get_x_", "content": "no",
    ]

    @Test func deepSeekIsSuch() throws {
        #expect(ProviderCatalog.named("deepseek")?.endpoint(nil)?.quirks.reasoningEcho == .toolLoop)
    }

    // MARK: Empty turns

    private static let silent: [JSONObject] = [
        ["content": ""], ["content": .null], [:], ["content": " \n"], ["content": []],
        ["content": "", "tool_calls": []],
        ["content": [["type": "text", "text": ""]]], ["content": "", "reasoning_content": "r"],
        ["content": .null, "reasoning": "r", "reasoning_details": [["type": "reasoning.text", "text": "r"]]],
        ["content": [["type": "thinking", "thinking": [["type": "text", "text": "r"]]]]],
        ["content": "", "refusal": .null],
        [
            "content": "",
            "native": [
                "dialect": "anthropic",
                "content": [["type": "thinking", "thinking": "r", "signature": "S"], ["type": "text", "text": ""]],
            ],
        ],
        [
            "content": "",
            "native": [
                "dialect": "gemini",
                "parts": [["text": "r", "thought": true], ["text": "", "thoughtSignature": "S"]],
            ],
        ],
        [
            "content": "",
            "native": [
                "dialect": "responses",
                "output": [
                    ["type": "reasoning", "id": "rs", "encrypted_content": "E"],
                    ["type": "message", "id": "m", "content": [["type": "output_text", "text": ""]]],
                ],
            ],
        ],
        ["content": "", "native": ["dialect": "ollama", "thinking": "r"]],
        ["content": "", "native": ["dialect": "cohere", "thinking": "r", "tool_plan": "p"]],
    ]

    /// A request with an empty turn equals one without it.
    @Test(arguments: dialects + ["tgi"], silent) func emptyTurnsAreLeftOut(dialect: String, turn: JSONObject) throws {
        var message = turn
        message["role"] = "assistant"
        let without = try History.body(dialect, [Self.user, Self.user])
        #expect(try History.body(dialect, [Self.user, .object(message), Self.user]) == without)
        #expect(try History.body(dialect, [.object(message), Self.user, .object(message), Self.user]) == without)
        #expect(throws: APIError.self) { try History.body(dialect, [.object(message)]) }
    }

    @Test(arguments: dialects + ["tgi"]) func refusalsAreSaid(dialect: String) throws {
        let refusal: JSONValue = ["role": "assistant", "content": "", "refusal": "I will not."]
        let said: JSONValue = ["role": "assistant", "content": "I will not."]
        #expect(
            try History.body(dialect, [Self.user, refusal, Self.user])
                == History.body(dialect, [Self.user, said, Self.user]))
    }

    @Test(
        arguments: [
            ("openai", ["content": "", "audio": ["id": "a1"]]), ("openai", ["content": "", "prefix": true]),
            ("openai", ["content": "", "partial": true, "name": "Kelsier"]), ("openai", ["content": "Once"]),
            ("openai", ["content": [["type": "image_url", "image_url": ["url": "https://e.example/a.png"]]]]),
            ("openai", ["content": .null, "function_call": ["name": "f", "arguments": "{}"]]),
            ("openai", ["content": "", "images": [["type": "image_url"]]]), ("anthropic", ["content": "Once"]),
            (
                "anthropic",
                [
                    "content": "",
                    "native": ["dialect": "anthropic", "content": [["type": "server_tool_use", "id": "s"]]],
                ]
            ),
            ("gemini", ["content": "", "native": ["dialect": "gemini", "parts": [["inlineData": ["data": "x"]]]]]),
            (
                "responses",
                ["content": "", "native": ["dialect": "responses", "output": [["type": "image_generation_call"]]]]
            ),
        ] as [(String, JSONObject)])
    func turnsWithOtherContentStay(dialect: String, turn: JSONObject) throws {
        var message = turn
        message["role"] = "assistant"
        let body = try History.body(dialect, [Self.user, .object(message)])
        #expect((body["messages"] ?? body["contents"] ?? body["input"])?.array?.count == 2)
    }

    /// "The final block in an assistant message cannot be `thinking`."
    @Test func thinkingAtTheEndIsLeftOut() throws {
        let thinking: JSONValue = ["type": "thinking", "thinking": "r", "signature": "S"]
        let native: JSONValue = [
            "dialect": "anthropic", "content": [thinking, ["type": "text", "text": "a"], thinking],
        ]
        let message: JSONValue = ["role": "assistant", "content": "a", "native": native]
        let body = try History.body("anthropic", [Self.user, message, Self.user])
        #expect(body["messages"]?.array?[1]["content"] == [thinking, ["type": "text", "text": "a"]])
    }

    /// Gemini rejects a part with empty text.
    @Test func emptyPartsAreLeftOut() throws {
        let native: JSONValue = [
            "dialect": "gemini", "parts": [["text": ""], ["text": "a"], ["text": "", "thoughtSignature": "S"]],
        ]
        let message: JSONValue = ["role": "assistant", "content": "a", "native": native]
        let body = try History.body("gemini", [Self.user, message])
        #expect(body["contents"]?.array?[1]["parts"] == [["text": "a"], ["text": "", "thoughtSignature": "S"]])
    }
}
