// Understands the body of a request to /api/chat, and refuses what a real server refuses.

internal import JSON

struct OllamaChatReader {
    private let fields: RequestFields
    private let options: RequestFields

    init(body: JSONValue) throws(RequestRefusal) {
        fields = try RequestFields(body)
        let options = fields["options"]
        guard options.isNull || options.object != nil else { throw fields.refused("must be an object", "options") }
        self.options = try RequestFields(options.isNull ? [:] : options)
    }

    func prompt() throws(RequestRefusal) -> SimulatedPrompt {
        var prompt = SimulatedPrompt(model: try fields.model(), messages: try messages(try fields.messages()))
        prompt.streams = try fields.flag("stream") ?? true
        prompt.includesUsage = true
        // -1 and -2 mean: no limit.
        if let limit = options["num_predict"].int, limit < 0 {
            prompt.maxTokens = nil
        } else {
            prompt.maxTokens = try options.positive("num_predict").map { min($0, 1_000_000_000) }
        }
        prompt.stops = try options.strings("stop")
        prompt.tools = try tools()
        prompt.thinks = try thinks()
        prompt.format = try format()
        return prompt
    }

    private func thinks() throws(RequestRefusal) -> Bool? {
        switch fields["think"] {
        case .null: return nil
        case .bool(let value): return value
        case .string(let level) where ["high", "medium", "low"].contains(level): return true
        default: throw fields.refused("think must be a boolean or string (\"high\", \"medium\", \"low\")", "think")
        }
    }

    private func format() throws(RequestRefusal) -> SimulatedPrompt.Format {
        switch fields["format"] {
        case .null, "": return .text
        case "json": return .object
        case .object(let schema): return .schema(.object(schema))
        default: throw fields.refused("must be \"json\" or a JSON schema", "format")
        }
    }

    private func messages(_ list: [JSONValue]) throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        for (index, message) in list.enumerated() {
            let place = "messages[\(index)]"
            guard let role = message["role"]?.string, ["system", "user", "assistant", "tool"].contains(role) else {
                throw fields.refused("role must be one of system, user, assistant, tool", place)
            }
            let content = message["content"] ?? nil
            guard content.isNull || content.string != nil else {
                throw fields.refused("content must be a string", place)
            }
            let images = message["images"] ?? nil
            guard images.isNull || images.array?.allSatisfy({ $0.string?.isEmpty == false }) == true else {
                throw fields.refused("images must be an array of base64 strings", place)
            }
            for call in message["tool_calls"]?.array ?? [] {
                guard call["function"]?["name"]?.string != nil, call["function"]?["arguments"]?.object != nil else {
                    throw fields.refused("a tool call needs a function with a name and an object of arguments", place)
                }
            }
            messages.append(.init(role: role, text: content.string ?? ""))
        }
        return messages
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
}
