// Turns frames into JSON documents in the same way for every format: SSE data, stray lines and whole bodies. The
// decoder of a format conforms, and decodes the documents.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream whose frames hold JSON documents. A value type, so that ``TemplateDecoder`` can decode a
/// frame on a copy. Holds no text of the reply.
protocol DocumentDecoder: Equatable {
    /// Parses the documents.
    var reader: JSONReader { get }
    /// Stray lines received so far that may be one JSON document over several lines.
    var strays: StrayLines { get set }
    /// The summary of the reply without its tool calls.
    var known: ReplySummary { get }
    /// Whether output has arrived.
    var output: OutputProgress { get }
    /// The name of a whole reply in error messages: "chat completion".
    static var replyName: String { get }
    /// Names of this format's SSE events other than "" and "message". Broken JSON in an event with one of these names
    /// is an error.
    static var eventNames: Set<String> { get }
    /// The members that may differ between frames that hold only a piece of text.
    static var templatePaths: TemplatePaths { get }

    /// Decodes one frame and appends its events to `events`.
    /// - Parameter text: the payload without white space at either end.
    mutating func decode(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError)

    /// Applies frames that are equal to the last decoded one except for the text and the literals that the template
    /// leaves open. Changes the state as `decode` would, and appends the events that `decode` would append after the
    /// text.
    mutating func skip(_ batch: TextBatch, _ counters: TemplateCounters, into events: inout [DecodedEvent])

    /// Decodes one document: an event, a whole reply, or an error.
    /// - Parameter isError: whether the SSE event name is "error".
    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError)

    /// Whether a JSON body received in place of a stream is a whole reply or an error.
    func isReplyOrError(_ node: JSONNode) -> Bool

    /// Called for `[DONE]`.
    mutating func markDone()

    /// Called at the end of a whole body.
    mutating func finish()

    // As in StreamDecoder.
    var hasCleanEnd: Bool { get }
    var isDone: Bool { get }
    var isBlank: Bool { get }
    var summary: ReplySummary { get }
    mutating func bodyEnded()
    func assistantMessage(_ reply: ReplyText) -> JSONValue

    /// How far the decoder is. `mutating`, so that the state is read in place and not copied.
    mutating func progress() -> DecoderProgress
}

/// Lines that are not SSE fields.
struct StrayLines: Equatable {
    /// Maximum bytes held while the lines may be one JSON document.
    static let limit = 65_536

    fileprivate var bytes: [UInt8] = []
}

/// The progress of a decoder, with the same members as ``StreamDecoder``.
struct DecoderProgress: Equatable {
    let hasCleanEnd: Bool
    let isDone: Bool
    let isBlank: Bool
    let hasOutput: Bool
    let outputCount: Int
}

extension DocumentDecoder {
    mutating func progress() -> DecoderProgress {
        DecoderProgress(
            hasCleanEnd: hasCleanEnd, isDone: isDone, isBlank: isBlank, hasOutput: output.hasOutput,
            outputCount: output.count)
    }

    static var templatePaths: TemplatePaths { TemplatePaths() }

    var hasOutput: Bool { output.hasOutput }
    var isBlank: Bool { !hasOutput && known.isEmpty }

    mutating func decode(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) { try decodeFrame(kind, name: name, text, into: &events) }

    mutating func skip(_ batch: TextBatch, _ counters: TemplateCounters, into events: inout [DecodedEvent]) {}

    mutating func bodyEnded() {}

    /// Handles one frame by its kind, and decodes the documents in it.
    /// - Parameter text: the payload without white space at either end.
    mutating func decodeFrame(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        switch kind {
        case .comment: Self.appendHeartbeat(&events)
        case .data: try data(text, name: name, into: &events)
        case .stray: try stray(text, into: &events)
        case .body: try body(text, into: &events)
        }
    }

    /// Appends a heartbeat, unless the last event is one.
    static func appendHeartbeat(_ events: inout [DecodedEvent]) {
        if case .heartbeat? = events.last { return }
        events.append(.heartbeat)
    }

    /// Parses the bytes; nil if they are not JSON.
    func parsed(_ text: Span<UInt8>) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(text) } catch { return nil }
    }

    // MARK: Events

    private mutating func data(_ text: Span<UInt8>, name: String, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { return Self.appendHeartbeat(&events) }
        if text[0] == UInt8(ascii: "["), text.equals("[DONE]") { return markDone() }
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            return try unreadable(text, name: name, why: error, into: &events)
        }
        try documents(node, isError: !name.isEmpty && name == "error", into: &events)
    }

    /// Decodes one document, or each document of an array.
    private mutating func documents(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError)
    {
        guard node.isArray else { return try document(node, isError: isError, into: &events) }
        try node.forEachElement { (element: JSONNode) throws(APIError) in
            try self.documents(element, isError: isError, into: &events)
        }
    }

    /// Handles data that are not JSON. Ignored if the event name is not one of this format, or after the clean end.
    private mutating func unreadable(
        _ text: Span<UInt8>, name: String, why: JSONError, into events: inout [DecodedEvent]
    ) throws(APIError) {
        if name == "error" { throw APIError(ErrorReport(text: Snippet.of(text))) }
        if hasCleanEnd || !isKnownEvent(name) { return Self.appendHeartbeat(&events) }
        if text.contains(0x0A) { return try lines(text, into: &events) }
        throw Self.broken("broken JSON in the stream (\(why.message))", text)
    }

    private func isKnownEvent(_ name: String) -> Bool {
        name.isEmpty || name == "message" || Self.eventNames.contains(name)
    }

    /// Decodes an event with one document per line: some servers leave out the blank lines between events.
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

    // MARK: Other frames

    /// Handles a line that is not an SSE field: an error after `error:`, a `data:` line with a space before it, or bare
    /// JSON.
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
        else { return Self.appendHeartbeat(&events) }
        try bufferStrayLine(text, into: &events)
    }

    /// Collects lines of a JSON document that is sent as an event stream, and decodes it as soon as the lines are a
    /// document.
    private mutating func bufferStrayLine(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        guard strays.bytes.count + text.count < StrayLines.limit else {
            strays.bytes = []
            return Self.appendHeartbeat(&events)
        }
        for index in text.indices { strays.bytes.append(text[index]) }
        strays.bytes.append(0x0A)
        guard let last = text.last, last == UInt8(ascii: "}") || last == UInt8(ascii: "]") else {
            return Self.appendHeartbeat(&events)
        }
        let whole = strays.bytes
        guard let node = parsed(whole.span) else { return Self.appendHeartbeat(&events) }
        strays.bytes = []
        try documents(node, isError: false, into: &events)
    }

    /// Handles a whole body received in place of a stream: a reply, an error, or something else.
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

/// The shapes of error documents that arrive in place of a reply's documents.
enum ErrorShape {
    private static let keys = JSONKeys("object", "type", "detail", "errors", "message", "code")

    /// Whether a document that is not one of the format's own is an error.
    static func isError(_ node: JSONNode) -> Bool {
        guard node.kind == .object else { return false }
        let shape = node.pick(keys)
        if shape[0]?.isString("error") == true || shape[1]?.isString("error") == true { return true }
        if shape[2]?.isNull == false || shape[3]?.isNull == false { return true }
        return shape[4]?.string != nil && (shape[5]?.isNull == false || shape[1] != nil)
    }

    /// Whether an `error` member has content. Some servers send an empty one with a reply.
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
