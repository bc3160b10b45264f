// Encodes Cohere chat requests: messages and tools as in Chat Completions, other names for sampling options.

internal import Chat
internal import HTTP
internal import JSON

struct CohereRequestEncoder: RequestEncoder {
    static let optionNames: OptionNames = [
        (.temperature, "temperature"), (.topP, "p"), (.topK, "k"), (.seed, "seed"), (.logprobs, "logprobs"),
        (.presencePenalty, "presence_penalty"), (.frequencyPenalty, "frequency_penalty"),
    ]

    let input: EncoderInput

    /// The base URL may end in a version, like the URLs in Cohere's documentation.
    func url() throws(APIError) -> String {
        try endpoint.root().without(["/v2", "/v1"]).appending("/v2/chat")
    }

    func body() throws(APIError) -> JSONObject {
        try checkModel()
        var options = try RequestOptions(input)
        let read = try MessageReader(context: context).messages(of: request)
        let legal = CallRepair(.cohere, messages: read, tools: request.parameters["tools"])
        var messages: [JSONValue] = []
        for message in read {
            let form = try encoded(message, legal)
            // A message without content is rejected.
            if message.role == .assistant, message.toolCalls.isEmpty, Message.isBlank(message.text) { continue }
            messages.append(form)
        }
        var body: JSONObject = ["model": .string(request.model), "messages": .array(messages), "stream": true]
        let tools = try options.takeTools()
        if !tools.isEmpty { body["tools"] = .array(tools.map(\.chatCompletionsForm)) }
        switch try options.takeToolChoice() {
        case nil, .auto: break
        case .required: body["tool_choice"] = "REQUIRED"
        case .some(.none): body["tool_choice"] = "NONE"
        case .function: try context.cannotExpress("tool_choice", because: "it cannot be held to one tool")
        case .native(let object): body["tool_choice"] = .object(object)
        }
        switch try options.takeResponseFormat() {
        case nil, .text: break
        case .jsonObject: body["response_format"] = ["type": "json_object"]
        case .jsonSchema(let format):
            body["response_format"] = ["type": "json_object", "json_schema": .object(format.schema)]
        case .native(let object): body["response_format"] = .object(object)
        }
        switch try options.takeThinking() {
        case .unspecified: break
        case .off: body["thinking"] = ["type": "disabled"]
        case .on(let budget, let effort):
            if effort != nil { try context.cannotExpress("reasoning_effort", because: "it takes a number of tokens") }
            var thinking: JSONObject = ["type": "enabled"]
            if let budget { thinking["token_budget"] = .int(budget) }
            body["thinking"] = .object(thinking)
        case .native(let object, _): body["thinking"] = .object(object)
        }
        if let count = try options.takeMaxTokens() { body["max_tokens"] = .int(count) }
        if let stop = try options.takeStop() { body["stop_sequences"] = .array(stop) }
        options.move(Self.optionNames, to: &body)
        try options.finish(into: &body)
        try refuseContinuation()
        return body
    }

    private func encoded(_ message: Message, _ legal: CallRepair) throws(APIError) -> JSONValue {
        switch message.role {
        case .system, .developer:
            try context.refuseImages(in: message, because: "its system prompt is text")
            return ["role": "system", "content": .string(message.text)]
        case .user: return ["role": "user", "content": try content(message)]
        case .tool, .function:
            guard let id = message.toolCallID else {
                throw context.invalid("\(message.place).tool_call_id", "is missing: which call is this the result of?")
            }
            return ["role": "tool", "tool_call_id": .string(id), "content": try content(message)]
        case .assistant:
            var object: JSONObject = ["role": "assistant"]
            let native = message.native(for: "cohere")
            try context.refuseImages(in: message, because: "its replies are text")
            var content: [JSONValue] = []
            if let thinking = native?["thinking"] { content.append(["type": "thinking", "thinking": thinking]) }
            if content.isEmpty {
                if !message.text.isEmpty { object["content"] = .string(message.text) }
            } else {
                if !message.text.isEmpty { content.append(["type": "text", "text": .string(message.text)]) }
                object["content"] = .array(content)
            }
            if !message.toolCalls.isEmpty {
                object["tool_calls"] = .array(message.toolCalls.map { legal.call($0).messagePart })
                if let plan = native?["tool_plan"] { object["tool_plan"] = plan }
            }
            return .object(object)
        }
    }

    /// A plain string if the message has only text, otherwise an array of parts.
    private func content(_ message: Message) throws(APIError) -> JSONValue {
        let isText = message.parts.allSatisfy { if case .text = $0 { true } else { false } }
        if isText { return .string(message.text) }
        return .array(
            message.parts.map { part in
                switch part {
                case .text(let text, _): ["type": "text", "text": .string(text)]
                case .image(let image): ["type": "image_url", "image_url": ["url": .string(image.url)]]
                case .other(let object): .object(object)
                }
            })
    }
}
