// Requests to the Responses API, and requests that are rejected before they are sent.

import Chat
import Formats
import HTTP
import JSON
import Providers
import Testing

@Suite struct ResponsesRequestTests {
    private static let endpoint = Endpoint(
        provider: "openai", dialect: "responses", baseURL: "https://api.example/v1", keyVariable: "P_KEY")
    private static let hello: [JSONValue] = [["role": "user", "content": "hi"]]

    private static func request(
        _ parameters: JSONObject = [:], messages: [JSONValue] = hello, system: String? = nil, isLenient: Bool = false
    ) -> ChatRequest {
        ChatRequest(model: "m", system: system, messages: messages, parameters: parameters, isLenient: isLenient)
    }

    /// Result of `thinking = false` by model.
    @Test(
        arguments: [
            ("gpt-5-mini", "minimal"), ("openai/gpt-5-nano-2025-08-07", "minimal"), ("gpt-5", "minimal"),
            ("gpt-5.1", "none"),
            ("gpt-5.2-mini", "none"), ("grok-4", "none"), ("my-deployment", "none"), ("gpt-4.1-mini", nil),
            ("gpt-4o", nil),
            ("chatgpt-4o-latest", nil), ("gpt-5-chat-latest", nil),
        ] as [(String, String?)]) func noThinking(model: String, effort: String?) throws
    {
        let request = ChatRequest(model: model, messages: Self.hello, parameters: ["thinking": false])
        #expect(try Self.body(request)["reasoning"]?["effort"]?.string == effort)
        let chat = try WireFormat.openAIChat.encode(request, endpoint: Self.endpoint, key: nil)
        #expect(try JSONReader.value(chat.body)["reasoning_effort"]?.string == effort)
    }

    @Test(arguments: ["o3", "o4-mini", "gpt-5-pro", "gpt-5-codex"]) func alwaysThinking(model: String) throws {
        var request = ChatRequest(model: model, messages: Self.hello, parameters: ["thinking": false])
        #expect(Self.failure(request)?.message.contains("thinking cannot be expressed for openai") == true)
        request.isLenient = true
        #expect(try Self.body(request)["reasoning"] == nil)
    }

    private static func body(_ request: ChatRequest, _ endpoint: Endpoint = endpoint) throws -> JSONObject {
        let sent = try WireFormat.openAIResponses.encode(request, endpoint: endpoint, key: "sk-1")
        return try #require(try JSONReader.value(sent.body).object)
    }

    private static func failure(_ request: ChatRequest) -> APIError? {
        do throws(APIError) {
            _ = try WireFormat.openAIResponses.encode(request, endpoint: endpoint, key: "sk-1")
            return nil
        } catch {
            return error
        }
    }

    private static func input(_ messages: [JSONValue], _ parameters: JSONObject = [:]) throws -> JSONValue? {
        try body(request(parameters, messages: messages))["input"]
    }

    // MARK: The whole

    @Test func wholeRequest() throws {
        let request = Self.request(["temperature": 0.5, "max_tokens": 9], system: "s")
        let sent = try WireFormat.openAIResponses.encode(request, endpoint: Self.endpoint, key: "sk-1")
        #expect(sent.method == "POST")
        #expect(sent.url == "https://api.example/v1/responses")
        #expect(
            String(decoding: sent.body, as: UTF8.self)
                == #"{"model":"m","input":[{"type":"message","role":"user","content":"hi"}],"instructions":"s","#
                + #""stream":true,"max_output_tokens":9,"temperature":0.5}"#)
        #expect(sent.headers["Authorization"] == "Bearer sk-1")
        #expect(sent.headers["Accept"] == "text/event-stream")
    }

    @Test func azureTakesTheKeyInAFieldOfItsOwn() throws {
        let known = try #require(ProviderCatalog.named("azure")?.endpoint("responses"))
        let endpoint = Endpoint(
            provider: "azure", dialect: "responses",
            baseURL: "https://me.openai.azure.com/openai/v1?api-version=preview",
            quirks: known.quirks)
        let sent = try WireFormat.openAIResponses.encode(Self.request(), endpoint: endpoint, key: "k-1")
        #expect(sent.url == "https://me.openai.azure.com/openai/v1/responses?api-version=preview")
        #expect(sent.headers["api-key"] == "k-1")
        #expect(sent.headers["Authorization"] == nil)
        #expect(!String(decoding: sent.body, as: UTF8.self).contains("k-1"))
    }

    @Test(arguments: ["openai", "azure", "xai", "llamacpp"]) func presets(name: String) throws {
        #expect(try #require(ProviderCatalog.named(name)).endpoint("responses") != nil)
    }

