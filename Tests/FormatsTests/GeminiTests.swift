// Gemini's generateContent: chunks and requests.

import Base
import Chat
import Formats
import HTTP
import JSON
import Testing

@Suite struct GeminiTests {
    private static func read(_ payloads: String...) -> StreamOutcome {
        StreamHarness.run(frames: payloads.map { (.data, "", $0) }, dialect: WireFormat.gemini)
    }

    private static func parts(_ parts: String, _ rest: String = "") -> String {
        #"{"candidates":[{"content":{"role":"model","parts":[\#(parts)]}\#(rest)}]}"#
    }

    private static func send(
        _ messages: [JSONValue], _ parameters: JSONObject = [:], model: String = "gemini-2.5-flash",
        system: String? = nil, baseURL: String = "https://g.example/v1beta", quirks: Quirks = Quirks(),
        isLenient: Bool = false
    ) throws -> (request: HTTPRequest, body: JSONValue) {
        let endpoint = Endpoint(provider: "gemini", dialect: "gemini", baseURL: baseURL, quirks: quirks)
        let request = ChatRequest(
            model: model, system: system, messages: messages, parameters: parameters, isLenient: isLenient)
        let sent = try WireFormat.gemini.encode(request, endpoint: endpoint, key: "k-123456")
        return (sent, try JSONReader.value(sent.body))
    }

    private static let hello: [JSONValue] = [["role": "user", "content": "hi"]]

    // MARK: Reading

