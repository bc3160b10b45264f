// Understands the body of a Chat Completions request, and refuses what the real API refuses.

internal import Wire

struct ChatCompletionsReader {
    let body: JSONValue

    func prompt() throws(MockRefusal) -> MockPrompt {
        guard body.object != nil else { throw refused("the body must be a JSON object") }
        guard let model = body["model"]?.string, !model.isEmpty else {
            throw refused("you must provide a model parameter", "model")
        }
        guard let list = body["messages"]?.array, !list.isEmpty else {
            throw refused("'messages' must be an array with at least one message", "messages")
        }
        var prompt = MockPrompt(model: model, messages: try messages(list))
        prompt.streams = try flag("stream") ?? false
        prompt.includesUsage = body["stream_options"]?["include_usage"]?.bool ?? false
        let (limit, older) = (try positive("max_completion_tokens"), try positive("max_tokens"))
        prompt.maxTokens = (limit ?? older).map { min($0, 1_000_000_000) }
        prompt.choices = try positive("n") ?? 1
        guard prompt.choices <= 128 else { throw refused("'n' must be at most 128", "n") }
        prompt.stops = try stops()
        prompt.tools = try tools()
        prompt.toolChoice = try toolChoice(prompt.tools)
        prompt.allowsParallelCalls = try flag("parallel_tool_calls") ?? true
        switch body["response_format"]?["type"]?.string {
        case "json_object": prompt.format = .object
        case "json_schema": prompt.format = .schema(body["response_format"]?["json_schema"]?["schema"] ?? [:])
        default: break
        }
        return prompt
    }

    private func messages(_ list: [JSONValue]) throws(MockRefusal) -> [MockPrompt.Message] {
        var messages: [MockPrompt.Message] = []
        for (index, message) in list.enumerated() {
            guard let role = message["role"]?.string else {
                throw refused("a message has no role", "messages[\(index)].role")
            }
            guard ["system", "developer", "user", "assistant", "tool", "function"].contains(role) else {
                throw refused("'\(role)' is not a role", "messages[\(index)].role")
            }
            guard let text = Self.text(message["content"] ?? nil) else {
                throw refused("content must be a string or an array of parts", "messages[\(index)].content")
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

    private func stops() throws(MockRefusal) -> [String] {
        switch body["stop"] ?? nil {
        case .null: return []
        case .string(let stop): return stop.isEmpty ? [] : [stop]
        case .array(let list) where list.allSatisfy({ $0.string != nil }):
            return list.compactMap(\.string).filter { !$0.isEmpty }
        default: throw refused("'stop' must be a string or an array of strings", "stop")
        }
    }

    private func tools() throws(MockRefusal) -> [MockPrompt.Tool] {
        guard let list = body["tools"], !list.isNull else { return [] }
        guard let array = list.array else { throw refused("'tools' must be an array", "tools") }
        var tools: [MockPrompt.Tool] = []
        for (index, tool) in array.enumerated() {
            guard let name = tool["function"]?["name"]?.string, !name.isEmpty else {
                throw refused("a tool has no function name", "tools[\(index)].function.name")
            }
            tools.append(.init(name: name, parameters: tool["function"]?["parameters"] ?? [:]))
        }
        return tools
    }

    private func toolChoice(_ tools: [MockPrompt.Tool]) throws(MockRefusal) -> MockPrompt.ToolChoice {
        let choice = body["tool_choice"] ?? nil
        if let name = choice["function"]?["name"]?.string {
            guard tools.contains(where: { $0.name == name }) else {
                throw refused("'tool_choice' names '\(name)', which is not among 'tools'", "tool_choice")
            }
            return .named(name)
        }
        switch choice.string {
        case "none": return .none
        case "required": return .required
        case "auto", nil: return .auto
        default: throw refused("'tool_choice' must be none, auto, required or a function", "tool_choice")
        }
    }

    private func flag(_ name: String) throws(MockRefusal) -> Bool? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let flag = value.bool else { throw refused("'\(name)' must be true or false", name) }
        return flag
    }

    private func positive(_ name: String) throws(MockRefusal) -> Int? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let number = value.int.flatMap({ Int(exactly: $0) }), number >= 1 else {
            throw refused("'\(name)' must be a whole number from 1", name)
        }
        return number
    }

    private func refused(_ message: String, _ parameter: String? = nil) -> MockRefusal {
        MockRefusal(status: 400, message: message, parameter: parameter)
    }
}
