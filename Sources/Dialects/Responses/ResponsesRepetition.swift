// Most events of a stream repeat the one before but for their number, the piece of text, and padding. Such an event is
// known by its bytes, and costs a comparison in place of a parse. Owned by ResponsesDecoder; what an event means is in
// ResponsesEvents.swift, not here.

internal import Wire

/// A piece of text, and where it belongs.
struct ResponsesPiece {
    var kind: ResponsesText.Kind
    var item: Int64
    var part: Int64
    var number: Int64?
    var text: String
}

/// What is known of the events of one stream that hold a piece of text.
struct ResponsesRepetition {
    /// Stencils made in a row without any use: some gateways change an item's id with every event.
    private static let mostInVain = 4
    /// `obfuscation` is padding that hides a piece's length from those who count encrypted bytes
    /// (https://platform.openai.com/docs/api-reference/responses-streaming).
    private static let members: [StaticString] = ["sequence_number", "delta", "obfuscation"]

    private var stencil: JSONStencil?
    private var place = (kind: ResponsesText.Kind.output, item: Int64(0), part: Int64(0))
    private var madeInVain = 0

    /// The piece of text, if the event is the last one over again with another piece.
    mutating func read(_ event: Span<UInt8>, _ reader: JSONReader) -> ResponsesPiece? {
        guard let values = stencil?.values(in: event, reader) else { return nil }
        let text = values.string(1, in: event, reader)
        guard !text.isEmpty else { return nil }
        madeInVain = 0
        return ResponsesPiece(
            kind: place.kind, item: place.item, part: place.part, number: values.integer(0), text: text)
    }

    /// Makes a stencil of an event that was parsed, and said that piece alone. A decoder reads nothing of such an event
    /// but its type and place, which a repetition repeats, and what is left open.
    mutating func learn(_ event: Span<UInt8>, _ piece: ResponsesPiece, _ reader: JSONReader) {
        guard madeInVain < Self.mostInVain else { return stencil = nil }
        guard let made = JSONStencil(event, open: Self.members, reader) else { return }
        stencil = made
        place = (piece.kind, piece.item, piece.part)
        madeInVain += 1
    }
}
