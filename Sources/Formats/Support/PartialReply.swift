// The assistant message of a partial reply: one that was stopped or failed.

package import JSON

extension StreamDecoder {
    /// The assistant message of a partial reply, without tool calls. They are not run, and every format rejects a call
    /// without its result.
    package func partialMessage(_ reply: ReplyText) -> JSONValue {
        let whole = assistantMessage(reply)
        guard var message = whole.object else { return whole }
        message["tool_calls"] = nil
        if message["content"]?.isNull != false { message["content"] = .string(reply.text) }
        message["native"] = message["native"]?.object.flatMap(PartialReply.withoutCalls).map { .object($0) }
        return .object(message)
    }
}

/// The native parts of a partial reply.
private enum PartialReply {
    /// Nil if no part can be sent back.
    static func withoutCalls(_ native: JSONObject) -> JSONObject? {
        var native = native
        if let blocks = native["content"]?.array {
            // A call of a provider's own tool is valid only with its result.
            let answered = Set(blocks.compactMap { $0["tool_use_id"]?.string })
            let kept = blocks.filter { block in
                guard let type = block["type"]?.string, type.hasSuffix("tool_use") else { return true }
                return type != "tool_use" && answered.contains(block["id"]?.string ?? "")
            }
            guard !kept.isEmpty else { return nil }
            native["content"] = .array(kept)
        }
        if let parts = native["parts"]?.array {
            let kept = parts.filter { $0["functionCall"] == nil }
            guard !kept.isEmpty else { return nil }
            native["parts"] = .array(kept)
        }
        // Items refer to each other: reasoning is rejected without the call that followed it.
        if native["output"]?.array?.contains(where: OpenAIResponsesItems.waitsForClient) == true { return nil }
        return native
    }
}
