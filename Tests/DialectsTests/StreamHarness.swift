// Runs recorded or written-down streams through framer and decoder, as the engine does.

import Dialects
import Wire

/// What came out of one stream.
struct StreamOutcome {
    var events: [DecodedEvent] = []
    var error: APIError?
    var summary = ReplySummary()
    var hasCleanEnd = false
    var isDone = false
    var hasOutput = false
    var message: JSONValue = .null

    var text: String { events.map { if case .token(let text) = $0 { text } else { "" } }.joined() }
    var reasoning: String { events.map { if case .reasoning(let text) = $0 { text } else { "" } }.joined() }
    var tokens: [String] { events.compactMap { if case .token(let text) = $0 { text } else { nil } } }
    var isEmpty: Bool { events.allSatisfy { $0 == .heartbeat } }
}

enum StreamHarness {
    /// Runs an SSE body, fed in pieces of `size` bytes; whole where `size` is nil.
    static func run(
        sse body: [UInt8], size: Int? = nil, dialect: any Dialect = OpenAIDialect(), reader: JSONReader = JSONReader()
    ) -> StreamOutcome {
        run(body: body, sizes: { size ?? max(1, body.count) }, dialect: dialect, reader: reader)
    }

    /// Runs a body in the framing that it begins with, fed in pieces of the sizes that `sizes` gives.
    /// - Parameter takesPending: whether what stands without its end is offered, as at the end of a whole body.
    static func run(
        body: [UInt8], sizes: () -> Int, dialect: any Dialect, reader: JSONReader, takesPending: Bool = true
    ) -> StreamOutcome {
        let decoder = dialect.makeDecoder(reader: reader)
        var outcome = StreamOutcome()
        do {
            if body.first == UInt8(ascii: "{") {
                try lines(body, sizes, takesPending, decoder, &outcome)
            } else {
                try events(body, sizes, takesPending, decoder, &outcome)
            }
        } catch let error as APIError {
            outcome.error = error
        } catch let FramingError<APIError>.consumer(error) {
            outcome.error = error
        } catch {
            outcome.error = APIError(kind: .protocol, message: "\(error)")
        }
        return finished(outcome, decoder)
    }

    private static func events(
        _ body: [UInt8], _ sizes: () -> Int, _ takesPending: Bool, _ decoder: any StreamDecoder,
        _ outcome: inout StreamOutcome
    ) throws {
        var parser = SSEParser()
        var start = 0
        while start < body.count {
            let end = min(body.count, start + sizes())
            try parser.feed(body.span.extracting(start..<end)) { (frame, bytes) throws(APIError) in
                try decoder.decode(kind(frame), name: frame.name, bytes: bytes, into: &outcome.events)
            }
            start = end
        }
        guard takesPending else { return }
        if let pending = parser.pending, (try? JSONReader.value(pending.data)) != nil {
            try decoder.decode(.data, name: pending.name, bytes: pending.data.span, into: &outcome.events)
        }
        if let stray = parser.pendingStray {
            try decoder.decode(.stray, name: "", bytes: stray.span, into: &outcome.events)
        }
    }

    private static func lines(
        _ body: [UInt8], _ sizes: () -> Int, _ takesPending: Bool, _ decoder: any StreamDecoder,
        _ outcome: inout StreamOutcome
    ) throws {
        var parser = NDJSONParser()
        var start = 0
        while start < body.count {
            let end = min(body.count, start + sizes())
            try parser.feed(body.span.extracting(start..<end)) { (bytes) throws(APIError) in
                try decoder.decode(.data, name: "", bytes: bytes, into: &outcome.events)
            }
            start = end
        }
        guard takesPending else { return }
        try parser.finish { (bytes) throws(APIError) in
            try decoder.decode(.data, name: "", bytes: bytes, into: &outcome.events)
        }
    }

    /// Runs single frames.
    static func run(
        frames: [(FrameKind, String, String)], dialect: any Dialect = OpenAIDialect()
    ) -> StreamOutcome {
        let decoder = dialect.makeDecoder()
        var outcome = StreamOutcome()
        do {
            for (kind, name, payload) in frames {
                try decoder.decode(kind, name: name, bytes: [UInt8](payload.utf8).span, into: &outcome.events)
            }
        } catch {
            outcome.error = error
        }
        return finished(outcome, decoder)
    }

    /// Runs `data:` payloads.
    static func run(_ payloads: String...) -> StreamOutcome {
        run(frames: payloads.map { (.data, "", $0) })
    }

    private static func finished(_ outcome: StreamOutcome, _ decoder: any StreamDecoder) -> StreamOutcome {
        var outcome = outcome
        outcome.summary = decoder.summary
        outcome.hasCleanEnd = decoder.hasCleanEnd
        outcome.isDone = decoder.isDone
        outcome.hasOutput = decoder.hasOutput
        outcome.message = decoder.assistantMessage(text: outcome.text, reasoning: outcome.reasoning)
        return outcome
    }

    private static func kind(_ frame: SSEFrame) -> FrameKind {
        switch frame.kind {
        case .event: .data
        case .comment: .comment
        case .stray: .stray
        }
    }
}
