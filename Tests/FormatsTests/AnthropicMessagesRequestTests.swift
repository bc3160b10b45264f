// Requests to a Messages endpoint: body, address, headers; and requests that are rejected before they are sent.

import Base
import Chat
import Formats
import HTTP
import JSON
import Providers
import Testing

/// Requests in this format.
enum AnthropicAsking {
    static func encode(
        _ messages: [JSONValue] = [["role": "user", "content": "hi"]], _ parameters: JSONObject = [:],
        model: String = "claude-sonnet-4-5", system: String? = nil, baseURL: String = "https://api.example/v1",
        quirks: Quirks = Quirks(continuation: .prefill), headers: HTTPHeaders = [:], isLenient: Bool = false,
        continuing: String? = nil
    ) throws -> HTTPRequest {
        let endpoint = Endpoint(
            provider: "p", dialect: "anthropic", baseURL: baseURL, keyVariable: "P_KEY", quirks: quirks,
            headers: headers)
        let request = ChatRequest(
            model: model, system: system, messages: messages, parameters: parameters, isLenient: isLenient,
            continuing: continuing)
        return try WireFormat.anthropicMessages.encode(request, endpoint: endpoint, key: "sk-1")
    }

    static func body(
        _ messages: [JSONValue] = [["role": "user", "content": "hi"]], _ parameters: JSONObject = [:],
        model: String = "claude-sonnet-4-5", system: String? = nil, quirks: Quirks = Quirks(continuation: .prefill),
        isLenient: Bool = false, continuing: String? = nil
    ) throws -> JSONValue {
        try JSONReader.value(
            try encode(
                messages, parameters, model: model, system: system, quirks: quirks, isLenient: isLenient,
                continuing: continuing
            ).body)
    }

    static func messages(_ messages: [JSONValue]) throws -> [JSONValue] {
        try #require(try body(messages)["messages"]?.array)
    }

    static func expectRefusal(_ says: String, _ body: () throws -> JSONValue) {
        let error = #expect(throws: APIError.self) { try body() }
        #expect(error?.kind == .invalidRequest)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "no error")")
    }
}

