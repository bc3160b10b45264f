// Decodes Messages requests. Rejects what Anthropic rejects: calls without results, results without calls, changed
// thinking.

internal import Chat
internal import JSON

struct AnthropicMessagesRequestDecoder: RequestDecoder {
    private static let taken: Set<String> = [
        "model", "messages", "system", "stream", "max_tokens", "stop_sequences", "tools", "tool_choice", "thinking",
        "output_config", "metadata",
    ]

    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        target.path == "/v1/messages" ? .reply(.serverSentEvents) : nil
    }

    /// Removes thinking from the replies, and replies of nothing else.
    func withoutOpaqueParts(_ body: JSONValue) -> JSONValue {
        guard let object = body.object else { return body }
        let opaque: Set<String> = ["thinking", "redacted_thinking"]
        return .object(
            object.mapping("messages") { messages in
                messages.compactMap { message in
                    guard message["role"] == "assistant", let reply = message.object,
                        let blocks = reply["content"]?.array
                    else { return message }
                    let kept = blocks.filter { !opaque.contains($0["type"]?.string ?? "") }
                    if kept.isEmpty, !blocks.isEmpty { return nil }
                    return .object(reply.with("content", .array(kept)))
                }
            })
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let body = try RequestBody(body)
        let model = try body.model()
        guard let limit = try body.positive("max_tokens") else { throw body.refused("Field required", "max_tokens") }
        let system = try system(body)
        var conversation = AnthropicMessagesHistoryDecoder()
        try conversation.read(try body.messages())
        var request = DecodedRequest(model: model, messages: system + conversation.messages)
        request.takeSystem()
        request.takePartialReply()
        request.streams = try body.flag("stream") ?? false
        request.thinks = try thinks(body, limit: limit)
        if request.thinks == true, request.chat.continuing != nil {
            throw body.refused("Expected the conversation to end with a user message while thinking is on", "messages")
        }
        request.chat.parameters = try options(body, limit: limit)
        return request
    }

    private func system(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        let system = body["system"]
        switch system {
        case .null: return []
        case .string: break
        case .array(let blocks): try AnthropicMessagesHistoryDecoder.checkTexts(blocks, "system")
        default: throw body.refused("Input should be a string or a list of text blocks", "system")
        }
        return [["role": "system", "content": system]]
    }

    // MARK: Options

    private func options(_ body: RequestBody, limit: Int) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        options.add(.maxTokens, limit)
        options.add(stop: try body.strings("stop_sequences"))
        let tools = try tools(body)
        options.add(tools: tools)
        options.add(.toolChoice, try toolChoice(body, tools))
        if body["tool_choice"]["disable_parallel_tool_use"]?.bool == true { options.add(.parallelToolCalls, false) }
        addThinking(body, to: &options)
        if let format = body["output_config"]["format"] {
            guard format["type"] == "json_schema", let schema = format["schema"] else {
                throw body.refused("must be of type json_schema with a schema", "output_config.format")
            }
            options.add(schema: schema)
        }
        options.add(.user, body["metadata"]["user_id"])
        options.move(AnthropicMessagesRequestEncoder.optionNames, from: body)
        options.addOthers(of: body, except: AnthropicMessagesRequestEncoder.optionNames, Self.taken)
        return options.parameters
    }

    private func thinks(_ body: RequestBody, limit: Int) throws(ReplyError) -> Bool? {
        let thinking = body["thinking"]
        switch thinking["type"]?.string {
        case nil where thinking.isNull: return nil
        case "disabled": return false
        case "adaptive": return true
        case "enabled":
            guard let budget = thinking["budget_tokens"]?.int, budget >= AnthropicMessagesThinking.minBudget else {
                throw body.refused("Input should be greater than or equal to 1024", "thinking.enabled.budget_tokens")
            }
            guard budget < Int64(limit) else {
                throw body.refused("`max_tokens` must be greater than `thinking.budget_tokens`", "max_tokens")
            }
            return true
        default: throw body.refused("Input tag must be one of enabled, disabled, adaptive", "thinking")
        }
    }

    private func addThinking(_ body: RequestBody, to options: inout DecodedOptions) {
        let thinking = body["thinking"]
        switch thinking["type"]?.string {
        case "disabled": options.add(.thinking, false)
        case "adaptive": options.add(.thinking, true)
        default: options.add(.thinking, thinking["budget_tokens"])
        }
        options.add(.reasoningEffort, body["output_config"]["effort"])
    }

    // MARK: Tools

    private func tools(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        var tools: [JSONValue] = []
        for (index, tool) in try body.array("tools").enumerated() {
            // The provider's own tools have other types.
            if let type = tool["type"]?.string, type != "custom" {
                tools.append(tool)
                continue
            }
            guard let name = tool["name"]?.string, !name.isEmpty else {
                throw body.refused("Field required", "tools.\(index).name")
            }
            guard let schema = tool["input_schema"], schema.object != nil else {
                throw body.refused("Field required", "tools.\(index).input_schema")
            }
            var function: JSONObject = ["name": .string(name)]
            function["description"] = tool["description"]
            function["parameters"] = schema
            function["strict"] = tool["strict"]
            tools.append(CommonForm.tool(function))
        }
        return tools
    }

    private func toolChoice(_ body: RequestBody, _ tools: [JSONValue]) throws(ReplyError) -> JSONValue? {
        let choice = body["tool_choice"]
        switch choice["type"]?.string {
        case "auto": return "auto"
        case nil where choice.isNull: return nil
        case "any": return "required"
        case "none": return "none"
        case "tool": return try body.choice(of: choice["name"]?.string ?? "", among: tools)
        default: throw body.refused("Input tag must be one of auto, any, tool, none", "tool_choice")
        }
    }
}
