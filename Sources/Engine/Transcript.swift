// Accumulates the text of one reply over all its attempts, and estimates its token counts. The text of a stopped reply
// is truncated to what its reader has received.

internal import Base
internal import Chat
internal import Formats
internal import JSON

/// Text and reasoning received so far.
struct Transcript {
    private var textBuffer = TextBuilder()
    private var reasoningBuffer = TextBuilder()
    /// Estimated output tokens of earlier attempts that this attempt continues.
    private var carriedTokens = 0
    /// The block of the last attempt's message for each piece of text.
    private var blocks = TextBlocks()
    /// Bytes removed from the ends of text and reasoning because the reader did not receive them.
    private var textCut = 0
    private var reasoningCut = 0
    /// The output discarded by a `reset`, kept while the reader may not have received the `reset`.
    private var discarded: (textBuffer: TextBuilder, reasoningBuffer: TextBuilder)?

    var text: String { textBuffer.text }
    var reasoning: String { reasoningBuffer.text }
    var hasText: Bool { !textBuffer.isEmpty }
    var hasReasoning: Bool { !reasoningBuffer.isEmpty }

    /// The reply's text for the decoder of the last attempt.
    var reply: ReplyText {
        blocks.reply(text: text, reasoning: reasoning, textCut: textCut, reasoningCut: reasoningCut)
    }

    /// The text that follows belongs to that block.
    mutating func begin(block: Int) { blocks.begin(block) }

    /// Records text when the decoder emits it.
    mutating func receive(_ batch: TextBatch) { blocks.add(batch) }

    /// Adds text as it is queued for the reader: without overlap, and with reasoning separated.
    mutating func append(_ batch: TextBatch) {
        switch batch.kind {
        case .text: textBuffer.append(batch)
        case .reasoning: reasoningBuffer.append(batch)
        }
    }

    /// Discards all text and starts again. Used if none of it was delivered.
    mutating func clear() {
        textBuffer = TextBuilder()
        reasoningBuffer = TextBuilder()
        carriedTokens = 0
        blocks = TextBlocks()
    }

    /// Discards all text and starts again. The reader is informed by a `reset`.
    mutating func reset() {
        if discarded == nil { discarded = (textBuffer, reasoningBuffer) }
        clear()
    }

    /// Drops the discarded output. Called when the reader has taken the `reset` and takes later events.
    mutating func dropDiscarded() { discarded = nil }

    /// Keeps the text of a truncated attempt, which the next attempt continues.
    mutating func beginContinuation() {
        carriedTokens = estimatedOutputTokens
        blocks = TextBlocks()
    }

    private var estimatedOutputTokens: Int {
        Int(estimatedTokens(in: textBuffer.bytes).rounded(.up))
            + Int(estimatedTokens(in: reasoningBuffer.bytes).rounded(.up))
    }

    /// Truncates the text to what the reader has received.
    /// - Parameters:
    ///   - unseen: output that the reader has taken and not shown.
    ///   - waiting: output that the reader has not taken.
    ///   - isResetWaiting: whether the reader has not taken a `reset`.
    mutating func truncate(unseen: Undelivered, waiting: Undelivered, isResetWaiting: Bool) {
        var textBytes = unseen.textBytes
        var reasoningBytes = unseen.reasoningBytes
        if isResetWaiting || unseen.spansReset, let old = discarded {
            (textBuffer, reasoningBuffer) = old
            blocks = TextBlocks()
        } else {
            textBytes += waiting.textBytes
            reasoningBytes += waiting.reasoningBytes
        }
        (textCut, reasoningCut) = (min(textBytes, textBuffer.count), min(reasoningBytes, reasoningBuffer.count))
        textBuffer.removeLast(textBytes)
        reasoningBuffer.removeLast(reasoningBytes)
    }

    /// Token counts of a whole reply: the provider's counts plus the estimated output tokens of earlier attempts that
    /// it continues.
    func usage(reported: Usage?) -> Usage? {
        guard carriedTokens > 0, var usage = reported else { return reported }
        usage.outputTokens = usage.outputTokens.map { WireNumber.sum($0, carriedTokens) }
        usage.totalTokens = usage.totalTokens.map { WireNumber.sum($0, carriedTokens) }
        usage.estimated = true
        return usage
    }

    /// Token counts of a truncated reply. The provider's output count is used if it is at least half the estimate; some
    /// providers report one output token at the beginning and the real count at the end.
    func partialUsage(reported: Usage?) -> Usage? {
        let estimate = estimatedOutputTokens
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
