// Encodes Messages bodies and errors. Source: Anthropic's API reference (messages, messages-streaming, errors).

internal import Base
internal import Chat
internal import JSON

struct AnthropicMessagesReplyEncoder: ReplyEncoder {
    let streamType = "text/event-stream; charset=utf-8"
    /// Anthropic sends events, not comments.
    let keepAlive = Array(Self.ping.utf8)

    static let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n"

    func stream(_ head: ReplyHead) -> any StreamEncoder { AnthropicMessagesStreamEncoder(head) }

    func body(_ reply: WholeReply) -> [UInt8] {
        var message = Self.message(reply.head)
        message["content"] = .array(reply.blocks.map(Self.block))
        message["stop_reason"] = reply.ending.reason.map { .string(Self.reason($0)) } ?? nil
        message["usage"] = Self.usage(reply.ending.usage)
        return JSONWriter.bytes(.object(message))
    }

    private static func block(_ block: ReplyBlock) -> JSONValue {
        switch block {
        case .text(let text): return ["type": "text", "text": .string(text)]
        case .reasoning(let text):
            var signature = AnthropicMessagesSignature()
            signature.add(text)
            return ["type": "thinking", "thinking": .string(text), "signature": .string(signature.text)]
        case .toolCall(let call):
            var form = toolUse(id: call.id, name: call.name)
            // Arguments truncated by the token limit are not an object, and are left out.
            if let arguments = call.arguments { form["input"] = arguments }
            return .object(form)
        }
    }

    // MARK: Parts of messages

    /// The message's own members, before any content.
    static func message(_ head: ReplyHead) -> JSONObject {
        [
            "id": .string("msg_\(head.id)"), "type": "message", "role": "assistant", "model": .string(head.model),
            "content": [], "stop_reason": nil, "stop_sequence": nil,
        ]
    }

    static func toolUse(id: String, name: String) -> JSONObject {
        ["type": "tool_use", "id": .string(id), "name": .string(name), "input": [:]]
    }

    static func reason(_ reason: FinishReason) -> String {
        switch reason {
        case .stop, .cancelled, .other: "end_turn"
        case .length: "max_tokens"
        case .toolCalls: "tool_use"
        case .contentFilter: "refusal"
        }
    }

    /// The input tokens exclude those of the cache.
    static func usage(_ usage: Usage) -> JSONValue {
        var input = usage.inputTokens ?? 0
        if !usage.countsCacheApart { input = max(0, input - (usage.cachedTokens ?? 0) - (usage.cacheWriteTokens ?? 0)) }
        return [
            "input_tokens": .int(Int64(input)),
            "cache_creation_input_tokens": .int(Int64(usage.cacheWriteTokens ?? 0)),
            "cache_read_input_tokens": .int(Int64(usage.cachedTokens ?? 0)),
            "output_tokens": .int(Int64(usage.outputTokens ?? 0)),
            "output_tokens_details": ["thinking_tokens": .int(Int64(usage.reasoningTokens ?? 0))],
        ]
    }

    // MARK: Errors

    func errorBody(_ error: ReplyError) -> [UInt8] { JSONWriter.bytes(Self.error(error)) }

    static func error(_ error: ReplyError) -> JSONValue {
        let type =
            switch error.status {
            case _ where error.code == "insufficient_quota": "billing_error"
            case 401: "authentication_error"
            case 403: "permission_error"
            case 404: "not_found_error"
            case 408, 504: "timeout_error"
            case 413: "request_too_large"
            case 429: "rate_limit_error"
            case 503, 529: "overloaded_error"
            case 500...: "api_error"
            default: "invalid_request_error"
            }
        return ["type": "error", "error": ["type": .string(type), "message": .string(error.placedMessage)]]
    }
}

/// The signature of a thinking block. A request that sends back changed thinking is rejected.
struct AnthropicMessagesSignature {
    private var fingerprint = Fingerprint(seed: 0)

    mutating func add(_ thinking: String) { fingerprint.add(thinking.utf8) }

    var text: String { "sig/" + String(fingerprint.value, radix: 36) + "==" }
}
