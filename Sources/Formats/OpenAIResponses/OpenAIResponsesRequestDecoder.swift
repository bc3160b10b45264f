// Decodes Responses requests. Rejects what OpenAI rejects: members of Chat Completions, calls without results and
// results without calls, reasoning that was changed or has no item after it.

internal import Chat
internal import JSON

struct OpenAIResponsesRequestDecoder: RequestDecoder {
    private static let taken: Set<String> = [
        "model", "input", "instructions", "stream", "max_output_tokens", "tools", "tool_choice", "text", "reasoning",
    ]
    /// Members of Chat Completions, with their names in this format.
    private static let moved = [
        (name: "messages", place: "input"), ("reasoning_effort", "reasoning.effort"),
        ("response_format", "text.format"),
    ]
    private static let unknown = [
        "max_tokens", "max_completion_tokens", "stop", "seed", "n", "logit_bias", "logprobs", "presence_penalty",
        "frequency_penalty", "functions", "thinking",
    ]

    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        // The second path is Azure's.
        ["/v1/responses", "/openai/v1/responses"].contains(target.path) ? .reply(.serverSentEvents) : nil
    }

    /// Removes reasoning from the input.
    func withoutOpaqueParts(_ body: JSONValue) -> JSONValue {
        guard let object = body.object else { return body }
        return .object(object.mapping("input") { $0.filter { $0["type"] != "reasoning" } })
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let body = try RequestBody(body)
        try refuseForeignMembers(body)
        let model = try body.model()
        let conversation = try OpenAIResponsesInputDecoder(body)
        var request = DecodedRequest(model: model, system: body["instructions"].string, messages: conversation.messages)
        request.streams = try body.flag("stream") ?? false
        request.thinks = body["reasoning"]["effort"]?.string.map { $0 != "none" }
        request.chat.parameters = try options(body)
        request.echoed = Self.echoed(body)
        return request
    }

    /// The members of the request that a response repeats, with the API's defaults for missing ones.
    private static func echoed(_ body: RequestBody) -> JSONObject {
        var members: JSONObject = [
            "instructions": nil, "max_output_tokens": nil, "parallel_tool_calls": true, "tool_choice": "auto",
            "tools": [], "temperature": 1, "top_p": 1, "store": true, "metadata": [:],
        ]
        for name in members.map(\.key) where !body[name].isNull { members[name] = body[name] }
        return members
    }

    private func refuseForeignMembers(_ body: RequestBody) throws(ReplyError) {
        for (name, place) in Self.moved where body.object[name] != nil {
            throw body.refused(
                "Unsupported parameter: '\(name)'. In the Responses API, this parameter has moved to '\(place)'.", name,
                code: "unsupported_parameter")
        }
        for name in Self.unknown where body.object[name] != nil {
            throw body.refused("Unknown parameter: '\(name)'.", name, code: "unknown_parameter")
        }
        if let id = body["previous_response_id"].string {
            throw body.refused(
                "Previous response with id '\(id)' not found: this server keeps none. Send the conversation.",
                "previous_response_id", code: "previous_response_not_found")
        }
    }

    // MARK: Options

    private func options(_ body: RequestBody) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        options.add(.maxTokens, try body.positive("max_output_tokens"))
        let tools = try tools(body)
        options.add(tools: tools)
        options.add(.toolChoice, try toolChoice(body, tools))
        _ = try body.flag("parallel_tool_calls")
        addReasoning(body, to: &options)
        try addFormat(body, to: &options)
        options.move(OpenAIResponsesRequestEncoder.optionNames, from: body)
        options.addOthers(of: body, except: OpenAIResponsesRequestEncoder.optionNames, Self.taken)
        return options.parameters
    }

    /// `summary` corresponds to `thinking`; other members of `reasoning` have no common form.
    private func addReasoning(_ body: RequestBody, to options: inout DecodedOptions) {
        guard let reasoning = body["reasoning"].object else { return }
        let effort = reasoning["effort"]?.string
        switch effort {
        case "none": options.add(.thinking, false)
        case nil where reasoning.count > 0: options.add(.thinking, .object(reasoning))
        default:
            if reasoning["summary"] != nil { options.add(.thinking, true) }
            options.add(.reasoningEffort, effort.map { .string($0) })
        }
    }

    private func addFormat(_ body: RequestBody, to options: inout DecodedOptions) throws(ReplyError) {
        guard let format = body["text"]["format"] else { return }
        switch format["type"]?.string {
        case "json_object": options.add(.responseFormat, ["type": "json_object"])
        case "json_schema":
            guard let name = format["name"]?.string, !name.isEmpty else {
                throw OpenAIResponsesInputDecoder.missing("text.format.name")
            }
            options.add(schema: format["schema"] ?? [:], name: name)
        default: break
        }
    }

    private func tools(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        var tools: [JSONValue] = []
        for (index, tool) in try body.array("tools").enumerated() {
            guard let type = tool["type"]?.string else {
                throw OpenAIResponsesInputDecoder.missing("tools[\(index)].type")
            }
            // Custom tools and the provider's own tools have no common form.
            guard type == "function" else {
                tools.append(tool)
                continue
            }
            guard let name = tool["name"]?.string, !name.isEmpty else {
                throw OpenAIResponsesInputDecoder.missing("tools[\(index)].name")
            }
            var function = tool.object ?? [:]
            function["type"] = nil
            // False is the default of the common form.
            if function["strict"] == false { function["strict"] = nil }
            tools.append(CommonForm.tool(function))
        }
        return tools
    }

    private func toolChoice(_ body: RequestBody, _ tools: [JSONValue]) throws(ReplyError) -> JSONValue {
        let choice = body["tool_choice"]
        if choice["type"] == "function" { return try body.choice(of: choice["name"]?.string ?? "", among: tools) }
        switch choice.string {
        case "none", "required", "auto", nil: return choice
        default:
            throw body.refused("Invalid value for 'tool_choice'.", "tool_choice", code: "invalid_value")
        }
    }
}
