// Understands the body of a Messages request, and refuses what the real API refuses: turns in disorder, calls without
// their results, thinking that was changed.

internal import JSON

struct AnthropicMessagesReader {
    private let fields: RequestFields

    init(body: JSONValue) throws(RequestRefusal) { fields = try RequestFields(body) }

    func prompt() throws(RequestRefusal) -> SimulatedPrompt {
        let model = try fields.model()
        guard let limit = try fields.positive("max_tokens") else {
            throw fields.refused("Field required", "max_tokens")
        }
        var prompt = SimulatedPrompt(model: model, messages: try system() + messages(try fields.messages()))
        prompt.streams = try fields.flag("stream") ?? false
        prompt.includesUsage = true
        prompt.maxTokens = min(limit, 1_000_000_000)
        prompt.stops = try fields.strings("stop_sequences")
        prompt.tools = try tools()
        prompt.toolChoice = try toolChoice(prompt.tools)
        prompt.allowsParallelCalls = fields["tool_choice"]["disable_parallel_tool_use"]?.bool != true
        prompt.thinks = try thinks(limit: limit)
        if prompt.thinks == true, prompt.continued != nil {
            throw fields.refused(
                "Expected the conversation to end with a user message while thinking is on", "messages")
        }
        if let format = fields["output_config"]["format"] {
            guard format["type"] == "json_schema", let schema = format["schema"] else {
                throw fields.refused("must be of type json_schema with a schema", "output_config.format")
            }
            prompt.format = .schema(schema)
        }
        return prompt
    }

    private func thinks(limit: Int) throws(RequestRefusal) -> Bool? {
        let thinking = fields["thinking"]
        switch thinking["type"]?.string {
        case nil where thinking.isNull: return nil
        case "disabled": return false
        case "adaptive": return true
        case "enabled":
            guard let budget = thinking["budget_tokens"]?.int, budget >= 1024 else {
                throw fields.refused("Input should be greater than or equal to 1024", "thinking.enabled.budget_tokens")
            }
            guard budget < Int64(limit) else {
                throw fields.refused("`max_tokens` must be greater than `thinking.budget_tokens`", "max_tokens")
            }
            return true
        default: throw fields.refused("Input tag must be one of enabled, disabled, adaptive", "thinking")
        }
    }

    // MARK: Messages

    private func system() throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        switch fields["system"] {
        case .null: return []
        case .string(let text): return [.init(role: "system", text: text)]
        case .array(let blocks): return [.init(role: "system", text: try text(blocks, "system"))]
        default: throw fields.refused("Input should be a string or a list of text blocks", "system")
        }
    }

    private func messages(_ list: [JSONValue]) throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        var open: [String] = []
        for (index, message) in list.enumerated() {
            let place = "messages.\(index)"
            let blocks = try self.blocks(message["content"] ?? nil, place)
            switch message["role"]?.string {
            case "assistant":
                try refuse(open, place)
                for block in blocks { try check(block, place) }
                open = blocks.filter { $0["type"] == "tool_use" }.compactMap { $0["id"]?.string }
                messages.append(.init(role: "assistant", text: try text(blocks, place)))
            case "user":
                let results = blocks.prefix { $0["type"] == "tool_result" }
                for result in results {
                    let id = result["tool_use_id"]?.string ?? ""
                    guard let call = open.firstIndex(of: id) else {
                        throw fields.refused("unexpected `tool_use_id` found in `tool_result` blocks: \(id)", place)
                    }
                    open.remove(at: call)
                    let inner = try self.blocks(result["content"] ?? "", place, mayBeEmpty: true)
                    messages.append(.init(role: "tool", text: try text(inner, place)))
                }
                try refuse(open, place)
                let rest = Array(blocks.dropFirst(results.count))
                if !rest.isEmpty { messages.append(.init(role: "user", text: try text(rest, place))) }
            default:
                throw fields.refused(
                    "Unexpected role. Use the top-level `system` parameter for a system prompt.", place)
            }
        }
        try refuse(open, "messages")
        if messages.last?.role == "assistant", messages.last?.text.last?.isWhitespace == true {
            throw fields.refused("final assistant content cannot end with trailing whitespace", "messages")
        }
        return messages
    }

    private func refuse(_ open: [String], _ place: String) throws(RequestRefusal) {
        guard let id = open.first else { return }
        throw fields.refused("`tool_use` ids were found without `tool_result` blocks immediately after: \(id)", place)
    }

    private func blocks(
        _ content: JSONValue, _ place: String, mayBeEmpty: Bool = false
    ) throws(RequestRefusal) -> [JSONValue] {
        switch content {
        case .string(let text) where mayBeEmpty && text.isEmpty: return []
        case .string(let text): return [["type": "text", "text": .string(text)]]
        case .array(let blocks) where mayBeEmpty || !blocks.isEmpty: return blocks
        default: throw fields.refused("content must be a string or a list of blocks, and not empty", place)
        }
    }

    private func text(_ blocks: [JSONValue], _ place: String) throws(RequestRefusal) -> String {
        var text = ""
        for block in blocks where block["type"] == "text" {
            let piece = block["text"]?.string ?? ""
            guard !piece.allSatisfy(\.isWhitespace) else {
                throw fields.refused("text content blocks must contain non-whitespace text", place)
            }
            text += piece
        }
        return text
    }

    private func check(_ block: JSONValue, _ place: String) throws(RequestRefusal) {
        switch block["type"]?.string {
        case "thinking":
            guard block["signature"]?.string == AnthropicMessages.sign(block["thinking"]?.string ?? "") else {
                throw fields.refused("Invalid `signature` in `thinking` block", place)
            }
        case "tool_use":
            guard block["input"]?.object != nil else { throw fields.refused("tool_use.input must be an object", place) }
        default: break
        }
    }

    // MARK: Tools

    private func tools() throws(RequestRefusal) -> [SimulatedPrompt.Tool] {
        var tools: [SimulatedPrompt.Tool] = []
        for (index, tool) in try fields.array("tools").enumerated() {
            // Tools of the provider's own are not played here.
            if let type = tool["type"]?.string, type != "custom" { continue }
            guard let name = tool["name"]?.string, !name.isEmpty else {
                throw fields.refused("Field required", "tools.\(index).name")
            }
            guard let schema = tool["input_schema"], schema.object != nil else {
                throw fields.refused("Field required", "tools.\(index).input_schema")
            }
            tools.append(.init(name: name, parameters: schema))
        }
        return tools
    }

    private func toolChoice(_ tools: [SimulatedPrompt.Tool]) throws(RequestRefusal) -> SimulatedPrompt.ToolChoice {
        let choice = fields["tool_choice"]
        switch choice["type"]?.string {
        case "auto": return .auto
        case nil where choice.isNull: return .auto
        case "any": return .required
        case "none": return .none
        case "tool": return try fields.tool(choice["name"]?.string ?? "", among: tools)
        default: throw fields.refused("Input tag must be one of auto, any, tool, none", "tool_choice")
        }
    }
}
