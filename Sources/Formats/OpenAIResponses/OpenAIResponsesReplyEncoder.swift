// Encodes Responses bodies and errors. Source: OpenAI's API reference (responses, responses-streaming).

internal import Base
internal import Chat
internal import JSON

struct OpenAIResponsesReplyEncoder: ReplyEncoder {
    let streamType = "text/event-stream; charset=utf-8"
    let keepAlive = Array(": keepalive\n\n".utf8)
    let hasRefusals = true

    func stream(_ head: ReplyHead) -> any StreamEncoder { OpenAIResponsesStreamEncoder(head) }

    func body(_ reply: WholeReply) -> [UInt8] {
        let isCut = reply.ending.reason == .length
        var output = reply.blocks.enumerated().map { index, block -> JSONValue in
            OpenAIResponsesOutputItem(block, index: index, replyID: reply.head.id)
                .done(isCut: isCut && index == reply.blocks.count - 1)
        }
        if let refusal = reply.ending.refusal {
            let item = OpenAIResponsesOutputItem(ReplyPart.text(""), index: output.count, replyID: reply.head.id)
            output.append(item.refused(refusal))
        }
        return JSONWriter.bytes(Self.finished(reply.head, reply.ending, output))
    }

    // MARK: The response

    /// The response before any output.
    static func begun(_ head: ReplyHead) -> JSONValue { response(head, status: "in_progress", output: [], usage: nil) }

    static func status(_ ending: ReplyEnding) -> String {
        switch ending.reason {
        case .length, .contentFilter: "incomplete"
        default: "completed"
        }
    }

    static func finished(_ head: ReplyHead, _ ending: ReplyEnding, _ output: [JSONValue]) -> JSONValue {
        let counts = ending.usage
        let usage: JSONValue = [
            "input_tokens": .int(Int64(counts.inputTokens ?? 0)),
            "input_tokens_details": [
                "cached_tokens": .int(Int64(counts.cachedTokens ?? 0)),
                "cache_write_tokens": .int(Int64(counts.cacheWriteTokens ?? 0)),
            ],
            "output_tokens": .int(Int64(counts.outputTokens ?? 0)),
            "output_tokens_details": ["reasoning_tokens": .int(Int64(counts.reasoningTokens ?? 0))],
            "total_tokens": .int(counts.sum),
        ]
        let reason: JSONValue? =
            switch ending.reason {
            case .length: "max_output_tokens"
            case .contentFilter: "content_filter"
            default: nil
            }
        return response(head, status: status(ending), reason: reason, output: output, usage: usage)
    }

    private static func response(
        _ head: ReplyHead, status: String, reason: JSONValue? = nil, output: [JSONValue], usage: JSONValue
    ) -> JSONValue {
        var response: JSONObject = [
            "id": .string("resp_\(head.id)"), "object": "response", "created_at": .int(Int64(head.created)),
            "status": .string(status), "background": false, "error": nil,
            "incomplete_details": reason.map { ["reason": $0] } ?? nil, "model": .string(head.model),
            "output": .array(output), "previous_response_id": nil, "usage": usage,
        ]
        for member in head.echoed { response[member.key] = member.value }
        return .object(response)
    }

    // MARK: Errors

    func errorBody(_ error: ReplyError) -> [UInt8] { JSONWriter.bytes(OpenAIChatReplyEncoder.error(error)) }
}

/// An item of a response's output: reasoning, a message or a call.
struct OpenAIResponsesOutputItem {
    enum Kind: Equatable {
        case reasoning, message
        case call(index: Int)

        init(of part: ReplyPart) {
            self =
                switch part {
                case .reasoning: .reasoning
                case .text: .message
                case .toolCall(let index, _, _), .arguments(let index, _): .call(index: index)
                }
        }
    }

    let kind: Kind
    let id: String
    private let callID: String
    private let name: String
    /// The text so far, or the call's arguments.
    var text = ""

    /// An item that begins with this part.
    init(_ part: ReplyPart, index: Int, replyID: String) {
        kind = Kind(of: part)
        let prefix =
            switch kind {
            case .reasoning: "rs"
            case .message: "msg"
            case .call: "fc"
            }
        id = "\(prefix)_\(replyID)\(index)"
        if case .toolCall(_, let callID, let name) = part {
            (self.callID, self.name) = (callID, name)
        } else {
            (callID, name) = ("", "")
        }
    }

    /// The complete item of a block.
    init(_ block: ReplyBlock, index: Int, replyID: String) {
        switch block {
        case .reasoning(let text):
            self.init(ReplyPart.reasoning(text), index: index, replyID: replyID)
            self.text = text
        case .text(let text):
            self.init(ReplyPart.text(text), index: index, replyID: replyID)
            self.text = text
        case .toolCall(let call):
            self.init(ReplyPart.toolCall(index: 0, id: call.id, name: call.name), index: index, replyID: replyID)
            text = call.argumentsJSON
        }
    }

    /// The item without content.
    var begun: JSONValue {
        switch kind {
        case .reasoning: ["id": .string(id), "type": "reasoning", "summary": []]
        case .message: message(status: "in_progress", content: [])
        case .call: call(status: "in_progress", arguments: "")
        }
    }

    /// The complete item.
    /// - Parameter isCut: whether the token limit truncated it.
    func done(isCut: Bool) -> JSONValue {
        let status = isCut ? "incomplete" : "completed"
        switch kind {
        case .reasoning:
            return [
                "id": .string(id), "type": "reasoning", "summary": [part(text)],
                "encrypted_content": .string(OpenAIResponsesEncryptedReasoning.content(itemID: id)),
            ]
        case .message: return message(status: status, content: [part(text)])
        case .call: return call(status: status, arguments: text)
        }
    }

    /// A part of the item that holds `text`.
    func part(_ text: String) -> JSONValue {
        kind == .reasoning
            ? ["type": "summary_text", "text": .string(text)]
            : ["type": "output_text", "annotations": [], "logprobs": [], "text": .string(text)]
    }

    /// The complete item with a refusal in place of its text.
    func refused(_ refusal: String) -> JSONValue {
        message(status: "completed", content: [Self.part(refusal: refusal)])
    }

    static func part(refusal: String) -> JSONValue { ["type": "refusal", "refusal": .string(refusal)] }

    private func message(status: String, content: JSONValue) -> JSONValue {
        [
            "id": .string(id), "type": "message", "status": .string(status), "content": content, "role": "assistant",
        ]
    }

    private func call(status: String, arguments: String) -> JSONValue {
        [
            "id": .string(id), "type": "function_call", "status": .string(status), "arguments": .string(arguments),
            "call_id": .string(callID), "name": .string(name),
        ]
    }
}

/// The `encrypted_content` of reasoning items. It holds no reasoning, and is verified when it is sent back.
enum OpenAIResponsesEncryptedReasoning {
    static func content(itemID: String) -> String {
        let content = seal(itemID)
        return "gAAAA\(content)-\(seal(content))=="
    }

    /// Whether it is the content of any item. Items may be sent back without their ids.
    static func isValid(_ text: String) -> Bool {
        guard text.hasPrefix("gAAAA"), text.hasSuffix("==") else { return false }
        let parts = text.dropFirst("gAAAA".count).dropLast("==".count).split(separator: "-").map(String.init)
        return parts.count == 2 && parts[1] == seal(parts[0])
    }

    private static func seal(_ text: String) -> String {
        var seal = Fingerprint(seed: 0)
        seal.add(text.utf8)
        return String(seal.value, radix: 36)
    }
}
