// Conversations as sent to a Messages endpoint.

import Formats
import JSON
import Testing

@Suite struct AnthropicMessagesTests {
    @Test func systemPromptsStandApart() throws {
        let messages: [JSONValue] = [
            ["role": "system", "content": "b"], ["role": "user", "content": "q"],
            ["role": "developer", "content": ["c"]],
        ]
        let plain = try AnthropicAsking.body(messages, system: "a")
        #expect(plain["system"] == "a\n\nb\n\nc")
        #expect(plain["messages"] == [["role": "user", "content": "q"]])
        let cached: JSONValue = ["type": "text", "text": "b", "cache_control": ["type": "ephemeral"]]
        let blocks = try AnthropicAsking.body([["role": "system", "content": [cached]], messages[1]], system: "a")
        #expect(blocks["system"] == [["type": "text", "text": "a"], cached])
        AnthropicAsking.expectRefusal("messages[1].content[1] cannot be expressed") {
            try AnthropicAsking.body([
                ["role": "system", "content": [["type": "image", "url": "https://a.example/i.png"]]], messages[1],
            ])
        }
    }

    @Test func speakersTakeTurns() throws {
        #expect(
            try AnthropicAsking.messages([
                ["role": "user", "content": "a"], ["role": "user", "content": "b"],
                ["role": "assistant", "content": "c"], ["role": "assistant", "content": ""],
                ["role": "assistant", "content": "d"], ["role": "user", "content": "e"],
            ]) == [
                ["role": "user", "content": [["type": "text", "text": "a"], ["type": "text", "text": "b"]]],
                ["role": "assistant", "content": [["type": "text", "text": "c"], ["type": "text", "text": "d"]]],
                ["role": "user", "content": "e"],
            ])
    }

    @Test func images() throws {
        let png = "iVBORw0KGgoAAAANSUhEUg=="
        #expect(
            try AnthropicAsking.messages([
                [
                    "role": "user",
                    "content": [
                        "look", ["type": "image", "url": "https://a.example/i.png", "detail": "low"],
                        ["type": "image_url", "image_url": ["url": .string("data:image/png;base64,\(png)")]],
                        ["type": "document", "source": ["type": "url", "url": "https://a.example/d.pdf"]],
                    ],
                ]
            ]) == [
                [
                    "role": "user",
                    "content": [
                        ["type": "text", "text": "look"],
                        ["type": "image", "source": ["type": "url", "url": "https://a.example/i.png"]],
                        [
                            "type": "image",
                            "source": ["type": "base64", "media_type": "image/png", "data": .string(png)],
                        ], ["type": "document", "source": ["type": "url", "url": "https://a.example/d.pdf"]],
                    ],
                ]
            ])
    }

    private static func calls(_ ids: String...) -> JSONValue {
        .array(ids.map { ["id": .string($0), "name": "f", "arguments": ["a": 1]] })
    }

    @Test func toolsAreUsedAndAnswered() throws {
        let messages = try AnthropicAsking.messages([
            ["role": "user", "content": "q"],
            ["role": "assistant", "content": "I ask.", "tool_calls": Self.calls("1", "2")],
            ["role": "tool", "tool_call_id": "2", "content": "two", "is_error": true],
            ["role": "user", "content": "and?"],
            ["role": "tool", "tool_call_id": "1", "content": [["type": "image", "url": "https://a.example/i.png"]]],
        ])
        func use(_ id: JSONValue) -> JSONValue { ["type": "tool_use", "id": id, "name": "f", "input": ["a": 1]] }
        #expect(
            messages == [
                ["role": "user", "content": "q"],
                ["role": "assistant", "content": [["type": "text", "text": "I ask."], use("1"), use("2")]],
                [
                    "role": "user",
                    "content": [
                        ["type": "tool_result", "tool_use_id": "2", "content": "two", "is_error": true],
                        [
                            "type": "tool_result", "tool_use_id": "1",
                            "content": [
                                ["type": "image", "source": ["type": "url", "url": "https://a.example/i.png"]]
                            ],
                        ], ["type": "text", "text": "and?"],
                    ],
                ],
            ])
    }

    /// Calls of other providers: ids that Anthropic rejects, or none; arguments that are not objects.
    @Test func callsOfOthers() throws {
        let messages = try AnthropicAsking.messages([
            ["role": "user", "content": "q"],
            [
                "role": "assistant", "content": .null,
                "tool_calls": [
                    ["id": "call.1|fc", "name": "f", "arguments": "{\"a\": tru"], ["id": "", "name": "g"],
                    ["id": "x", "name": "h", "arguments": []],
                ],
            ],
            ["role": "tool", "tool_call_id": "call.1|fc", "content": "one"], ["role": "tool", "content": ""],
            ["role": "tool", "tool_call_id": "x", "content": "three"],
        ])
        let uses = messages[1]["content"]?.array ?? []
        let results = messages[2]["content"]?.array ?? []
        #expect(uses.map { $0["id"] } == ["call_1_fc", "mr0000000", "x"])
        #expect(uses.map { $0["input"] } == [["INVALID_JSON": "{\"a\": tru"], [:], [:]])
        #expect(results.map { $0["tool_use_id"] } == ["call_1_fc", "mr0000000", "x"])
        #expect(results[1] == ["type": "tool_result", "tool_use_id": "mr0000000"])
        AnthropicAsking.expectRefusal("messages[1].tool_call_id is missing") {
            try AnthropicAsking.body([["role": "tool", "content": "1"]])
        }
    }

    // MARK: Its own replies

    private static let blocks: [JSONValue] = [
        ["type": "thinking", "thinking": "hm", "signature": "S=="], ["type": "redacted_thinking", "data": "E=="],
        ["type": "text", "text": "I "], ["type": "text", "text": "ask."], ["type": "text", "text": "\n"],
        ["type": "tool_use", "id": "1", "name": "f", "input": ["a": 1], "caller": ["type": "direct"]],
    ]

    private static func reply(_ content: JSONValue, _ calls: JSONValue, dialect: JSONValue = "anthropic") -> JSONValue {
        [
            "role": "assistant", "content": content, "tool_calls": calls,
            "native": ["dialect": dialect, "content": .array(blocks), "container": ["id": "box"]],
        ]
    }

    @Test func ownBlocksGoBackAsTheyCame() throws {
        let reply = Self.reply("I ask.\n", Self.calls("1"))
        let body = try AnthropicAsking.body([
            ["role": "user", "content": "q"], reply, ["role": "tool", "tool_call_id": "1", "content": "7"],
        ])
        // Empty text alone is left out: the provider rejects it.
        #expect(
            body["messages"]?.array?[1]["content"] == .array(Self.blocks.filter { $0["text"] != "\n" }))
        #expect(body["container"] == "box")
    }

    @Test(
        arguments: [
            (reply("I say.", calls("1")), 2), (reply("I ask.\n", []), 1), (reply("I ask.\n", calls("2")), 2),
            (reply("I ask.\n", calls("1"), dialect: "gemini"), 2),
        ] as [(JSONValue, Int)]) func changedRepliesAreWrittenAnew(reply: JSONValue, blocks: Int) throws
    {
        let messages = try AnthropicAsking.messages([["role": "user", "content": "q"], reply])
        let content = messages[1]["content"]
        #expect(content?.string != nil || content?.array?.count == blocks)
        #expect(content?.array?.contains { $0["type"] == "thinking" } != true)
    }

    @Test func containersAreNamedWhileACallFromThemWaits() throws {
        let reply = Self.reply("I ask.\n", Self.calls("1"))
        let later: [JSONValue] = [
            ["role": "user", "content": "q"], reply, ["role": "tool", "tool_call_id": "1", "content": "7"],
            ["role": "assistant", "content": "7"], ["role": "user", "content": "next"],
        ]
        #expect(try AnthropicAsking.body(later)["container"] == nil)
        #expect(try AnthropicAsking.body(Array(later.prefix(3)), ["container": "mine"])["container"] == "mine")
    }

    /// The blocks of a decoded stream are sent back, except white-space text.
    @Test(arguments: AnthropicCorpusTests.recordings) func roundTrip(_ recording: Recording) throws {
        let outcome = StreamHarness.run(sse: recording.body, dialect: WireFormat.anthropicMessages)
        let blocks = (outcome.message["native"]?["content"]?.array ?? []).filter { block in
            block["text"]?.string?.allSatisfy(\.isWhitespace) != true
        }
        guard !blocks.isEmpty else { return }
        let sent = try AnthropicAsking.messages([["role": "user", "content": "q"], outcome.message])[1]["content"]
        let isPlain = blocks.count == 1 && blocks[0].object?.count == 2 && blocks[0]["type"] == "text"
        #expect(sent == (isPlain ? blocks[0]["text"] : .array(blocks)))
    }
}
