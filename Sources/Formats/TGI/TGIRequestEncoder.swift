// Encodes requests to TGI's own endpoint: one prompt, and `parameters`. The endpoint applies no chat template, so a
// conversation is written as a plain dialogue. The server's Chat Completions endpoint applies the template.

internal import Chat
internal import HTTP
internal import JSON

struct TGIRequestEncoder: RequestEncoder {
    /// Options that are members of `parameters`.
    static let optionNames: OptionNames = [
        (.temperature, "temperature"), (.topP, "top_p"), (.topK, "top_k"), (.seed, "seed"),
        (.frequencyPenalty, "frequency_penalty"),
    ]

    let input: EncoderInput

    func url() throws(APIError) -> String {
        try endpoint.root().without(["/v1"]).appending("/generate_stream")
    }

    func body() throws(APIError) -> JSONObject {
        var options = try RequestOptions(input)
        var parameters: JSONObject = ["details": true]
        if let count = try options.takeMaxTokens() { parameters["max_new_tokens"] = .int(count) }
        if let stop = try options.takeStop() { parameters["stop"] = .array(stop) }
        options.move(Self.optionNames, to: &parameters)
        switch try options.takeResponseFormat() {
        case nil, .text: break
        case .jsonObject: parameters["grammar"] = ["type": "json", "value": ["type": "object"]]
        case .jsonSchema(let format): parameters["grammar"] = ["type": "json", "value": .object(format.schema)]
        case .native(let object): parameters["grammar"] = .object(object)
        }
        if !(try options.takeTools()).isEmpty { try context.cannotExpress("tools") }
        // Without tools these two are redundant.
        if let choice = try options.takeToolChoice(), choice != .auto, choice != .none {
            try context.cannotExpress("tool_choice")
        }
        try options.finish(into: &parameters)
        return ["inputs": .string(try prompt()), "parameters": .object(parameters), "stream": true]
    }

    // MARK: The prompt

    /// A single user message is the prompt, as for a base model. Several messages are written as a dialogue that ends
    /// with the beginning of the assistant's turn.
    private func prompt() throws(APIError) -> String {
        let messages = try MessageReader(context: context).messages(of: request)
        let continuing = request.continuing ?? ""
        if messages.count == 1, messages[0].role == .user { return try text(of: messages[0]) + continuing }
        var prompt = ""
        for message in messages {
            let text = try self.text(of: message)
            switch message.role {
            case .system, .developer: prompt += text + "\n\n"
            case .user: prompt += "User: \(text)\n"
            case .assistant: prompt += "Assistant: \(text)\n"
            case .tool, .function: try context.cannotExpress("\(message.place)", because: "it knows no tools")
            }
        }
        return prompt + "Assistant:" + (continuing.isEmpty ? "" : " \(continuing)")
    }

    private func text(of message: Message) throws(APIError) -> String {
        if !message.toolCalls.isEmpty { try context.cannotExpress("\(message.place).tool_calls") }
        for (index, part) in message.parts.enumerated() {
            if case .text = part { continue }
            try context.cannotExpress("\(message.place).content[\(index + 1)]", because: "a prompt is text alone")
        }
        return message.text
    }
}
