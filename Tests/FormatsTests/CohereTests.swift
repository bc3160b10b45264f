// Cohere's chat endpoint: events of both versions, and requests.

import Chat
import Formats
import HTTP
import JSON
import Testing

@Suite struct CohereTests {
    private static func read(_ payloads: String...) -> StreamOutcome {
        StreamHarness.run(frames: payloads.map { (.data, "", $0) }, dialect: WireFormat.cohere)
    }

    private static func body(
        _ messages: [JSONValue] = [["role": "user", "content": "hi"]], _ parameters: JSONObject = [:],
        baseURL: String = "https://api.cohere.com", isLenient: Bool = false
    ) throws -> (url: String, body: JSONValue) {
        let endpoint = Endpoint(provider: "cohere", dialect: "cohere", baseURL: baseURL)
        let request = ChatRequest(model: "command-a", messages: messages, parameters: parameters, isLenient: isLenient)
        let sent = try WireFormat.cohere.encode(request, endpoint: endpoint, key: "k-123456")
        return (sent.url, try JSONReader.value(sent.body))
    }

    // MARK: Reading

    @Test func planCallsAndMessage() {
        let outcome = Self.read(
            #"{"type":"message-start","id":"r1","delta":{"message":{"role":"assistant"}}}"#,
            #"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"T"}}}}"#,
            #"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#,
            #"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":" look."}}}"#,
            #"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","#
                + #""function":{"name":"f","arguments":""}}}}}"#,
            #"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\""}}}}}"#,
            #"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"c2","#
                + #""function":{"name":"g","arguments":""}}}}}"#,
            #"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":":1}"}}}}}"#,
            #"{"type":"tool-call-end","index":0}"#,
            #"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":1},"#
                + #""tokens":{"input_tokens":9,"output_tokens":4}}}}"#, "[DONE]")
        #expect(outcome.reasoning == "T")
        #expect(outcome.summary.id == "r1")
        #expect(outcome.summary.toolCalls.map(\.id) == ["c1", "c2"])
        #expect(outcome.summary.toolCalls.map(\.arguments) == [["a": 1], [:]])
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.usage?.inputTokens == 9)
        #expect(outcome.events.contains(.native(name: "tool-plan-delta", "I will")))
        #expect(outcome.message["native"] == ["dialect": "cohere", "tool_plan": "I will look.", "thinking": "T"])
        #expect(outcome.isDone)
    }

    /// It has no place in a request; the error names it.
    @Test func anImageInAReply() throws {
        let image: JSONValue = ["type": "image", "media_type": "image/png", "data": "iVBO"]
        let messages: [JSONValue] = [
            ["role": "user", "content": "a"], ["role": "assistant", "content": [image]],
            ["role": "user", "content": "b"],
        ]
        let error = #expect(throws: APIError.self) { try Self.body(messages) }
        #expect(error?.message.contains("messages[2].content[1] cannot be expressed") == true)
    }

    @Test func citationsArePassedOn() {
        let outcome = Self.read(
            #"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"text":"a"}}}}"#,
            #"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}"#,
            #"{"type":"new-thing","index":0}"#)
        #expect(
            outcome.events == [.native(name: "citation", ["start": 0, "text": "a"]), .token("a"), .heartbeat])
        #expect(!outcome.hasCleanEnd)
        #expect(!Self.read("[DONE]").hasCleanEnd)
    }

