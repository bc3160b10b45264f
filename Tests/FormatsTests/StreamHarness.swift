// Runs recorded or written-down streams through framer and decoder, as the engine does.

import Base
import Chat
import HTTP
import JSON
import Testing

@testable import Formats

/// What came out of one stream.
struct StreamOutcome {
    var events: [DecodedEvent] = []
    var error: APIError?
    var summary = ReplySummary()
    var hasCleanEnd = false
    var isDone = false
    var hasOutput = false
    var message: JSONValue = .null
    /// How many frames were fast-forwarded over.
    var skipped = 0

    var text: String { events.text(.text) }
    var reasoning: String { events.text(.reasoning) }
    var tokens: [String] {
        events.compactMap { if case .text(let batch) = $0, batch.kind == .text { batch.text } else { nil } }
    }
    /// The pieces of the reply, and what only its provider sends.
    var pieces: [DecodedEvent] {
        events.filter { event in
            switch event {
            case .text, .native: true
            default: false
            }
        }
    }
    var isEmpty: Bool { events.allSatisfy { $0 == .heartbeat } }
}

enum StreamHarness {
    /// Runs an SSE body, fed in pieces of `size` bytes; whole where `size` is nil.
    static func run(
        sse body: [UInt8], size: Int? = nil, dialect: WireFormat = WireFormat.openAIChat,
        reader: JSONReader = JSONReader()
    ) -> StreamOutcome {
        run(body: body, sizes: { size ?? max(1, body.count) }, dialect: dialect, reader: reader)
    }

    /// Runs a body in the framing that it begins with, fed in pieces of the sizes that `sizes` gives.
    /// - Parameter takesPending: whether what stands without its end is offered, as at the end of a whole body.
    static func run(
        body: [UInt8], sizes: () -> Int, dialect: WireFormat, reader: JSONReader, takesPending: Bool = true
    ) -> StreamOutcome {
        let decoder = dialect.makeDecoder(reader: reader)
        var outcome = StreamOutcome()
        do {
            if body.first == UInt8(ascii: "["), dialect.streamsArrays {
                try elements(body, sizes, decoder, &outcome)
            } else if body.first == UInt8(ascii: "{") {
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
            } fastForward: {
                fastForward($0, from: $1, $2, decoder, &outcome)
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

    private static func elements(
        _ body: [UInt8], _ sizes: () -> Int, _ decoder: any StreamDecoder, _ outcome: inout StreamOutcome
    ) throws {
        var parser = JSONArrayParser()
        var start = 0
        while start < body.count {
            let end = min(body.count, start + sizes())
            try parser.feed(body.span.extracting(start..<end)) { (bytes) throws(APIError) in
                try decoder.decode(.data, name: "", bytes: bytes, into: &outcome.events)
            }
            start = end
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
            } fastForward: {
                fastForward($0, from: $1, $2, decoder, &outcome)
            }
            start = end
        }
        guard takesPending else { return }
        try parser.finish { (bytes) throws(APIError) in
            try decoder.decode(.data, name: "", bytes: bytes, into: &outcome.events)
        }
    }

    private static func fastForward(
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, _ decoder: any StreamDecoder,
        _ outcome: inout StreamOutcome
    ) -> Int {
        var said: [DecodedEvent] = []
        guard !decoder.hasCleanEnd, let end = decoder.fastForward(chunk, from: start, shape, into: &said) else {
            return start
        }
        for event in said { if case .text(let batch) = event { outcome.skipped += batch.count } }
        outcome.events += said.byPiece
        return end
    }

    /// Runs single frames.
    static func run(
        frames: [(FrameKind, String, String)], dialect: WireFormat = WireFormat.openAIChat
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

    /// Runs single frames, each of which is parsed.
    static func parse(frames: [(FrameKind, String, String)], dialect: WireFormat) -> StreamOutcome {
        var decoder = plainDecoder(dialect)
        var outcome = StreamOutcome()
        do {
            for (kind, name, payload) in frames where !decoder.isDone {
                let bytes = [UInt8](payload.utf8)
                let text = bytes.span.extracting(bytes.span.trimmed)
                try decoder.decode(kind, name: name, text, into: &outcome.events)
            }
        } catch {
            outcome.error = error
        }
        outcome.summary = decoder.summary
        outcome.hasCleanEnd = decoder.hasCleanEnd
        outcome.isDone = decoder.isDone
        outcome.hasOutput = decoder.output.hasOutput
        outcome.message = decoder.assistantMessage(ReplyText(outcome.events))
        return outcome
    }

    /// A format's decoder without templates.
    private static func plainDecoder(_ dialect: WireFormat) -> any DocumentDecoder {
        let reader = JSONReader()
        return switch dialect.name {
        case "openai": OpenAIChatDecoder(reader: reader)
        case "responses": OpenAIResponsesDecoder(reader: reader)
        case "anthropic": AnthropicMessagesDecoder(reader: reader)
        case "gemini": GeminiDecoder(reader: reader)
        case "tgi": TGIDecoder(reader: reader)
        case "ollama": OllamaDecoder(reader: reader)
        case "cohere": CohereDecoder(reader: reader)
        default: fatalError("plainDecoder has no case for the format \(dialect.name)")
        }
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
        outcome.message = decoder.assistantMessage(ReplyText(outcome.events))
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

extension DecodedEvent {
    /// One piece of the text.
    static func token(_ piece: String) -> DecodedEvent { .text(TextBatch(piece)) }
    /// One piece of the reasoning.
    static func reasoning(_ piece: String) -> DecodedEvent { .text(.reasoning(piece)) }
}

extension ReplyText {
    /// The text in `events`, as a reader has it that has not seen the end, or has seen something else.
    init(_ events: [DecodedEvent], text: String? = nil, reasoning: String? = nil) {
        var blocks = TextBlocks()
        for event in events {
            switch event {
            case .block(let number): blocks.begin(number)
            case .text(let batch): blocks.add(batch)
            default: break
            }
        }
        func cut(_ seen: String?, _ kind: TextBatch.Kind) -> Int {
            let all = events.text(kind)
            guard let seen, all.hasPrefix(seen) else { return 0 }
            return all.utf8.count - seen.utf8.count
        }
        self = blocks.reply(
            text: text ?? events.text(.text), reasoning: reasoning ?? events.text(.reasoning),
            textCut: cut(text, .text), reasoningCut: cut(reasoning, .reasoning))
    }
}

extension [DecodedEvent] {
    /// Each piece of text in an event of its own.
    var byPiece: [DecodedEvent] {
        flatMap { event in
            guard case .text(let batch) = event else { return [event] }
            return batch.map { .text(TextBatch($0, batch.kind)) }
        }
    }

    /// All text of that kind.
    func text(_ kind: TextBatch.Kind) -> String {
        map { if case .text(let batch) = $0, batch.kind == kind { batch.text } else { "" } }.joined()
    }
}

/// Ids made here are the same in each reply, for tests that compare replies.
struct FixedCallIDs: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await LocalCallIDs.$fixedStart.withValue(0) { try await function() }
    }
}

extension Trait where Self == FixedCallIDs {
    static var fixedCallIDs: Self { Self() }
}
