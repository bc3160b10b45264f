// The common form of a request: messages, tools, schemas, formats, thinking. Checked by the Chat Completions
// encoding, which is nearest to it; the tests of each format check the rest.

import Chat
import Formats
import HTTP
import JSON
import Testing

@Suite struct RequestFormTests {
    private static func body(
        _ messages: [JSONValue] = [["role": "user", "content": "hi"]], _ parameters: JSONObject = [:],
        quirks: Quirks = Quirks(), isLenient: Bool = false
    ) throws -> JSONValue {
        let endpoint = Endpoint(provider: "p", baseURL: "https://api.example/v1", quirks: quirks)
        let request = ChatRequest(model: "m", messages: messages, parameters: parameters, isLenient: isLenient)
        return try JSONReader.value(WireFormat.openAIChat.encode(request, endpoint: endpoint, key: nil).body)
    }

    private static func user(_ parts: JSONValue...) -> [JSONValue] { [["role": "user", "content": .array(parts)]] }

    // MARK: Messages

    @Test(
        arguments: [
            (["type": "text", "text": "a"], ["type": "text", "text": "a"]),
            ("a", ["type": "text", "text": "a"]),
            (
                ["type": "text", "text": "a", "cache_control": ["type": "ephemeral"]],
                ["type": "text", "text": "a", "cache_control": ["type": "ephemeral"]]
            ),
            (
                ["type": "image", "url": "https://e.example/a.png"],
                ["type": "image_url", "image_url": ["url": "https://e.example/a.png"]]
            ),
            (
                ["type": "image", "media_type": "image/png", "data": "iVBORw0KGgo=", "detail": "low"],
                ["type": "image_url", "image_url": ["url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"]]
            ),
            // The type is detected from the first bytes.
            (
                ["type": "image", "data": "R0lGODlhAQABAAAAACw="],
                ["type": "image_url", "image_url": ["url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="]]
            ),
            (
                ["type": "image_url", "image_url": ["url": "data:image/webp;base64,UklGRg=="]],
                ["type": "image_url", "image_url": ["url": "data:image/webp;base64,UklGRg=="]]
            ),
            (["type": "input_audio", "input_audio": [:]], ["type": "input_audio", "input_audio": [:]]),
        ] as [(JSONValue, JSONValue)]) func parts(part: JSONValue, wire: JSONValue) throws
    {
        #expect(try Self.body(Self.user(part))["messages"] == [["role": "user", "content": [wire]]])
    }

    @Test(
        arguments: [
            ([["role": "usr", "content": "a"]], "messages[1].role is unknown: \"usr\" (did you mean \"user\"?)"),
            ([["content": "a"]], "messages[1].role must be a string"),
            ([["role": "user", "content": 4]], "messages[1].content must be"),
            ([["role": "user", "content": [4]]], "messages[1].content[1] must be"),
            ([["role": "user", "content": [["type": "text"]]]], "messages[1].content[1].text must be a string"),
            ([["role": "user", "content": [["type": "image"]]]], "content[1] is an image without a source"),
            (
                [["role": "user", "content": [["type": "image", "url": "file:///etc/passwd"]]]],
                "content[1].url must begin with https://"
            ),
            (
                [["role": "user", "content": [["type": "image", "url": "data:image/png,abc"]]]],
                "content[1].url is a data: URL that is not base64"
            ),
            (
                [["role": "user", "content": [["type": "image", "media_type": "image/tiff", "data": "SUkq"]]]],
                "content[1].media_type is \"image/tiff\"; images are PNG, JPEG, GIF or WebP"
            ),
            (
                [["role": "user", "content": [["type": "image", "data": "aGVsbG8="]]]],
                "content[1].data is no image of a known type"
            ),
            ([["role": "assistant", "tool_calls": [["id": "1"]]]], "messages[1].tool_calls[1].name must be"),
            ([["role": "assistant", "tool_calls": "x"]], "messages[1].tool_calls must be an array"),
        ] as [([JSONValue], String)]) func wrongMessages(messages: [JSONValue], says: String)
    {
        expectRefusal(says) { try Self.body(messages) }
    }

    private func expectRefusal(_ says: String, _ body: () throws -> some Any) {
        let error = #expect(throws: APIError.self) { _ = try body() }
        #expect(error?.kind == .invalidRequest)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "no error")")
    }

