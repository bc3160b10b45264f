// Which items of earlier responses go back, and when encrypted reasoning is asked for.

import JSON
import Testing

@Suite struct ResponsesHistoryTests {
    private static let items: [JSONValue] = [
        ["type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "E"],
        ["type": "reasoning", "id": "rs2", "summary": []],
        ["type": "web_search_call", "id": "ws", "status": "completed"], ["type": "mcp_call", "id": "mcp"],
        ["type": "message", "id": "m", "role": "assistant", "content": [["type": "output_text", "text": "a"]]],
        ["type": "reasoning", "id": "rs3", "summary": [], "content": [["type": "reasoning_text", "text": "t"]]],
        ["type": "function_call", "id": "fc", "call_id": "c1", "name": "f", "arguments": "{ }"],
        ["type": "reasoning", "id": "rs4", "summary": [], "encrypted_content": "E"],
    ]

    private static func reply(_ items: [JSONValue], text: String, store: Bool? = nil) -> JSONValue {
        var native: JSONObject = ["dialect": "responses", "output": .array(items)]
        if let store { native["store"] = .bool(store) }
        let calls = items.filter { $0["type"] == "function_call" }.map { item -> JSONValue in
            let function: JSONValue = ["name": item["name"] ?? .null, "arguments": item["arguments"] ?? .null]
            return ["id": item["call_id"] ?? .null, "type": "function", "function": function]
        }
        return [
            "role": "assistant", "content": .string(text), "tool_calls": .array(calls), "native": .object(native),
        ]
    }

    private static func ids(_ body: JSONValue) -> [String] {
        (body["input"]?.array ?? []).filter { $0["role"] != "user" }
            .map { "\($0["type"]?.string ?? "") \($0["id"]?.string ?? "-")" }
    }

    @Test(
        arguments: [
            // Stored: all items as they came, except final reasoning.
            (
                [:], nil, "gpt-5",
                [
                    "reasoning rs", "reasoning rs2", "web_search_call ws", "mcp_call mcp", "message m", "reasoning rs3",
                    "function_call fc",
                ]
            ),
            (
                ["store": false], nil, "gpt-5",
                ["reasoning -", "web_search_call -", "mcp_call mcp", "message -", "reasoning -", "function_call -"]
            ),
            // The provider reported that it stored nothing.
            (
                [:], false, "gpt-5",
                ["reasoning -", "web_search_call -", "mcp_call mcp", "message -", "reasoning -", "function_call -"]
            ),
            // A model that does not reason takes none.
            ([:], nil, "gpt-4.1", ["web_search_call -", "mcp_call mcp", "message -", "function_call -"]),
        ] as [(JSONObject, Bool?, String, [String])])
    func itemsOfReplies(parameters: JSONObject, stored: Bool?, model: String, sent: [String]) throws {
        let messages = [History.user, Self.reply(Self.items, text: "a", store: stored), History.user]
        let body = try History.body("responses", messages, parameters, model: model)
        #expect(Self.ids(body) == sent)
        // Legal calls keep their bytes.
        #expect(body["input"]?.array?.first { $0["type"] == "function_call" }?["arguments"] == "{ }")
    }

    @Test(
        arguments: [
            ("gpt-5-mini", ["store": false], ["reasoning.encrypted_content"]),
            ("openai/o4-mini", ["store": false], ["reasoning.encrypted_content"]),
            ("grok-4", ["store": false], ["reasoning.encrypted_content"]),
            ("gpt-5", ["store": true], nil), ("gpt-5", [:], nil), ("gpt-4.1", ["store": false], nil),
            ("gpt-5-chat-latest", ["store": false], nil), ("m", ["store": false], nil),
            ("gpt-5.1", ["store": false, "reasoning_effort": "none"], nil),
            ("m", ["store": false, "reasoning_effort": "low"], ["reasoning.encrypted_content"]),
            ("m", ["store": false, "reasoning": ["effort": "low"]], ["reasoning.encrypted_content"]),
            (
                "o3", ["store": false, "include": ["file_search_call.results"]],
                ["file_search_call.results", "reasoning.encrypted_content"]
            ),
            ("o3", ["store": false, "include": [:]], ["reasoning.encrypted_content"]),
            (
                "o3", ["store": false, "include": ["reasoning.encrypted_content"]], ["reasoning.encrypted_content"]
            ),
        ] as [(String, JSONObject, JSONValue?)])
    func encryptedReasoningIsAskedFor(model: String, parameters: JSONObject, include: JSONValue?) throws {
        #expect(try History.body("responses", [History.user], parameters, model: model)["include"] == include)
    }

    @Test func aModelThatReasonedIsAsked() throws {
        let messages = [History.user, Self.reply(Self.items, text: "a"), History.result]
        let include: JSONValue = ["reasoning.encrypted_content"]
        #expect(try History.body("responses", messages, ["store": false])["include"] == include)
        #expect(try History.body("responses", messages, ["store": false], model: "gpt-4o")["include"] == nil)
    }
}
