// What all decoders of JSON streams share: frames sorted into documents, and what is no document told apart, so that a
// dialect's own files say only what its documents mean. No provider's name belongs here.

internal import Wire

/// A decoder whose frames are JSON documents.
protocol DocumentDecoder: StreamDecoder {
    /// Reads the documents.
    var reader: JSONReader { get }
    /// Lines that are no frames, gathered while they may be a document.
    var strays: StrayLines { get set }
    /// What a whole body should have been, for messages: "chat completion".
    var replyName: StaticString { get }

    /// `[DONE]` has come.
    func finishedByMark()
    /// Whether an event of that name carries this dialect's documents; the payload of another that is no JSON is none
    /// of ours.
    func isOwn(event name: String) -> Bool
    /// Whether a whole body is a reply (or an error) of this dialect.
    func isReply(_ body: JSONNode) -> Bool
    /// A whole body has been read: nothing follows.
    func finishedByBody() throws(APIError)
    /// Decodes one document.
    /// - Parameter isError: whether its event was named "error".
    func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError)
}

extension DocumentDecoder {
    /// Decodes one frame of any kind.
    func sort(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        guard !isDone else { return }
        let text = bytes.extracting(bytes.trimmed)
        switch kind {
        case .comment: events.beat()
        case .data: try data(text, name: name, into: &events)
        case .stray: try stray(text, into: &events)
        case .body: try body(text, into: &events)
        }
    }

    /// An event's payload, without white space around it.
    func data(_ text: Span<UInt8>, name: String, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { return events.beat() }
        if text[0] == UInt8(ascii: "["), text.equals("[DONE]") { return finishedByMark() }
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            return try unreadable(text, name: name, why: error, into: &events)
        }
        try each(node, isError: name == "error", into: &events)
    }

    /// A payload that is no JSON. Under an unknown event name it is none of ours; after the end it harms nobody.
    private func unreadable(
        _ text: Span<UInt8>, name: String, why: JSONError, into events: inout [DecodedEvent]
    ) throws(APIError) {
        if name == "error" { throw APIError(ErrorReport(text: Excerpt.of(text))) }
        if hasCleanEnd || !isOwn(event: name) { return events.beat() }
        if text.contains(0x0A) { return try lines(text, into: &events) }
        throw .broken("broken JSON in the stream (\(why.message))", text)
    }

    /// Several payloads in one event: some servers leave out the blank lines between theirs.
    private func lines(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == 0x0A {
            let rough = text.extracting(start..<index)
            let line = rough.extracting(rough.trimmed)
            start = index + 1
            guard !isDone, !line.isEmpty else { continue }
            if line.equals("[DONE]") {
                finishedByMark()
            } else if let node = parsed(line) {
                try each(node, isError: false, into: &events)
            } else {
                throw .broken("broken JSON in the stream", text)
            }
        }
    }

    /// The document, if the bytes are one.
    private func parsed(_ text: Span<UInt8>) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(text) } catch { return nil }
    }

    /// A document, or an array of them.
    private func each(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        guard node.kind == .array else { return try document(node, isError: isError, into: &events) }
        try node.forEachElement { (element: JSONNode) throws(APIError) in
            try self.document(element, isError: isError, into: &events)
        }
    }

    // MARK: What is no event

    /// A line that is no field: an error behind `error:`, a `data:` line with a space before it, JSON by itself.
    private func stray(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        if text.hasPrefix("data:") {
            let rest = text.extracting(5..<text.count)
            return try data(rest.extracting(rest.trimmed), name: "", into: &events)
        }
        if text.hasPrefix("error:") {
            let rough = text.extracting(6..<text.count)
            let rest = rough.extracting(rough.trimmed)
            throw APIError(parsed(rest).map { ErrorReport($0.value) } ?? ErrorReport(text: Excerpt.of(rest)))
        }
        if strays.isEmpty, Excerpt.isHTML(text) { throw .html(text) }
        // JSON sent as an event stream comes line by line; it is read as soon as the lines make a document.
        guard let whole = strays.add(text), let node = parsed(whole.span) else { return events.beat() }
        strays = StrayLines()
        try each(node, isError: false, into: &events)
    }

    /// A whole body where a stream was asked for: a reply, an error, or something else altogether.
    private func body(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { throw APIError(kind: .protocol, message: "the response body is empty", isRetryable: true) }
        if Excerpt.isHTML(text) { throw .html(text) }
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            throw .broken("expected a stream of events, got no JSON either (\(error.message))", text)
        }
        guard let first = node.kind == .array ? node.first : node, isReply(first) else {
            throw .broken("expected a stream of events, got JSON that is no \(replyName)", text)
        }
        try each(node, isError: false, into: &events)
        try finishedByBody()
    }
}

extension [DecodedEvent] {
    /// Adds a heartbeat; several in a row are one.
    mutating func beat() {
        if case .heartbeat? = last { return }
        append(.heartbeat)
    }
}

extension APIError {
    /// A payload that this dialect cannot read.
    static func broken(_ what: String, _ text: Span<UInt8>) -> APIError {
        APIError(kind: .protocol, message: "\(what): \(Excerpt.of(text))")
    }

    static func html(_ text: Span<UInt8>) -> APIError {
        let title = Excerpt.htmlTitle(text).flatMap { $0.isEmpty ? nil : $0 }
        return broken("expected a stream of events, got an HTML page" + (title.map { " (\($0))" } ?? ""), text)
    }
}

/// Lines outside of events that may together be one JSON document.
struct StrayLines {
    /// How many bytes are held.
    static let limit = 65_536

    private var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }

    /// Adds a line, if it begins JSON or follows one that did.
    /// - Returns: all lines, when the last one may end a document.
    mutating func add(_ line: Span<UInt8>) -> [UInt8]? {
        guard let first = line.isEmpty ? nil : line[0], let last = line.last else { return nil }
        guard !bytes.isEmpty || first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return nil }
        guard bytes.count + line.count < Self.limit else {
            bytes = []
            return nil
        }
        for index in line.indices { bytes.append(line[index]) }
        bytes.append(0x0A)
        return last == UInt8(ascii: "}") || last == UInt8(ascii: "]") ? bytes : nil
    }
}
