// How TGI's own endpoint is asked: one prompt, and `parameters`. It applies no chat template, so a conversation is
// written out plainly; who needs the model's own template asks the server's Chat Completions endpoint. Called by
// TGIFormat alone.

internal import Chat
internal import HTTP
internal import JSON

/// One request on its way to the wire.
struct TGIRequestEncoder: RequestEncoder {
    /// Members of `parameters`.
    static let optionNames: OptionNames = [
        (.temperature, "temperature"), (.topP, "top_p"), (.topK, "top_k"), (.seed, "seed"),
        (.frequencyPenalty, "frequency_penalty"),
    ]

    let input: EncoderInput

    func url() throws(APIError) -> String {
        try BaseURL(endpoint.baseURL).without(["/v1"]).appending("/generate_stream")
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
        // Without tools there is nothing to choose.
        if let choice = try options.takeToolChoice(), choice != .auto, choice != .none {
            try context.cannotExpress("tool_choice")
        }
        try options.finish(into: &parameters)
        return ["inputs": .string(try prompt()), "parameters": .object(parameters), "stream": true]
    }

    // MARK: The prompt

    /// A single message of the user's goes as it is: a base model's prompt. More than one are written out as a dialogue
    /// that ends where the assistant is to speak.
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
            case .tool, .function: try context.cannotExpress(message.place, because: "it knows no tools")
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
