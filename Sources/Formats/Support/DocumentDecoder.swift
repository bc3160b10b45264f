// From frames to JSON documents, the same for every format: what a payload, a stray line and a whole body may be. A
// format's decoder conforms, and decodes the documents.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream whose frames hold JSON documents: a value, so that ``TemplateDecoder`` can try a frame on a
/// copy. It holds no text of the reply.
protocol DocumentDecoder: Equatable {
    /// Reads the documents.
    var reader: JSONReader { get }
    /// Lines that were no fields, while they may be a document spread over several.
    var strays: StrayLines { get set }
    /// What is known beside the tool calls.
    var known: ReplySummary { get }
    /// Whether output has arrived.
    var output: OutputProgress { get }
    /// What a whole reply is called in errors: "chat completion".
    static var replyName: String { get }
    /// Names under which events of this format come, beside none and "message": broken JSON under them is an error.
    static var eventNames: Set<String> { get }
    /// What may differ between frames that hold a piece of text and nothing else.
    static var templatePaths: TemplatePaths { get }

    /// Decodes one frame and appends what it says to `events`.
    /// - Parameter text: the payload without white space at either end.
    mutating func decode(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError)

    /// Takes over frames that are the frame decoded last but for their text and what the template leaves open: does to
    /// the state what `decode` would have done, and appends what it would have appended behind the text.
    mutating func skip(_ batch: TextBatch, _ counters: TemplateCounters, into events: inout [DecodedEvent])

    /// Takes one document: an event, a whole reply, or an error.
    /// - Parameter isError: whether the frame's name says that it is an error.
    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError)

    /// Whether a body that stands where a stream was asked for is a whole reply, or an error.
    func isReplyOrError(_ node: JSONNode) -> Bool

    /// `[DONE]` has come.
    mutating func markDone()

    /// The end of a whole body has come.
    mutating func finish()

    // As in StreamDecoder.
    var hasCleanEnd: Bool { get }
    var isDone: Bool { get }
    var isBlank: Bool { get }
    var summary: ReplySummary { get }
    mutating func bodyEnded()
    func assistantMessage(_ reply: ReplyText) -> JSONValue
}

/// Lines that are no field of an event.
struct StrayLines: Equatable {
    /// How many bytes of them are held while they may be a JSON document spread over several.
    static let limit = 65_536

    fileprivate var bytes: [UInt8] = []
}

/// How far a decoder has come: the same members as ``StreamDecoder``'s.
struct DecoderProgress: Equatable {
    let hasCleanEnd: Bool
    let isDone: Bool
    let isBlank: Bool
    let hasOutput: Bool
    let outputCount: Int
}

extension DocumentDecoder {
    /// `mutating` so that the state is read in place; otherwise a caller that does not know the type copies it.
    mutating func progress() -> DecoderProgress {
        DecoderProgress(
            hasCleanEnd: hasCleanEnd, isDone: isDone, isBlank: isBlank, hasOutput: output.hasOutput,
            outputCount: output.count)
    }

    static var templatePaths: TemplatePaths { TemplatePaths() }

    var hasOutput: Bool { output.hasOutput }
    var isBlank: Bool { !hasOutput && known.saysNothing }

    mutating func decode(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) { try sort(kind, name: name, text, into: &events) }

    mutating func skip(_ batch: TextBatch, _ counters: TemplateCounters, into events: inout [DecodedEvent]) {}

    mutating func bodyEnded() {}

    func isEqual(to other: any DocumentDecoder) -> Bool { (other as? Self) == self }

    /// Sorts one frame, and hands on the documents in it.
    /// - Parameter text: the payload without white space at either end.
    mutating func sort(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        switch kind {
        case .comment: Self.beat(&events)
        case .data: try data(text, name: name, into: &events)
        case .stray: try stray(text, into: &events)
        case .body: try body(text, into: &events)
        }
    }

    /// Something came, and there is nothing to show.
    static func beat(_ events: inout [DecodedEvent]) {
        if case .heartbeat? = events.last { return }
        events.append(.heartbeat)
    }

