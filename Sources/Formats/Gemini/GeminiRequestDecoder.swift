// Decodes generateContent requests. The conversation is decoded by GeminiHistoryDecoder.

internal import Base
internal import Chat
internal import JSON

struct GeminiRequestDecoder: RequestDecoder {
    private static let taken: Set<String> = [
        "contents", "systemInstruction", "tools", "toolConfig", "generationConfig",
    ]
    private static let takenConfig: Set<String> = [
        "maxOutputTokens", "stopSequences", "thinkingConfig", "responseMimeType", "responseJsonSchema",
        "responseSchema",
    ]

    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        let root = "/v1beta/models"
        if target.path == root { return .document(["models": .array(models.map(Self.model))]) }
        if let name = models.first(where: { target.path == "\(root)/\($0)" }) { return .document(Self.model(name)) }
        guard target.path.contains("/models/"), let method = target.path.split(separator: ":").last else { return nil }
        switch method {
        case "generateContent": return .reply(.serverSentEvents)
        case "streamGenerateContent":
            let isEvents = target.query.split(separator: "&").contains("alt=sse")
            return .reply(isEvents ? .serverSentEvents : .jsonArray)
        default: return nil
        }
    }

    private static func model(_ name: String) -> JSONValue {
        [
            "name": .string("models/" + name), "displayName": .string(name),
            "supportedGenerationMethods": ["generateContent"],
        ]
    }

    /// Removes thoughts, and replaces signatures by the one for calls of other models.
    func withoutOpaqueParts(_ body: JSONValue) -> JSONValue {
        guard let object = body.object else { return body }
        return .object(
            object.mapping("contents") { contents in
                contents.compactMap { content in
                    guard content["role"] == "model", let reply = content.object, let parts = reply["parts"]?.array
                    else { return content }
                    let kept = parts.compactMap(Self.withoutOpaqueParts(part:))
                    if kept.isEmpty, !parts.isEmpty { return nil }
                    return .object(reply.with("parts", .array(kept)))
                }
            })
    }

    private static func withoutOpaqueParts(part: JSONValue) -> JSONValue? {
        guard var object = part.object else { return part }
        if object["thought"] == true { return nil }
        object["thoughtSignature"] = nil
        object["thought_signature"] = nil
        // A part may consist of a signature only.
        if object.isEmpty { return nil }
        if object["functionCall"] != nil || object["function_call"] != nil {
            object["thoughtSignature"] = .string(GeminiSignature.foreign)
        }
        return .object(object)
    }

    /// The model's name in a path; names may contain slashes and colons.
    private static func model(in path: String) -> String {
        let resource = path[..<(path.lastIndex(of: ":") ?? path.endIndex)]
        var names = resource.split(separator: "/")
        if let place = names.lastIndex(of: "models") { names.removeFirst(place + 1) }
        return names.joined(separator: "/").percentDecoded
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let model = Self.model(in: target.path)
        let body = try RequestBody(Self.camelCased(body))
        let config = try body.part("generationConfig", place: "generation_config")
        let contents = try body.array("contents")
        guard !contents.isEmpty else { throw body.refused("contents is not specified", "contents") }
        var conversation = GeminiHistoryDecoder(model: model)
        try conversation.read(contents)
        var request = DecodedRequest(model: model, messages: try system(body) + conversation.messages)
        request.takeSystem()
        request.takePartialReply()
        request.streams = target.path.hasSuffix(":streamGenerateContent")
        request.thinks = try thinks(config)
        request.chat.parameters = try options(body, config)
        return request
    }

    /// Converts the names of members to camel case. JSON of protocol buffers has either form of the names; Google's own
    /// client sends both.
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

    /// Members whose value has names that the user chose.
    private static let payloads: Set<String> = [
        "args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema",
    ]

    private func system(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        let instruction = body["systemInstruction"]
        if instruction.isNull { return [] }
        guard let parts = instruction["parts"]?.array else {
            throw body.refused("parts must not be empty", "system_instruction")
        }
        return [["role": "system", "content": .string(parts.compactMap { $0["text"]?.string }.joined())]]
    }

    // MARK: Options

    private func options(_ body: RequestBody, _ config: RequestBody) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        options.add(.maxTokens, try config.positive("maxOutputTokens"))
        options.add(stop: try config.strings("stopSequences"))
        if let count = try config.positive("candidateCount"), count > 1 {
            throw body.refused("Multiple candidates is not enabled for this model", "generation_config")
        }
        let tools = try tools(body)
        options.add(tools: tools)
        options.add(.toolChoice, try toolChoice(body, tools))
        addThinking(config, to: &options)
        try addFormat(config, to: &options)
        options.move(GeminiRequestEncoder.optionNames, from: config)
        options.addOthers(of: body, Self.taken)
        options.addOthers(
            of: config, in: "generationConfig", except: GeminiRequestEncoder.optionNames, Self.takenConfig)
        return options.parameters
    }

    private func thinks(_ config: RequestBody) throws(ReplyError) -> Bool? {
        let thinking = try config.part("thinkingConfig", place: "generation_config.thinking_config")
        if thinking["thinkingBudget"].int == 0 { return false }
        // Thoughts are generated only if they are included in the reply.
        return thinking["includeThoughts"].bool
    }

    private func addThinking(_ config: RequestBody, to options: inout DecodedOptions) {
        let thinking = config["thinkingConfig"]
        if let budget = thinking["thinkingBudget"]?.int {
            options.add(.thinking, budget == 0 ? false : .int(budget))
        } else if let level = thinking["thinkingLevel"] {
            options.add(.reasoningEffort, level)
        } else {
            options.add(.thinking, thinking["includeThoughts"])
        }
    }

    private func addFormat(_ config: RequestBody, to options: inout DecodedOptions) throws(ReplyError) {
        let schema = [config["responseJsonSchema"], config["responseSchema"]].first { !$0.isNull }
        switch config["responseMimeType"] {
        case .null, "text/plain":
            guard schema == nil else {
                throw config.refused(
                    "a response schema needs the mime type application/json", "generation_config.response_schema")
            }
        case "application/json":
            guard let schema else { return options.add(.responseFormat, ["type": "json_object"]) }
            guard schema.object != nil else {
                throw config.refused("must be an object", "generation_config.response_schema")
            }
            options.add(schema: Self.withSmallTypes(schema))
        default: throw config.refused("unsupported mime type", "generation_config.response_mime_type")
        }
    }

    // MARK: Tools

    private func tools(_ body: RequestBody) throws(ReplyError) -> [JSONValue] {
        var tools: [JSONValue] = []
        for (index, group) in try body.array("tools").enumerated() {
            guard let declarations = group["functionDeclarations"]?.array else {
                // A tool of the provider's own.
                tools.append(group)
                continue
            }
            for declaration in declarations {
                guard var function = declaration.object, let name = function["name"]?.string, !name.isEmpty else {
                    throw body.refused("Invalid function name", "tools[\(index)].function_declarations")
                }
                let parameters = function["parametersJsonSchema"] ?? function["parameters"] ?? [:]
                function["parametersJsonSchema"] = nil
                function["parameters"] = Self.withSmallTypes(parameters)
                tools.append(CommonForm.tool(function))
            }
        }
        return tools
    }

    /// The schema with its types in lower case: Google's own form of a schema has them in capitals.
    private static func withSmallTypes(_ schema: JSONValue) -> JSONValue {
        switch schema {
        case .array(let elements): return .array(elements.map(withSmallTypes))
        case .object(let object):
            var result: JSONObject = [:]
            for member in object {
                if member.key == "type", let type = member.value.string {
                    result["type"] = .string(type.lowercased())
                } else {
                    result[member.key] = withSmallTypes(member.value)
                }
            }
            return .object(result)
        default: return schema
        }
    }

    private func toolChoice(_ body: RequestBody, _ tools: [JSONValue]) throws(ReplyError) -> JSONValue? {
        let calling = body["toolConfig"]["functionCallingConfig"] ?? nil
        switch calling["mode"]?.string?.uppercased() {
        case nil where calling.isNull: return nil
        case nil, "AUTO", "VALIDATED", "MODE_UNSPECIFIED": return "auto"
        case "NONE": return "none"
        case "ANY":
            let names = tools.compactMap { $0["function"]?["name"]?.string }
            guard !names.isEmpty else {
                throw body.refused("Function calling mode ANY needs function declarations", "tool_config")
            }
            let allowed = calling["allowedFunctionNames"]?.array?.compactMap(\.string) ?? []
            guard allowed.allSatisfy(names.contains) else {
                throw body.refused("allowed_function_names names a function that is not declared", "tool_config")
            }
            return allowed.count == 1 ? try body.choice(of: allowed[0], among: tools) : "required"
        default: throw body.refused("the mode must be one of AUTO, ANY, NONE", "tool_config")
        }
    }
}
