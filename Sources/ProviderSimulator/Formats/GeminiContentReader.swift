// Understands the body of a generateContent request: what is to be generated, and with which functions. What the
// conversation holds is in GeminiConversation.swift.

internal import JSON

struct GeminiContentReader {
    private let fields: RequestFields
    private let config: RequestFields

    init(body: JSONValue) throws(RequestRefusal) {
        fields = try RequestFields(Self.camelCased(body))
        let config = fields["generationConfig"]
        guard config.isNull || config.object != nil else {
            throw fields.refused("must be an object", "generation_config")
        }
        self.config = try RequestFields(config.isNull ? [:] : config)
    }

    /// JSON of protocol buffers has its names in camel case or as they were declared; Google's own client sends both.
    private static func camelCased(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(camelCased))
        case .object(let object):
            var result: JSONObject = [:]
            for member in object {
                let words = member.key.split(separator: "_", omittingEmptySubsequences: false)
                let name = words.dropFirst().reduce(String(words.first ?? "")) {
                    $0 + $1.prefix(1).uppercased() + $1.dropFirst()
                }
                result[name] = payloads.contains(name) ? member.value : camelCased(member.value)
            }
            return .object(result)
        default: return value
        }
    }

    /// Members whose names inside are the user's.
    private static let payloads: Set<String> = [
        "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema",
    ]

    func prompt(model: String, streams: Bool) throws(RequestRefusal) -> SimulatedPrompt {
        let contents = try fields.array("contents")
        guard !contents.isEmpty else { throw fields.refused("contents is not specified", "contents") }
        var conversation = GeminiConversation(model: model)
        try conversation.read(contents)
        var prompt = SimulatedPrompt(model: model, messages: try system() + conversation.messages)
        prompt.streams = streams
        prompt.includesUsage = true
        prompt.maxTokens = try config.positive("maxOutputTokens").map { min($0, 1_000_000_000) }
        prompt.stops = try config.strings("stopSequences")
        if let count = try config.positive("candidateCount"), count > 1 {
            throw fields.refused("Multiple candidates is not enabled for this model", "generation_config")
        }
        prompt.tools = try tools()
        prompt.toolChoice = try toolChoice(prompt.tools)
        prompt.thinks = try thinks()
        prompt.format = try format()
        return prompt
    }

    private func thinks() throws(RequestRefusal) -> Bool? {
        let thinking = config["thinkingConfig"]
        guard thinking.isNull || thinking.object != nil else {
            throw fields.refused("must be an object", "generation_config.thinking_config")
        }
        if thinking["thinkingBudget"]?.int == 0 { return false }
        // Thoughts that are not included are as good as not thought here.
        return thinking["includeThoughts"]?.bool
    }

    private func format() throws(RequestRefusal) -> SimulatedPrompt.Format {
        let type = config["responseMimeType"]
        let schema = [config["responseJsonSchema"], config["responseSchema"]].first { !$0.isNull }
        switch type {
        case .null, "text/plain":
            guard schema == nil else {
                throw fields.refused(
                    "a response schema needs the mime type application/json", "generation_config.response_schema")
            }
            return .text
        case "application/json":
            guard let schema else { return .object }
            guard schema.object != nil else {
                throw fields.refused("must be an object", "generation_config.response_schema")
            }
            return .schema(Self.lowercased(schema))
        default: throw fields.refused("unsupported mime type", "generation_config.response_mime_type")
        }
    }

    private func system() throws(RequestRefusal) -> [SimulatedPrompt.Message] {
        let instruction = fields["systemInstruction"]
        if instruction.isNull { return [] }
        guard let parts = instruction["parts"]?.array else {
            throw fields.refused("parts must not be empty", "system_instruction")
        }
        return [.init(role: "system", text: parts.compactMap { $0["text"]?.string }.joined())]
    }

    // MARK: Tools

    private func tools() throws(RequestRefusal) -> [SimulatedPrompt.Tool] {
        var tools: [SimulatedPrompt.Tool] = []
        for (index, group) in try fields.array("tools").enumerated() {
            // The provider's own tools are not played here.
            for declaration in group["functionDeclarations"]?.array ?? [] {
                guard let name = declaration["name"]?.string, !name.isEmpty else {
                    throw fields.refused("Invalid function name", "tools[\(index)].function_declarations")
                }
                let parameters = declaration["parametersJsonSchema"] ?? declaration["parameters"] ?? [:]
                tools.append(.init(name: name, parameters: Self.lowercased(parameters)))
            }
        }
        return tools
    }

    /// The service's own form of a schema writes types in capitals.
    private static func lowercased(_ schema: JSONValue) -> JSONValue {
        switch schema {
        case .array(let elements): return .array(elements.map(lowercased))
        case .object(let object):
            var result: JSONObject = [:]
            for member in object {
                if member.key == "type", let type = member.value.string {
                    result["type"] = .string(type.lowercased())
                } else {
                    result[member.key] = lowercased(member.value)
                }
            }
            return .object(result)
        default: return schema
        }
    }

    private func toolChoice(_ tools: [SimulatedPrompt.Tool]) throws(RequestRefusal) -> SimulatedPrompt.ToolChoice {
        let calling = fields["toolConfig"]["functionCallingConfig"] ?? nil
        switch calling["mode"]?.string?.uppercased() {
        case nil where calling.isNull: return .auto
        case nil, "AUTO", "VALIDATED", "MODE_UNSPECIFIED": return .auto
        case "NONE": return .none
        case "ANY":
            guard !tools.isEmpty else {
                throw fields.refused("Function calling mode ANY needs function declarations", "tool_config")
            }
            let allowed = calling["allowedFunctionNames"]?.array?.compactMap(\.string) ?? []
            guard allowed.allSatisfy({ name in tools.contains { $0.name == name } }) else {
                throw fields.refused("allowed_function_names names a function that is not declared", "tool_config")
            }
            return allowed.count == 1 ? .named(allowed[0]) : .required
        default: throw fields.refused("the mode must be one of AUTO, ANY, NONE", "tool_config")
        }
    }
}
