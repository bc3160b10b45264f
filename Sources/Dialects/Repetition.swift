// Most documents of a stream repeat the one before but for the piece of text. Such a document is known by its bytes, and
// costs a comparison in place of a parse. Owned by decoders, which alone know what a document says.

internal import Wire

/// Documents made into templates in a row without any use, before a stream is left alone: some servers put a random
/// string or the time into every one.
private let mostInVain = 4

/// What is known of the documents of one stream that hold a piece of text and nothing else.
/// `Place` says where in a document such a piece stands.
struct Repetition<Place: Sendable>: Sendable {
    private var template: JSONTemplate?
    private var place: Place?
    private var madeInVain = 0

    /// The piece of text, if the document is the last one over again with another piece.
    mutating func read(_ document: Span<UInt8>, _ reader: JSONReader) -> (place: Place, text: String)? {
        guard let place, let text = template?.string(in: document, reader) else { return nil }
        madeInVain = 0
        return (place, text)
    }

    /// Makes a template of a document that was parsed, and said `text` alone.
    /// - Parameters:
    ///   - places: where the text may stand.
    ///   - saysOnly: whether a document holds a text in a place and says nothing else. What it leaves unsaid a repetition
    ///     leaves unsaid too.
    mutating func learn(
        _ document: Span<UInt8>, _ text: String, at places: [Place],
        saysOnly: (_ document: Span<UInt8>, _ text: String, _ place: Place) -> Bool
    ) {
        guard madeInVain < mostInVain else { return template = nil }
        for place in places {
            guard let made = JSONTemplate(document, text: text, reads: { saysOnly($0, $1, place) }) else { continue }
            template = made
            self.place = place
            madeInVain += 1
            return
        }
    }
}
