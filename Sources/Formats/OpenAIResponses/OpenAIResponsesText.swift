// How much of a reply's text has been shown, so that the whole text, which comes again when a part, an item and the
// response are done, adds what was missing and nothing twice. Owned by OpenAIResponsesDecoder. It keeps a count and a hash in
// place of the text: a reply's length does not matter to it.

internal import Base

/// The text of one kind that has been shown.
struct OpenAIResponsesText: Equatable {
    /// What kind of text: each is compared with its own wholes.
    enum Kind: Int, CaseIterable {
        case output, refusal, summary, rawReasoning

        /// What stands between two parts, and two items: the parts of a summary are paragraphs, each with a title, and
        /// nothing that is sent says so.
        var separator: String { self == .summary ? "\n\n" : "" }
    }

    /// How much of a text had been shown at some moment.
    struct Mark: Equatable {
        var count = 0
        /// FNV-1a, 64 bits, of the text up to here. It goes on from any mark, so that a piece between two of
        /// them can be told from its bytes.
        fileprivate var hash: UInt64 = 0xCBF2_9CE4_8422_2325

        fileprivate func advanced(by bytes: Span<UInt8>) -> Mark {
            var hash = hash
            for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
            return Mark(count: count + bytes.count, hash: hash)
        }
    }

    /// What a whole text adds to what was shown of it.
    enum Rest: Equatable {
        case nothing
        case text(String)
        /// It is another text.
        case differs
    }

    /// All that was shown.
    private(set) var end = Mark()
    /// Where the item that is being shown began.
    private(set) var itemStart = Mark()
    /// Where the part that is being shown began.
    private(set) var partStart = Mark()
    private(set) var item: Int64?
    private(set) var part: Int64 = 0
    /// The number of the last event that added to it.
    private(set) var lastNumber: Int64 = -1

    /// What became of a piece.
    enum Addition {
        case toSameItem, toNewItem
        /// A piece that belongs behind it has been shown.
        case comesTooLate
    }

    /// What is to be shown before that piece: it may be the first of its part.
    func separator(before piece: OpenAIResponsesPiece) -> String {
        end.count > 0 && (piece.item != item || piece.part != part) ? piece.kind.separator : ""
    }

    /// Adds a piece of an item's text.
    mutating func add(_ piece: OpenAIResponsesPiece, isLate: Bool) -> Addition {
        if let number = piece.number, number >= 0 {
            if isLate, number < lastNumber { return .comesTooLate }
            lastNumber = number
        }
        let isSame = piece.item == item
        add(separator(before: piece))
        open(item: piece.item, part: piece.part)
        add(piece.text)
        return isSame ? .toSameItem : .toNewItem
    }

    /// What follows belongs to that part.
    private mutating func open(item: Int64, part: Int64) {
        guard item != self.item || part != self.part else { return }
        if item != self.item { itemStart = end }
        self.item = item
        self.part = part
        partStart = end
    }

    /// Adds to the part that is being shown.
    mutating func add(_ text: String) { end = end.advanced(by: text.utf8.span) }

    /// Adds pieces to the part that is being shown, in UTF-8; `lastNumber` is that of the last of them.
    mutating func add(_ pieces: TextBatch, lastNumber: Int64?) {
        end = pieces.withBytes { bytes, _ in end.advanced(by: bytes) }
        if let lastNumber, lastNumber >= 0 { self.lastNumber = lastNumber }
    }

    /// What `whole`, which began at `mark`, has beyond what was shown since.
    func rest(of whole: String, since mark: Mark) -> Rest {
        let shown = end.count - mark.count
        let bytes = whole.utf8.span
        guard bytes.count >= shown, mark.advanced(by: bytes.extracting(0..<shown)) == end else { return .differs }
        return bytes.count == shown ? .nothing : .text(String(decoding: bytes.extracting(shown..<bytes.count)))
    }
}
