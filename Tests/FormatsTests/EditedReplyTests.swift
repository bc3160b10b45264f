// Replies that a script edits, or moves to another provider, before they are sent back.

import Chat
import JSON
import Providers
import Testing

@Suite struct EditedReplyTests {
    private static let user = History.user

    /// An object with further members.
    private static func with(_ object: JSONObject, _ members: JSONObject) -> JSONObject {
        members.reduce(into: object) { $0[$1.key] = $1.value }
    }

    // MARK: Ids of Messages

    private static func toolUse(_ id: String, _ name: String = "f") -> JSONValue {
        ["type": "tool_use", "id": .string(id), "name": .string(name), "input": ["a": 1]]
    }

    private static func call(_ id: String, _ arguments: String = #"{"a":1}"#) -> JSONValue {
        ["id": .string(id), "type": "function", "function": ["name": "f", "arguments": .string(arguments)]]
    }

    private static func result(_ id: String) -> JSONValue {
        ["role": "tool", "tool_call_id": .string(id), "content": "1"]
    }

    private static let thinking: JSONValue = ["type": "thinking", "thinking": "r", "signature": "S"]

    private static func anthropic(_ ids: String...) -> JSONValue {
        [
            "role": "assistant", "content": .null, "tool_calls": .array(ids.map { call($0) }),
            "native": ["dialect": "anthropic", "content": .array([thinking] + ids.map { toolUse($0) })],
        ]
    }

    /// Ids of a conversation's calls and results.
    private static func ids(_ body: JSONValue) -> (calls: [String], results: [String]) {
        let blocks = (body["messages"]?.array ?? []).flatMap { $0["content"]?.array ?? [] }
        return (
            blocks.compactMap { $0["type"] == "tool_use" ? $0["id"]?.string : nil },
            blocks.compactMap { $0["type"] == "tool_result" ? $0["tool_use_id"]?.string : nil }
        )
    }

    /// A call is sent under the id of its result, also in the reply's own blocks, which keep their form.
    @Test func callAndResultHaveOneID() throws {
        let body = try History.body(
            "anthropic",
            [
                Self.user, Self.anthropic("functions.f:0", "functions:f.0", "ok-1"), Self.result("functions.f:0"),
                Self.result("functions:f.0"), Self.result("ok-1"),
                // The same id again: a server that counts from zero in each reply.
                Self.anthropic("functions.f:0"), Self.result("functions.f:0"),
            ])
        let (calls, results) = Self.ids(body)
        #expect(calls == results)
        #expect(Set(calls).count == 4)
        #expect(calls.prefix(1) == ["functions_f_0"])
        #expect(calls[2] == "ok-1")
        let legal = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
        #expect(calls.allSatisfy { $0.allSatisfy(legal.contains) })
        #expect([1, 3].allSatisfy { body["messages"]?.array?[$0]["content"]?.array?.first == Self.thinking })
    }