    /// The document, if the bytes are one.
    func parsed(_ text: Span<UInt8>) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(text) } catch { return nil }
    }

    // MARK: Events

    private mutating func data(_ text: Span<UInt8>, name: String, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { return Self.beat(&events) }
        if text[0] == UInt8(ascii: "["), text.equals("[DONE]") { return markDone() }
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            return try unreadable(text, name: name, why: error, into: &events)
        }
        try documents(node, isError: name == "error", into: &events)
    }

    /// A document, or several in an array.
    private mutating func documents(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError)
    {
        guard node.kind == .array else { return try document(node, isError: isError, into: &events) }
        try node.forEachElement { (element: JSONNode) throws(APIError) in
            try self.documents(element, isError: isError, into: &events)
        }
    }

    /// A payload that is no JSON. Under an unknown event name it is none of ours; after the end it harms nobody.
    private mutating func unreadable(
        _ text: Span<UInt8>, name: String, why: JSONError, into events: inout [DecodedEvent]
    ) throws(APIError) {
        if name == "error" { throw APIError(ErrorReport(text: Snippet.of(text))) }
        if hasCleanEnd || !isOurs(name) { return Self.beat(&events) }
        if text.contains(0x0A) { return try lines(text, into: &events) }
        throw Self.broken("broken JSON in the stream (\(why.message))", text)
    }

    private func isOurs(_ name: String) -> Bool {
        name.isEmpty || name == "message" || Self.eventNames.contains(name)
    }

    /// Several payloads in one event: some servers leave out the blank lines between theirs.
    private mutating func lines(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == 0x0A {
            let rough = text.extracting(start..<index)
            let line = rough.extracting(rough.trimmed)
            start = index + 1
            guard !isDone, !line.isEmpty else { continue }
            if line.equals("[DONE]") {
                markDone()
            } else if let node = parsed(line) {
                try documents(node, isError: false, into: &events)
            } else {
                throw Self.broken("broken JSON in the stream", text)
            }
        }
    }

    // MARK: What is no event

    /// A line that is no field: an error behind `error:`, a `data:` line with a space before it, JSON by itself.
    private mutating func stray(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        if text.hasPrefix("data:") {
            let rest = text.extracting(5..<text.count)
            return try data(rest.extracting(rest.trimmed), name: "", into: &events)
        }
        if text.hasPrefix("error:") {
            let rough = text.extracting(6..<text.count)
            let rest = rough.extracting(rough.trimmed)
            throw APIError(parsed(rest).map { ErrorReport($0.value) } ?? ErrorReport(text: Snippet.of(rest)))
        }
        if strays.bytes.isEmpty, Snippet.isHTML(text) { throw Self.html(text) }
        guard !strays.bytes.isEmpty || (!text.isEmpty && (text[0] == UInt8(ascii: "{") || text[0] == UInt8(ascii: "[")))
        else { return Self.beat(&events) }
        try gather(text, into: &events)
    }

    /// JSON sent as an event stream comes line by line; it is read as soon as the lines make a document.
    private mutating func gather(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        guard strays.bytes.count + text.count < StrayLines.limit else {
            strays.bytes = []
            return Self.beat(&events)
        }
        for index in text.indices { strays.bytes.append(text[index]) }
        strays.bytes.append(0x0A)
        guard let last = text.last, last == UInt8(ascii: "}") || last == UInt8(ascii: "]") else {
            return Self.beat(&events)
        }
        let whole = strays.bytes
        guard let node = parsed(whole.span) else { return Self.beat(&events) }
        strays.bytes = []
        try documents(node, isError: false, into: &events)
    }

    /// A whole body where a stream was asked for: a reply, an error, or something else altogether.
    private mutating func body(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { throw APIError(kind: .protocol, message: "the response body is empty", isRetryable: true) }
        if Snippet.isHTML(text) { throw Self.html(text) }
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            throw Self.broken("expected a stream of events, got no JSON either (\(error.message))", text)
        }
        guard let first = node.kind == .array ? node.first : node, isReplyOrError(first) else {
            throw Self.broken("expected a stream of events, got JSON that is no \(Self.replyName)", text)
        }
        try documents(node, isError: false, into: &events)
        finish()
    }

    private static func broken(_ what: String, _ text: Span<UInt8>) -> APIError {
        APIError(kind: .protocol, message: "\(what): \(Snippet.of(text))")
    }

    private static func html(_ text: Span<UInt8>) -> APIError {
        let title = Snippet.htmlTitle(text).flatMap { $0.isEmpty ? nil : $0 }
        return broken("expected a stream of events, got an HTML page" + (title.map { " (\($0))" } ?? ""), text)
    }
}

/// How errors look that come where a reply's documents do.
enum ErrorShape {
    private static let keys = JSONKeys("object", "type", "detail", "errors", "message", "code")

    /// Whether a document that is none of the format's own is an error.
    static func isError(_ node: JSONNode) -> Bool {
        guard node.kind == .object else { return false }
        let shape = node.pick(keys)
        if shape[0]?.isString("error") == true || shape[1]?.isString("error") == true { return true }
        if shape[2]?.isNull == false || shape[3]?.isNull == false { return true }
        return shape[4]?.string != nil && (shape[5]?.isNull == false || shape[1] != nil)
    }

    /// Whether an `error` member says anything: beside a reply an empty one does not.
    static func says(_ error: JSONNode) -> Bool {
        switch error.kind {
        case .string: error.string?.isEmpty == false
        case .object, .array: error.count > 0
        case .bool: error.bool == true
        case .null: false
        default: true
        }
    }
}
