// Divides the body of one response into frames, whatever kind of body it turns out to be. Does not decode the frames. Holds
// at most one event, or one document of limited size.

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON

/// Divides a body into frames.
struct ResponseReader {
    /// Takes a frame: its kind, its SSE event name, its payload.
    typealias FrameHandler = (FrameKind, String, Span<UInt8>) throws(AttemptError) -> Void
    /// See ``StreamDecoder/canFastForward``.
    typealias CanFastForward = () -> Bool
    /// See ``StreamDecoder/fastForward(_:from:_:into:)``; returns the start for none.
    typealias FastForward = (Span<UInt8>, Int, FrameShape) -> Int

    private static let sampleLength = 200

    private let framing: Framing
    private let streamsArrays: Bool
    private let maxEventBytes: Int
    private let secrets: Secrets
    /// Reads the beginning of the body; nil once it is known what the body is. Then one of the parsers below reads it. Each
    /// works in its place: taking it out of an enumeration for each piece would cost as much as the parsing.
    private var sniffer: BodySniffer?
    private var events: SSEParser?
    private var lines: NDJSONParser?
    private var elements: JSONArrayParser?
    /// The beginning of the body, for error messages. Emptied at the first frame.
    private var sample: [UInt8] = []
    private var hasFrames = false
    /// Whether a whole line has come that belongs to no event.
    private var hasStrayLines = false

    init(framing: Framing, streamsArrays: Bool = false, maxEventBytes: Int, secrets: Secrets) {
        self.framing = framing
        self.streamsArrays = streamsArrays
        self.maxEventBytes = maxEventBytes
        self.secrets = secrets
        sniffer = BodySniffer(framing: framing, streamsArrays: streamsArrays)
    }

    /// Divides the next bytes into frames.
    /// - Throws: what the sink throws, or an error of kind `protocol` for a body that is no stream.
    mutating func feed(
        _ bytes: Span<UInt8>, _ sink: FrameHandler, _ canFastForward: CanFastForward, _ fastForward: FastForward
    ) throws(AttemptError) {
        if !hasFrames, sample.count < 2 * Self.sampleLength {
            sample.append(bytes.extracting(first: 2 * Self.sampleLength - sample.count))
        }
        guard let detection = sniffer?.feed(bytes, isWholeJSON: { Self.isWholeJSON([UInt8](copying: $0)) }) else {
            return try divide(bytes, sink, canFastForward, fastForward)
        }
        switch detection {
        case .undecided:
            guard sniffer?.held.count ?? 0 <= maxEventBytes else {
                throw AttemptError(.protocol, "a JSON document is longer than the limit of \(maxEventBytes) bytes")
            }
            return
        case .html: throw noStream("text/html")
        case .compressed:
            throw AttemptError(.protocol, "the body is compressed (gzip), though compression was not asked for")
        case .stream(.serverSentEvents): events = SSEParser(maxEventBytes: maxEventBytes)
        case .stream(.newlineDelimitedJSON): lines = NDJSONParser(maxLineBytes: maxEventBytes)
        case .stream(.jsonArray): elements = JSONArrayParser(maxElementBytes: maxEventBytes)
        }
        let held = sniffer?.held ?? []
        sniffer = nil
        try divide(held.span, sink, canFastForward, fastForward)
    }

    /// True until something other than white space has come.
    var isBlank: Bool {
        sniffer.map { !$0.isDocument } ?? false
    }

    private mutating func divide(
        _ bytes: Span<UInt8>, _ sink: FrameHandler, _ canFastForward: CanFastForward, _ fastForward: FastForward
    ) throws(AttemptError) {
        var sawFrame = hasFrames
        var sawStray = hasStrayLines
        do throws(FramingError<AttemptError>) {
            if events != nil {
                try events?.feed(bytes) { (frame, payload) throws(AttemptError) in
                    if case .stray = frame.kind { sawStray = true } else { sawFrame = true }
                    try sink(FrameKind(frame.kind), frame.name, payload)
                } canFastForward: {
                    canFastForward()
                } fastForward: {
                    fastForward($0, $1, $2)
                }
            } else if lines != nil {
                try lines?.feed(bytes) { (payload) throws(AttemptError) in
                    sawFrame = true
                    try sink(.data, "", payload)
                } fastForward: {
                    fastForward($0, $1, $2)
                }
            } else {
                try elements?.feed(bytes) { (payload) throws(AttemptError) in
                    sawFrame = true
                    try sink(.data, "", payload)
                }
            }
        } catch {
            throw AttemptError(error)
        }
        hasStrayLines = sawStray
        if sawFrame, !hasFrames {
            hasFrames = true
            sample = []
        }
    }

    /// Passes on what is left at the end of a complete body: a document, or a last event without its blank line.
    mutating func finish(contentType: String?, _ sink: FrameHandler) throws(AttemptError) {
        if let sniffer, sniffer.isDocument {
            if Self.isCut(sniffer.held) { return }
            hasFrames = true
            try sink(.body, "", sniffer.held.span)
        } else if let events {
            if let (name, payload) = events.pending, Self.isWhole(payload) {
                hasFrames = true
                try sink(.data, name, payload.span)
            } else if let stray = events.pendingStray, stray.last == UInt8(ascii: "}") {
                try sink(.stray, "", stray.span)
            }
        } else if lines != nil {
            // A line that ends inside its value was cut; one that is whole lacks nothing but its newline.
            var isCut = false
            do throws(FramingError<AttemptError>) {
                try lines?.finish { (payload) throws(AttemptError) in
                    isCut = Self.isCut([UInt8](copying: payload))
                    if !isCut { try sink(.data, "", payload) }
                }
            } catch {
                throw AttemptError(error)
            }
            if isCut { return }
        } else if elements != nil {
            // An incomplete element is not a frame: the stream was cut.
            return
        }
        // A stream cut inside its first event has no frames either.
        let saysStream = contentType?.lowercased().utf8.starts(with: wantedType.utf8) ?? false
        if !hasFrames, hasStrayLines || !saysStream, sample.contains(where: { $0 > 0x20 }) {
            throw noStream(contentType)
        }
    }

    private var wantedType: String { framing == .serverSentEvents ? "text/event-stream" : "application/x-ndjson" }

    private func noStream(_ contentType: String?) -> AttemptError {
        let text = secrets.excerpt(sample, limit: Self.sampleLength)
        return AttemptError(.protocol, "expected \(wantedType), got \(contentType ?? "a body without a type"): \(text)")
    }

    private static func isWhole(_ payload: [UInt8]) -> Bool { payload == Array("[DONE]".utf8) || isWholeJSON(payload) }

    /// Whether bytes that begin like a JSON object or array end inside it.
    private static func isCut(_ bytes: [UInt8]) -> Bool { JSONBoundary(bytes).isInside }

    private static func isWholeJSON(_ bytes: [UInt8]) -> Bool {
        do throws(JSONError) {
            _ = try JSONReader.value(bytes)
            return true
        } catch {
            return false
        }
    }
}

extension AttemptError {
    /// The attempt's error for an error of a parser.
    fileprivate init(_ error: FramingError<AttemptError>) {
        switch error {
        case .tooLong(let excess): self.init(.protocol, "\(excess)")
        case .consumer(let fault): self = fault
        }
    }
}

extension FrameKind {
    fileprivate init(_ kind: SSEFrame.Kind) {
        switch kind {
        case .event: self = .data
        case .comment: self = .comment
        case .stray: self = .stray
        }
    }
}
