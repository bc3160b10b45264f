// Understands the body of a Responses request, and refuses what the real API refuses: Chat Completions' own members,
// calls without their results and results without their calls, reasoning that was changed or led to nothing.

internal import JSON

struct OpenAIResponsesReader {
    private let fields: RequestFields

    init(body: JSONValue) throws(RequestRefusal) { fields = try RequestFields(body) }

    func prompt() throws(RequestRefusal) -> SimulatedPrompt {
        try refuseForeignMembers()
        var prompt = SimulatedPrompt(model: try fields.model(), messages: try messages())
        prompt.streams = try fields.flag("stream") ?? false
        prompt.includesUsage = true
        prompt.maxTokens = try fields.positive("max_output_tokens").map { min($0, 1_000_000_000) }
        prompt.tools = try tools()
        prompt.toolChoice = try toolChoice(prompt.tools)
        prompt.allowsParallelCalls = try fields.flag("parallel_tool_calls") ?? true
        if let effort = fields["reasoning"]["effort"]?.string { prompt.thinks = effort != "none" }
        let format = fields["text"]["format"]
        switch format?["type"]?.string {
        case "json_object": prompt.format = .object
        case "json_schema":
            guard let name = format?["name"]?.string, !name.isEmpty else {
                throw missing("text.format.name")
            }
            prompt.format = .schema(format?["schema"] ?? [:])
        default: break
        }
        prompt.repeated = repeated
        return prompt
    }

    /// What a response says of its request, with the API's own values for what was not said.
    private var repeated: JSONObject {
        var members: JSONObject = [
            "instructions": nil, "max_output_tokens": nil, "parallel_tool_calls": true, "tool_choice": "auto",
            "tools": [], "temperature": 1, "top_p": 1, "store": true, "metadata": [:],
        ]
        for name in members.map(\.key) {
            if let value = fields.body[name], !value.isNull { members[name] = value }
        }
        return members
    }

    /// What Chat Completions take and this API does not know.
    private func refuseForeignMembers() throws(RequestRefusal) {
        let moved = ["messages": "input", "response_format": "text.format", "reasoning_effort": "reasoning.effort"]
        for (name, place) in moved.sorted(by: { $0.key < $1.key }) where fields.body[name] != nil {
            throw refused(
                "Unsupported parameter: '\(name)'. In the Responses API, this parameter has moved to '\(place)'.", name,
                code: "unsupported_parameter")
        }
        let unknown = [
            "max_tokens", "max_completion_tokens", "stop", "seed", "n", "logit_bias", "logprobs", "presence_penalty",
            "frequency_penalty", "functions", "thinking",
        ]
        for name in unknown where fields.body[name] != nil {
            throw refused("Unknown parameter: '\(name)'.", name, code: "unknown_parameter")
        }
        if let id = fields["previous_response_id"].string {
            throw refused(
                "Previous response with id '\(id)' not found: the offline provider keeps none. Send the conversation.",
                "previous_response_id", code: "previous_response_not_found")
        }
    }

    // MARK: Input

