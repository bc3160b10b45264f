// Decodes requests to Ollama's /api/chat.

internal import Chat
internal import JSON

struct OllamaRequestDecoder: RequestDecoder {
    private static let taken: Set<String> = ["model", "messages", "stream", "options", "tools", "think", "format"]
    private static let takenOptions: Set<String> = ["num_predict", "stop"]

    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        switch target.path {
        case "/api/chat": .reply(.newlineDelimitedJSON)
        case "/api/version": .document(["version": "0.12.0"])
        case "/api/tags": .document(["models": .array(models.map(Self.model))])
        default: nil
        }
    }

    private static func model(_ name: String) -> JSONValue {
        [
            "name": .string(name), "model": .string(name), "modified_at": "2025-06-15T00:00:00Z", "size": 0,
            "digest": .string(String(repeating: "0", count: 64)),
            "details": ["format": "gguf", "family": "moonrill", "parameter_size": "0B", "quantization_level": "F16"],
        ]
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let body = try RequestBody(body)
        let sampling = try body.part("options")
        let model = try body.model()
        var request = DecodedRequest(model: model, messages: try messages(body))
        request.takeSystem()
        request.takePartialReply()
        request.streams = try body.flag("stream") ?? true
        request.thinks = try thinks(body)
        request.chat.parameters = try options(body, sampling)
        return request
    }

    // MARK: Options

    private func options(_ body: RequestBody, _ sampling: RequestBody) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        // -1 and -2 mean that there is no limit.
        if sampling["num_predict"].int.map({ $0 >= 0 }) ?? true {
            options.add(.maxTokens, try sampling.positive("num_predict"))
        }
        options.add(stop: try sampling.strings("stop"))
        options.add(tools: try body.functionTools())
        addThinking(body, to: &options)
        switch body["format"] {
        case .null, "": break
        case "json": options.add(.responseFormat, ["type": "json_object"])
        case .object(let schema): options.add(schema: .object(schema))
        default: throw body.refused("must be \"json\" or a JSON schema", "format")
        }
        options.move(OllamaRequestEncoder.samplingNames, from: sampling)
        options.move(OllamaRequestEncoder.optionNames, from: body)
        options.addOthers(of: body, except: OllamaRequestEncoder.optionNames, Self.taken)
        options.addOthers(
            of: sampling, in: "options", except: OllamaRequestEncoder.samplingNames, Self.takenOptions)
        return options.parameters
    }

    private func thinks(_ body: RequestBody) throws(ReplyError) -> Bool? {
        switch body["think"] {
        case .null: return nil
        case .bool(let value): return value
        case .string(let level) where ["high", "medium", "low"].contains(level): return true
        default: throw body.refused("think must be a boolean or string (\"high\", \"medium\", \"low\")", "think")
        }
    }

    private func addThinking(_ body: RequestBody, to options: inout DecodedOptions) {
        options.add(body["think"].string == nil ? .thinking : .reasoningEffort, body["think"])
    }

    // MARK: Messages

    private func messages(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        var messages: [JSONValue] = []
        for (index, message) in try body.messages().enumerated() {
            let place = "messages[\(index)]"
            guard let role = message["role"]?.string, ["system", "user", "assistant", "tool"].contains(role) else {
                throw body.refused("role must be one of system, user, assistant, tool", place)
            }
            let content = message["content"] ?? nil
            guard content.isNull || content.string != nil else {
                throw body.refused("content must be a string", place)
            }
            let images = message["images"] ?? nil
            guard images.isNull || images.array?.allSatisfy({ $0.string?.isEmpty == false }) == true else {
                throw body.refused("images must be an array of base64 strings", place)
            }
            var decoded: JSONObject = ["role": .string(role), "content": .string(content.string ?? "")]
            if let images = images.array, !images.isEmpty { decoded["content"] = Self.content(content, images) }
            let calls = try (message["tool_calls"]?.array ?? []).map { (call) throws(ReplyError) -> JSONValue in
                try Self.call(call, place)
            }
            if !calls.isEmpty { decoded["tool_calls"] = .array(calls) }
            decoded["tool_call_id"] = message["tool_call_id"]
            decoded["name"] = message["tool_name"]
            if let thinking = message["thinking"]?.string {
                decoded["native"] = ["dialect": "ollama", "thinking": .string(thinking)]
            }
            messages.append(.object(decoded))
        }
        return messages
    }

    private static func content(_ text: JSONValue, _ images: [JSONValue]) -> JSONValue {
        let parts = text.string.map { $0.isEmpty ? [] : [CommonForm.text($0)] } ?? []
        return .array(
            parts
                + images.map { data in
                    var image: JSONObject = ["type": "image", "data": data]
                    image["media_type"] = data.string.flatMap { ImageData.mediaType(base64: $0) }.map { .string($0) }
                    return .object(image)
                })
    }

    private static func call(_ call: JSONValue, _ place: String) throws(ReplyError) -> JSONValue {
        guard let name = call["function"]?["name"]?.string, let arguments = call["function"]?["arguments"],
            arguments.object != nil
        else {
            throw RequestBody.refused("a tool call needs a function with a name and an object of arguments", place)
        }
        return CommonForm.call(id: call["id"]?.string, name: name, argumentsJSON: JSONWriter.text(arguments))
    }
}
