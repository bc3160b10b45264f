// Encodes the conversation of a Messages request: a separate system prompt, turns of user and assistant, and tool
// results in user turns.

internal import Chat
internal import JSON

struct AnthropicMessagesHistory {
    let context: RequestContext

    /// The conversation, as members of the body.
    struct Conversation {
        /// Text, or blocks of text if one of them has other members (`cache_control`).
        var system: JSONValue?
        var messages: [JSONValue]
        /// The container of the provider's code execution, if that waits for results of calls.
        var container: JSONValue?
    }

    /// Consecutive messages of one role.
    private struct Turn {
        var role: String
        var blocks: [JSONObject]

        /// The message. Tool results are first, because the provider requires them directly after their calls. A single
        /// plain text is a string. Nil for thinking alone: "the final block in an assistant message cannot be
        /// `thinking`".
        var encoded: JSONValue? {
            let isResult: (JSONObject) -> Bool = { $0["type"] == "tool_result" }
            var ordered = blocks.filter(isResult) + blocks.filter { !isResult($0) }
            while let type = ordered.last?["type"], type == "thinking" || type == "redacted_thinking" {
                ordered.removeLast()
            }
            guard !ordered.isEmpty else { return nil }
            let text = ordered.count == 1 && ordered[0].count == 2 ? ordered[0]["text"] : nil
            return ["role": .string(role), "content": text ?? .array(ordered.map { .object($0) })]
        }
    }

    /// - Throws: an `APIError` that names the invalid member.
    func conversation(of request: ChatRequest) throws(APIError) -> Conversation {
        var system: [JSONObject] = []
        var turns: [Turn] = []
        var container: JSONValue?
        let messages = try MessageReader(context: context, callIDs: Self.callIDs).messages(of: request)
        let legal = CallRepair(.common, messages: messages, tools: request.parameters["tools"])
        for message in messages {
            let blocks: [JSONObject]
            var role = "user"
            switch message.role {
            case .system, .developer:
                system += try self.system(message)
                continue
            case .user:
                blocks = try content(message)
                container = nil
            case .tool, .function: blocks = [try result(message)]
            case .assistant:
                role = "assistant"
                blocks = try assistant(message).map { Self.mended($0, legal) }
                container = message.native(for: "anthropic")?["container"]?["id"]
            }
            guard !blocks.isEmpty else { continue }
            if turns.last?.role == role {
                turns[turns.count - 1].blocks += blocks
            } else {
                turns.append(Turn(role: role, blocks: blocks))
            }
        }
        guard !turns.isEmpty else {
            throw context.invalid(
                "messages", "has nothing to send: \(context.provider) takes no request without a user's message")
        }
        return Conversation(
            system: Self.joined(system), messages: turns.compactMap(\.encoded), container: container)
    }

    // MARK: The system prompt

    private func system(_ message: Message) throws(APIError) -> [JSONObject] {
        var blocks: [JSONObject] = []
        for (index, part) in message.parts.enumerated() {
            switch part {
            case .text(let text, let extra): if let block = Self.text(text, extra) { blocks.append(block) }
            case .image:
                try context.cannotExpress(
                    "\(message.place).content[\(index + 1)]", because: "its system prompt is text")
            case .other(let object): blocks.append(object)
            }
        }
        return blocks
    }

    private static func joined(_ blocks: [JSONObject]) -> JSONValue? {
        if blocks.isEmpty { return nil }
        let texts = blocks.compactMap { $0.count == 2 ? $0["text"]?.string : nil }
        return texts.count == blocks.count
            ? .string(texts.joined(separator: "\n\n")) : .array(blocks.map { .object($0) })
    }

    // MARK: Content

    /// Nil for blank text, which the provider rejects.
    private static func text(_ text: String, _ extra: JSONObject = [:]) -> JSONObject? {
        guard !text.allSatisfy(\.isWhitespace) else { return nil }
        var block: JSONObject = ["type": "text", "text": .string(text)]
        block.merge(extra)
        return block
    }