    private func messages() throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        if let text = fields["instructions"].string { messages.append(.init(role: "system", text: text)) }
        switch fields["input"] {
        case .string(let text): messages.append(.init(role: "user", text: text))
        case .array(let items): messages += try self.messages(items)
        case .null: throw missing("input")
        default: throw refused("Invalid type for 'input': expected an array of items or a string.", "input")
        }
        // The model answers its own last words; it does not go on with them.
        if messages.last?.role == "assistant" { messages.append(.init(role: "developer", text: "")) }
        return messages
    }

    private func messages(_ items: [JSONValue]) throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        var open: [String] = []
        for (index, item) in items.enumerated() {
            let place = "input[\(index)]"
            switch item["type"]?.string ?? "message" {
            case "message": messages.append(try message(item, place))
            case "function_call", "custom_tool_call": open.append(try callID(item, place))
            case "function_call_output", "custom_tool_call_output":
                let id = item["call_id"]?.string ?? ""
                guard let call = open.firstIndex(of: id) else {
                    throw refused("No tool call found for function call output with call_id \(id).", "input")
                }
                open.remove(at: call)
                messages.append(.init(role: "tool", text: try text(item["output"] ?? nil, ["input_text"], place)))
            case "reasoning": try check(item, before: items.dropFirst(index + 1).first)
            default: break
            }
        }
        if let id = open.first { throw refused("No tool output found for function call \(id).", "input") }
        return messages
    }

    private func message(_ item: JSONValue, _ place: String) throws(RequestRefusal) -> SimulatedPrompt.Message {
        guard let role = item["role"]?.string else { throw missing("\(place).role") }
        guard ["system", "developer", "user", "assistant"].contains(role) else {
            throw refused(
                "Invalid value: '\(role)'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
                "\(place).role", code: "invalid_value")
        }
        let known =
            role == "assistant"
            ? ["output_text", "refusal"] : ["input_text", "input_image", "input_file", "input_audio"]
        return .init(role: role, text: try text(item["content"] ?? nil, known, "\(place).content"))
    }

    private func text(_ content: JSONValue, _ known: [String], _ place: String) throws(RequestRefusal) -> String {
        if let text = content.string { return text }
        guard let parts = content.array else { throw missing(place) }
        for (index, part) in parts.enumerated() {
            let type = part["type"]?.string ?? ""
            guard known.contains(type) || (known == ["input_text"] && type.hasPrefix("input_")) else {
                let list = known.map { "'\($0)'" }.joined(separator: ", ")
                throw refused(
                    "Invalid value: '\(type)'. Supported values are: \(list).", "\(place)[\(index)].type",
                    code: "invalid_value")
            }
        }
        return parts.compactMap { $0["text"]?.string }.joined()
    }

    private func callID(_ item: JSONValue, _ place: String) throws(RequestRefusal) -> String {
        for name in ["call_id", "name", item["type"] == "function_call" ? "arguments" : "input"]
        where item[name]?.string == nil {
            throw missing("\(place).\(name)")
        }
        return item["call_id"]?.string ?? ""
    }

    private func check(_ item: JSONValue, before next: JSONValue?) throws(RequestRefusal) {
        let id = item["id"]?.string ?? ""
        // The id may be left out.
        if let content = item["encrypted_content"]?.string,
            !OpenAIResponsesItem.isEncrypted(content)
                || !id.isEmpty && content != OpenAIResponsesItem.encrypted(id)
        {
            throw refused(
                "The encrypted content \(content.prefix(8))... could not be verified.",
                code: "invalid_encrypted_content")
        }
        let isLedTo = next.map { next in
            let type = next["type"]?.string ?? "message"
            return type == "message" ? next["role"] == "assistant" : !type.hasSuffix("_output")
        }
        guard isLedTo == true else {
            throw refused(
                "Item '\(id)' of type 'reasoning' was provided without its required following item.", "input")
        }
    }

    // MARK: Tools

    private func tools() throws(RequestRefusal) -> [SimulatedPrompt.Tool] {
        var tools: [SimulatedPrompt.Tool] = []
        for (index, tool) in try fields.array("tools").enumerated() {
            guard let type = tool["type"]?.string else { throw missing("tools[\(index)].type") }
            // Custom tools, and those of the provider's own, are not played here.
            guard type == "function" else { continue }
            guard let name = tool["name"]?.string, !name.isEmpty else { throw missing("tools[\(index)].name") }
            tools.append(.init(name: name, parameters: tool["parameters"] ?? [:]))
        }
        return tools
    }

    private func toolChoice(_ tools: [SimulatedPrompt.Tool]) throws(RequestRefusal) -> SimulatedPrompt.ToolChoice {
        let choice = fields["tool_choice"]
        if choice["type"] == "function" { return try fields.tool(choice["name"]?.string ?? "", among: tools) }
        switch choice.string {
        case "none": return .none
        case "required": return .required
        case "auto", nil: return .auto
        default:
            throw refused("Invalid value for 'tool_choice'.", "tool_choice", code: "invalid_value")
        }
    }

    // MARK: Refusals

    private func missing(_ name: String) -> RequestRefusal {
        refused("Missing required parameter: '\(name)'.", name, code: "missing_required_parameter")
    }

    private func refused(_ message: String, _ parameter: String? = nil, code: String? = nil) -> RequestRefusal {
        RequestRefusal(status: 400, message: message, code: code, parameter: parameter)
    }
}
