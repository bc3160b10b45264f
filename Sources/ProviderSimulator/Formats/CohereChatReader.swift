// Understands the body of a Cohere chat request, and refuses what the real API refuses: roles it does not know, results
// without their calls.

internal import JSON

struct CohereChatReader {
    private let fields: RequestFields

    init(body: JSONValue) throws(RequestRefusal) { fields = try RequestFields(body) }

    func prompt() throws(RequestRefusal) -> SimulatedPrompt {
        var prompt = SimulatedPrompt(model: try fields.model(), messages: try messages(try fields.messages()))
        prompt.streams = try fields.flag("stream") ?? false
        prompt.includesUsage = true
        prompt.plansCalls = true
        prompt.maxTokens = try fields.positive("max_tokens").map { min($0, 1_000_000_000) }
        prompt.stops = try fields.strings("stop_sequences")
        prompt.tools = try tools()
        prompt.toolChoice = try toolChoice(prompt.tools)
        prompt.thinks = try thinks()
        prompt.format = try format()
        return prompt
    }

    private func thinks() throws(RequestRefusal) -> Bool? {
        let thinking = fields["thinking"]
        switch thinking["type"]?.string {
        case nil where thinking.isNull: return nil
        case "enabled": return true
        case "disabled": return false
        default: throw fields.refused("must be one of enabled, disabled", "thinking.type")
        }
    }

    private func format() throws(RequestRefusal) -> SimulatedPrompt.Format {
        let format = fields["response_format"]
        switch format["type"]?.string {
        case nil where format.isNull: return .text
        case "text": return .text
        case "json_object":
            guard let schema = format["json_schema"] ?? format["schema"], !schema.isNull else { return .object }
            guard schema.object != nil else { throw fields.refused("must be an object", "response_format.json_schema") }
            return .schema(schema)
        default: throw fields.refused("must be one of text, json_object", "response_format.type")
        }
    }

    // MARK: Messages

    private func messages(_ list: [JSONValue]) throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        var open: [String] = []
        for (index, message) in list.enumerated() {
            let place = "messages[\(index)]"
            guard let role = message["role"]?.string, ["system", "user", "assistant", "tool"].contains(role) else {
                throw fields.refused("the role must be one of system, user, assistant, tool", place)
            }
            if role == "tool" {
                let id = message["tool_call_id"]?.string ?? ""
                guard let call = open.firstIndex(of: id) else {
                    throw fields.refused("tool_call_id '\(id)' is of no call before it", place)
                }
                open.remove(at: call)
            } else {
                try refuse(open, place)
            }
            let calls = role == "assistant" ? try self.calls(message, place) : []
            open += calls
            let content = message["content"] ?? nil
            guard let text = Self.text(content) else {
                throw fields.refused("content must be a string or an array of parts", place)
            }
            guard !content.isNull || !calls.isEmpty else { throw fields.refused("content is missing", place) }
            messages.append(.init(role: role, text: text))
        }
        try refuse(open, "messages")
        guard let last = messages.last?.role, last != "assistant" else {
            throw fields.refused("the last message must not be the assistant's", "messages")
        }
        return messages
    }

    private func refuse(_ open: [String], _ place: String) throws(RequestRefusal) {
        guard let id = open.first else { return }
        throw fields.refused("the tool call '\(id)' has no result", place)
    }

    /// The ids of a message's calls.
    private func calls(_ message: JSONValue, _ place: String) throws(RequestRefusal) -> [String] {
        guard let value = message["tool_calls"], !value.isNull else { return [] }
        guard let calls = value.array else { throw fields.refused("tool_calls must be an array", place) }
        var ids: [String] = []
        for call in calls {
            guard let id = call["id"]?.string, !id.isEmpty, call["function"]?["name"]?.string != nil,
                call["function"]?["arguments"]?.string != nil
            else { throw fields.refused("a tool call needs an id and a function with name and arguments", place) }
            ids.append(id)
        }
        return ids
    }

    /// The text of a content value: a string, or the texts and documents of an array.
    private static func text(_ content: JSONValue) -> String? {
        switch content {
        case .null: return ""
        case .string(let text): return text
        case .array(let parts):
            guard parts.allSatisfy({ $0["type"]?.string != nil }) else { return nil }
            return parts.compactMap { part in
                guard let data = part["document"]?["data"] else { return part["text"]?.string }
                return data.string ?? data.text
            }.joined()
        default: return nil
        }
    }

    // MARK: Tools

    private func tools() throws(RequestRefusal) -> [SimulatedPrompt.Tool] {
        var tools: [SimulatedPrompt.Tool] = []
        for (index, tool) in try fields.array("tools").enumerated() {
            guard let name = tool["function"]?["name"]?.string, !name.isEmpty else {
                throw fields.refused("a tool has no function name", "tools[\(index)].function.name")
            }
            tools.append(.init(name: name, parameters: tool["function"]?["parameters"] ?? [:]))
        }
        return tools
    }

    private func toolChoice(_ tools: [SimulatedPrompt.Tool]) throws(RequestRefusal) -> SimulatedPrompt.ToolChoice {
        let choice = fields["tool_choice"]
        if choice.isNull { return .auto }
        guard let name = choice.string, ["REQUIRED", "NONE"].contains(name) else {
            throw fields.refused("must be one of REQUIRED, NONE", "tool_choice")
        }
        guard !tools.isEmpty else { throw fields.refused("needs tools", "tool_choice") }
        return name == "NONE" ? .none : .required
    }
}
