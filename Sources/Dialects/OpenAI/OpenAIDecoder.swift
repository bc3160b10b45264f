// Reads one Chat Completions stream. This file sorts frames and documents: which are chunks, which are errors, which
// end the stream. What a chunk says is in OpenAIChunk.swift. Only OpenAIDialect makes one.

internal import Wire

/// The state of one stream.
final class OpenAIDecoder: StreamDecoder {
    /// How many bytes of stray lines are held while they may be a JSON document spread over several.
    static let strayLimit = 65_536

    let reader: JSONReader
    /// What is known; its tool calls are kept in `tools`.
    var known = ReplySummary()
    var tools = OpenAIToolCalls()
    var memory = OpenAIReasoningMemory()
    /// True once a delta has brought content: what stands beside deltas from then on repeats it.
    var hasDeltaContent = false
    var hasOutput = false
    var repetition = OpenAIRepetition()
    private(set) var isDone = false
    private var hasStarted = false
    private var strays: [UInt8] = []

    init(reader: JSONReader) { self.reader = reader }

    var hasCleanEnd: Bool { isDone || known.finishReason != nil }

    var summary: ReplySummary {
        var summary = known
        summary.toolCalls = tools.calls(reader: reader)
        // Servers that were told which tool to call end with "stop" although the model waits for its result.
        if known.finishReason == .stop, !summary.toolCalls.isEmpty { summary.finishReason = .toolCalls }
        return summary
    }

    func decode(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        guard !isDone else { return }
        let text = bytes.extracting(bytes.trimmed)
        switch kind {
        case .comment: Self.beat(&events)
        case .data: try data(text, name: name, into: &events)
        case .stray: try stray(text, into: &events)
        case .body: try body(text, into: &events)
        }
    }

    func assistantMessage(text: String, reasoning: String) -> JSONValue {
        var message: JSONObject = ["role": "assistant"]
        let calls = tools.messageParts
        message["content"] = memory.content(text: text, reasoning: reasoning, hasCalls: !calls.isEmpty)
        if let refusal = known.refusal { message["refusal"] = .string(refusal) }
        memory.addFields(to: &message, reasoning: reasoning)
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return .object(message)
    }

    // MARK: Frames

