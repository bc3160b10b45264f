// The last event of a request that its client breaks off, for brokers that play recorded replies.

internal import JSON

/// The end of a request that its client breaks off.
package struct PartialEnd {
    private var reply: Reply

    /// - Parameter taken: the reply with the text that the client has taken.
    package init(_ taken: Reply, _ undelivered: Undelivered) {
        reply = taken
        reply.text = Self.cut(taken.text, undelivered.textBytes)
        reply.reasoning = Self.cut(taken.reasoning, undelivered.reasoningBytes)
        reply.toolCalls = []
        reply.nativeCalls = []
        reply.finishReasonRaw = nil
        reply.finishReason = nil
        reply.message = ["role": "assistant", "content": .string(reply.text)]
    }

    /// The last event of the request.
    package func event(isCancelled: Bool, provider: String, model: String) -> ChatEvent {
        var reply = reply
        guard isCancelled else {
            reply.finishReason = .cancelled
            return .finish(reply)
        }
        let hasOutput = !reply.text.isEmpty || !reply.reasoning.isEmpty
        return .failed(
            RequestFailure(
                kind: .cancelled, message: "cancelled", isRetryable: false, provider: provider, model: model,
                attempts: reply.attempts, partial: hasOutput ? reply : nil))
    }

    private static func cut(_ text: String, _ bytes: Int) -> String {
        guard bytes > 0 else { return text }
        return String(decoding: text.utf8.dropLast(bytes), as: UTF8.self)
    }
}