    private func content(_ message: Message) throws(APIError) -> [JSONObject] {
        let blocks = self.blocks(message.parts)
        if blocks.isEmpty {
            try context.cannotExpress("\(message.place)", because: "it takes no message without content")
        }
        return blocks
    }

    private func blocks(_ parts: [Part]) -> [JSONObject] {
        parts.compactMap { part in
            switch part {
            case .text(let text, let extra): Self.text(text, extra)
            case .other(let object): object
            case .image(let image): ["type": "image", "source": .object(Self.source(image.source))]
            }
        }
    }

    private static func source(_ source: Image.Source) -> JSONObject {
        switch source {
        case .url(let url): ["type": "url", "url": .string(url)]
        case .data(let mediaType, let base64):
            ["type": "base64", "media_type": .string(mediaType), "data": .string(base64)]
        }
    }

    // MARK: Replies

    /// The native blocks of a reply if their text and calls are unchanged, otherwise blocks from the common members.
    private func assistant(_ message: Message) throws(APIError) -> [JSONObject] {
        if let native = message.native(for: "anthropic"), let blocks = native["content"]?.array?.compactMap(\.object),
            Self.says(blocks, message)
        {
            return Self.withIDs(of: message, blocks).filter {
                $0["type"] != "text" || $0["text"]?.string?.allSatisfy(\.isWhitespace) == false
            }
        }
        return blocks(message.parts)
            + message.toolCalls.map { call in
                [
                    "type": "tool_use", "id": .string(call.id), "name": .string(call.name), "input": Self.input(call),
                ]
            }
    }

    /// A call with a valid name and an object as input; other blocks unchanged.
    private static func mended(_ block: JSONObject, _ legal: CallRepair) -> JSONObject {
        block["type"] == "tool_use" ? legal.mended(block, arguments: "input") : block
    }

    private static func says(_ blocks: [JSONObject], _ message: Message) -> Bool {
        let text = blocks.compactMap { $0["type"] == "text" ? $0["text"]?.string : nil }.joined()
        let calls = blocks.filter { $0["type"] == "tool_use" }
        guard text == message.text, calls.map({ $0["id"]?.string ?? "" }) == message.writtenCallIDs else {
            return false
        }
        return zip(message.toolCalls, calls).allSatisfy { $0.agrees(name: $1["name"], arguments: $1["input"]) }
    }

    /// The blocks, whose calls get the ids that their results have.
    private static func withIDs(of message: Message, _ blocks: [JSONObject]) -> [JSONObject] {
        var ids = message.toolCalls.map(\.id)[...]
        return blocks.map { block in
            guard block["type"] == "tool_use", let id = ids.popFirst(), block["id"]?.string != id else { return block }
            var block = block
            block["id"] = .string(id)
            return block
        }
    }

    /// Arguments that are not complete JSON are wrapped in an object.
    private static func input(_ call: ToolCall) -> JSONValue {
        call.arguments ?? AnthropicMessagesContent.broken(json: call.argumentsJSON)
    }

    /// Calls may be from another provider. Ids have letters, digits, _ and - in this format
    /// (Messages API reference, `tool_use.id`: `^[a-zA-Z0-9_-]+$`).
    private static let callIDs = CallIDRule { id, _ in
        String(id.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "_" })
    }

    // MARK: Results of tools

    private func result(_ message: Message) throws(APIError) -> JSONObject {
        guard let id = message.toolCallID, !id.isEmpty else {
            throw context.invalid("\(message.place).tool_call_id", "is missing: which call is this the result of?")
        }
        var block: JSONObject = ["type": "tool_result", "tool_use_id": .string(id)]
        let blocks = blocks(message.parts)
        if blocks.count == 1, blocks[0].count == 2, let text = blocks[0]["text"] {
            block["content"] = text
        } else if !blocks.isEmpty {
            block["content"] = .array(blocks.map { .object($0) })
        }
        if message.isError { block["is_error"] = true }
        return block
    }
}
