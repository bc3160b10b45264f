// What has been received of one reply, over all its attempts, and how it becomes a `Reply`. Keeps the text in step with
// delivery: a stopped reply holds what its reader saw, no more.

internal import Base
internal import Chat
internal import Formats
internal import JSON

/// Text and reasoning of a reply as they grow.
struct Transcript {
    private var spoken = TextBuilder()
    private var thought = TextBuilder()
    /// Output tokens of earlier attempts that this one continues, estimated.
    private var carriedTokens = 0
    /// Which block of the last attempt's message the text belongs to.
    private var blocks = TextBlocks()
    /// How many bytes at the ends of both the reader does not have.
    private var textCut = 0
    private var reasoningCut = 0
    /// The output that a `reset` has voided, for as long as the reader may not have seen that `reset`.
    private var voided: (spoken: TextBuilder, thought: TextBuilder)?

    var text: String { spoken.text }
    var reasoning: String { thought.text }
    var hasText: Bool { !spoken.isEmpty }
    var hasReasoning: Bool { !thought.isEmpty }

    /// The reply's text, for the decoder of the last attempt.
    var reply: ReplyText {
        blocks.reply(text: text, reasoning: reasoning, textCut: textCut, reasoningCut: reasoningCut)
    }

    /// The text that follows belongs to that block.
    mutating func begin(block: Int) { blocks.begin(block) }

    /// Takes note of text as the decoder emits it.
    mutating func receive(_ batch: TextBatch) { blocks.add(batch) }

    /// Adds text as the reader gets it.
    mutating func append(_ batch: TextBatch) {
        switch batch.kind {
        case .text: spoken.append(batch)
        case .reasoning: thought.append(batch)
        }
    }

    /// Begins anew; nobody has seen what there was.
    mutating func clear() {
        spoken = TextBuilder()
        thought = TextBuilder()
        carriedTokens = 0
        blocks = TextBlocks()
    }

    /// Begins anew; a `reset` tells the reader.
    mutating func void() {
        if voided == nil { voided = (spoken, thought) }
        clear()
    }

    /// The reader has taken something after the `reset`.
    mutating func forgetVoided() { voided = nil }

    /// An attempt was cut; the next one goes on from here.
    mutating func carry() {
        carriedTokens = guessedTokens
        blocks = TextBlocks()
    }

    private var guessedTokens: Int {
        Int(estimatedTokens(in: spoken.bytes).rounded(.up)) + Int(estimatedTokens(in: thought.bytes).rounded(.up))
    }

    /// Keeps what the reader has seen.
    /// - Parameters:
    ///   - unseen: output taken by the reader and not shown.
    ///   - waiting: output not taken.
    ///   - isResetWaiting: whether a `reset` was not taken.
    mutating func cut(unseen: Undelivered, waiting: Undelivered, isResetWaiting: Bool) {
        var textBytes = unseen.textBytes
        var reasoningBytes = unseen.reasoningBytes
        if isResetWaiting || unseen.spansReset, let old = voided {
            (spoken, thought) = old
            blocks = TextBlocks()
        } else {
            textBytes += waiting.textBytes
            reasoningBytes += waiting.reasoningBytes
        }
        (textCut, reasoningCut) = (min(textBytes, spoken.count), min(reasoningBytes, thought.count))
        spoken.removeLast(textBytes)
        thought.removeLast(reasoningBytes)
    }

    /// Token counts of a whole reply: the provider's, plus what earlier attempts of a continued one must have cost.
    func usage(reported: Usage?) -> Usage? {
        guard carriedTokens > 0, var usage = reported else { return reported }
        usage.outputTokens = usage.outputTokens.map { WireNumber.sum($0, carriedTokens) }
        usage.totalTokens = usage.totalTokens.map { WireNumber.sum($0, carriedTokens) }
        usage.estimated = true
        return usage
    }

    /// Token counts of a cut reply. The provider's last word counts where it covers what came; some report one output
    /// token at the beginning and the truth at the end.
    func partialUsage(reported: Usage?) -> Usage? {
        let estimate = guessedTokens
        var usage = reported ?? Usage()
        if let known = usage.outputTokens, WireNumber.sum(known, carriedTokens) >= estimate / 2 {
            return self.usage(reported: usage)
        }
        usage.outputTokens = estimate
        usage.totalTokens = usage.inputTokens.map { WireNumber.sum($0, estimate) }
        usage.estimated = true
        return usage
    }
}
