// Decodes Cohere chat requests. Rejects what Cohere rejects: unknown roles, results without calls.

internal import Chat
internal import JSON

struct CohereRequestDecoder: RequestDecoder {
    private static let taken: Set<String> = [
        "model", "messages", "stream", "max_tokens", "stop_sequences", "tools", "tool_choice", "thinking",
        "response_format",
    ]

    /// Base URLs are often configured with /v1 at the end.
    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        ["/v2/chat", "/v1/v2/chat"].contains(target.path) ? .reply(.serverSentEvents) : nil
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let body = try RequestBody(body)
        let model = try body.model()
        var request = DecodedRequest(model: model, messages: try messages(body))
        request.takeSystem()
        request.streams = try body.flag("stream") ?? false
        request.thinks = try thinks(body)
        request.chat.parameters = try options(body)
        return request
    }

    // MARK: Options

    private func options(_ body: RequestBody) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        options.add(.maxTokens, try body.positive("max_tokens"))
        options.add(stop: try body.strings("stop_sequences"))
        let tools = try body.functionTools()
        options.add(tools: tools)
        options.add(.toolChoice, try toolChoice(body, tools))
        switch body["thinking"]["type"]?.string {
        case "disabled": options.add(.thinking, false)
        case "enabled": options.add(.thinking, body["thinking"]["token_budget"] ?? true)
        default: break
        }
        try addFormat(body, to: &options)
        options.move(CohereRequestEncoder.optionNames, from: body)
        options.addOthers(of: body, except: CohereRequestEncoder.optionNames, Self.taken)
        return options.parameters
    }

    private func thinks(_ body: RequestBody) throws(ReplyError) -> Bool? {
        let thinking = body["thinking"]
        switch thinking["type"]?.string {
        case nil where thinking.isNull: return nil
        case "enabled": return true
        case "disabled": return false
        default: throw body.refused("must be one of enabled, disabled", "thinking.type")
        }
    }

    private func addFormat(_ body: RequestBody, to options: inout DecodedOptions) throws(ReplyError) {
        let format = body["response_format"]
        switch format["type"]?.string {
        case nil where format.isNull: break
        case "text": break
        case "json_object":
            guard let schema = format["json_schema"] ?? format["schema"], !schema.isNull else {
                return options.add(.responseFormat, ["type": "json_object"])
            }
            guard schema.object != nil else { throw body.refused("must be an object", "response_format.json_schema") }
            options.add(schema: schema)
        default: throw body.refused("must be one of text, json_object", "response_format.type")
        }
    }

    private func toolChoice(_ body: RequestBody, _ tools: [JSONValue]) throws(ReplyError) -> JSONValue? {
        let choice = body["tool_choice"]
        if choice.isNull { return nil }
        guard let name = choice.string, ["REQUIRED", "NONE"].contains(name) else {
            throw body.refused("must be one of REQUIRED, NONE", "tool_choice")
        }
        guard !tools.isEmpty else { throw body.refused("needs tools", "tool_choice") }
        return name == "NONE" ? "none" : "required"
    }

    // MARK: Messages

    private func messages(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        var messages: [JSONValue] = []
        var open: [String] = []
        for (index, message) in try body.messages().enumerated() {
            let place = "messages[\(index)]"
            guard let role = message["role"]?.string, ["system", "user", "assistant", "tool"].contains(role) else {
                throw body.refused("the role must be one of system, user, assistant, tool", place)
            }
            if role == "tool" {
                let id = message["tool_call_id"]?.string ?? ""
                guard let call = open.firstIndex(of: id) else {
                    throw body.refused("tool_call_id '\(id)' is of no call before it", place)
                }
                open.remove(at: call)
            } else {
                try refuse(open, place)
            }
            let calls = role == "assistant" ? try callIDs(message, place) : []
            open += calls
            let content = message["content"] ?? nil
            guard Self.isContent(content) else {
                throw body.refused("content must be a string or an array of parts", place)
            }
            guard !content.isNull || !calls.isEmpty else { throw body.refused("content is missing", place) }
            messages.append(role == "assistant" ? Self.reply(message) : message)
        }
        try refuse(open, "messages")
        guard let last = messages.last?["role"], last != "assistant" else {
            throw body.refused("the last message must not be the assistant's", "messages")
        }
        return messages
    }

    private func refuse(_ open: [String], _ place: String) throws(ReplyError) {
        guard let id = open.first else { return }
        throw RequestBody.refused("the tool call '\(id)' has no result", place)
    }

    private func callIDs(_ message: JSONValue, _ place: String) throws(ReplyError) -> [String] {
        guard let value = message["tool_calls"], !value.isNull else { return [] }
        guard let calls = value.array else { throw RequestBody.refused("tool_calls must be an array", place) }
        var ids: [String] = []
        for call in calls {
            guard let id = call["id"]?.string, !id.isEmpty, call["function"]?["name"]?.string != nil,
                call["function"]?["arguments"]?.string != nil
            else {
                throw RequestBody.refused("a tool call needs an id and a function with name and arguments", place)
            }
            ids.append(id)
        }
        return ids
    }

    private static func isContent(_ content: JSONValue) -> Bool {
        switch content {
        case .null, .string: true
        case .array(let parts): parts.allSatisfy { $0["type"]?.string != nil }
        default: false
        }
    }

    /// A reply with its text as content. Thinking and the plan for tool calls are kept in `native`.
    private static func reply(_ message: JSONValue) -> JSONValue {
        guard var object = message.object else { return message }
        var native: JSONObject = [:]
        if let parts = object["content"]?.array {
            object["content"] = .string(CommonForm.text(of: .array(parts)))
            native["thinking"] = parts.first { $0["type"] == "thinking" }?["thinking"]
        }
        native["tool_plan"] = object["tool_plan"]
        object["tool_plan"] = nil
        guard !native.isEmpty else { return .object(object) }
        native["dialect"] = "cohere"
        object["native"] = .object(native)
        return .object(object)
    }
}
