// What has been received of one reply, over all its attempts, and how it becomes a `Reply`. Keeps the text in step with
// delivery: a stopped reply holds what its reader saw, no more.

internal import Dialects
internal import Wire

/// Text and reasoning of a reply as they grow.
struct Transcript {
    private(set) var text = ""
    private(set) var reasoning = ""
    /// Output tokens of earlier attempts that this one continues, estimated.
    private var carriedTokens = 0
    /// The output that a `reset` has voided, for as long as the reader may not have seen that `reset`.
    private var voided: (text: String, reasoning: String)?

    mutating func append(text piece: String) { text += piece }
    mutating func append(reasoning piece: String) { reasoning += piece }

    /// Begins anew; nobody has seen what there was.
    mutating func clear() {
        text = ""
        reasoning = ""
        carriedTokens = 0
    }

    /// Begins anew; a `reset` tells the reader.
    mutating func void() {
        if voided == nil { voided = (text, reasoning) }
        clear()
    }

    /// The reader has taken something after the `reset`.
    mutating func forgetVoided() { voided = nil }

    /// An attempt was cut; the next one goes on from here.
    mutating func carry() { carriedTokens = estimatedTokens(in: text) + estimatedTokens(in: reasoning) }

    /// Keeps what the reader has seen.
    /// - Parameters:
    ///   - unseen: output taken by the reader and not shown.
    ///   - waiting: output not taken.
    ///   - isResetWaiting: whether a `reset` was not taken.
    mutating func cut(unseen: Undelivered, waiting: Undelivered, isResetWaiting: Bool) {
        var textBytes = unseen.textBytes
        var reasoningBytes = unseen.reasoningBytes
        if isResetWaiting || unseen.spansReset, let old = voided {
            (text, reasoning) = old
        } else {
            textBytes += waiting.textBytes
            reasoningBytes += waiting.reasoningBytes
        }
        text = Self.dropLast(textBytes, of: text)
        reasoning = Self.dropLast(reasoningBytes, of: reasoning)
    }

    private static func dropLast(_ bytes: Int, of text: String) -> String {
        bytes <= 0 ? text : String(decoding: text.utf8.dropLast(bytes), as: UTF8.self)
    }

    /// Token counts of a whole reply: the provider's, plus what earlier attempts of a continued one must have cost.
    func usage(reported: Usage?) -> Usage? {
        guard carriedTokens > 0, var usage = reported else { return reported }
        usage.outputTokens = usage.outputTokens.map { $0 + carriedTokens }
        usage.totalTokens = usage.totalTokens.map { $0 + carriedTokens }
        usage.estimated = true
        return usage
    }

    /// Token counts of a cut reply. The provider's last word counts where it covers what came; some report one output
    /// token at the beginning and the truth at the end.
    func partialUsage(reported: Usage?) -> Usage? {
        let estimate = estimatedTokens(in: text) + estimatedTokens(in: reasoning)
        var usage = reported ?? Usage()
        if let known = usage.outputTokens, known + carriedTokens >= estimate / 2 { return self.usage(reported: usage) }
        usage.outputTokens = estimate
        usage.totalTokens = usage.inputTokens.map { $0 + estimate }
        usage.estimated = true
        return usage
    }
}
