// Encodes Responses requests. OpenAIResponsesInput.swift encodes the conversation.

internal import Chat
internal import HTTP
internal import JSON

struct OpenAIResponsesRequestEncoder: RequestEncoder {
    static let optionNames: OptionNames = [
        (.temperature, "temperature"), (.topP, "top_p"), (.topLogprobs, "top_logprobs"), (.user, "user"),
        (.parallelToolCalls, "parallel_tool_calls"),
    ]

    let input: EncoderInput

    func url() throws(APIError) -> String { try endpoint.root().appending("/responses") }

    func body() throws(APIError) -> JSONObject {
        try checkModel()
        try refuseContinuation()
        var options = try RequestOptions(input)
        let reasons = OpenAIChatModel.reasons(request.model)
        let input = OpenAIResponsesInput(
            context: context, isStored: request.parameters["store"] != false, takesReasoning: reasons != false)
        let conversation = try input.conversation(of: request)
        var body: JSONObject = ["model": .string(request.model), "input": .array(conversation.items)]
        if let system = request.system { body["instructions"] = .string(try checked(system)) }
        body["stream"] = true
        if let count = try options.takeMaxTokens() { body["max_output_tokens"] = .int(count) }
        let tools = try options.takeTools()
        if !tools.isEmpty { body["tools"] = .array(tools.map(Self.tool)) }
        if let choice = try options.takeToolChoice() { body["tool_choice"] = Self.choice(choice) }
        if let format = try options.takeResponseFormat() { body["text"] = ["format": try self.format(format)] }
        if let reasoning = try reasoning(try options.takeThinking()) { body["reasoning"] = .object(reasoning) }
        options.move(Self.optionNames, to: &body)
        if let number = options.take(.n), number != 1 { try context.cannotExpress("n") }
        add(streamOptions: options.take(.streamOptions), to: &body)
        let logprobs = options.take(.logprobs)
        try options.finish(into: &body)
        if logprobs == true { include("message.output_text.logprobs", in: &body) }
        // Without storage the encrypted reasoning must be sent back. A model that does not reason rejects `include`, so
        // it is sent to an unknown model only after it has reasoned. xAI and Azure document the same name.
        let effort = body["reasoning"]?["effort"]
        let mayReason = reasons ?? (body["reasoning"] != nil || conversation.hasReasoning)
        if request.parameters["store"] == false, mayReason, effort != "none" {
            include("reasoning.encrypted_content", in: &body)
        }
        return body
    }

    /// `system` is sent as `instructions`, so only one of them may be set.
    private func checked(_ system: String) throws(APIError) -> String {
        if let other = request.parameters["instructions"], !other.isNull {
            throw context.invalid("instructions", "must not be set beside system, which is sent in its place")
        }
        return system
    }

    /// Usage is always reported, so `include_usage` is left out.
    private func add(streamOptions: JSONValue?, to body: inout JSONObject) {
        guard var options = streamOptions?.object else { return }
        options["include_usage"] = nil
        if !options.isEmpty { body["stream_options"] = .object(options) }
    }

    private func include(_ name: JSONValue, in body: inout JSONObject) {
        let given = body["include"] ?? .null
        // An empty Lua table is an object. Other values are sent unchanged, and the provider rejects them.
        guard given.isNull || given.array != nil || given.object?.isEmpty == true else { return }
        let names = given.array ?? []
        if !names.contains(name) { body["include"] = .array(names + [name]) }
    }

    // MARK: Options that have another form in this format

    /// `strict` is on by default in this format, which makes every argument required; in the common form it is off.
    /// https://platform.openai.com/docs/guides/function-calling#strict-mode
    private static func tool(_ tool: Tool) -> JSONValue {
        switch tool {
        case .native(let object): return .object(flattened(object))
        case .function(let function):
            var form: JSONObject = ["type": "function", "name": .string(function.name)]
            if let description = function.description { form["description"] = .string(description) }
            form["parameters"] = .object(function.parameters)
            form["strict"] = .bool(function.strict ?? false)
            form.merge(function.extra)
            return .object(form)
        }
    }

    private static func choice(_ choice: ToolChoice) -> JSONValue {
        switch choice {
        case .auto: "auto"
        case .none: "none"
        case .required: "required"
        case .function(let name): ["type": "function", "name": .string(name)]
        case .native(let object): .object(flattened(object))
        }
    }

    /// Merges the inner object of {type = "custom", custom = {name = ...}}, the form of Chat Completions, into the
    /// outer one.
    private static func flattened(_ object: JSONObject) -> JSONObject {
        guard let type = object["type"]?.string, type != "type", let inner = object[type]?.object else { return object }
        var flat = object
        flat[type] = nil
        for member in inner { flat[member.key] = member.value }
        return flat
    }

    private func format(_ format: ResponseFormat) throws(APIError) -> JSONValue {
        switch format {
        case .text: return ["type": "text"]
        case .jsonObject: return ["type": "json_object"]
        case .native(let object): return .object(object)
        case .jsonSchema(let format):
            guard endpoint.quirks.takesSchema else {
                try context.cannotExpress("response_format", because: "it takes no JSON schema, only json_object")
                return ["type": "json_object"]
            }
            var form: JSONObject = ["type": "json_schema", "name": .string(format.name)]
            if let description = format.description { form["description"] = .string(description) }
            form["schema"] = .object(format.schema)
            if let strict = format.strict { form["strict"] = .bool(strict) }
            return .object(form)
        }
    }

    /// Without `summary` the provider sends no reasoning.
    private func reasoning(_ thinking: Thinking) throws(APIError) -> JSONObject? {
        switch thinking {
        case .unspecified: return nil
        case .off:
            if request.parameters["reasoning_effort"] == "none" { return ["effort": "none"] }
            return try OpenAIChatModel.lowestEffort(of: request.model, context: context).map { ["effort": .string($0)] }
        case .on(let budget, let effort):
            if budget != nil {
                try context.cannotExpress("thinking", because: "it takes no number of tokens, only reasoning_effort")
            }
            return ["effort": .string(effort ?? "medium"), "summary": "auto"]
        case .native(let object, let effort):
            var form = object
            if let effort { form["effort"] = .string(effort) }
            return form
        }
    }
}
