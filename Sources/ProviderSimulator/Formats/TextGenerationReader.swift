// Understands the body of a /generate or /generate_stream request: one prompt, in which a conversation may be written
// out, and `parameters`.

internal import JSON

struct TextGenerationReader {
    private let inputs: String
    private let parameters: RequestFields
    private let streams: Bool

    init(body: JSONValue, streams: Bool) throws(RequestRefusal) {
        self.streams = streams
        let fields = try RequestFields(body)
        guard let inputs = body["inputs"]?.string else { throw fields.refused("must be a string", "inputs") }
        guard !inputs.isEmpty else { throw fields.refused("cannot be empty", "inputs") }
        self.inputs = inputs
        let parameters = fields["parameters"]
        guard parameters.isNull || parameters.object != nil else {
            throw fields.refused("must be an object", "parameters")
        }
        self.parameters = try RequestFields(parameters.isNull ? [:] : parameters)
    }

    func prompt() throws(RequestRefusal) -> SimulatedPrompt {
        // A server has one model, which requests do not name; it is no thinker.
        var prompt = SimulatedPrompt(model: "moonrill-chat", messages: Self.messages(inputs))
        prompt.thinks = false
        prompt.streams = streams
        prompt.includesUsage = try parameters.flag("details") ?? false
        prompt.maxTokens = try parameters.positive("max_new_tokens").map { min($0, 1_000_000_000) }
        prompt.stops = try parameters.strings("stop")
        prompt.format = try format()
        return prompt
    }

    private func format() throws(RequestRefusal) -> SimulatedPrompt.Format {
        let grammar = parameters["grammar"]
        if grammar.isNull { return .text }
        guard let type = grammar["type"]?.string, ["json", "json_schema"].contains(type) else {
            throw parameters.refused("only the type json is played here", "grammar")
        }
        guard let schema = grammar["value"], schema.object != nil else {
            throw parameters.refused("the value must be a JSON schema", "grammar")
        }
        return schema == ["type": "object"] ? .object : .schema(schema)
    }

    // MARK: The prompt

    /// A dialogue of lines that begin "User: " and "Assistant:" is the conversation it stands for, with what comes
    /// before it as the system's words; every other prompt is the user's one message.
    private static func messages(_ inputs: String) -> [SimulatedPrompt.Message] {
        var messages: [SimulatedPrompt.Message] = []
        for line in inputs.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("User: ") {
                messages.append(.init(role: "user", text: String(line.dropFirst("User: ".count))))
            } else if line.hasPrefix("Assistant:") {
                let text = line.dropFirst("Assistant:".count)
                messages.append(.init(role: "assistant", text: String(text.first == " " ? text.dropFirst() : text)))
            } else if messages.isEmpty {
                messages.append(.init(role: "system", text: String(line)))
            } else {
                messages[messages.count - 1].text += "\n" + line
            }
        }
        guard messages.last?.role == "assistant", messages.contains(where: { $0.role == "user" }) else {
            return [.init(role: "user", text: inputs)]
        }
        if messages.last?.text.isEmpty == true { messages.removeLast() }
        return messages
    }
}