    // MARK: Options

    @Test(
        arguments: [
            (["max_tokens": 9], "max_output_tokens", 9), (["max_completion_tokens": 9], "max_output_tokens", 9),
            (["temperature": 0.5], "temperature", 0.5), (["top_p": 0.5], "top_p", 0.5),
            (["user": "u"], "user", "u"), (["parallel_tool_calls": false], "parallel_tool_calls", false),
            (["top_logprobs": 3], "top_logprobs", 3),
            (["logprobs": true], "include", ["message.output_text.logprobs"]), (["logprobs": false], "include", nil),
            (
                ["logprobs": true, "include": ["reasoning.encrypted_content"]], "include",
                ["reasoning.encrypted_content", "message.output_text.logprobs"]
            ),
            (["n": 1], "n", nil),
            (["stream_options": ["include_usage": true]], "stream_options", nil),
            (
                ["stream_options": ["include_usage": true, "include_obfuscation": false]], "stream_options",
                ["include_obfuscation": false]
            ),
            // The provider's own form, unchanged.
            (["previous_response_id": "resp_1"], "previous_response_id", "resp_1"), (["store": false], "store", false),
            ([:], "store", nil), (["background": true], "background", true),
            (["truncation": "auto"], "truncation", "auto"),
            (["include": ["reasoning.encrypted_content"]], "include", ["reasoning.encrypted_content"]),
            (["text": ["verbosity": "low"]], "text", ["verbosity": "low"]),
            // Thinking.
            ([:], "reasoning", nil),
            (["reasoning_effort": "high"], "reasoning", ["effort": "high", "summary": "auto"]),
            (["reasoning_effort": "none"], "reasoning", ["effort": "none"]),
            (["thinking": true], "reasoning", ["effort": "medium", "summary": "auto"]),
            (["thinking": true, "reasoning_effort": "low"], "reasoning", ["effort": "low", "summary": "auto"]),
            (["thinking": false], "reasoning", ["effort": "none"]),
            (
                ["reasoning_effort": "high", "reasoning": ["summary": "detailed"]], "reasoning",
                ["effort": "high", "summary": "detailed"]
            ),
            (
                ["thinking": ["effort": "low", "summary": "concise"]], "reasoning",
                ["effort": "low", "summary": "concise"]
            ),
            // The response format.
            (["response_format": "text"], "text", ["format": ["type": "text"]]),
            (["response_format": "json_object"], "text", ["format": ["type": "json_object"]]),
            (
                [
                    "response_format": [
                        "type": "json_schema", "name": "n", "schema": ["type": "object"], "strict": true,
                    ]
                ],
                "text",
                ["format": ["type": "json_schema", "name": "n", "schema": ["type": "object"], "strict": true]]
            ),
            (
                ["response_format": ["json_schema": ["schema": ["type": "object"]]], "text": ["verbosity": "low"]],
                "text",
                [
                    "format": ["type": "json_schema", "name": "answer", "schema": ["type": "object"]],
                    "verbosity": "low",
                ]
            ),
            // Tools.
            (
                ["tools": [["name": "f", "description": "d"]]], "tools",
                [
                    [
                        "type": "function", "name": "f", "description": "d",
                        "parameters": ["type": "object", "properties": [:]], "strict": false,
                    ]
                ]
            ),
            (
                [
                    "tools": [
                        [
                            "type": "function",
                            "function": ["name": "f", "parameters": ["type": "object"], "strict": true],
                        ],
                        ["type": "web_search"], ["type": "custom", "custom": ["name": "sql"]],
                        ["type": "mcp", "server_label": "x", "server_url": "https://x.example"],
                    ]
                ], "tools",
                [
                    ["type": "function", "name": "f", "parameters": ["type": "object"], "strict": true],
                    ["type": "web_search"], ["type": "custom", "name": "sql"],
                    ["type": "mcp", "server_label": "x", "server_url": "https://x.example"],
                ]
            ),
            (["tools": []], "tools", nil),
            (["tool_choice": "auto"], "tool_choice", "auto"), (["tool_choice": "none"], "tool_choice", "none"),
            (["tool_choice": "any"], "tool_choice", "required"),
            (["tool_choice": ["name": "f"]], "tool_choice", ["type": "function", "name": "f"]),
            (
                ["tool_choice": ["type": "function", "function": ["name": "f"]]], "tool_choice",
                ["type": "function", "name": "f"]
            ),
            (["tool_choice": ["type": "web_search"]], "tool_choice", ["type": "web_search"]),
            (
                ["tool_choice": ["type": "custom", "custom": ["name": "sql"]]], "tool_choice",
                ["type": "custom", "name": "sql"]
            ),
        ] as [(JSONObject, String, JSONValue?)])
    func options(parameters: JSONObject, name: String, value: JSONValue?) throws {
        #expect(try Self.body(Self.request(parameters))[name] == value)
    }

