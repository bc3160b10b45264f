// Encodes requests to Ollama's /api/chat: sampling options in `options`, images in base64, tool results with the tool's
// name.

internal import Chat
internal import HTTP
internal import JSON

struct OllamaRequestEncoder: RequestEncoder {
    static let accept = "application/x-ndjson"
    /// Options that are members of `options`.
    static let samplingNames: OptionNames = [
        (.temperature, "temperature"), (.topP, "top_p"), (.topK, "top_k"), (.minP, "min_p"), (.seed, "seed"),
        (.presencePenalty, "presence_penalty"), (.frequencyPenalty, "frequency_penalty"),
    ]
    static let optionNames: OptionNames = [(.logprobs, "logprobs"), (.topLogprobs, "top_logprobs")]

    let input: EncoderInput

    /// The base URL may be that of the OpenAI-compatible endpoint or of the API root.
    func url() throws(APIError) -> String {
        try endpoint.root().without(["/api/chat", "/api", "/v1"]).appending("/api/chat")
    }

    func body() throws(APIError) -> JSONObject {
        try checkModel()
        var options = try RequestOptions(input)
        var body: JSONObject = ["model": .string(request.model), "messages": .array(try messages()), "stream": true]
        let tools = try options.takeTools()
        if !tools.isEmpty { body["tools"] = .array(tools.map(\.chatCompletionsForm)) }
        try add(try options.takeToolChoice())
        if let format = try options.takeResponseFormat() { body["format"] = try self.format(format) }
        switch try options.takeThinking() {
        case .unspecified: break
        case .off: body["think"] = false
        case .on(let budget, let effort):
            if budget != nil { try context.cannotExpress("thinking", because: "it takes no number of tokens") }
            body["think"] = effort.map { .string($0) } ?? true
        case .native(let object, _): body["think"] = .object(object)
        }
        var sampling: JSONObject = [:]
        if let count = try options.takeMaxTokens() { sampling["num_predict"] = .int(count) }
        if let stop = try options.takeStop() { sampling["stop"] = .array(stop) }
        options.move(Self.samplingNames, to: &sampling)
        options.move(Self.optionNames, to: &body)
        if !sampling.isEmpty { body["options"] = .object(sampling) }
        try options.finish(into: &body)
        return body
    }

    private func add(_ choice: ToolChoice?) throws(APIError) {
        if let choice, choice != .auto { try context.cannotExpress("tool_choice") }
    }

    private func format(_ format: ResponseFormat) throws(APIError) -> JSONValue? {
        switch format {
        case .text: return nil
        case .jsonObject: return "json"
        case .jsonSchema(let schema): return .object(schema.schema)
        case .native(let object): return .object(object)
        }
    }

    // MARK: Messages

    private func messages() throws(APIError) -> [JSONValue] {
        let messages = try MessageReader(context: context, callIDs: .ordered).messages(of: request)
        let legal = CallRepair(.common, messages: messages, tools: request.parameters["tools"])
        var encoded: [JSONValue] = []
        for message in messages {
            let form = try self.encoded(message, legal)
            if message.role == .assistant, message.toolCalls.isEmpty, form["images"] == nil,
                Message.isBlank(message.text)
            {
                continue
            }
            encoded.append(form)
        }
        if let text = request.continuing { encoded.append(["role": "assistant", "content": .string(text)]) }
        return encoded
    }

    private func encoded(_ message: Message, _ legal: CallRepair) throws(APIError) -> JSONValue {
        var text = ""
        var images: [JSONValue] = []
        for (index, part) in message.parts.enumerated() {
            let place = "\(message.place).content[\(index + 1)]"
            switch part {
            case .text(let piece, _): text += piece
            case .other: try context.cannotExpress(place)
            case .image(let image):
                if case .data(_, let base64) = image.source {
                    images.append(.string(base64))
                } else {
                    try context.cannotExpress(place, because: "it takes an image's bytes, not its address")
                }
            }
        }
        let role = message.role == .developer ? "system" : message.role == .function ? "tool" : message.role.rawValue
        var object: JSONObject = ["role": .string(role), "content": .string(text)]
        if !images.isEmpty { object["images"] = .array(images) }
        if let thinking = message.native(for: "ollama")?["thinking"] { object["thinking"] = thinking }
        if !message.toolCalls.isEmpty {
            object["tool_calls"] = .array(message.toolCalls.map { Self.call(legal.call($0)) })
        }
        if role == "tool" {
            if let name = message.name ?? message.answered?.name { object["tool_name"] = .string(legal.name(name)) }
            if let id = message.toolCallID, !id.isEmpty, !LocalCallIDs.isLocal(id) {
                object["tool_call_id"] = .string(id)
            }
        }
        return .object(object)
    }

    private static func call(_ call: ToolCall) -> JSONValue {
        var object: JSONObject = LocalCallIDs.isLocal(call.id) ? [:] : ["id": .string(call.id)]
        object["function"] = ["name": .string(call.name), "arguments": call.arguments ?? [:]]
        return .object(object)
    }
}
