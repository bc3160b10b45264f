// Decodes the messages of a Messages request, and rejects those that Anthropic rejects.

internal import JSON

struct AnthropicMessagesHistoryDecoder {
    /// The conversation in the common form, oldest first.
    private(set) var messages: [JSONValue] = []
    /// Ids of calls without a result so far.
    private var open: [String] = []

    mutating func read(_ list: [JSONValue]) throws(ReplyError) {
        for (index, message) in list.enumerated() {
            let place = "messages.\(index)"
            let blocks = try Self.blocks(message["content"] ?? nil, place)
            switch message["role"]?.string {
            case "assistant": try readReply(blocks, place)
            case "user": try readUser(blocks, place)
            default:
                throw RequestBody.refused(
                    "Unexpected role. Use the top-level `system` parameter for a system prompt.", place)
            }
        }
        try refuseOpen("messages")
        if let last = messages.last, last["role"] == "assistant",
            CommonForm.text(of: last["content"] ?? nil).last?.isWhitespace == true
        {
            throw RequestBody.refused("final assistant content cannot end with trailing whitespace", "messages")
        }
    }

    private func refuseOpen(_ place: String) throws(ReplyError) {
        guard let id = open.first else { return }
        throw RequestBody.refused(
            "`tool_use` ids were found without `tool_result` blocks immediately after: \(id)", place)
    }

    private static func blocks(
        _ content: JSONValue, _ place: String, mayBeEmpty: Bool = false
    ) throws(ReplyError) -> [JSONValue] {
        switch content {
        case .string(let text) where mayBeEmpty && text.isEmpty: return []
        case .string(let text): return [CommonForm.text(text)]
        case .array(let blocks) where mayBeEmpty || !blocks.isEmpty: return blocks
        default: throw RequestBody.refused("content must be a string or a list of blocks, and not empty", place)
        }
    }

    static func checkTexts(_ blocks: [JSONValue], _ place: String) throws(ReplyError) {
        for block in blocks where block["type"] == "text" {
            guard block["text"]?.string?.allSatisfy(\.isWhitespace) == false else {
                throw RequestBody.refused("text content blocks must contain non-whitespace text", place)
            }
        }
    }

    // MARK: User turns

    /// Reads a user message. Results of calls are first; each is one message in the common form.
    private mutating func readUser(_ blocks: [JSONValue], _ place: String) throws(ReplyError) {
        let results = blocks.prefix { $0["type"] == "tool_result" }
        for result in results {
            let id = result["tool_use_id"]?.string ?? ""
            guard let call = open.firstIndex(of: id) else {
                throw RequestBody.refused("unexpected `tool_use_id` found in `tool_result` blocks: \(id)", place)
            }
            open.remove(at: call)
            let inner = try Self.blocks(result["content"] ?? "", place, mayBeEmpty: true)
            try Self.checkTexts(inner, place)
            var message: JSONObject = ["role": "tool", "tool_call_id": .string(id)]
            message["content"] = inner.isEmpty ? "" : Self.content(inner)
            if result["is_error"] == true { message["is_error"] = true }
            messages.append(.object(message))
        }
        try refuseOpen(place)
        let rest = Array(blocks.dropFirst(results.count))
        if rest.isEmpty { return }
        try Self.checkTexts(rest, place)
        messages.append(["role": "user", "content": Self.content(rest)])
    }

    private static func content(_ blocks: [JSONValue]) -> JSONValue {
        CommonForm.content(
            blocks.map { block in
                guard block["type"] == "image", let source = block["source"] else { return block }
                if let url = source["url"]?.string { return CommonForm.image(url: url) }
                guard let mediaType = source["media_type"]?.string, let base64 = source["data"]?.string else {
                    return block
                }
                return CommonForm.image(mediaType: mediaType, base64: base64)
            })
    }

    // MARK: Replies

    private mutating func readReply(_ blocks: [JSONValue], _ place: String) throws(ReplyError) {
        try refuseOpen(place)
        for block in blocks { try Self.check(block, place) }
        try Self.checkTexts(blocks, place)
        let uses = blocks.filter { $0["type"] == "tool_use" }
        open = uses.compactMap { $0["id"]?.string }
        let text = blocks.compactMap { $0["type"] == "text" ? $0["text"]?.string : nil }.joined()
        var message: JSONObject = ["role": "assistant"]
        message["content"] = text.isEmpty && !uses.isEmpty ? JSONValue.null : .string(text)
        if !uses.isEmpty { message["tool_calls"] = .array(uses.map(Self.call)) }
        let isPlain = blocks.allSatisfy { $0["type"] == "text" && $0.object?.count == 2 || $0["type"] == "tool_use" }
        if !isPlain { message["native"] = ["dialect": "anthropic", "content": .array(blocks)] }
        messages.append(.object(message))
    }

    private static func call(_ block: JSONValue) -> JSONValue {
        CommonForm.call(
            id: block["id"]?.string, name: block["name"]?.string ?? "",
            argumentsJSON: JSONWriter.text(block["input"] ?? [:]))
    }

    private static func check(_ block: JSONValue, _ place: String) throws(ReplyError) {
        switch block["type"]?.string {
        case "thinking":
            var signature = AnthropicMessagesSignature()
            signature.add(block["thinking"]?.string ?? "")
            guard block["signature"]?.string == signature.text else {
                throw RequestBody.refused("Invalid `signature` in `thinking` block", place)
            }
        case "tool_use":
            guard block["input"]?.object != nil else {
                throw RequestBody.refused("tool_use.input must be an object", place)
            }
        default: break
        }
    }
}
