// Where a continued reply meets its first part: some providers say the last words again. Pure value.

/// Drops from the beginning of a continuation what repeats the end of the text before it. It holds text back only while
/// that may still turn out to be a repetition. What the provider was not given of that text, however short, it says anew.
struct OverlapTrimmer: Sendable {
    /// Shorter repetitions, in UTF-8 bytes, are taken for speech: "ha" + "ha".
    static let shortest = 12
    /// How much of the earlier text is looked at, in bytes.
    static let window = 8192

    private let tail: [UInt8]
    private let unsent: [UInt8]
    private var held: [UInt8] = []
    private var isDone = false

    /// A seam after `text`, of which the provider was given only `sent`, its beginning, to go on from.
    init(after text: String, sent: String) {
        tail = Array(text.utf8.suffix(Self.window))
        unsent = Array(text.utf8.dropFirst(sent.utf8.count))
    }

    /// Takes the next piece of the continuation and returns what may be passed on; empty while undecided.
    mutating func push(_ piece: String) -> String {
        guard !isDone else { return piece }
        held += piece.utf8
        return mayRepeat ? "" : release()
    }

    /// The stream has ended: what is still held.
    mutating func finish() -> String { isDone ? "" : release() }

    /// Whether `held` lies inside the tail without reaching its end.
    private var mayRepeat: Bool {
        if held.count < unsent.count, Self.same(unsent, 0, held, held.count) { return true }
        guard held.count < tail.count else { return false }
        return (0..<(tail.count - held.count)).contains { start in Self.same(tail, start, held, held.count) }
    }

    private mutating func release() -> String {
        isDone = true
        var overlap = min(held.count, tail.count)
        while overlap >= Self.shortest, !Self.same(tail, tail.count - overlap, held, overlap) { overlap -= 1 }
        if overlap < Self.shortest { overlap = zip(held, unsent).prefix { $0 == $1 }.count }
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
