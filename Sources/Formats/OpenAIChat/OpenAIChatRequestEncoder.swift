// Encodes Chat Completions requests. The common form of a request is this format's own, so most members are unchanged.
// OpenAIChatHistory.swift encodes the messages.

internal import Chat
internal import HTTP
internal import JSON

struct OpenAIChatRequestEncoder: RequestEncoder {
    let input: EncoderInput

    func url() throws(APIError) -> String { try root().appending("/chat/completions") }

    /// The base URL. For a continuation, the provider's URL for continuations if it has the same origin.
    private func root() throws(APIError) -> BaseURL {
        let root = try endpoint.root()
        guard request.continuing != nil, let other = endpoint.quirks.continuationBaseURL else { return root }
        let continuation = try BaseURL(other)
        return continuation.origin == root.origin ? continuation : root
    }

    func body() throws(APIError) -> JSONObject {
        try checkModel()
        var body: JSONObject = ["model": .string(request.model), "messages": .array(try messages()), "stream": true]
        if endpoint.quirks.usage == .streamOptions { body["stream_options"] = ["include_usage": true] }
        if request.continuing != nil, endpoint.quirks.continuation == .bodyFlag {
            body["continue_final_message"] = true
            body["add_generation_prompt"] = false
        }
        for member in request.parameters where try context.mayBeParameter(member) { try add(member, to: &body) }
        try addThinking(to: &body)
        return body
    }

    private func add(_ member: JSONObject.Member, to body: inout JSONObject) throws(APIError) {
        let option = member.value.isNull ? nil : CommonOption(rawValue: member.key)
        switch option {
        case .maxTokens: body[endpoint.quirks.lengthField.rawValue] = member.value
        case .tools:
            body["tools"] = .array(try ToolReader(context: context).tools(member.value).map(\.chatCompletionsForm))
        case .toolChoice: body["tool_choice"] = Self.choice(try ToolReader(context: context).choice(member.value))
        case .responseFormat: try add(format: try ResponseFormat(member.value, context: context), to: &body)
        case .thinking, .reasoningEffort: break
        default: body[member.key] = member.value
        }
    }

    // MARK: Options that have another form in this format

    private static func choice(_ choice: ToolChoice) -> JSONValue {
        switch choice {
        case .auto: "auto"
        case .none: "none"
        case .required: "required"
        case .function(let name): ["type": "function", "function": ["name": .string(name)]]
        case .native(let object): .object(object)
        }
    }

    private func add(format: ResponseFormat, to body: inout JSONObject) throws(APIError) {
        switch format {
        case .text: body["response_format"] = ["type": "text"]
        case .jsonObject: body["response_format"] = ["type": "json_object"]
        case .native(let object): body["response_format"] = .object(object)
        case .jsonSchema(let format):
            guard endpoint.quirks.takesSchema else {
                try context.cannotExpress("response_format", because: "it takes no JSON schema, only json_object")
                body["response_format"] = ["type": "json_object"]
                return
            }
            var form: JSONObject = ["name": .string(format.name), "schema": .object(format.schema)]
            if let description = format.description { form["description"] = .string(description) }
            if let strict = format.strict { form["strict"] = .bool(strict) }
            body["response_format"] = ["type": "json_schema", "json_schema": .object(form)]
        }
    }

    private func addThinking(to body: inout JSONObject) throws(APIError) {
        let effort = request.parameters["reasoning_effort"]
        if let effort, effort.string == nil, !effort.isNull {
            throw context.invalid("reasoning_effort", "must be a string")
        }
        let value = request.parameters["thinking"].flatMap { $0.isNull ? nil : $0 }
        switch try Thinking(value, effort: effort?.string, context: context) {
        case .unspecified: break
        case .native(let object, let effort):
            body["thinking"] = .object(object)
            if let effort { body["reasoning_effort"] = .string(effort) }
        case .off where endpoint.quirks.thinking == .effort && effort?.string != "none":
            body["reasoning_effort"] = try OpenAIChatModel.lowestEffort(of: request.model, context: context).map {
                .string($0)
            }
        case .off: turnThinking(on: false, budget: nil, effort: effort?.string, in: &body)
        case .on(let budget, let effort):
            if budget != nil, ![.flag, .reasoning, .type].contains(endpoint.quirks.thinking) {
                try context.cannotExpress("thinking", because: "it takes no number of tokens, only reasoning_effort")
            }
            // `reasoning_effort` without `thinking` is sent unchanged.
            if value == nil, endpoint.quirks.thinking != .reasoning {
                body["reasoning_effort"] = effort.map { .string($0) }
            } else {
                turnThinking(on: true, budget: budget, effort: effort, in: &body)
            }
        }
    }

    private func turnThinking(on isOn: Bool, budget: Int64?, effort: String?, in body: inout JSONObject) {
        switch endpoint.quirks.thinking {
        case .effort: body["reasoning_effort"] = .string(isOn ? effort ?? "medium" : "none")
        case .type:
            var form: JSONObject = ["type": isOn ? "enabled" : "disabled"]
            if let budget { form["budget_tokens"] = .int(budget) }
            body["thinking"] = .object(form)
        case .flag:
            body["enable_thinking"] = .bool(isOn)
            if let budget { body["thinking_budget"] = .int(budget) }
        case .template: body.merge(["chat_template_kwargs": ["enable_thinking": .bool(isOn)]])
        case .reasoning:
            var form: JSONObject = [:]
            if let budget { form["max_tokens"] = .int(budget) }
            if isOn, let effort { form["effort"] = .string(effort) }
            if form.isEmpty { form["enabled"] = .bool(isOn) }
            body["reasoning"] = .object(form)
        }
        if isOn, endpoint.quirks.thinking != .effort, endpoint.quirks.thinking != .reasoning, let effort {
            body["reasoning_effort"] = .string(effort)
        }
    }

    // MARK: Messages

    private func messages() throws(APIError) -> [JSONValue] {
        let reader = MessageReader(context: context, takesNames: true, callIDs: .chatCompletions)
        let read = try reader.messages(of: request)
        let legal = CallRepair(.common, messages: read, tools: request.parameters["tools"])
        let isOff = request.parameters["thinking"] == false || request.parameters["thinking"]?["type"] == "disabled"
        var messages = OpenAIChatHistory(quirks: endpoint.quirks, legal: legal, mayThink: !isOff).encoded(read)
        if let text = request.continuing { messages.append(try partialReply(text)) }
        return messages
    }

    private func partialReply(_ text: String) throws(APIError) -> JSONValue {
        var message: JSONObject = ["role": "assistant", "content": .string(text)]
        switch endpoint.quirks.continuation {
        case .none: throw context.invalid(endpoint.provider, "cannot go on from a partial reply")
        case .prefill, .bodyFlag: break
        case .prefixFlag: message["prefix"] = true
        case .partialFlag: message["partial"] = true
        }
        return .object(message)
    }
}