    @Test(
        arguments: [
            ["stop": "x"], ["seed": 1], ["presence_penalty": 0.5], ["frequency_penalty": 0.5], ["logit_bias": ["1": 2]],
            ["top_k": 4], ["min_p": 0.1], ["n": 2], ["thinking": 1024],
        ] as [JSONObject])
    func whatCannotBeExpressed(parameters: JSONObject) throws {
        let name = try #require(parameters.first { _ in true }).key
        let error = try #require(Self.failure(Self.request(parameters)))
        #expect(error.kind == .invalidRequest)
        #expect(error.message.hasPrefix("\(name) cannot be expressed for openai (dialect \"responses\")"))
        let body = try Self.body(Self.request(parameters, isLenient: true))
        #expect(body[name] == nil)
    }

    @Test(
        arguments: [
            (["instructions": "x"], "instructions "), (["max_tokens": 0], "max_tokens "),
            (["stream": false], "stream "),
            (["model": "x"], "model "), (["tools": "x"], "tools "), (["reasoning_effort": 3], "reasoning_effort "),
        ] as [(JSONObject, String)])
    func refusedParameters(parameters: JSONObject, named: String) throws {
        let error = try #require(Self.failure(Self.request(parameters, system: "s")))
        #expect(error.kind == .invalidRequest)
        #expect(error.message.hasPrefix(named))
    }

