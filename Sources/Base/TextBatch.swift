// Pieces of text that came together, in one buffer. Made where frames repeat each other; what stands between a decoder
// and the script's callbacks passes it on whole, so that a piece costs its bytes and not a string of its own.

/// Pieces of text in their order, none of them empty.
public struct TextBatch: Sendable, Equatable {
    /// The pieces, one behind the other, UTF-8.
    public let bytes: [UInt8]
    /// Where in `bytes` each piece ends.
    public let ends: [UInt32]
    /// Whether they are reasoning, and not the reply's text.
    public var isReasoning = false

    package init(bytes: [UInt8], ends: [UInt32]) {
        self.bytes = bytes
        self.ends = ends
    }

    /// How many pieces.
    public var count: Int { ends.count }
    /// True without pieces.
    public var isEmpty: Bool { ends.isEmpty }

    /// One of the pieces.
    public subscript(index: Int) -> String {
        String(decoding: bytes.span.extracting(start(of: index)..<Int(ends[index])))
    }

    /// Where in `bytes` that piece begins; for the one behind the last, behind all bytes.
    public func start(of index: Int) -> Int { index == 0 ? 0 : Int(ends[index - 1]) }

    /// Whether all of it is UTF-8, and so each piece: none of them begins inside a character.
    public var isUTF8: Bool { bytes.span.isUTF8 }
}
