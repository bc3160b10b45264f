// Encodes generateContent requests. The conversation is encoded by GeminiHistory.

internal import Chat
internal import HTTP
internal import JSON

struct GeminiRequestEncoder: RequestEncoder {
    static let keyField = Quirks.KeyField.header("x-goog-api-key")
    /// Options that are members of `generationConfig`.
    static let optionNames: OptionNames = [
        (.temperature, "temperature"), (.topP, "topP"), (.topK, "topK"), (.seed, "seed"),
        (.presencePenalty, "presencePenalty"), (.frequencyPenalty, "frequencyPenalty"), (.n, "candidateCount"),
        (.logprobs, "responseLogprobs"), (.topLogprobs, "logprobs"),
    ]

    let input: EncoderInput

    func url() throws(APIError) -> String {
        try checkModel()
        return try endpoint.root().appending("/\(modelPath):streamGenerateContent", query: "alt=sse")
    }

    /// "gemini-2.5-flash" and "models/gemini-2.5-flash" are the same. Other resources (tunedModels/..., endpoints/...)
    /// have full names.
    private var modelPath: String {
        request.model.utf8.contains(UInt8(ascii: "/"))
            ? BaseURL.segment(request.model, keeping: "/@") : "models/" + BaseURL.segment(request.model, keeping: "@")
    }

    func body() throws(APIError) -> JSONObject {
        try refuseContinuation()
        var options = try RequestOptions(input)
        let messages = try MessageReader(context: context, callIDs: .ordered).messages(of: request)
        let legal = CallRepair(.gemini, messages: messages, tools: request.parameters["tools"])
        let contents = GeminiHistory(model: request.model, context: context, legal: legal)
        var body: JSONObject = ["contents": .array(try contents.contents(messages))]
        let instructions = messages.filter { $0.role == .system || $0.role == .developer }
        for message in instructions { try context.refuseImages(in: message, because: "its system prompt is text") }
        let system = instructions.map(\.text)
        if !system.isEmpty {
            body["systemInstruction"] = ["parts": .array(system.map { ["text": .string($0)] })]
        }
        let tools = try options.takeTools()
        if !tools.isEmpty { body["tools"] = .array(Self.tools(tools)) }
        if let choice = try options.takeToolChoice() { body["toolConfig"] = Self.config(choice) }
        let generation = try self.generation(&options)
        if !generation.isEmpty { body["generationConfig"] = .object(generation) }
        try options.finish(into: &body)
        return body
    }

    // MARK: Tools

    /// All functions in one group, followed by the provider's own tools.
    private static func tools(_ tools: [Tool]) -> [JSONValue] {
        var functions: [JSONValue] = []
        var own: [JSONValue] = []
        for tool in tools {
            switch tool {
            case .native(let object): own.append(.object(object))
            case .function(let function):
                var form: JSONObject = ["name": .string(function.name)]
                if let description = function.description { form["description"] = .string(description) }
                form["parametersJsonSchema"] = .object(function.parameters)
                form.merge(function.extra)
                functions.append(.object(form))
            }
        }
        return (functions.isEmpty ? [] : [["functionDeclarations": .array(functions)]]) + own
    }

    private static func config(_ choice: ToolChoice) -> JSONValue {
        let calling: JSONValue
        switch choice {
        case .auto: calling = ["mode": "AUTO"]
        case .none: calling = ["mode": "NONE"]
        case .required: calling = ["mode": "ANY"]
        case .function(let name): calling = ["mode": "ANY", "allowedFunctionNames": [.string(name)]]
        case .native(let object): return .object(object)
        }
        return ["functionCallingConfig": calling]
    }

    // MARK: Generation

    private func generation(_ options: inout RequestOptions) throws(APIError) -> JSONObject {
        var config: JSONObject = [:]
        if let count = try options.takeMaxTokens() { config["maxOutputTokens"] = .int(count) }
        if let stop = try options.takeStop() { config["stopSequences"] = .array(stop) }
        options.move(Self.optionNames, to: &config)
        switch try options.takeResponseFormat() {
        case nil, .text: break
        case .jsonObject: config["responseMimeType"] = "application/json"
        case .jsonSchema(let format):
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = .object(format.schema)
        case .native(let object): config.merge(object)
        }
        let thinking = GeminiThinking(thinking: try options.takeThinking(), model: request.model, context: context)
        if let thinking = try thinking.encoded() { config["thinkingConfig"] = .object(thinking) }
        return config
    }
}