    @Test(
        arguments: [
            ("COMPLETE", .stop), ("STOP_SEQUENCE", .stop), ("MAX_TOKENS", .length), ("ERROR_LIMIT", .length),
            ("ERROR_TOXIC", .contentFilter), ("USER_CANCEL", .other),
        ] as [(String, FinishReason)]) func finishReasons(raw: String, reason: FinishReason)
    {
        let outcome = Self.read(#"{"type":"message-end","delta":{"finish_reason":"\#(raw)"}}"#)
        #expect(outcome.summary.finishReason == reason)
        #expect(outcome.summary.finishReasonRaw == raw)
    }

    @Test func failuresInDisguise() {
        let outcome = Self.read(#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"no capacity"}}"#)
        #expect(outcome.error?.message == "no capacity")
        #expect(outcome.error?.isRetryable == true)
        #expect(!outcome.hasCleanEnd)
        let plain = Self.read(#"{"message":"invalid api token"}"#)
        #expect(plain.error?.message == "invalid api token")
    }

    @Test func theFirstVersion() {
        let outcome = Self.read(
            #"{"is_finished":false,"event_type":"stream-start","generation_id":"g1"}"#,
            #"{"is_finished":false,"event_type":"text-generation","text":"a"}"#,
            #"{"is_finished":false,"event_type":"tool-calls-generation","#
                + #""tool_calls":[{"name":"f","parameters":{"a":1}}]}"#,
            #"{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","#
                + #""response":{"response_id":"r1","text":"a","meta":{"tokens":{"input_tokens":2.0,"output_tokens":3.0}}}}"#
        )
        #expect(outcome.text == "a")
        #expect(outcome.summary.id == "r1")
        #expect(outcome.summary.toolCalls.map(\.name) == ["f"])
        #expect(outcome.summary.toolCalls.first?.arguments == ["a": 1])
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.finishReasonRaw == "COMPLETE")
        #expect(outcome.summary.usage?.totalTokens == 5)
    }

    @Test func answersThatWereNotStreamed() {
        let second = StreamHarness.run(
            frames: [
                (
                    .body, "",
                    #"{"id":"r","finish_reason":"COMPLETE","message":{"role":"assistant","content":"#
                        + #"[{"type":"thinking","thinking":"T"},{"type":"text","text":"a"}]},"usage":{}}"#
                )
            ], dialect: WireFormat.cohere)
        #expect(second.text == "a")
        #expect(second.reasoning == "T")
        #expect(second.isDone)
        let first = StreamHarness.run(
            frames: [(.body, "", #"{"text":"a","generation_id":"g","finish_reason":"MAX_TOKENS"}"#)],
            dialect: WireFormat.cohere)
        #expect(first.text == "a")
        #expect(first.summary.finishReason == .length)
    }

    // MARK: Asking

    @Test(arguments: ["https://api.cohere.com", "https://api.cohere.com/v2", "https://api.cohere.com/v1"])
    func addresses(baseURL: String) throws {
        #expect(try Self.body(baseURL: baseURL).url == "https://api.cohere.com/v2/chat")
    }

    @Test func everythingHasItsPlace() throws {
        let parameters: JSONObject = [
            "top_p": 0.5, "top_k": 3, "max_tokens": 9, "stop": "END", "seed": 7, "thinking": 64,
            "tool_choice": "required", "tools": [["name": "f"]], "safety_mode": "STRICT",
            "response_format": ["type": "json_schema", "schema": ["type": "object"]],
        ]
        #expect(
            try Self.body([["role": "developer", "content": "S"], ["role": "user", "content": "hi"]], parameters).body
                == [
                    "model": "command-a",
                    "messages": [["role": "system", "content": "S"], ["role": "user", "content": "hi"]],
                    "stream": true,
                    "tools": [
                        [
                            "type": "function",
                            "function": ["name": "f", "parameters": ["type": "object", "properties": [:]]],
                        ]
                    ],
                    "tool_choice": "REQUIRED",
                    "response_format": ["type": "json_object", "json_schema": ["type": "object"]],
                    "thinking": ["type": "enabled", "token_budget": 64], "max_tokens": 9, "stop_sequences": ["END"],
                    "p": 0.5, "k": 3, "seed": 7, "safety_mode": "STRICT",
                ])
    }

    @Test func conversations() throws {
        let messages: [JSONValue] = [
            ["role": "user", "content": ["Look:", ["type": "image", "url": "https://e.example/a.png"]]],
            [
                "role": "assistant", "content": "",
                "native": ["dialect": "cohere", "tool_plan": "P", "thinking": "T"],
                "tool_calls": [["id": "c1", "type": "function", "function": ["name": "f", "arguments": "{}"]]],
            ],
            ["role": "tool", "tool_call_id": "c1", "content": "7"],
        ]
        #expect(
            try Self.body(messages).body["messages"] == [
                [
                    "role": "user",
                    "content": [
                        ["type": "text", "text": "Look:"],
                        ["type": "image_url", "image_url": ["url": "https://e.example/a.png"]],
                    ],
                ],
                [
                    "role": "assistant", "content": [["type": "thinking", "thinking": "T"]],
                    "tool_calls": [["id": "c1", "type": "function", "function": ["name": "f", "arguments": "{}"]]],
                    "tool_plan": "P",
                ],
                ["role": "tool", "tool_call_id": "c1", "content": "7"],
            ])
    }

    @Test(
        arguments: [
            (["tool_choice": ["name": "f"]], "tool_choice"), (["reasoning_effort": "high"], "reasoning_effort"),
            (["min_p": 0.1], "min_p"), (["n": 2], "n"),
        ] as [(JSONObject, String)]) func whatItCannotSay(parameters: JSONObject, name: String) throws
    {
        let error = #expect(throws: APIError.self) { try Self.body([["role": "user", "content": "a"]], parameters) }
        #expect(error?.message.hasPrefix("\(name) cannot be expressed for cohere") == true)
        #expect(throws: Never.self) {
            try Self.body([["role": "user", "content": "a"]], parameters, isLenient: true)
        }
    }
}