@Suite struct AnthropicRequestTests {
    @Test func request() throws {
        let request = try AnthropicAsking.encode(system: "s")
        #expect(request.method == "POST")
        #expect(request.url == "https://api.example/v1/messages")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == #"{"model":"claude-sonnet-4-5","max_tokens":8192,"system":"s","#
                + #""messages":[{"role":"user","content":"hi"}],"stream":true}"#)
        #expect(
            request.headers == [
                "anthropic-version": "2023-06-01", "Content-Type": "application/json", "Accept": "text/event-stream",
                "User-Agent": "moonrill/\(Product.version)", "x-api-key": "sk-1",
            ])
    }

    @Test(arguments: [
        ("https://a.example/v1", "https://a.example/v1/messages"),
        ("https://a.example", "https://a.example/v1/messages"),
        ("https://a.example/v1/messages", "https://a.example/v1/messages"),
        ("https://a.example/anthropic", "https://a.example/anthropic/v1/messages"),
        ("https://a.example/api/v1/", "https://a.example/api/v1/messages"),
        ("https://a.example/gate", "https://a.example/gate/messages"),
        ("https://a.example?q=1", "https://a.example/v1/messages?q=1"),
    ]) func addresses(baseURL: String, url: String) throws {
        #expect(try AnthropicAsking.encode(baseURL: baseURL).url == url)
    }

    @Test func keysAndVersionsOfOthers() throws {
        let headers: HTTPHeaders = ["Anthropic-Version": "2099-01-01", "anthropic-beta": "x"]
        let request = try AnthropicAsking.encode(quirks: Quirks(keyField: .bearer), headers: headers)
        #expect(request.headers["Authorization"] == "Bearer sk-1")
        #expect(request.headers["x-api-key"] == nil)
        #expect(
            request.headers.fields.filter { $0.name.lowercased() == "anthropic-version" }.map(\.value) == ["2099-01-01"]
        )
        #expect(request.headers["anthropic-beta"] == "x")
        let openRouter = try #require(ProviderCatalog.named("openrouter")?.endpoint("anthropic"))
        #expect(openRouter.quirks.keyField == .bearer)
        #expect(ProviderCatalog.named("llamacpp")?.endpoint("anthropic")?.baseURL == "http://127.0.0.1:8080/v1")
        #expect(ProviderCatalog.named("anthropic")?.baseURL == "https://api.anthropic.com/v1")
    }

    @Test func refusedRequests() {
        AnthropicAsking.expectRefusal("model must be named") { try AnthropicAsking.body(model: "") }
        AnthropicAsking.expectRefusal("messages must not be empty") { try AnthropicAsking.body([]) }
        AnthropicAsking.expectRefusal("messages[1] cannot be expressed for p") {
            try AnthropicAsking.body([["role": "user", "content": " \n"]])
        }
    }

    // MARK: Options

    @Test func optionsUnderTheProvidersNames() throws {
        let body = try AnthropicAsking.body(
            [["role": "user", "content": "q"]],
            [
                "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop": "x", "user": "u", "n": 1,
                "stream_options": ["include_usage": true], "service_tier": "auto", "metadata": ["a": 1],
            ])
        #expect(body["max_tokens"] == 9)
        #expect(body["temperature"] == 0.5)
        #expect(body["top_p"] == 0.9)
        #expect(body["top_k"] == 4)
        #expect(body["stop_sequences"] == ["x"])
        #expect(body["metadata"] == ["user_id": "u", "a": 1])
        #expect(body["service_tier"] == "auto")
        for name in ["stop", "user", "n", "stream_options"] { #expect(body[name] == nil) }
        #expect(
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["max_completion_tokens": 7])["max_tokens"]
                == 7)
    }

    @Test(
        arguments: [
            ("seed", 1), ("presence_penalty", 0.5), ("frequency_penalty", 0.5), ("logit_bias", ["1": 2]),
            ("logprobs", true), ("min_p", 0.1), ("n", 2), ("response_format", "json"),
        ] as [(String, JSONValue)]) func whatItCannotExpress(name: String, value: JSONValue) throws
    {
        var parameters = JSONObject()
        parameters[name] = value
        AnthropicAsking.expectRefusal("\(name) cannot be expressed for p (dialect \"anthropic\")") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], parameters)
        }
        let lenient = try AnthropicAsking.body([["role": "user", "content": "q"]], parameters, isLenient: true)
        #expect(lenient == (try AnthropicAsking.body([["role": "user", "content": "q"]])))
    }

    private static let city: JSONObject = ["type": "object", "properties": ["city": ["type": "string"]]]

    @Test func tools() throws {
        let body = try AnthropicAsking.body(
            [["role": "user", "content": "q"]],
            [
                "tools": [
                    ["name": "weather", "description": "d", "parameters": .object(Self.city), "strict": true],
                    ["type": "web_search_20250305", "name": "web_search"],
                ]
            ])
        #expect(
            body["tools"] == [
                ["name": "weather", "description": "d", "input_schema": .object(Self.city), "strict": true],
                ["type": "web_search_20250305", "name": "web_search"],
            ])
        #expect(body["tool_choice"] == nil)
    }

    @Test(
        arguments: [
            ("auto", true, ["type": "auto"]), ("none", false, ["type": "none"]), ("required", true, ["type": "any"]),
            (["name": "f"], true, ["type": "tool", "name": "f"]),
            (
                ["type": "any", "disable_parallel_tool_use": true], true,
                ["type": "any", "disable_parallel_tool_use": true]
            ),
            ("required", false, ["type": "any", "disable_parallel_tool_use": true]),
            (.null, false, ["type": "auto", "disable_parallel_tool_use": true]), (.null, true, nil),
        ] as [(JSONValue, Bool, JSONValue?)]) func toolChoices(choice: JSONValue, isParallel: Bool, wire: JSONValue?)
        throws
    {
        let body = try AnthropicAsking.body(
            [["role": "user", "content": "q"]],
            [
                "tools": [["name": "f"]], "tool_choice": choice, "parallel_tool_calls": .bool(isParallel),
            ])
        #expect(body["tool_choice"] == wire)
        #expect(body["parallel_tool_calls"] == nil)
    }

    @Test func formatOfTheAnswer() throws {
        let format: JSONObject = ["response_format": ["type": "json_schema", "schema": .object(Self.city)]]
        let body = try AnthropicAsking.body([["role": "user", "content": "q"]], format)
        #expect(body["output_config"] == ["format": ["type": "json_schema", "schema": .object(Self.city)]])
        AnthropicAsking.expectRefusal("response_format cannot be expressed") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], format, quirks: Quirks(takesSchema: false))
        }
        let both = try AnthropicAsking.body(
            [["role": "user", "content": "q"]],
            [
                "response_format": ["type": "json_schema", "schema": .object(Self.city)], "reasoning_effort": "low",
            ], model: "claude-opus-4-7")
        #expect(both["output_config"]?["effort"] == "low")
        #expect(both["output_config"]?["format"]?["type"] == "json_schema")
        #expect(
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["response_format": "text"])["output_config"]
                == nil)
    }

    // MARK: Thinking

    private static let summary: JSONValue = ["type": "adaptive", "display": "summarized"]
    private static func budget(_ tokens: Int64) -> JSONValue { ["type": "enabled", "budget_tokens": .int(tokens)] }

    @Test(
        arguments: [
            // Models with a token budget.
            ("claude-sonnet-4-5", ["thinking": true], budget(8192), nil, 32_000),
            ("claude-sonnet-4-5", ["thinking": 2000], budget(2000), nil, 32_000),
            ("claude-sonnet-4-5", ["thinking": ["budget_tokens": 40_000]], budget(40_000), nil, 48_192),
            ("claude-sonnet-4-5", ["reasoning_effort": "low"], budget(2048), nil, 32_000),
            ("claude-sonnet-4-5", ["thinking": true, "reasoning_effort": "high"], budget(16_384), nil, 32_000),
            ("claude-sonnet-4-5", ["thinking": true, "max_tokens": 4000], budget(2000), nil, 4000),
            ("claude-sonnet-4-5", ["thinking": true, "max_tokens": 1100], budget(1024), nil, 1100),
            ("claude-sonnet-4-5", ["thinking": 3000, "max_tokens": 4000], budget(3000), nil, 4000),
            ("qwen3", ["thinking": true], budget(8192), nil, 32_000),
            // A model whose replies are shorter than that.
            ("claude-opus-4-1-20250805", ["thinking": 30_000], budget(30_000), nil, 32_000),
            ("claude-opus-4-5", ["thinking": 30_000], budget(30_000), nil, 38_192),
            // Models that decide themselves.
            ("claude-opus-4-7", ["thinking": true], summary, nil, 32_000),
            ("claude-opus-4-7", ["reasoning_effort": "xhigh"], summary, "xhigh", 32_000),
            ("claude-opus-4-7", ["thinking": true, "reasoning_effort": "minimal"], summary, "low", 32_000),
            ("claude-opus-4-6", ["thinking": 2000], budget(2000), nil, 32_000),
            ("claude-opus-4-7", ["thinking": true, "max_tokens": 100], summary, nil, 100),
            // Off, unset, or in the provider's form.
            ("claude-opus-4-7", ["thinking": false], ["type": "disabled"], nil, 8192),
            ("claude-opus-4-7", ["reasoning_effort": "none"], ["type": "disabled"], nil, 8192),
            ("claude-opus-4-7", [:], nil, nil, 8192),
            (
                "claude-sonnet-4-5", ["thinking": ["type": "adaptive"], "reasoning_effort": "high"],
                ["type": "adaptive"], "high", 32_000
            ),
            (
                "claude-sonnet-4-5", ["thinking": ["type": "enabled", "budget_tokens": 50_000, "display": "omitted"]],
                ["type": "enabled", "budget_tokens": 50_000, "display": "omitted"], nil, 58_192
            ),
        ] as [(String, JSONObject, JSONValue?, String?, Int64)])
    func thinking(model: String, parameters: JSONObject, wire: JSONValue?, effort: String?, maxTokens: Int64) throws {
        let body = try AnthropicAsking.body([["role": "user", "content": "q"]], parameters, model: model)
        #expect(body["thinking"] == wire)
        #expect(body["output_config"]?["effort"]?.string == effort)
        #expect(body["max_tokens"]?.int == maxTokens)
        #expect(body["reasoning_effort"] == nil)
    }

    @Test func thinkingThatDoesNotFit() {
        AnthropicAsking.expectRefusal("max_tokens must be more than 1024") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["thinking": true, "max_tokens": 1000])
        }
        AnthropicAsking.expectRefusal("reasoning_effort must be one of") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["reasoning_effort": "extreme"])
        }
        for (value, model, says) in [
            (500, "claude-sonnet-4-5", "thinking must be at least 1024 tokens; got 500"),
            (["budget_tokens": -5], "claude-sonnet-4-5", "thinking.budget_tokens must be a whole number"),
            (["budget_tokens": "many"], "claude-sonnet-4-5", "thinking.budget_tokens must be a whole number"),
            (["budget": 3000], "claude-sonnet-4-5", "thinking.type is missing"),
            (4000, "claude-opus-4-7", "thinking cannot be expressed for"),
        ] as [(JSONValue, String, String)] {
            AnthropicAsking.expectRefusal(says) {
                try AnthropicAsking.body([["role": "user", "content": "q"]], ["thinking": value], model: model)
            }
        }
        AnthropicAsking.expectRefusal("thinking must be less than max_tokens, which it counts towards: 5000 of 2000") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["thinking": 5000, "max_tokens": 2000])
        }
        AnthropicAsking.expectRefusal("max_tokens must be an integer above 0") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["max_tokens": 0])
        }
    }

    @Test func aNumberOfTokensIsLeftOutWhereTheModelDecides() throws {
        let body = try AnthropicAsking.body(
            [["role": "user", "content": "q"]], ["thinking": 4000], model: "claude-opus-4-7", isLenient: true)
        #expect(body["thinking"] == ["type": "adaptive", "display": "summarized"])
    }

    @Test func membersThatOnlyItKnowsStay() throws {
        let tool: JSONValue = ["name": "f", "cache_control": ["type": "ephemeral"], "defer_loading": true]
        let choice: JSONValue = ["type": "tool", "name": "f", "disable_parallel_tool_use": true]
        let body = try AnthropicAsking.body(
            [["role": "user", "content": "q"]], ["tools": [tool], "tool_choice": choice])
        #expect(
            body["tools"] == [
                [
                    "name": "f", "input_schema": ["type": "object", "properties": [:]],
                    "cache_control": ["type": "ephemeral"], "defer_loading": true,
                ]
            ])
        #expect(body["tool_choice"] == choice)
    }

    @Test(
        arguments: [
            ([["role": "system", "content": "s"]], "messages has nothing to send"),
            ([["role": "user", "name": "bob", "content": "q"]], "messages[1].name cannot be expressed"),
        ] as [([JSONValue], String)]) func whatItHasNoPlaceFor(messages: [JSONValue], says: String)
    {
        AnthropicAsking.expectRefusal(says) { try AnthropicAsking.body(messages) }
    }

    @Test(arguments: [
        ("claude-3-haiku-20240307", false), ("claude-3-7-sonnet-20250219", false), ("claude-sonnet-4-20250514", false),
        ("claude-opus-4-1-20250805", false), ("claude-sonnet-4-5", false), ("claude-haiku-4-5-20251001", false),
        ("anthropic/claude-sonnet-4.5", false), ("us.anthropic.claude-opus-4-5-20251101-v1:0", false),
        ("claude-instant-1.2", false), ("claude-2.1", false), ("Qwen3-8B", false), ("claude-opus-4-6", true),
        ("anthropic/claude-opus-4.7", true), ("claude-sonnet-5", true), ("claude-fable-5", true),
        ("claude-opus-4-10", true), ("claude-mythos-preview", true), ("claude-opus-4-6@20260101", true),
    ]) func generations(model: String, isNew: Bool) throws {
        let body = try AnthropicAsking.body([["role": "user", "content": "q"]], ["thinking": true], model: model)
        #expect((body["thinking"]?["type"] == "adaptive") == isNew)
    }

    // MARK: Going on

    @Test(
        arguments: [
            ("Once", ["role": "assistant", "content": "Once"]), ("Once \n ", ["role": "assistant", "content": "Once"]),
            (" ", ["role": "user", "content": "hi"]),
        ] as [(String, JSONValue)]) func continuations(text: String, last: JSONValue) throws
    {
        #expect(try AnthropicAsking.body(continuing: text)["messages"]?.array?.last == last)
    }

    @Test func continuationsThatItDoesNotTake() {
        AnthropicAsking.expectRefusal("cannot go on from a partial reply") {
            try AnthropicAsking.body(quirks: Quirks(), continuing: "a")
        }
        AnthropicAsking.expectRefusal("cannot go on from a partial reply") {
            try AnthropicAsking.body(model: "claude-opus-4-6", continuing: "a")
        }
        AnthropicAsking.expectRefusal("while the model thinks") {
            try AnthropicAsking.body([["role": "user", "content": "q"]], ["thinking": true], continuing: "a")
        }
    }
}
