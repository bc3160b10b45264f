// Tracks the emitted text of a reply by length and hash. The complete text arrives again when a part, an item and the
// response are done; only what was missing is emitted then.

internal import Base

/// The emitted text of one kind.
struct OpenAIResponsesText: Equatable {
    /// The kinds of text. Each is compared only with complete texts of its own kind.
    enum Kind: Int, CaseIterable {
        case output, refusal, summary, rawReasoning

        /// The separator between two parts and between two items. The parts of a summary are paragraphs with titles,
        /// and the stream has no separator for them.
        var separator: String { self == .summary ? "\n\n" : "" }
    }

    /// A position in the emitted text.
    struct Mark: Equatable {
        var count = 0
        /// FNV-1a, 64 bits, of the text up to here. It can be continued from any mark, to compare the text between two
        /// marks.
        fileprivate var hash: UInt64 = 0xCBF2_9CE4_8422_2325

        fileprivate func advanced(by bytes: Span<UInt8>) -> Mark {
            var hash = hash
            for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
            return Mark(count: count + bytes.count, hash: hash)
        }
    }

    /// The part of a complete text that was not emitted.
    enum Rest: Equatable {
        case nothing
        case text(String)
        /// The texts differ.
        case differs
    }

    /// The end of the emitted text.
    private(set) var end = Mark()
    /// The beginning of the current item.
    private(set) var itemStart = Mark()
    /// The beginning of the current part.
    private(set) var partStart = Mark()
    private(set) var item: Int64?
    private(set) var part: Int64 = 0
    /// The sequence number of the last event that added text.
    private(set) var lastNumber: Int64 = -1

    /// The result of adding a piece.
    enum Addition {
        case toSameItem, toNewItem
        /// A later piece has been emitted before it.
        case isOutOfOrder
    }

    /// The separator to emit before a piece; empty unless the piece begins a part.
    func separator(before piece: OpenAIResponsesPiece) -> String {
        end.count > 0 && (piece.item != item || piece.part != part) ? piece.kind.separator : ""
    }

    /// Adds a piece of an item's text.
    mutating func add(_ piece: OpenAIResponsesPiece, isLate: Bool) -> Addition {
        if let number = piece.number, number >= 0 {
            if isLate, number < lastNumber { return .isOutOfOrder }
            lastNumber = number
        }
        let isSame = piece.item == item
        add(separator(before: piece))
        open(item: piece.item, part: piece.part)
        add(piece.text)
        return isSame ? .toSameItem : .toNewItem
    }

    /// Makes a part the current one.
    private mutating func open(item: Int64, part: Int64) {
        guard item != self.item || part != self.part else { return }
        if item != self.item { itemStart = end }
        self.item = item
        self.part = part
        partStart = end
    }

    /// Adds text to the current part.
    mutating func add(_ text: String) { end = end.advanced(by: text.utf8.span) }

    /// Adds pieces to the current part. `lastNumber` is the sequence number of the last piece.
    mutating func add(_ pieces: TextBatch, lastNumber: Int64?) {
        end = pieces.withBytes { bytes, _ in end.advanced(by: bytes) }
        if let lastNumber, lastNumber >= 0 { self.lastNumber = lastNumber }
    }

    /// The part of `whole`, which begins at `mark`, that was not emitted.
    func rest(of whole: String, since mark: Mark) -> Rest {
        let shown = end.count - mark.count
        let bytes = whole.utf8.span
        guard bytes.count >= shown, mark.advanced(by: bytes.extracting(0..<shown)) == end else { return .differs }
        return bytes.count == shown ? .nothing : .text(String(decoding: bytes.extracting(shown..<bytes.count)))
    }
}