    /// `reply.tool_calls` is valid in a message; calls in the form of Chat Completions keep all members.
    @Test func toolCalls() throws {
        let messages: [JSONValue] = [
            [
                "role": "assistant", "content": .null,
                "tool_calls": [
                    ["id": "1", "name": "f", "arguments": ["a": 1], "arguments_json": "{\"a\":1}"],
                    [
                        "id": "2", "type": "function", "function": ["name": "g", "arguments": "{"],
                        "extra_content": "kept",
                    ],
                ],
            ],
            ["role": "tool", "tool_call_id": "1", "content": "7", "is_error": true],
        ]
        #expect(
            try Self.body(messages)["messages"] == [
                [
                    "role": "assistant", "content": .null,
                    "tool_calls": [
                        ["id": "1", "type": "function", "function": ["name": "f", "arguments": "{\"a\":1}"]],
                        [
                            "id": "2", "type": "function", "function": ["name": "g", "arguments": "{}"],
                            "extra_content": "kept",
                        ],
                    ],
                ],
                ["role": "tool", "tool_call_id": "1", "content": "7"],
            ])
    }

    // MARK: Tools

    private static let city: JSONValue = [
        "type": "object", "properties": ["city": ["type": "string"]], "required": ["city"],
    ]

    @Test(
        arguments: [
            ["name": "weather", "description": "d", "parameters": city],
            ["type": "function", "function": ["name": "weather", "description": "d", "parameters": city]],
            ["name": "weather", "description": "d", "input_schema": city],
        ] as [JSONValue]) func toolForms(tool: JSONValue) throws
    {
        #expect(
            try Self.body(Self.user("q"), ["tools": [tool]])["tools"] == [
                ["type": "function", "function": ["name": "weather", "description": "d", "parameters": Self.city]]
            ])
    }

    @Test(arguments: [
        ("ollama", "/v1", "/api/chat"), ("ollama", "/api/", "/api/chat"), ("ollama", "/api/chat", "/api/chat"),
        ("ollama", "/v1/", "/api/chat"), ("cohere", "/v2/", "/v2/chat"), ("cohere", "/v1", "/v2/chat"),
        ("tgi", "/v1/", "/generate_stream"), ("tgi", "/", "/generate_stream"), ("tgi", "/a/v1", "/a/generate_stream"),
    ]) func addressesThatSayMore(dialect: String, path: String, wire: String) throws {
        let endpoint = Endpoint(provider: "p", dialect: dialect, baseURL: "https://api.example\(path)")
        let request = ChatRequest(model: "m", messages: [["role": "user", "content": "hi"]])
        let sent = try #require(FormatCatalog.named(dialect)).encode(request, endpoint: endpoint, key: nil)
        #expect(sent.url == "https://api.example\(wire)")
    }

    /// Only Chat Completions has a place for it.
    @Test(arguments: FormatCatalog.names) func namesOfSpeakers(dialect: String) throws {
        let message: JSONValue = ["role": "user", "name": "bob", "content": "hi"]
        let endpoint = Endpoint(provider: "p", dialect: dialect, baseURL: "https://api.example/v1")
        let known = try #require(FormatCatalog.named(dialect))
        func body(isLenient: Bool) throws -> String {
            let request = ChatRequest(model: "m", messages: [message], isLenient: isLenient)
            return String(decoding: try known.encode(request, endpoint: endpoint, key: nil).body, as: UTF8.self)
        }
        guard dialect != "openai" else { return #expect(try body(isLenient: false).contains("\"bob\"")) }
        expectRefusal("messages[1].name cannot be expressed for p (dialect \"\(dialect)\")") {
            try body(isLenient: false)
        }
        #expect(try !body(isLenient: true).contains("bob"))
    }

    /// Unknown members go to all providers.
    @Test func unknownMembersOfTools() throws {
        let flat: JSONValue = ["name": "f", "cache_control": ["type": "ephemeral"]]
        let nested: JSONValue = ["type": "function", "function": ["name": "g"], "defer_loading": true]
        let tools = try #require(try Self.body(Self.user("q"), ["tools": [flat, nested]])["tools"]?.array)
        #expect(tools[0]["cache_control"] == ["type": "ephemeral"])
        #expect(tools[0]["function"]?["name"] == "f")
        #expect(tools[1]["defer_loading"] == true)
        #expect(tools[1]["function"]?["name"] == "g")
    }

    @Test func otherTools() throws {
        let native: JSONValue = ["type": "web_search", "max_uses": 3]
        let tools = try #require(
            try Self.body(Self.user("q"), ["tools": [native, ["name": "now", "strict": true]]])["tools"]?.array)
        #expect(tools[0] == native)
        // A tool without parameters takes none. Lua's empty tables are objects; `required` becomes an array.
        #expect(
            tools[1]["function"]
                == ["name": "now", "parameters": ["type": "object", "properties": [:]], "strict": true])
        let loose: JSONValue = ["name": "f", "parameters": ["properties": ["a": [:]], "required": [:]]]
        #expect(
            try Self.body(Self.user("q"), ["tools": [loose]])["tools"]?.array?[0]["function"]?["parameters"]
                == ["properties": ["a": [:]], "required": [], "type": "object"])
    }

    @Test(
        arguments: [
            (
                [["name": "f", "paramters": [:]]],
                "tools[1].paramters is no member of a tool (did you mean \"parameters\"?)"
            ),
            ([["nme": "f"]], "tools[1].nme is no member of a tool (did you mean \"name\"?)"),
            ([["description": "d", "parameters": [:]]], "tools[1].name must be a string"),
            ([["name": "f", "parameters": ["words": "string[]"]]], "tools[1].parameters is no JSON Schema"),
            ([["name": "f", "parameters": ["city": ["type": "string"]]]], "tools[1].parameters is no JSON Schema"),
            ("x", "tools must be an array"), ([3], "tools[1] must be a tool"),
            ([["name": "two words"]], "tools[1].name is \"two words\"; a tool's name has"),
            ([["function": ["name": ""]]], "tools[1].function.name is \"\""),
            ([["name": "f", "description": 4]], "tools[1].description must be a string"),
            ([["name": "f", "parameters": "x"]], "tools[1].parameters must be a JSON Schema"),
            ([["name": "f", "parameters": ["type": "array"]]], "tools[1].parameters.type must be \"object\""),
            (
                [["name": "f", "parameters": ["type": "object", "properties": ["a": ["type": "strng"]]]]],
                "tools[1].parameters.properties.a.type is no JSON type: \"strng\" (did you mean \"string\"?)"
            ),
            (
                [["name": "f", "parameters": ["type": "object", "properties": ["a": [:]], "required": ["b"]]]],
                "tools[1].parameters.required names \"b\", which is no property"
            ),
            (
                [["name": "f", "parameters": ["properties": ["a": ["items": 4]]]]],
                "tools[1].parameters.properties.a.items must be a schema"
            ),
            (
                [["name": "f", "parameters": ["properties": ["a": ["enum": []]]]]],
                "properties.a.enum must be an array with at least one value"
            ),
            (
                [["name": "f", "parameters": ["properties": ["a": ["anyOf": [["type": 3]]]]]]],
                "properties.a.anyOf[1].type is no JSON type"
            ),
        ] as [(JSONValue, String)]) func wrongTools(tools: JSONValue, says: String)
    {
        expectRefusal(says) { try Self.body(Self.user("q"), ["tools": tools]) }
    }

    @Test(
        arguments: [
            ("auto", "auto"), ("none", "none"), ("required", "required"), ("any", "required"),
            (["name": "f"], ["type": "function", "function": ["name": "f"]]),
            (["type": "tool", "name": "f"], ["type": "function", "function": ["name": "f"]]),
            (["type": "allowed_tools", "mode": "auto"], ["type": "allowed_tools", "mode": "auto"]),
        ] as [(JSONValue, JSONValue)]) func toolChoices(choice: JSONValue, wire: JSONValue) throws
    {
        #expect(try Self.body(Self.user("q"), ["tool_choice": choice])["tool_choice"] == wire)
    }

    // MARK: Answers and thinking

    @Test(
        arguments: [
            ("json", ["type": "json_object"]), (["type": "json_object"], ["type": "json_object"]),
            ("text", ["type": "text"]), (["type": "grammar", "x": 1], ["type": "grammar", "x": 1]),
            (
                ["type": "json_schema", "schema": city],
                ["type": "json_schema", "json_schema": ["name": "answer", "schema": city]]
            ),
            (
                ["type": "json_schema", "json_schema": ["name": "c", "schema": city, "strict": true]],
                ["type": "json_schema", "json_schema": ["name": "c", "schema": city, "strict": true]]
            ),
        ] as [(JSONValue, JSONValue)]) func formats(format: JSONValue, wire: JSONValue) throws
    {
        #expect(try Self.body(Self.user("q"), ["response_format": format])["response_format"] == wire)
    }

    @Test func schemasThatAProviderDoesNotTake() throws {
        let format: JSONObject = ["response_format": ["type": "json_schema", "schema": Self.city]]
        let quirks = Quirks(takesSchema: false)
        expectRefusal("response_format cannot be expressed for p (dialect \"openai\")") {
            try Self.body(Self.user("q"), format, quirks: quirks)
        }
        let lenient = try Self.body(Self.user("q"), format, quirks: quirks, isLenient: true)
        #expect(lenient["response_format"] == ["type": "json_object"])
    }

    @Test(
        arguments: [
            (.effort, ["thinking": true], ["reasoning_effort": "medium"]),
            (.effort, ["thinking": false], ["reasoning_effort": "none"]),
            (.effort, ["reasoning_effort": "high"], ["reasoning_effort": "high"]),
            (.type, ["thinking": true], ["thinking": ["type": "enabled"]]),
            (.type, ["thinking": 512], ["thinking": ["type": "enabled", "budget_tokens": 512]]),
            (.type, ["thinking": ["type": "disabled"]], ["thinking": ["type": "disabled"]]),
            (.type, ["thinking": ["type": "adaptive"]], ["thinking": ["type": "adaptive"]]),
            (.flag, ["thinking": 512], ["enable_thinking": true, "thinking_budget": 512]),
            (.flag, ["thinking": false], ["enable_thinking": false]),
            (.template, ["thinking": false], ["chat_template_kwargs": ["enable_thinking": false]]),
            (
                .template, ["chat_template_kwargs": ["a": 1], "thinking": true],
                ["chat_template_kwargs": ["a": 1, "enable_thinking": true]]
            ),
            (.reasoning, ["thinking": true], ["reasoning": ["enabled": true]]),
            (.reasoning, ["thinking": 512], ["reasoning": ["max_tokens": 512]]),
            (.reasoning, ["reasoning_effort": "low"], ["reasoning": ["effort": "low"]]),
            (.reasoning, ["thinking": false], ["reasoning": ["enabled": false]]),
        ] as [(Quirks.ThinkingSwitch, JSONObject, JSONObject)])
    func thinking(quirk: Quirks.ThinkingSwitch, parameters: JSONObject, wire: JSONObject) throws {
        let body = try #require(
            try Self.body(Self.user("q"), parameters, quirks: Quirks(usage: .none, thinking: quirk)).object)
        let rest = body.filter { !["model", "messages", "stream"].contains($0.key) }
        #expect(rest.map(\.key) == wire.map(\.key))
        #expect(rest.map(\.value) == wire.map(\.value))
    }

    @Test func wrongThinking() {
        expectRefusal("thinking must be true, false") { try Self.body(Self.user("q"), ["thinking": "yes"]) }
        expectRefusal("reasoning_effort must be a string") { try Self.body(Self.user("q"), ["reasoning_effort": 3]) }
        expectRefusal("thinking cannot be expressed for p") { try Self.body(Self.user("q"), ["thinking": 100]) }
    }

    @Test func lengthField() throws {
        let body = try Self.body(
            Self.user("q"), ["max_tokens": 9], quirks: Quirks(lengthField: .maxCompletionTokens))
        #expect(body["max_completion_tokens"] == 9)
        #expect(body["max_tokens"] == nil)
    }

    // MARK: Images

    @Test(
        arguments: [
            ([], ""), ([0x66], "Zg=="), ([0x66, 0x6F], "Zm8="), ([0x66, 0x6F, 0x6F], "Zm9v"),
            ([0x66, 0x6F, 0x6F, 0x62, 0x61, 0x72], "Zm9vYmFy"), ([0xFF, 0xFE, 0xFD, 0x00], "//79AA=="),
        ] as [([UInt8], String)]) func base64(bytes: [UInt8], text: String)
    {
        #expect(ImageData.base64(bytes) == text)
    }

    @Test(
        arguments: [
            ([0x89, 0x50, 0x4E, 0x47, 0x0D], "image/png"), ([0xFF, 0xD8, 0xFF, 0xE0], "image/jpeg"),
            (Array("GIF89a".utf8), "image/gif"), (Array("RIFF0000WEBPVP8".utf8), "image/webp"),
            (Array("RIFF0000WAVE".utf8), nil), (Array("%PDF-1.7".utf8), nil), ([], nil),
        ] as [([UInt8], String?)]) func mediaTypes(bytes: [UInt8], type: String?)
    {
        #expect(ImageData.mediaType(bytes) == type)
    }
}
