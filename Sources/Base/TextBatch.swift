// Pieces of a reply's text that arrived together. A single piece is held as one String, several in one buffer.

/// Pieces of text of one kind, in order. No piece is empty.
public struct TextBatch: Sendable {
    /// The kind of the text.
    public enum Kind: String, Sendable, Codable {
        /// The reply's text.
        case text
        /// The model's reasoning.
        case reasoning
    }

    private enum Storage: Sendable {
        case text(String)
        case reasoning(String)
        /// The UTF-8 of all pieces in order, and the end of each piece in `bytes`. Boxed, so that an event with a batch
        /// is no larger than one with a String.
        indirect case many(Kind, bytes: [UInt8], ends: [UInt32])
    }

    private let storage: Storage

    /// A batch of one piece.
    public init(_ piece: String, _ kind: Kind = .text) {
        storage = kind == .text ? .text(piece) : .reasoning(piece)
    }

    /// A batch of several pieces.
    public init(pieces: [String], _ kind: Kind = .text) {
        guard pieces.count != 1 else {
            self.init(pieces[0], kind)
            return
        }
        var bytes: [UInt8] = []
        var ends: [UInt32] = []
        for piece in pieces {
            bytes += piece.utf8
            ends.append(UInt32(clamping: bytes.count))
        }
        self.init(bytes: bytes, ends: ends, kind)
    }

    /// A batch of the pieces in `bytes`, each of them UTF-8.
    /// - Parameter ends: the end of each piece in `bytes`, ascending; the last one is the end of `bytes`.
    package init(bytes: [UInt8], ends: [UInt32], _ kind: Kind = .text) {
        storage = .many(kind, bytes: bytes, ends: ends)
    }

    /// The kind of all pieces.
    public var kind: Kind {
        switch storage {
        case .text: .text
        case .reasoning: .reasoning
        case .many(let kind, _, _): kind
        }
    }

    /// A batch of one piece of reasoning.
    public static func reasoning(_ piece: String) -> TextBatch { TextBatch(piece, .reasoning) }

    /// All pieces, joined.
    public var text: String {
        switch storage {
        case .text(let piece), .reasoning(let piece): piece
        case .many(_, let bytes, _): String(decoding: bytes.span)
        }
    }

    /// The length of all pieces in UTF-8.
    public var utf8Count: Int {
        switch storage {
        case .text(let piece), .reasoning(let piece): piece.utf8.count
        case .many(_, let bytes, _): bytes.count
        }
    }

    /// The length in UTF-8 of the pieces from `index` on.
    package func utf8Count(from index: Int) -> Int {
        switch storage {
        case .text(let piece), .reasoning(let piece): index == 0 ? piece.utf8.count : 0
        case .many(_, let bytes, let ends): bytes.count - (index == 0 ? 0 : Int(ends[index - 1]))
        }
    }

    /// Appends the bytes of all pieces to a buffer.
    package func append(to bytes: inout [UInt8]) {
        switch storage {
        case .text(let piece), .reasoning(let piece): bytes.append(piece.utf8.span)
        case .many(_, let own, _): bytes.append(own.span)
        }
    }

    /// Appends the bytes of all pieces to `bytes`, which stays below 4 GiB, and the end of each piece in it to `ends`.
    package func append(to bytes: inout [UInt8], ends: inout [UInt32]) {
        precondition(bytes.count + utf8Count <= UInt32.max, "a buffer of text beyond 4 GiB")
        let start = UInt32(clamping: bytes.count)
        switch storage {
        case .text(let piece), .reasoning(let piece):
            bytes.append(piece.utf8.span)
            ends.append(UInt32(clamping: bytes.count))
        case .many(_, let own, let ownEnds):
            bytes.append(own.span)
            for end in ownEnds { ends.append(start &+ end) }
        }
    }

    /// Calls `body` with the bytes of all pieces and the end of each piece.
    package func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>, Span<UInt32>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch storage {
        case .text(let piece), .reasoning(let piece):
            let end: [1 of UInt32] = [UInt32(clamping: piece.utf8.count)]
            return try body(piece.utf8.span, end.span)
        case .many(_, let bytes, let ends): return try body(bytes.span, ends.span)
        }
    }

    /// Whether the bytes of all pieces together are valid UTF-8. Then each piece that does not begin inside a character
    /// is valid, too.
    package var isUTF8: Bool { withBytes { bytes, _ in bytes.isUTF8 } }

    /// The bytes of several pieces; nil for a single piece, which is held as a String.
    internal var buffer: [UInt8]? {
        if case .many(_, let bytes, _) = storage { bytes } else { nil }
    }
}

extension TextBatch: RandomAccessCollection {
    /// The position of the first piece.
    public var startIndex: Int { 0 }
    /// The number of pieces.
    public var endIndex: Int {
        switch storage {
        case .text, .reasoning: 1
        case .many(_, _, let ends): ends.count
        }
    }

    /// One of the pieces.
    public subscript(index: Int) -> String {
        switch storage {
        case .text(let piece), .reasoning(let piece):
            precondition(index == 0, "a batch of one has no further piece")
            return piece
        case .many(_, let bytes, let ends):
            let start = index == 0 ? 0 : Int(ends[index - 1])
            return String(decoding: bytes.span.extracting(start..<Int(ends[index])))
        }
    }
}

extension TextBatch: Hashable {
    /// Batches are equal if their kinds and pieces are equal, however the pieces are stored.
    public static func == (a: TextBatch, b: TextBatch) -> Bool {
        guard a.kind == b.kind else { return false }
        if case .many(_, let bytes, let ends) = a.storage, case .many(_, let others, let otherEnds) = b.storage {
            return ends == otherEnds && bytes == others
        }
        return a.elementsEqual(b)
    }

    /// Independent of the storage, like equality.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(count)
        for piece in self { hasher.combine(piece) }
    }
}

extension TextBatch: Codable {
    private enum CodingKeys: String, CodingKey { case kind, pieces }

    /// Reads the form that `encode(to:)` writes.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            pieces: try fields.decode([String].self, forKey: .pieces), try fields.decode(Kind.self, forKey: .kind))
    }

    /// Writes an object of the kind and the array of pieces.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(kind, forKey: .kind)
        try fields.encode(Array(self), forKey: .pieces)
    }
}
