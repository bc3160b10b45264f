// A request that a client encodes is what the server's decoder of the same format returns.

import Chat
import HTTP
import JSON
import Testing

@testable import Formats

/// A format, and what it cannot express.
private struct RoundTripFormat: Sendable, CustomTestStringConvertible {
    let format: WireFormat
    /// Options that the format has no place for.
    var missing: Set<String> = []
    /// Whether tools may be chosen by name.
    var choosesByName = true
    /// Whether results of tools bear the tool's name, and the ids of calls stay.
    var namesResults = false
    var testDescription: String { format.name }

    static let all = [
        RoundTripFormat(format: .openAIChat), RoundTripFormat(format: .openAIResponses, missing: ["stop", "seed"]),
        RoundTripFormat(format: .anthropicMessages, missing: ["seed"]),
        RoundTripFormat(format: .gemini, missing: ["parallel_tool_calls"], namesResults: true),
        RoundTripFormat(
            format: .ollama, missing: ["parallel_tool_calls", "tool_choice"], namesResults: true),
        RoundTripFormat(format: .cohere, missing: ["parallel_tool_calls"], choosesByName: false),
    ]

    func decoded(_ request: ChatRequest, quirks: Quirks = Quirks()) throws -> DecodedRequest {
        let endpoint = Endpoint(
            provider: "test", dialect: format.name, baseURL: "http://127.0.0.1:1/v1", quirks: quirks)
        let sent = try format.encode(request, endpoint: endpoint, key: "k")
        let target = RequestTarget(String(sent.url.dropFirst("http://127.0.0.1:1".count)))
        let coders = try #require(format.server)
        #expect(coders.requests.route(target, models: []) == .reply(format.framing))
        return try coders.requests.request(sent.body, target: target)
    }
}

@Suite struct RequestRoundTripTests {
    private static let schema: JSONValue = [
        "type": "object", "properties": ["city": ["type": "string"]], "required": ["city"],
    ]
    private static let options: JSONObject = [
        "max_tokens": 4_000, "temperature": 0.5, "top_p": 0.25, "seed": 7, "stop": ["END", "STOP"],
        "parallel_tool_calls": false, "tool_choice": "required",
        "tools": [
            [
                "type": "function",
                "function": ["name": "get_weather", "description": "Current weather", "parameters": schema],
            ]
        ],
        "response_format": ["type": "json_schema", "json_schema": ["name": "answer", "schema": schema]],
    ]
    private static func call(_ id: String, _ city: String) -> JSONValue {
        CommonForm.call(id: id, name: "get_weather", argumentsJSON: "{\"city\":\"\(city)\"}")
    }

    @Test(arguments: RoundTripFormat.all) fileprivate func options(_ test: RoundTripFormat) throws {
        var parameters = Self.options
        for name in test.missing { parameters[name] = nil }
        var request = ChatRequest(
            model: "some-model", system: "Be brief.", messages: [["role": "user", "content": "Hello 月亮"]],
            parameters: parameters)
        let decoded = try test.decoded(request)
        #expect(decoded.chat.sorted == request.sorted)
        #expect(decoded.streams && decoded.includesUsage && decoded.thinks == nil)
        if test.choosesByName, !test.missing.contains("tool_choice") {
            request.parameters["tool_choice"] = ["type": "function", "function": ["name": "get_weather"]]
            #expect(try test.decoded(request).chat.sorted == request.sorted)
        }
        request.parameters = ["response_format": ["type": "json_object"], "max_tokens": 5]
        guard test.format.name != WireFormat.anthropicMessages.name else { return }
        #expect(try test.decoded(request).chat.sorted == request.sorted)
    }

