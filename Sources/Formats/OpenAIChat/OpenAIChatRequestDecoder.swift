// Decodes Chat Completions requests. The common form of a request is this format's own.

internal import Chat
internal import JSON

struct OpenAIChatRequestDecoder: RequestDecoder {
    private static let roles = ["system", "developer", "user", "assistant", "tool", "function"]
    /// Members that are decoded one by one; the others are copied. The last two mark a partial reply.
    private static let taken: Set<String> = [
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "tools",
        "tool_choice", "continue_final_message", "add_generation_prompt",
    ]

    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        let list = "/v1/models"
        switch target.path {
        case "/v1/chat/completions": return .reply(.serverSentEvents)
        case list: return .document(["object": "list", "data": .array(models.map(Self.model))])
        default: return models.first { target.path == "\(list)/\($0)" }.map { .document(Self.model($0)) }
        }
    }

    private static func model(_ name: String) -> JSONValue {
        ["id": .string(name), "object": "model", "created": 1_700_000_000, "owned_by": "moonrill"]
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let body = try RequestBody(body)
        let model = try body.model()
        var request = DecodedRequest(model: model, messages: try messages(body))
        request.takeSystem()
        request.takePartialReply()
        request.streams = try body.flag("stream") ?? false
        request.includesUsage = body["stream_options"]["include_usage"]?.bool ?? false
        request.chat.parameters = try options(body)
        return request
    }

    private func options(_ body: RequestBody) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        let (limit, older) = (try body.positive("max_completion_tokens"), try body.positive("max_tokens"))
        options.add(.maxTokens, limit ?? older)
        guard try body.positive("n") ?? 1 <= 128 else { throw body.refused("'n' must be at most 128", "n") }
        options.add(stop: try body.strings("stop"))
        let tools = try body.functionTools()
        options.add(tools: tools)
        options.add(.toolChoice, try toolChoice(body, tools))
        _ = try body.flag("parallel_tool_calls")
        var streamOptions = body["stream_options"].object ?? [:]
        streamOptions["include_usage"] = nil
        if !streamOptions.isEmpty { options.add(.streamOptions, .object(streamOptions)) }
        options.addOthers(of: body, Self.taken)
        return options.parameters
    }

    private func messages(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        let messages = try body.messages()
        for (index, message) in messages.enumerated() {
            let place = "messages[\(index)]"
            guard let role = message["role"]?.string else {
                throw body.refused("a message has no role", "\(place).role")
            }
            guard Self.roles.contains(role) else { throw body.refused("'\(role)' is not a role", "\(place).role") }
            switch message["content"] ?? nil {
            case .null, .string, .array: continue
            default: throw body.refused("content must be a string or an array of parts", "\(place).content")
            }
        }
        return messages
    }

    private func toolChoice(_ body: RequestBody, _ tools: [JSONValue]) throws(ReplyError) -> JSONValue {
        let choice = body["tool_choice"]
        if let name = choice["function"]?["name"]?.string { return try body.choice(of: name, among: tools) }
        switch choice.string {
        case "none", "required", "auto", nil: return choice
        default: throw body.refused("'tool_choice' must be none, auto, required or a function", "tool_choice")
        }
    }
}