    @Test func refusedRequests() {
        #expect(Self.failure(ChatRequest(model: "", messages: Self.hello))?.message == "model must be named")
        #expect(Self.failure(Self.request(messages: []))?.message == "messages must not be empty")
        #expect(Self.failure(Self.request(messages: [], system: "s")) == nil)
        #expect(
            Self.failure(ChatRequest(model: "m", messages: Self.hello, continuing: "Once"))?.message
                == "openai cannot go on from a partial reply")
    }

    // MARK: Messages

    @Test(
        arguments: [
            (["role": "user", "content": "hi"], [["type": "message", "role": "user", "content": "hi"]]),
            (["role": "system", "content": "s"], [["type": "message", "role": "system", "content": "s"]]),
            (["role": "developer", "content": "s"], [["type": "message", "role": "developer", "content": "s"]]),
            (["role": "assistant", "content": "a"], [["type": "message", "role": "assistant", "content": "a"]]),
            (
                ["role": "assistant", "content": .null, "refusal": "No."],
                [["type": "message", "role": "assistant", "content": "No."]]
            ),
            (
                ["role": "assistant", "content": "a", "reasoning_content": "r"],
                [["type": "message", "role": "assistant", "content": "a"]]
            ),
            (
                ["role": "assistant", "content": ["a", ["type": "text", "text": "b"]]],
                [
                    [
                        "type": "message", "role": "assistant",
                        "content": [["type": "output_text", "text": "a"], ["type": "output_text", "text": "b"]],
                    ]
                ]
            ),
            (
                [
                    "role": "user",
                    "content": [
                        "look",
                        ["type": "image_url", "image_url": ["url": "https://a.example/i.png", "detail": "low"]],
                        ["type": "image", "data": "iVBORw0KGgo="], ["type": "file", "file": ["file_id": "f1"]],
                        ["type": "input_file", "file_id": "f2"],
                    ],
                ],
                [
                    [
                        "type": "message", "role": "user",
                        "content": [
                            ["type": "input_text", "text": "look"],
                            ["type": "input_image", "image_url": "https://a.example/i.png", "detail": "low"],
                            [
                                "type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=",
                                "detail": "auto",
                            ],
                            ["type": "input_file", "file_id": "f1"], ["type": "input_file", "file_id": "f2"],
                        ],
                    ]
                ]
            ),
            (
                [
                    "role": "assistant", "content": .null,
                    "tool_calls": [["id": "c", "name": "f", "arguments": ["a": 1]]],
                ],
                [["type": "function_call", "call_id": "c", "name": "f", "arguments": #"{"a":1}"#]]
            ),
            (
                [
                    "role": "assistant", "content": "Let me look.",
                    "tool_calls": [["id": "c", "type": "function", "function": ["name": "f", "arguments": ""]]],
                ],
                [
                    ["type": "message", "role": "assistant", "content": "Let me look."],
                    ["type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"],
                ]
            ),
            (
                ["role": "tool", "tool_call_id": "c", "content": "42"],
                [["type": "function_call_output", "call_id": "c", "output": "42"]]
            ),
            (
                ["role": "tool", "tool_call_id": "c", "content": [["type": "text", "text": "42"]], "name": "f"],
                [
                    [
                        "type": "function_call_output", "call_id": "c",
                        "output": [["type": "input_text", "text": "42"]],
                    ]
                ]
            ),
        ] as [(JSONValue, [JSONValue])])
    func messages(message: JSONValue, items: [JSONValue]) throws {
        #expect(try Self.input([message]) == .array(items))
    }

    @Test(
        arguments: [
            (["role": "tool", "content": "42"], "messages[1].tool_call_id "),
            (["role": "function", "name": "f", "content": "42"], "messages[1].role cannot be expressed"),
            (["role": "user", "name": "Ada", "content": "hi"], "messages[1].name cannot be expressed"),
            (
                ["role": "assistant", "content": [["type": "image", "url": "https://a.example/i.png"]]],
                "messages[1].content[1] cannot be expressed"
            ),
        ] as [(JSONValue, String)])
    func refusedMessages(message: JSONValue, begins: String) throws {
        let error = try #require(Self.failure(Self.request(messages: [message])))
        #expect(error.kind == .invalidRequest)
        #expect(error.message.hasPrefix(begins))
    }

    // MARK: What goes back as it came

    private static let items: JSONValue = [
        ["id": "rs", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA=="],
        ["id": "rs2", "type": "reasoning", "summary": []],
        ["id": "ws", "type": "web_search_call", "status": "completed"],
        [
            "id": "m", "type": "message", "role": "assistant", "phase": "commentary",
            "content": [["type": "output_text", "text": "Hello", "annotations": [], "logprobs": []]],
        ],
        ["id": "fc", "type": "function_call", "call_id": "c1", "name": "f", "arguments": #"{"a": 1}"#],
        ["id": "ct", "type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"],
    ]

    /// The message that the decoder makes of these items.
    private static func message() throws -> JSONObject {
        let payload = #"{"type":"response.completed","response":{"id":"r1","output":\#(JSONWriter.text(items))}}"#
        return try #require(ResponsesStream.run(payload).message.object)
    }

    @Test func whatCameGoesBackByteForByte() throws {
        let sent = try WireFormat.openAIResponses.encode(
            Self.request(messages: [.object(try Self.message())]), endpoint: Self.endpoint, key: nil)
        #expect(
            String(decoding: sent.body, as: UTF8.self)
                == #"{"model":"m","input":\#(JSONWriter.text(Self.items)),"stream":true}"#)
    }

    @Test func resultsOfCustomToolsHaveATypeOfTheirOwn() throws {
        let input = try Self.input([
            .object(try Self.message()), ["role": "tool", "tool_call_id": "c1", "content": "1"],
            ["role": "tool", "tool_call_id": "c2", "content": "2"],
        ])
        #expect(
            input?.array?.suffix(2) == [
                ["type": "function_call_output", "call_id": "c1", "output": "1"],
                ["type": "custom_tool_call_output", "call_id": "c2", "output": "2"],
            ])
    }

    @Test func aChangedReplyGoesAsTheCommonFormSays() throws {
        var edited = try Self.message()
        edited["content"] = "Goodbye"
        let input = try Self.input([.object(edited)])?.array
        #expect(input?.first == ["type": "message", "role": "assistant", "content": "Goodbye"])
        #expect(input?.dropFirst().compactMap { $0["type"]?.string } == ["function_call", "function_call"])
        var fewer = try Self.message()
        fewer["tool_calls"] = .array(Array((fewer["tool_calls"]?.array ?? []).prefix(1)))
        #expect(try Self.input([.object(fewer)])?.array?.count == 2)
        var foreign = try Self.message()
        foreign["native"] = ["dialect": "anthropic", "content": []]
        #expect(try Self.input([.object(foreign)])?.array?.count == 3)
    }

    @Test func resultsOfTheProvidersOwnToolsAreItemsOfTheirOwn() throws {
        let output: JSONValue = ["type": "local_shell_call_output", "call_id": "c", "output": "ok"]
        let message: JSONValue = [
            "role": "tool", "tool_call_id": "c", "content": "ok",
            "native": ["dialect": "responses", "output": [output]],
        ]
        #expect(try Self.input([message]) == [output])
    }
}