    /// Calls, their results and images, and the members that a format adds to results.
    @Test(arguments: RoundTripFormat.all) fileprivate func conversations(_ test: RoundTripFormat) throws {
        let image = CommonForm.image(mediaType: "image/png", base64: "iVBORw0KGgo=")
        let look: JSONValue = [CommonForm.text("Look: "), image]
        let hasImages = ![WireFormat.ollama.name].contains(test.format.name)
        let calls = JSONValue.array([Self.call("call_a", "Oslo"), Self.call("call_b", "Rome")])
        func result(_ id: String, _ text: String) -> JSONValue {
            var message: JSONObject = ["role": "tool", "tool_call_id": .string(id), "content": .string(text)]
            if test.namesResults { message["name"] = "get_weather" }
            return .object(message)
        }
        let request = ChatRequest(
            model: "some-model",
            messages: [
                ["role": "user", "content": hasImages ? look : "Look: "],
                ["role": "assistant", "content": "A moon."], ["role": "user", "content": "And the weather?"],
                ["role": "assistant", "content": "Let me see.", "tool_calls": calls], result("call_a", "4 degrees"),
                result("call_b", "20 degrees"),
                ["role": "assistant", "content": "Cold and warm."], ["role": "user", "content": "Thanks"],
            ],
            parameters: ["max_tokens": 100])
        #expect(try test.decoded(request).chat.sorted == request.sorted)
    }

    @Test(arguments: [
        (WireFormat.openAIChat, Quirks.Continuation.prefill), (.openAIChat, .prefixFlag), (.openAIChat, .partialFlag),
        (.openAIChat, .bodyFlag), (.anthropicMessages, .prefill), (.ollama, .prefill),
    ]) func partialReplies(_ format: WireFormat, _ continuation: Quirks.Continuation) throws {
        let request = ChatRequest(
            model: "some-model", messages: [["role": "user", "content": "Hi"]], parameters: ["max_tokens": 9],
            continuing: "The moon")
        let decoded = try RoundTripFormat(format: format).decoded(request, quirks: Quirks(continuation: continuation))
        #expect(decoded.chat.sorted == request.sorted)
    }

    /// The formats that have a place for reasoning beside Chat Completions, whose servers have many.
    @Test(arguments: [WireFormat.anthropicMessages, .gemini, .ollama, .cohere, .openAIResponses])
    func thinking(_ format: WireFormat) throws {
        for value in [true, false] as [JSONValue] {
            let request = ChatRequest(
                model: "claude-opus-4-7", messages: [["role": "user", "content": "Hi"]],
                parameters: ["max_tokens": 9_000, "thinking": value])
            let decoded = try RoundTripFormat(format: format).decoded(request)
            #expect(decoded.thinks == value.bool)
            #expect(decoded.chat.parameters["thinking"] == value)
        }
    }

    /// TGI has one prompt: a conversation is written into it, and read out of it again.
    @Test func dialogue() throws {
        let test = RoundTripFormat(format: .tgi)
        var request = ChatRequest(
            model: "", system: "Be brief.\n",
            messages: [
                ["role": "user", "content": "Hello"], ["role": "assistant", "content": "Hello!"],
                ["role": "user", "content": "Two\nlines"],
            ],
            parameters: [
                "max_tokens": 9, "temperature": 0.5, "seed": 7, "stop": ["END"],
                "response_format": ["type": "json_object"],
            ])
        var decoded = try test.decoded(request)
        #expect(
            decoded.chat.messages == request.messages && decoded.chat.parameters.sorted == request.parameters.sorted)
        #expect(decoded.chat.system?.hasPrefix("Be brief.") == true && decoded.chat.continuing == nil)
        request.continuing = "So far"
        decoded = try test.decoded(request, quirks: Quirks(continuation: .prefill))
        #expect(decoded.chat.continuing == "So far")
    }

    @Test(arguments: FormatCatalog.all) func brokenBodies(_ format: WireFormat) throws {
        let coders = try #require(format.server)
        for (body, text) in [("{\"model\": nope}", "could not parse"), ("[]", "JSON object")] {
            let error = try #require(throws: ReplyError.self) {
                try coders.requests.request(Array(body.utf8), target: RequestTarget("/v1/models/m:generateContent"))
            }
            #expect(error.status == 400 && error.message.contains(text))
        }
    }
}

extension WireFormat: CustomTestStringConvertible {
    package var testDescription: String { name }
}

extension ChatRequest {
    /// The same request with the members of all objects in order.
    fileprivate var sorted: ChatRequest {
        var request = self
        request.messages = messages.map(\.sorted)
        request.parameters = parameters.sorted
        return request
    }
}

extension JSONObject {
    fileprivate var sorted: JSONObject {
        var result = JSONObject()
        for member in sorted(by: { $0.key < $1.key }) { result[member.key] = member.value.sorted }
        return result
    }
}

extension JSONValue {
    fileprivate var sorted: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.sorted))
        case .object(let object): .object(object.sorted)
        default: self
        }
    }
}