    private func data(_ text: Span<UInt8>, name: String, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { return Self.beat(&events) }
        if name.isEmpty, let delta = repetition.read(text, reader) { return take(delta, into: &events) }
        if text[0] == UInt8(ascii: "["), text.equals("[DONE]") { return finish() }
        let before = events.count
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            return try unreadable(text, name: name, why: error, into: &events)
        }
        try document(node, isError: name == "error", into: &events)
        if name.isEmpty, events.count == before + 1 { repetition.learn(text, events[before], reader) }
    }

    /// `[DONE]`, or the end of a whole body.
    private func finish() {
        isDone = true
        if known.finishReason == nil { known.finishReason = .other }
    }

    /// A payload that is no JSON. Under an unknown event name it is none of ours; after the end it harms nobody.
    private func unreadable(
        _ text: Span<UInt8>, name: String, why: JSONError, into events: inout [DecodedEvent]
    ) throws(APIError) {
        if name == "error" { throw APIError(ErrorReport(text: Excerpt.of(text))) }
        if hasCleanEnd || (!name.isEmpty && name != "message") { return Self.beat(&events) }
        if text.contains(0x0A) { return try lines(text, into: &events) }
        throw Self.broken("broken JSON in the stream (\(why.message))", text)
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
                finish()
            } else if let node = parsed(line) {
                try document(node, isError: false, into: &events)
            } else {
                throw Self.broken("broken JSON in the stream", text)
            }
        }
    }

    /// The document, if the bytes are one.
    private func parsed(_ text: Span<UInt8>) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(text) } catch { return nil }
    }

    // MARK: Documents

    /// One JSON document: a chunk, a whole completion, or an error.
    private func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        if node.kind == .array {
            return try node.forEachElement { (element: JSONNode) throws(APIError) in
                try self.document(element, isError: isError, into: &events)
            }
        }
        let top = node.pick(ChunkKey.table)
        let choices = top[ChunkKey.choices]
        if isError || Self.isError(node, top) { throw APIError(ErrorReport(node.value)) }
        let before = events.count
        if known.id == nil, let id = top[ChunkKey.id]?.string, !id.isEmpty { known.id = id }
        if known.model == nil, let model = top[ChunkKey.model]?.string, !model.isEmpty { known.model = model }
        if !hasStarted, choices != nil || known.id != nil {
            hasStarted = true
            events.append(.start)
        }
        var position: Int64 = 0
        try choices?.forEachElement { (choice: JSONNode) throws(APIError) in
            try self.choice(choice, position: position, into: &events)
            position += 1
        }
        if let usage = top[ChunkKey.usage] { take(usage: usage, into: &events) }
        if let groq = top[ChunkKey.groq] { try take(groq: groq, into: &events) }
        if events.count == before { Self.beat(&events) }
    }

    /// Whether an object is an error: by its `error` member, or, where it is no chunk, by its shape.
    private static func isError(_ node: JSONNode, _ top: JSONPicked) -> Bool {
        let choices = top[ChunkKey.choices]
        if let error = top[ChunkKey.error], !error.isNull, error.bool != false {
            if says(error) || choices?.first == nil { return true }
        }
        guard choices == nil, node.kind == .object else { return false }
        let shape = node.pick(shapeKeys)
        if shape[0]?.isString("error") == true || shape[1]?.isString("error") == true { return true }
        if shape[2]?.isNull == false || shape[3]?.isNull == false { return true }
        return shape[4]?.string != nil && (shape[5]?.isNull == false || shape[1] != nil)
    }

    private static let shapeKeys = JSONKeys("object", "type", "detail", "errors", "message", "code")

    /// Beside choices an empty `error` says nothing.
    static func says(_ error: JSONNode) -> Bool {
        switch error.kind {
        case .string: error.string?.isEmpty == false
        case .object, .array: error.count > 0
        case .bool: error.bool == true
        case .null: false
        default: true
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
        if strays.isEmpty, Excerpt.isHTML(text) { throw Self.html(text) }
        guard !strays.isEmpty || (!text.isEmpty && (text[0] == UInt8(ascii: "{") || text[0] == UInt8(ascii: "[")))
        else { return Self.beat(&events) }
        try gather(text, into: &events)
    }

    /// JSON sent as an event stream comes line by line; it is read as soon as the lines make a document.
    private func gather(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        guard strays.count + text.count < Self.strayLimit else {
            strays = []
            return Self.beat(&events)
        }
        for index in text.indices { strays.append(text[index]) }
        strays.append(0x0A)
        guard let last = text.last, last == UInt8(ascii: "}") || last == UInt8(ascii: "]") else {
            return Self.beat(&events)
        }
        let whole = strays
        guard let node = parsed(whole.span) else { return Self.beat(&events) }
        strays = []
        try document(node, isError: false, into: &events)
    }

    /// A whole body where a stream was asked for: a completion, an error, or something else altogether.
    private func body(_ text: Span<UInt8>, into events: inout [DecodedEvent]) throws(APIError) {
        if text.isEmpty { throw APIError(kind: .protocol, message: "the response body is empty", isRetryable: true) }
        if Excerpt.isHTML(text) { throw Self.html(text) }
        let node: JSONNode
        do throws(JSONError) {
            node = try reader.parse(text)
        } catch {
            throw Self.broken("expected a stream of events, got no JSON either (\(error.message))", text)
        }
        guard let first = node.kind == .array ? node.first : node,
            first["choices"] != nil || Self.isError(first, first.pick(ChunkKey.table))
        else {
            throw Self.broken("expected a stream of events, got JSON that is no chat completion", text)
        }
        try document(node, isError: false, into: &events)
        finish()
    }

    static func beat(_ events: inout [DecodedEvent]) {
        if case .heartbeat? = events.last { return }
        events.append(.heartbeat)
    }

    private static func broken(_ what: String, _ text: Span<UInt8>) -> APIError {
        APIError(kind: .protocol, message: "\(what): \(Excerpt.of(text))")
    }

    private static func html(_ text: Span<UInt8>) -> APIError {
        let title = Excerpt.htmlTitle(text).flatMap { $0.isEmpty ? nil : $0 }
        return broken("expected a stream of events, got an HTML page" + (title.map { " (\($0))" } ?? ""), text)
    }
}
