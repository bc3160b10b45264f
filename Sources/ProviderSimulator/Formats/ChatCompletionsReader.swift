// Understands the body of a Chat Completions request, and refuses what the real API refuses.

internal import JSON

struct ChatCompletionsReader {
    private let fields: RequestFields

    init(body: JSONValue) throws(RequestRefusal) { fields = try RequestFields(body) }

    func prompt() throws(RequestRefusal) -> SimulatedPrompt {
        var prompt = SimulatedPrompt(model: try fields.model(), messages: try messages(try fields.messages()))
        prompt.streams = try fields.flag("stream") ?? false
        prompt.includesUsage = fields["stream_options"]["include_usage"]?.bool ?? false
        let (limit, older) = (try fields.positive("max_completion_tokens"), try fields.positive("max_tokens"))
        prompt.maxTokens = (limit ?? older).map { min($0, 1_000_000_000) }
        prompt.choices = try fields.positive("n") ?? 1
        guard prompt.choices <= 128 else { throw fields.refused("'n' must be at most 128", "n") }
        prompt.stops = try fields.strings("stop")
        prompt.tools = try tools()
        prompt.toolChoice = try toolChoice(prompt.tools)
        prompt.allowsParallelCalls = try fields.flag("parallel_tool_calls") ?? true
        let format = fields["response_format"]
        switch format["type"]?.string {
        case "json_object": prompt.format = .object
        case "json_schema": prompt.format = .schema(format["json_schema"]?["schema"] ?? [:])
        default: break
        }
        return prompt
    }

    private func messages(_ list: [JSONValue]) throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        for (index, message) in list.enumerated() {
            guard let role = message["role"]?.string else {
                throw fields.refused("a message has no role", "messages[\(index)].role")
            }
            guard ["system", "developer", "user", "assistant", "tool", "function"].contains(role) else {
                throw fields.refused("'\(role)' is not a role", "messages[\(index)].role")
            }
            guard let text = Self.text(message["content"] ?? nil) else {
                throw fields.refused("content must be a string or an array of parts", "messages[\(index)].content")
            }
            messages.append(.init(role: role == "function" ? "tool" : role, text: text))
        }
        return messages
    }

    /// The text of a content value: a string, or the text parts of an array.
    private static func text(_ content: JSONValue) -> String? {
        switch content {
        case .null: ""
        case .string(let text): text
        case .array(let parts): parts.compactMap { $0["text"]?.string }.joined()
        default: nil
        }
    }

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
        if let name = choice["function"]?["name"]?.string { return try fields.tool(name, among: tools) }
        switch choice.string {
        case "none": return .none
        case "required": return .required
        case "auto", nil: return .auto
        default: throw fields.refused("'tool_choice' must be none, auto, required or a function", "tool_choice")
        }
    }
}
