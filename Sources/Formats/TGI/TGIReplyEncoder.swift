// Encodes bodies and errors of TGI's own endpoints. Source: TGI's API reference (/generate, /generate_stream) and its
// error types.

internal import Chat
internal import JSON

struct TGIReplyEncoder: ReplyEncoder {
    let streamType = "text/event-stream"
    let keepAlive = Array(":\n\n".utf8)

    func stream(_ head: ReplyHead) -> any StreamEncoder { TGIStreamEncoder(head) }

    func body(_ reply: WholeReply) -> [UInt8] {
        // The format has only text: no reasoning, no tools.
        let texts = reply.blocks.map { if case .text(let text) = $0 { text } else { "" } }
        var object: JSONObject = ["generated_text": .string(texts.joined())]
        if reply.head.includesUsage, let reason = reply.ending.reason {
            var details = Self.details(reason, reply.ending)
            details["prefill"] = []
            details["tokens"] = []
            object["details"] = .object(details)
        }
        return JSONWriter.bytes(.object(object))
    }

    /// The value of `details`. The token that ends a text is counted.
    static func details(_ reason: FinishReason, _ ending: ReplyEnding) -> JSONObject {
        let isCut = reason == .length
        let usage = ending.usage
        return [
            "finish_reason": isCut ? "length" : "eos_token",
            "generated_tokens": .int(Int64((usage.outputTokens ?? 0) + (isCut || ending.countsEndToken ? 0 : 1))),
            "seed": nil,
            "input_length": .int(Int64(usage.inputTokens ?? 0)),
        ]
    }

    // MARK: Errors

    func errorBody(_ error: ReplyError) -> [UInt8] { JSONWriter.bytes(Self.error(error)) }

    /// The error object. The server has types for its own errors; those of the gateway in front of it (keys, limits)
    /// have no type.
    static func error(_ error: ReplyError) -> JSONValue {
        let type: String? =
            switch error.status {
            case 400, 422: "validation"
            case 503, 529: "overloaded"
            case 500...: "generation"
            default: nil
            }
        let place = error.parameter.map { "`\($0)`: " } ?? ""
        let prefix = type == "validation" ? "Input validation error: " : ""
        var object: JSONObject = ["error": .string(prefix + place + error.message)]
        if let type { object["error_type"] = .string(type) }
        return .object(object)
    }
}