    /// Edited arguments are sent; a round trip through a Lua table and a file changes nothing.
    @Test(arguments: [(#"{"a":1}"#, true), (#"{"a":1.0}"#, true), (#"{"a":2}"#, false), (#"{"a":1,"b":[]}"#, false)])
    func argumentsAreThoseOfTheMessage(arguments: String, isSame: Bool) throws {
        var message = try #require(Self.anthropic("1").object)
        message["tool_calls"] = [Self.call("1", arguments)]
        let body = try History.body("anthropic", [Self.user, .object(message), Self.result("1")])
        let blocks = body["messages"]?.array?[1]["content"]?.array ?? []
        #expect(blocks.contains(Self.thinking) == isSame)
        #expect(try blocks.last?["input"] == (isSame ? ["a": 1] : JSONReader.value(arguments)))
    }

    // MARK: Gemini's parts

    private static func gemini(_ members: JSONObject) -> JSONValue {
        var message: JSONObject = [
            "role": "assistant", "content": "old",
            "tool_calls": [call("mr0000000"), call("B", #"{"b":[],"c":null}"#)],
            "native": [
                "dialect": "gemini",
                "parts": [
                    ["text": "hm", "thought": true], ["text": "old"],
                    ["functionCall": ["name": "f", "args": ["a": 1]], "thoughtSignature": "S"],
                    ["functionCall": ["id": "B", "name": "f", "args": ["c": .null, "b": [:]]]],
                ],
            ],
        ]
        message = Self.with(message, members)
        return .object(message)
    }

    private static func parts(_ members: JSONObject) throws -> [JSONValue] {
        try History.body("gemini", [user, gemini(members), user])["contents"]?.array?[1]["parts"]?.array ?? []
    }

    @Test func ownPartsGoBackWhileTheyAgree() throws {
        let parts = try Self.parts([:])
        #expect(parts == Self.gemini([:])["native"]?["parts"]?.array)
    }

    @Test func editsOfAReplyAreSent() throws {
        let edited = try Self.parts(["content": "new"])
        #expect(edited.compactMap { $0["text"] } == ["new"])
        #expect(edited.compactMap { $0["functionCall"] }.count == 2)
        let removed = try Self.parts(["tool_calls": .null])
        #expect(removed == [["text": "old"]])
        let one = try Self.parts(["tool_calls": [Self.call("B", "{}")]])
        #expect(one == [["text": "old"], ["functionCall": ["name": "f", "args": [:], "id": "B"]]])
        let renamed = try Self.parts([
            "tool_calls": [["id": "B", "name": "g", "arguments": ["a": 1]], Self.call("C")]
        ])
        #expect(renamed.compactMap { $0["functionCall"]?["name"] } == ["g", "f"])
    }

    /// A reply that a script emptied is not a turn.
    @Test(arguments: ["gemini", "responses", "anthropic", "ollama", "cohere"])
    func emptiedRepliesAreLeftOut(dialect: String) throws {
        let output: JSONValue = [["type": "message", "content": [["type": "output_text", "text": "old"]]]]
        let native: JSONValue = [
            "dialect": .string(dialect), "parts": [["text": "old"]], "output": output,
            "content": [["type": "text", "text": "old"]],
        ]
        let message: JSONValue = ["role": "assistant", "content": "", "native": native]
        let without = try History.body(dialect, [Self.user, Self.user])
        #expect(try History.body(dialect, [Self.user, message, Self.user]) == without)
    }

    // MARK: Empty turns

    /// Members that a format does not write are not content; a prefill is last.
    @Test(
        arguments: ["responses", "anthropic", "gemini", "ollama", "cohere", "tgi"],
        [
            ["audio": ["id": "a1"]], ["images": [["type": "image_url", "image_url": ["url": "https://e.example/a"]]]],
            ["function_call": ["name": "f", "arguments": "{}"]], ["prefix": true], ["partial": true],
        ] as [JSONObject])
    func membersOfChatCompletionsAreNoContent(dialect: String, members: JSONObject) throws {
        var message: JSONObject = ["role": "assistant", "content": ""]
        message = Self.with(message, members)
        let without = try History.body(dialect, [Self.user, Self.user])
        #expect(try History.body(dialect, [Self.user, .object(message), Self.user]) == without)
        #expect(try History.body(dialect, [Self.user, .object(message)]) == History.body(dialect, [Self.user]))
    }

    @Test(arguments: ["prefix", "partial"]) func aPrefillStandsLast(member: String) throws {
        let message: JSONValue = ["role": "assistant", "content": "", member: true]
        #expect(
            try History.body("openai", [Self.user, message, Self.user])
                == History.body("openai", [Self.user, Self.user]))
        #expect(try History.body("openai", [Self.user, message])["messages"]?.array?.count == 2)
        let continued = try History.body("openai", [Self.user, message], continuing: "a")
        #expect(continued["messages"]?.array?.count == 2)
    }

    @Test(arguments: [[:], [], [["type": "text", "text": ""]]] as [JSONValue])
    func emptyContentBesideCallsIsNull(content: JSONValue) throws {
        let message: JSONValue = ["role": "assistant", "content": content, "tool_calls": [Self.call("1")]]
        let body = try History.body(
            "openai", [["role": "user", "content": content], message, Self.result("1")])
        #expect(body["messages"]?.array?[0]["content"] == "")
        #expect(body["messages"]?.array?[1]["content"] == .null)
    }

    // MARK: Reasoning in the content

    /// A Mistral reply.
    private static let thought: JSONValue = [
        "role": "assistant",
        "content": [
            ["type": "thinking", "thinking": [["type": "text", "text": "h"], ["type": "text", "text": "m"]]],
            ["type": "text", "text": "a"],
        ],
    ]

    @Test(arguments: ["responses", "anthropic", "gemini", "ollama", "cohere", "tgi"])
    func thinkingPartsStayWhereTheyAreKnown(dialect: String) throws {
        let plain: JSONValue = ["role": "assistant", "content": [["type": "text", "text": "a"]]]
        #expect(
            try History.body(dialect, [Self.user, Self.thought, Self.user])
                == History.body(dialect, [Self.user, plain, Self.user]))
    }

    @Test(
        arguments: [
            ("mistral", nil), ("openai", [:]), ("groq", [:]), ("azure", [:]), ("deepseek", [:]),
            ("openrouter", ["reasoning_content": "hm"]), ("moonshot", ["reasoning_content": "hm"]),
            ("vllm", ["reasoning_content": "hm"]),
        ] as [(String, JSONObject?)])
    func thinkingPartsInChatCompletions(provider: String, reasoning: JSONObject?) throws {
        let quirks = try #require(ProviderCatalog.named(provider)?.endpoint("openai")?.quirks)
        let sent = try History.body("openai", [Self.user, Self.thought, Self.user], quirks: quirks)
        guard let reasoning else { return #expect(sent["messages"]?.array?[1] == Self.thought) }
        var plain: JSONObject = ["role": "assistant", "content": "a"]
        plain = Self.with(plain, reasoning)
        #expect(sent["messages"]?.array?[1] == .object(plain))
    }

    /// An unknown server receives them as it sent them, unless configured otherwise.
    @Test func thinkingPartsOfUnknownServersGoBack() throws {
        let kept = try History.body("openai", [Self.user, Self.thought])
        #expect(kept["messages"]?.array?[1] == Self.thought)
        let dropped = try History.body("openai", [Self.user, Self.thought], quirks: Quirks(reasoningEcho: .drop))
        #expect(dropped["messages"]?.array?[1] == ["role": "assistant", "content": "a"])
    }

    /// DeepSeek accepts `reasoning_content` only.
    @Test(
        arguments: [
            ["reasoning_content": "R"], ["reasoning": "R"], ["reasoning_text": "R"], ["thinking": "R"],
            ["reasoning_content": "", "reasoning": "R"],
            ["reasoning_details": [["type": "reasoning.text", "text": "R"]]],
            ["content": [["type": "thinking", "thinking": [["type": "text", "text": "R"]]]]],
        ] as [JSONObject])
    func deepSeekGetsReasoningUnderItsName(members: JSONObject) throws {
        let quirks = try #require(ProviderCatalog.named("deepseek")?.endpoint(nil)?.quirks)
        var called: JSONObject = ["role": "assistant", "content": .null]
        called = Self.with(called, members)
        called["tool_calls"] = [Self.call("1")]
        var said: JSONObject = ["role": "assistant", "content": "x"]
        if members["content"] == nil { said = Self.with(said, members) }
        let body = try History.body(
            "openai", [Self.user, .object(called), Self.result("1"), .object(said)], quirks: quirks)
        let sent = body["messages"]?.array ?? []
        #expect(
            sent[1] == [
                "role": "assistant", "content": .null, "tool_calls": [Self.call("1")], "reasoning_content": "R",
            ])
        let own: JSONValue = members["content"] == nil ? "R" : ""
        #expect(sent[3] == ["role": "assistant", "content": "x", "reasoning_content": own])
    }
}
