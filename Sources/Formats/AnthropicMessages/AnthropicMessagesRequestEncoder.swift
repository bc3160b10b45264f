// Encodes Messages requests. AnthropicMessagesHistory.swift encodes the conversation, AnthropicMessagesThinking.swift
// the options for thinking.

internal import Chat
internal import HTTP
internal import JSON

struct AnthropicMessagesRequestEncoder: RequestEncoder {
    /// The default of `max_tokens`, which Messages requires. Every model since Claude 3.5 accepts it.
    static let defaultMaxTokens: Int64 = 8192
    /// The default of `max_tokens` for a model that thinks: the smallest maximum of a thinking Claude model.
    static let defaultMaxTokensThinking: Int64 = 32_000
    /// The version of the format (https://docs.anthropic.com/en/api/versioning).
    static let version = "2023-06-01"

    static let keyField = Quirks.KeyField.header("x-api-key")
    static let headers: HTTPHeaders = ["anthropic-version": version]
    static let optionNames: OptionNames = [(.temperature, "temperature"), (.topP, "top_p"), (.topK, "top_k")]

    let input: EncoderInput

    func url() throws(APIError) -> String { try root().appending("/messages") }

    /// The base URL. Anthropic's own libraries take it without "/v1", which is appended if the path is empty or ends in
    /// "/anthropic".
    private func root() throws(APIError) -> BaseURL {
        let root = try endpoint.root()
        guard root.path.isEmpty || root.path.hasSuffix("/anthropic") else { return root }
        return try BaseURL(root.appending("/v1"))
    }

    func body() throws(APIError) -> JSONObject {
        try checkModel()
        var options = try RequestOptions(input)
        let conversation = try AnthropicMessagesHistory(context: context).conversation(of: request)
        let thinking = AnthropicMessagesThinking(
            try options.takeThinking(), model: request.model, maxTokens: try options.takeMaxTokens(), context: context)
        var body: JSONObject = ["model": .string(request.model)]
        body["max_tokens"] = .int(
            thinking.isMaxGiven ? thinking.maxTokens : max(1, thinking.maxTokens - request.arrivedTokens))
        body["system"] = conversation.system
        body["messages"] = .array(conversation.messages + (try partialReply(isThinking: thinking.isOn)))
        body["stream"] = true
        body["container"] = conversation.container
        if let thinking = try thinking.encoded() { body.merge(thinking) }
        try addTools(&options, to: &body)
        if let format = try options.takeResponseFormat() { try add(format, to: &body) }
        if let stop = try options.takeStop() { body["stop_sequences"] = .array(stop) }
        if let user = options.take(.user) { body["metadata"] = ["user_id": user] }
        options.move(Self.optionNames, to: &body)
        // There is always one reply, with its usage.
        if options.take(.n).map({ $0 != 1 }) == true { try context.cannotExpress("n") }
        _ = options.take(.streamOptions)
        try options.finish(into: &body)
        return body
    }

    // MARK: Tools

    private func addTools(_ options: inout RequestOptions, to body: inout JSONObject) throws(APIError) {
        let tools = try options.takeTools()
        if !tools.isEmpty { body["tools"] = .array(tools.map(Self.tool)) }
        var choice: JSONObject? =
            switch try options.takeToolChoice() {
            case nil: nil
            case .auto: ["type": "auto"]
            case .some(.none): ["type": "none"]
            case .required: ["type": "any"]
            case .function(let name): ["type": "tool", "name": .string(name)]
            case .native(let object): object
            }
        if options.take(.parallelToolCalls) == false, !tools.isEmpty, choice?["type"] != "none" {
            var one = choice ?? ["type": "auto"]
            one["disable_parallel_tool_use"] = true
            choice = one
        }
        body["tool_choice"] = choice.map { .object($0) }
    }

    private static func tool(_ tool: Tool) -> JSONValue {
        switch tool {
        case .native(let object): return .object(object)
        case .function(let function):
            var form: JSONObject = ["name": .string(function.name)]
            if let description = function.description { form["description"] = .string(description) }
            form["input_schema"] = .object(function.parameters)
            if let strict = function.strict { form["strict"] = .bool(strict) }
            form.merge(function.extra)
            return .object(form)
        }
    }

    // MARK: Response format

    /// https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs
    private func add(_ format: ResponseFormat, to body: inout JSONObject) throws(APIError) {
        let form: JSONObject
        switch format {
        case .text: return
        case .jsonObject:
            return try context.cannotExpress("response_format", because: "it takes JSON of a schema alone")
        case .native(let object): form = object
        case .jsonSchema(let format):
            guard endpoint.quirks.takesSchema else {
                return try context.cannotExpress("response_format", because: "it takes no JSON schema")
            }
            form = ["type": "json_schema", "schema": .object(format.schema)]
        }
        body.merge(["output_config": ["format": .object(form)]])
    }

    // MARK: Continuation

    /// The partial reply as last message, which the model continues. The provider rejects one that ends in white space,
    /// and one in a request that turns thinking on.
    private func partialReply(isThinking: Bool) throws(APIError) -> [JSONValue] {
        guard let text = request.continuing else { return [] }
        guard endpoint.quirks.continuation == .prefill, !AnthropicMessagesModel.isSinceClaude46(request.model) else {
            throw context.invalid("\(endpoint.provider) (\(request.model))", "cannot go on from a partial reply")
        }
        guard !isThinking else {
            throw context.invalid(endpoint.provider, "cannot go on from a partial reply while the model thinks")
        }
        let resumed = Self.resumed(text)
        return resumed.isEmpty ? [] : [["role": "assistant", "content": .string(resumed)]]
    }

    /// The text without white space at its end. The provider rejects a last assistant message that ends in white space
    /// (https://docs.anthropic.com/en/docs/build-with-claude/prompt-engineering/prefill-claudes-response).
    static func resumed(_ text: String) -> String {
        var end = text.endIndex
        while end > text.startIndex, text[text.index(before: end)].isWhitespace { end = text.index(before: end) }
        return String(text[..<end])
    }
}
