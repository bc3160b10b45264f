// Encodes bodies and errors of Cohere's chat, version 2. Source: Cohere's API reference (v2 chat, chat-stream, errors).

internal import Base
internal import Chat
internal import JSON

struct CohereReplyEncoder: ReplyEncoder {
    let streamType = "text/event-stream"
    let keepAlive = Array(": keep-alive\n\n".utf8)
    let hasPlans = true

    func stream(_ head: ReplyHead) -> any StreamEncoder { CohereStreamEncoder(head) }

    func body(_ reply: WholeReply) -> [UInt8] {
        var object: JSONObject = [
            "id": .string(Self.id(reply.head.id)), "message": .object(Self.message(reply.blocks, reply.head)),
        ]
        object["finish_reason"] = reply.ending.reason.map { .string(Self.reason($0)) }
        object["usage"] = Self.usage(reply.ending.usage, reply.head)
        return JSONWriter.bytes(.object(object))
    }

    private static func message(_ blocks: [ReplyBlock], _ head: ReplyHead) -> JSONObject {
        var (text, thinking) = ("", "")
        var calls: [JSONValue] = []
        for block in blocks {
            switch block {
            case .text(let piece): text += piece
            case .reasoning(let piece): thinking += piece
            case .toolCall(let call): calls.append(call.messagePart)
            }
        }
        var content: [JSONValue] = []
        var message: JSONObject = ["role": "assistant"]
        if head.showsReasoning, !thinking.isEmpty {
            content.append(["type": "thinking", "thinking": .string(thinking)])
        } else if !thinking.isEmpty {
            message["tool_plan"] = .string(thinking)
        }
        if !text.isEmpty { content.append(["type": "text", "text": .string(text)]) }
        if !content.isEmpty || calls.isEmpty { message["content"] = .array(content) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return message
    }

    // MARK: Parts of messages

    /// An id in the form of a UUID.
    static func id(_ hex: String) -> String {
        "\(hex.prefix(8))-\(hex.dropFirst(8).prefix(4))-4000-8000-00000000\(hex.suffix(4))"
    }

    static func reason(_ reason: FinishReason) -> String {
        switch reason {
        case .stop, .cancelled, .other: "COMPLETE"
        case .length: "MAX_TOKENS"
        case .toolCalls: "TOOL_CALL"
        case .contentFilter: "ERROR_TOXIC"
        }
    }

    static func usage(_ usage: Usage, _ head: ReplyHead) -> JSONValue {
        var tokens: JSONObject = [
            "input_tokens": .int(Int64(usage.inputTokens ?? 0)), "output_tokens": .int(Int64(usage.outputTokens ?? 0)),
        ]
        let billed = JSONValue.object(tokens)
        if head.showsReasoning { tokens["reasoning_tokens"] = .int(Int64(usage.reasoningTokens ?? 0)) }
        return [
            "billed_units": billed, "tokens": .object(tokens), "cached_tokens": .int(Int64(usage.cachedTokens ?? 0)),
        ]
    }

    // MARK: Errors

    func errorBody(_ error: ReplyError) -> [UInt8] {
        var id = Fingerprint(seed: 0)
        id.add(error.message.utf8)
        return JSONWriter.bytes(["id": .string(Self.id(id.hex)), "message": .string(Self.message(error))])
    }

    static func message(_ error: ReplyError) -> String {
        (error.status == 400 ? "invalid request: " : "") + error.placedMessage
    }
}
