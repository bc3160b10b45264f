// Messages on their way into a Chat Completions body. The common form is this dialect's own: a message goes as it was
// written, but for images, for calls in the short form, and for what belongs to another dialect.

internal import Wire

/// Writes messages.
struct OpenAIMessages {
    let quirks: Quirks

    /// The members in which Chat Completions servers send reasoning.
    private static let reasoningMembers = [
        "reasoning_content", "reasoning", "reasoning_text", "thinking", "reasoning_details",
    ]

    func written(_ messages: [Message]) -> [JSONValue] {
        // A turn is finished once the user has spoken again.
        let lastUser = messages.lastIndex { $0.role == .user } ?? -1
        return messages.indices.map { written(messages[$0], isInOpenTurn: $0 > lastUser) }
    }

    private func written(_ message: Message, isInOpenTurn: Bool) -> JSONValue {
        var object = message.raw
        object["native"] = nil
        object["is_error"] = nil
        if message.raw["content"]?.array != nil { object["content"] = content(message.parts) }
        if object["content"]?.object?.isEmpty == true { object["content"] = [] }
        if message.toolCalls.isEmpty {
            if object["tool_calls"]?.object != nil { object["tool_calls"] = nil }
        } else {
            object["tool_calls"] = .array(calls(of: message))
        }
        let echoes =
            switch quirks.reasoningEcho {
            case .keep: true
            case .drop: false
            case .toolLoop: isInOpenTurn
            }
        if !echoes { for name in Self.reasoningMembers { object[name] = nil } }
        return .object(object)
    }

    private func content(_ parts: [Part]) -> JSONValue {
        .array(
            parts.map { part in
                switch part {
                case .text(let text, let extra):
                    var form: JSONObject = ["type": "text", "text": .string(text)]
                    form.merge(extra)
                    return .object(form)
                case .other(let object): return .object(object)
                case .image(let image):
                    var form: JSONObject = ["url": .string(image.url)]
                    if let detail = image.detail { form["detail"] = .string(detail) }
                    return ["type": "image_url", "image_url": .object(form)]
                }
            })
    }

    /// Calls that stand in this dialect's form keep all their members; providers hide signatures in them.
    private func calls(of message: Message) -> [JSONValue] {
        let raw = message.raw["tool_calls"]?.array ?? []
        return message.toolCalls.enumerated().map { index, call in
            if index < raw.count, raw[index]["function"] != nil { return raw[index] }
            return [
                "id": .string(call.id), "type": "function",
                "function": ["name": .string(call.name), "arguments": .string(call.argumentsJSON)],
            ]
        }
    }
}