    @Test func thoughtsTextAndSignatures() {
        let outcome = Self.read(
            Self.parts(#"{"text":"Hm","thought":true}"#), Self.parts(#"{"text":" so","thought":true}"#),
            Self.parts(#"{"text":"Ye"},{"text":"s"}"#), Self.parts(#"{"text":"","thoughtSignature":"c2ln/+="}"#),
            Self.parts("", #","finishReason":"STOP""#))
        #expect(outcome.reasoning == "Hm so")
        #expect(outcome.tokens == ["Ye", "s"])
        #expect(outcome.summary.finishReason == .stop)
        #expect(
            outcome.message["native"]?["parts"] == [
                ["text": "Hm so", "thought": true], ["text": "Yes"], ["text": "", "thoughtSignature": "c2ln/+="],
            ])
    }

    /// The parts would contain more than the reader of a stopped reply has seen.
    @Test func stoppedRepliesGoBackAsText() throws {
        let decoder = WireFormat.gemini.makeDecoder()
        var events: [DecodedEvent] = []
        try decoder.decode(.data, name: "", bytes: Array(Self.parts(#"{"text":"Yes"}"#).utf8).span, into: &events)
        #expect(decoder.assistantMessage(ReplyText(events, text: "Y")) == ["role": "assistant", "content": "Y"])
    }

    @Test func callsWithAndWithoutIds() {
        let outcome = Self.read(
            Self.parts(
                #"{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"s"},{"functionCall":{"id":"c2","name":"g"}}"#,
                #","finishReason":"STOP""#))
        #expect(outcome.summary.toolCalls.map(\.id).last == "c2")
        #expect(outcome.summary.toolCalls.map(\.arguments) == [["a": 1], [:]])
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.finishReasonRaw == "STOP")
        #expect(
            outcome.message["native"]?["parts"]?.array?[0] == [
                "functionCall": ["name": "f", "args": ["a": 1]], "thoughtSignature": "s",
            ])
    }

    @Test(
        arguments: [
            ([#"{"jsonPath":"$.a","stringValue":"x"}"#], ["a": "x"]),
            (
                [
                    #"{"jsonPath":"$.a","stringValue":"x","willContinue":true}"#,
                    #"{"jsonPath":"$.a","stringValue":"y"}"#,
                ],
                ["a": "xy"]
            ),
            (
                [#"{"jsonPath":"$.a","numberValue":1.5}"#, #"{"jsonPath":"$.b","boolValue":true}"#],
                ["a": 1.5, "b": true]
            ),
            ([#"{"jsonPath":"$.a.b[1]['c d']","nullValue":"NULL_VALUE"}"#], ["a": ["b": [.null, ["c d": .null]]]]),
            (
                [
                    #"{"jsonPath":"$.a","stringValue":"x","willContinue":true}"#,
                    #"{"jsonPath":"$.b","numberValue":2}"#,
                    #"{"jsonPath":"$.c[0]","stringValue":"y","willContinue":true}"#,
                    #"{"jsonPath":"$.c[0]","stringValue":"z","willContinue":true}"#,
                ],
                ["a": "x", "b": 2, "c": ["yz"]]
            ),
            ([#"{"jsonPath":"$[\"q\"].r","stringValue":"x"}"#], ["q": ["r": "x"]]),
            ([#"{"jsonPath":"$.a[99999999]","stringValue":"x"}"#], ["a": .null]),
        ] as [([String], JSONValue)]) func streamedArguments(pieces: [String], arguments: JSONValue)
    {
        var payloads = [Self.parts(#"{"functionCall":{"name":"f","willContinue":true},"thoughtSignature":"s"}"#)]
        payloads += pieces.map { Self.parts(#"{"functionCall":{"partialArgs":[\#($0)],"willContinue":true}}"#) }
        payloads.append(Self.parts(#"{"functionCall":{}}"#, #","finishReason":"STOP""#))
        let outcome = StreamHarness.run(frames: payloads.map { (.data, "", $0) }, dialect: WireFormat.gemini)
        #expect(outcome.summary.toolCalls.map(\.arguments) == [arguments])
        #expect(outcome.message["native"]?["parts"]?.array?[0]["thoughtSignature"] == "s")
    }

    /// Paths are bounded like the nesting of JSON: a longer one would overflow the stack.
    @Test func aPathWithoutEnd() {
        let path = "$" + String(repeating: ".a", count: 60_000)
        let outcome = Self.read(
            Self.parts(#"{"functionCall":{"name":"f","willContinue":true}}"#),
            Self.parts(
                #"{"functionCall":{"partialArgs":[{"jsonPath":"\#(path)","stringValue":"x"}],"willContinue":true}}"#),
            Self.parts(#"{"functionCall":{}}"#, #","finishReason":"STOP""#))
        #expect(outcome.summary.toolCalls.map(\.arguments) == [[:]])
    }

    @Test func aWholeReplyThatEndsInsideACall() {
        let outcome = Self.read(
            Self.parts(#"{"functionCall":{"name":"f","willContinue":true}}"#),
            Self.parts(#"{"text":""}"#, #","finishReason":"STOP""#))
        #expect(outcome.error?.kind == .protocol)
        #expect(outcome.error?.message.contains("\"f\"") == true)
        #expect(!outcome.hasCleanEnd)
    }

    @Test(arguments: [
        ("gemini-3-pro-preview", true), ("models/gemini-3.1-pro", true),
        ("publishers/google/models/gemini-3-pro", true),
        ("gemini-2.5-flash", false), ("tunedModels/x", false),
    ]) func signaturesThatStandIn(model: String, isWanted: Bool) throws {
        let messages: [JSONValue] = [
            ["role": "user", "content": "q"],
            ["role": "assistant", "content": "", "tool_calls": [["id": "c", "name": "f", "arguments": [:]]]],
            ["role": "tool", "tool_call_id": "c", "content": "r"],
        ]
        let body = try Self.send(messages, model: model).body
        let part = body["contents"]?.array?[1]["parts"]?.array?[0]
        #expect((part?["thoughtSignature"] != nil) == isWanted)
    }

    /// A call cut by the token limit is not a call.
    @Test func aCallThatNeverEnds() {
        let outcome = Self.read(
            Self.parts(#"{"functionCall":{"name":"f","willContinue":true}}"#),
            Self.parts("", #","finishReason":"MAX_TOKENS""#))
        #expect(outcome.summary.toolCalls.isEmpty)
        #expect(outcome.summary.finishReason == .length)
        #expect(outcome.hasOutput)
    }

    @Test(
        arguments: [
            (#""STOP""#, .stop), ("1", .stop), (#""MAX_TOKENS""#, .length), ("2", .length),
            (#""SAFETY""#, .contentFilter), (#""RECITATION""#, .contentFilter), ("3", .contentFilter),
            (#""MALFORMED_FUNCTION_CALL""#, .other), (#""NEW_ONE""#, .other), ("null", nil),
            (#""FINISH_REASON_UNSPECIFIED""#, nil),
            ("0", nil),
        ] as [(String, FinishReason?)]) func finishReasons(raw: String, reason: FinishReason?)
    {
        let outcome = Self.read(Self.parts(#"{"text":"a"}"#, #","finishReason":\#(raw)"#))
        #expect(outcome.summary.finishReason == reason)
        #expect(outcome.hasCleanEnd == (reason != nil))
    }

    @Test func refusedPromptsOtherCandidatesAndWhatIsPassedOn() {
        let blocked = Self.read(#"{"promptFeedback":{"blockReason":"SAFETY"}}"#)
        #expect(blocked.summary.finishReason == .contentFilter)
        #expect(blocked.hasCleanEnd)
        #expect(blocked.events.contains(.native(name: "promptFeedback", ["blockReason": "SAFETY"])))
        let several = Self.read(
            #"{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}},{"index":0,"content":{"parts":[{"text":"a"}]}}]}"#
        )
        #expect(several.text == "a")
        let code = Self.read(Self.parts(#"{"executableCode":{"code":"1"}}"#, #","groundingMetadata":{"x":1}"#))
        #expect(code.events.contains(.native(name: "executableCode", ["executableCode": ["code": "1"]])))
        #expect(code.events.contains(.native(name: "groundingMetadata", ["x": 1])))
    }

    @Test func errorsInTheStream() {
        let outcome = Self.read(
            Self.parts(#"{"text":"a"}"#),
            #"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#)
        #expect(outcome.error?.kind == .overloaded)
        #expect(outcome.error?.isRetryable == true)
        #expect(outcome.error?.message == "The model is overloaded.")
        #expect(!outcome.hasCleanEnd)
    }

    // MARK: Asking

    @Test(arguments: [
        ("gemini-2.5-flash", "https://g.example/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-2.5-flash", "https://g.example/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("tunedModels/a b?", "https://g.example/v1beta/tunedModels/a%20b%3F:streamGenerateContent?alt=sse"),
    ]) func addresses(model: String, url: String) throws {
        let (request, _) = try Self.send(Self.hello, model: model)
        #expect(request.url == url)
        #expect(request.headers["x-goog-api-key"] == "k-123456")
        #expect(request.headers["Authorization"] == nil)
    }

    @Test func vertex() throws {
        let root =
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google"
        let (request, _) = try Self.send(Self.hello, baseURL: root, quirks: Quirks(keyField: .bearer))
        #expect(request.url == root + "/models/gemini-2.5-flash:streamGenerateContent?alt=sse")
        #expect(request.headers["Authorization"] == "Bearer k-123456")
    }

    @Test func everythingHasItsPlace() throws {
        let parameters: JSONObject = [
            "temperature": 0.5, "max_tokens": 9, "stop": "END", "seed": 7, "top_k": 3, "thinking": 64,
            "tool_choice": ["name": "f"], "tools": [["name": "f", "description": "d"], ["googleSearch": [:]]],
            "response_format": ["type": "json_schema", "schema": ["type": "object"]],
            "generationConfig": ["mediaResolution": "LOW"], "safetySettings": [],
        ]
        #expect(
            try Self.send(Self.hello, parameters, system: "Be brief.").body == [
                "contents": [["role": "user", "parts": [["text": "hi"]]]],
                "systemInstruction": ["parts": [["text": "Be brief."]]],
                "tools": [
                    [
                        "functionDeclarations": [
                            [
                                "name": "f", "description": "d",
                                "parametersJsonSchema": ["type": "object", "properties": [:]],
                            ]
                        ]
                    ], ["googleSearch": [:]],
                ],
                "toolConfig": ["functionCallingConfig": ["mode": "ANY", "allowedFunctionNames": ["f"]]],
                "generationConfig": [
                    "maxOutputTokens": 9, "stopSequences": ["END"], "temperature": 0.5, "topK": 3, "seed": 7,
                    "responseMimeType": "application/json", "responseJsonSchema": ["type": "object"],
                    "thinkingConfig": ["includeThoughts": true, "thinkingBudget": 64], "mediaResolution": "LOW",
                ],
                "safetySettings": [],
            ])
    }

    @Test(
        arguments: [
            // A number of tokens for models before Gemini 3, a level for those after.
            ("gemini-2.5-flash", ["thinking": true], ["includeThoughts": true]),
            ("gemini-2.5-flash", ["thinking": 512], ["includeThoughts": true, "thinkingBudget": 512]),
            ("gemini-2.5-pro", ["reasoning_effort": "low"], ["includeThoughts": true, "thinkingBudget": 1024]),
            (
                "models/gemini-2.5-flash", ["reasoning_effort": "high"],
                ["includeThoughts": true, "thinkingBudget": 24_576]
            ),
            ("gemini-3-pro-preview", ["reasoning_effort": "low"], ["includeThoughts": true, "thinkingLevel": "low"]),
            (
                "gemini-3.1-flash", ["thinking": true, "reasoning_effort": "medium"],
                ["includeThoughts": true, "thinkingLevel": "medium"]
            ),
            ("gemini-flash-latest", ["reasoning_effort": "low"], ["includeThoughts": true, "thinkingLevel": "low"]),
            // Off.
            ("gemini-2.5-flash", ["thinking": false], ["thinkingBudget": 0]),
            ("gemini-2.5-flash-lite", ["reasoning_effort": "none"], ["thinkingBudget": 0]),
            ("gemini-3-flash-preview", ["thinking": false], ["thinkingLevel": "minimal"]),
            ("gemini-2.0-flash", ["thinking": false], nil), ("gemini-2.5-flash", [:], nil),
            ("gemini-2.5-flash", ["thinking": ["thinkingBudget": -1]], ["thinkingBudget": -1]),
        ] as [(String, JSONObject, JSONValue?)])
    func thinking(model: String, parameters: JSONObject, config: JSONValue?) throws {
        #expect(
            try Self.send(Self.hello, parameters, model: model).body["generationConfig"]?["thinkingConfig"] == config)
    }

    @Test(
        arguments: [
            ("gemini-2.5-pro", ["thinking": false], "thinking cannot be expressed for gemini"),
            ("gemini-3-pro-preview", ["thinking": false], "thinking cannot be expressed for gemini"),
            ("gemini-3-flash", ["thinking": 64, "reasoning_effort": "low"], "reasoning_effort cannot be expressed"),
            (
                "gemini-2.5-flash", ["reasoning_effort": "xhigh"],
                "reasoning_effort must be one of minimal, low, medium, high"
            ),
        ] as [(String, JSONObject, String)]) func thinkingThatItRefuses(
            model: String, parameters: JSONObject, says: String
        )
    {
        do {
            _ = try Self.send(Self.hello, parameters, model: model)
            Issue.record("it was sent")
        } catch let error as APIError {
            #expect(error.message.contains(says), "\(error.message)")
        } catch {
            Issue.record(error)
        }
    }

    @Test func conversations() throws {
        let messages: [JSONValue] = [
            [
                "role": "user",
                "content": [
                    "Look:", ["type": "image", "media_type": "image/png", "data": "iVBO"],
                    ["type": "image", "url": "https://e.example/a.JPG?x"],
                ],
            ],
            [
                "role": "assistant", "content": "",
                "tool_calls": [
                    ["id": "", "name": "f", "arguments": ["a": 1]], ["id": "", "name": "g", "arguments": [:]],
                ],
            ],
            ["role": "tool", "tool_call_id": "", "content": "seven"],
            ["role": "tool", "tool_call_id": "", "content": "{\"b\":2}", "is_error": false],
            [
                "role": "assistant", "content": "Done.",
                "native": ["dialect": "gemini", "parts": [["text": "Done.", "thoughtSignature": "s"]]],
            ],
            ["role": "user", "content": "And?"],
        ]
        #expect(
            try Self.send(messages).body["contents"] == [
                [
                    "role": "user",
                    "parts": [
                        ["text": "Look:"], ["inlineData": ["mimeType": "image/png", "data": "iVBO"]],
                        ["fileData": ["fileUri": "https://e.example/a.JPG?x", "mimeType": "image/jpeg"]],
                    ],
                ],
                [
                    "role": "model",
                    "parts": [
                        ["functionCall": ["name": "f", "args": ["a": 1]]],
                        ["functionCall": ["name": "g", "args": [:]]],
                    ],
                ],
                [
                    "role": "user",
                    "parts": [
                        ["functionResponse": ["name": "f", "response": ["result": "seven"]]],
                        ["functionResponse": ["name": "g", "response": ["b": 2]]],
                    ],
                ],
                ["role": "model", "parts": [["text": "Done.", "thoughtSignature": "s"]]],
                ["role": "user", "parts": [["text": "And?"]]],
            ])
    }

    @Test func callsOfOtherModelsForGemini3() throws {
        let messages: [JSONValue] = [
            ["role": "user", "content": "q"],
            ["role": "assistant", "tool_calls": [["id": "c1", "name": "f"], ["id": "c2", "name": "f"]]],
            ["role": "tool", "tool_call_id": "c2", "content": "no", "is_error": true],
        ]
        let contents = try Self.send(messages, model: "gemini-3-pro-preview").body["contents"]?.array
        #expect(
            contents?[1]["parts"] == [
                [
                    "functionCall": ["name": "f", "args": [:], "id": "c1"],
                    "thoughtSignature": "skip_thought_signature_validator",
                ], ["functionCall": ["name": "f", "args": [:], "id": "c2"]],
            ])
        #expect(
            contents?[2]["parts"] == [
                ["functionResponse": ["name": "f", "id": "c2", "response": ["error": "no"]]]
            ])
    }

    @Test func whatItCannotSay() throws {
        let bias = #expect(throws: APIError.self) { try Self.send(Self.hello, ["logit_bias": [:]]) }
        #expect(bias?.message.hasPrefix("logit_bias cannot be expressed for gemini") == true)
        #expect(throws: Never.self) { try Self.send(Self.hello, ["logit_bias": [:]], isLenient: true) }
        let result = #expect(throws: APIError.self) {
            try Self.send([["role": "user", "content": "a"], ["role": "tool", "tool_call_id": "x", "content": "b"]])
        }
        #expect(result?.message == "messages[2].tool_call_id names no call of the message before it")
        let empty = #expect(throws: APIError.self) { try Self.send([], system: "S") }
        #expect(empty?.message == "messages must hold more than the system prompt")
    }
}
