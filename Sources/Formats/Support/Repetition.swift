// Most frames of a stream repeat the one before but for the piece of text, and a number or two. Such a frame is known
// by its bytes, and costs a comparison in place of a parse. Owned by decoders, which alone know what a frame says.

internal import Base
internal import HTTP
internal import JSON

/// Documents made into templates in a row without any use, before a stream is left alone: some servers put a random
/// string or the time where no decoder expects it.
private let mostInVain = 4

/// What is known of the frames of one stream that hold a piece of text and nothing else.
/// `Place` says what a decoder must know of such a frame beside its text.
struct Repetition<Place: Sendable>: Sendable {
    private var template: JSONTemplate?
    private var place: Place?
    private var madeInVain = 0
    /// Whether the frame decoded last is one of those that the template matches.
    private var isAtOne = false

    /// Whether a frame of this kind and name, which is decoded next, may be a repetition: an event's name may say that it
    /// is an error.
    mutating func mayBe(_ kind: FrameKind, name: String) -> Bool {
        isAtOne = false
        return kind == .data && (name.isEmpty || name.utf8.count != 5 || name != "error")
    }

    /// What the frame has in the place of what changes, if it is the last one over again.
    mutating func read(
        _ document: Span<UInt8>, _ reader: JSONReader
    ) -> (place: Place, text: String, match: JSONTemplate.Match)? {
        guard let place, let match = template?.match(document), let text = match.text(in: document, reader)
        else { return nil }
        madeInVain = 0
        isAtOne = true
        return (place, text, match)
    }

    /// Reads the frames behind the one decoded last that are repetitions as well.
    /// - Parameter counting: the count that must go up by one: see ``JSONTemplate/read(_:behind:_:counting:)``.
    /// - Returns: what is known of them, their text, what the last one holds beside it, and where that ends; nil if there
    ///   is none.
    mutating func read(
        _ chunk: Span<UInt8>, behind place: FramePlace, _ reader: JSONReader,
        counting: (index: Int, last: Int64?)? = nil
    ) -> (place: Place, run: TextBatch, last: JSONTemplate.Match, end: Int)? {
        guard isAtOne, let known = self.place, let template else { return nil }
        let (run, last, end) = template.read(chunk, behind: place, reader, counting: counting)
        guard !run.isEmpty else { return nil }
        // What is no UTF-8 is mended frame by frame. The template goes: who sends it once may send it in every chunk, and
        // each would be read twice.
        guard run.isUTF8 else {
            (self.template, isAtOne) = (nil, false)
            return nil
        }
        madeInVain = 0
        return (known, run, last, end)
    }

    /// Makes a template of a document that was parsed, and said one piece of text alone.
    /// - Parameters:
    ///   - gaps: what the documents like it may differ in. What this one leaves unsaid, they leave unsaid too.
    ///   - place: what to remember of it; nil unless that text stands where the gaps have it, and decoders read
    ///     nothing else of what is left open.
    mutating func learn(
        _ document: Span<UInt8>, open gaps: @autoclosure () -> JSONTemplate.Gaps, _ reader: JSONReader,
        place: (JSONNode) -> Place?
    ) {
        guard madeInVain < mostInVain else { return template = nil }
        guard document.count <= JSONTemplate.longest, let node = parsed(document, reader), let place = place(node),
            let made = JSONTemplate(document, open: gaps(), reader)
        else { return }
        template = made
        isAtOne = true
        self.place = place
        madeInVain += 1
    }

    /// Drops the template: what its document says is read in another way, or has changed meanwhile.
    mutating func forget() { (template, isAtOne) = (nil, false) }

    private func parsed(_ document: Span<UInt8>, _ reader: JSONReader) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(document) } catch { return nil }
    }
}

extension DecodedEvent {
    /// The piece of the reply that this is.
    var piece: (text: String, isReasoning: Bool)? {
        switch self {
        case .text(let batch): (batch.text, batch.kind == .reasoning)
        default: nil
        }
    }

    /// A piece of the reply.
    init(piece: String, isReasoning: Bool) { self = .text(TextBatch(piece, isReasoning ? .reasoning : .text)) }
}
