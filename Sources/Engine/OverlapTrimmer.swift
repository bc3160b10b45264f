// Trims the overlap of a continued reply with its first part: some providers repeat the last words.

/// Drops the beginning of a continuation that repeats the end of the text before it. Holds text back only while it
/// may still be a repetition. Text that was never sent to the provider is always dropped, even below the minimum
/// overlap.
struct OverlapTrimmer: Sendable {
    /// Minimum overlap in UTF-8 bytes. Shorter repetitions can be intended text: "ha" + "ha".
    static let minOverlap = 12
    /// Bytes of the earlier text that are compared.
    static let window = 8192

    private let tail: [UInt8]
    private let unsent: [UInt8]
    private var held: [UInt8] = []
    private var isDone = false

    /// A trimmer after `text`, of which the provider received the prefix `sent`.
    init(after text: String, sent: String) {
        tail = Array(text.utf8.suffix(Self.window))
        unsent = Array(text.utf8.dropFirst(sent.utf8.count))
    }

    /// Reads the next piece of the continuation and returns the text that is known not to be a repetition; empty while
    /// undecided.
    mutating func push(_ piece: String) -> String {
        guard !isDone else { return piece }
        held += piece.utf8
        return mayRepeat ? "" : release()
    }

    /// Returns the held text at the end of the stream.
    mutating func finish() -> String { isDone ? "" : release() }

    /// Whether the held text may still be part of a repetition: it is a prefix of the unsent text, or occurs in the
    /// tail before its end.
    private var mayRepeat: Bool {
        if held.count < unsent.count, Self.same(unsent, 0, held, held.count) { return true }
        guard held.count < tail.count else { return false }
        return (0..<(tail.count - held.count)).contains { start in Self.same(tail, start, held, held.count) }
    }

    private mutating func release() -> String {
        isDone = true
        var overlap = min(held.count, tail.count)
        while overlap >= Self.minOverlap, !Self.same(tail, tail.count - overlap, held, overlap) { overlap -= 1 }
        if overlap < Self.minOverlap { overlap = zip(held, unsent).prefix { $0 == $1 }.count }
        let kept = held.dropFirst(overlap)
        held = []
        return String(decoding: kept, as: UTF8.self)
    }

    private static func same(_ a: [UInt8], _ start: Int, _ b: [UInt8], _ count: Int) -> Bool {
        var index = 0
        while index < count, a[start + index] == b[index] { index += 1 }
        return index == count
    }
}
