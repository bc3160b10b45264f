// Splits text into the pieces that are this simulator's tokens: the deltas of streams and the unit of usage.

/// The pieces of a text: up to eight letters of a word with the space before it, one or two CJK characters, or one mark.
/// Combining marks, joiners and skin tones stay with their character.
struct Pieces: Sequence, IteratorProtocol {
    private let scalars: String.UnicodeScalarView
    private var at: String.UnicodeScalarView.Index

    private enum Class { case space, letter, cjk, mark, joiner, extender }

    init(_ text: String) {
        scalars = text.unicodeScalars
        at = scalars.startIndex
    }

    /// The number of pieces of `text`.
    static func count(_ text: String) -> Int {
        var pieces = Pieces(text)
        var count = 0
        while pieces.nextRange() != nil { count += 1 }
        return count
    }

    mutating func next() -> String? { nextRange().map { String(scalars[$0]) } }

    private mutating func nextRange() -> Range<String.UnicodeScalarView.Index>? {
        guard at < scalars.endIndex else { return nil }
        let start = at
        var first = take()
        // A space belongs to the word after it, as in tokenizers.
        if first == .space, at < scalars.endIndex, Self.classify(scalars[at]) != .space { first = take() }
        var length = 1
        while at < scalars.endIndex {
            let next = Self.classify(scalars[at])
            if next == .extender {
                _ = take()
            } else if next == .joiner {
                _ = take()
                if at < scalars.endIndex { _ = take() }
            } else if next == first, length < Self.longest(first) {
                _ = take()
                length += 1
            } else {
                break
            }
        }
        return start..<at
    }

    private mutating func take() -> Class {
        let scalar = scalars[at]
        at = scalars.index(after: at)
        return Self.classify(scalar)
    }

    private static func longest(_ kind: Class) -> Int {
        switch kind {
        case .letter: 8
        case .cjk: 2
        case .space: 4
        case .mark, .joiner, .extender: 1
        }
    }

    private static func classify(_ scalar: Unicode.Scalar) -> Class {
        switch scalar.value {
        case 0x20, 0x09, 0x0A, 0x0D: .space
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: .letter
        case 0..<0x80: .mark
        case 0x300...0x36F, 0xFE00...0xFE0F, 0x1F3FB...0x1F3FF, 0x20D0...0x20FF: .extender
        case 0x200D: .joiner
        case 0xC0...0x24F, 0x370...0x52F: .letter
        case 0x3040...0x30FF, 0x3400...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF, 0x20000...0x3FFFF: .cjk
        default: .mark
        }
    }
}
