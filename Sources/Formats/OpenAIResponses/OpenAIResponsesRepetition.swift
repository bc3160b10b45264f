// Most events of a stream repeat the one before but for their number, the piece of text, and padding. Such an event is
// read without parsing it (see Repetition.swift). Called by OpenAIResponsesDecoder; what an event means is in
// ResponsesEvents.swift, not here.

internal import JSON

/// A piece of text, and where it belongs.
struct OpenAIResponsesPiece {
    var kind: OpenAIResponsesText.Kind
    var item: Int64
    var part: Int64
    var number: Int64?
    var text: String
}

/// What an event says of the place of its piece.
struct OpenAIResponsesPlace: Sendable {
    var kind: OpenAIResponsesText.Kind
    var item: Int64
    var part: Int64
}

extension Repetition<OpenAIResponsesPlace> {
    /// `obfuscation` is padding that hides a piece's length from those who count encrypted bytes
    /// (https://platform.openai.com/docs/api-reference/responses-streaming).
    private static let gaps = JSONTemplate.Gaps(
        text: JSONPath("delta"), counts: [JSONPath("sequence_number")], ignored: [JSONPath("obfuscation")])

    /// The piece of text, if the event is the last one over again with another piece.
    mutating func piece(_ event: Span<UInt8>, _ reader: JSONReader) -> OpenAIResponsesPiece? {
        guard let (place, text, match) = read(event, reader) else { return nil }
        return OpenAIResponsesPiece(
            kind: place.kind, item: place.item, part: place.part,
            number: match.count(0).flatMap { WireNumber.count($0) }, text: text)
    }

    /// Learns from an event that was parsed, and said that piece alone. A decoder reads nothing of such an event but
    /// its type and place, which a repetition repeats, and what is left open.
    mutating func learn(_ event: Span<UInt8>, _ piece: OpenAIResponsesPiece, _ reader: JSONReader) {
        // Nothing is shown of a refusal's pieces.
        guard piece.kind != .refusal else { return }
        learn(event, open: Self.gaps, reader) { node in
            guard node["delta"]?.string == piece.text else { return nil }
            return OpenAIResponsesPlace(kind: piece.kind, item: piece.item, part: piece.part)
        }
    }
}
