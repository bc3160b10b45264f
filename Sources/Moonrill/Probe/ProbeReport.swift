// The report about a recorded response: its server, timing and format. `moonrill probe` prints it.

internal import Formats
internal import HTTP
public import JSON

/// The report about one request.
public struct ProbeReport: Sendable {
    /// A header about the server, its limits or proxies.
    public struct Header: Sendable, Equatable {
        /// The name as sent.
        public var name: String
        /// The value, shortened.
        public var value: String
    }

    /// A path in the frames.
    public struct Path: Sendable, Equatable {
        /// The type of the documents that contain it, if they name one.
        public var type: String?
        /// "choices[].delta.content".
        public var path: String
        /// The number of values.
        public var count: Int
        /// The first value that is not empty, shortened.
        public var example: String
        /// A word of `FieldRole`, or "not read".
        public var reading: String
    }

    /// Frames of one kind.
    public struct Kind: Sendable, Equatable {
        /// "data", "event NAME", "comment", "stray line" or "whole body".
        public var name: String
        /// The number of frames.
        public var count: Int
    }

    /// Minimum, median, 95th percentile and maximum of numbers.
    public struct Spread: Sendable, Equatable {
        /// The minimum.
        public var least: Double
        /// The median; the lower one of two.
        public var median: Double
        /// The 95th percentile.
        public var p95: Double
        /// The maximum.
        public var greatest: Double

        /// Nil without numbers.
        init?(_ numbers: [Double]) {
            let sorted = numbers.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            least = first
            greatest = last
            median = sorted[(sorted.count - 1) / 2]
            p95 = sorted[min(sorted.count - 1, Int((Double(sorted.count) * 0.95).rounded(.up)) - 1)]
        }
    }

    /// Whether a proxy or the server buffers the stream.
    public enum Buffering: String, Sendable {
        /// Frames arrive as they are written.
        case none
        /// Frames arrive in bursts.
        case bursts
        /// All frames arrived together, long after the request.
        case whole
        /// Unknown: there were too few frames, or they came too fast.
        case unclear
    }

    /// The URL without its query.
    public var url: String
    /// The dialect of the request.
    public var dialect: String
    /// The dialect that the frames look like; nil if unclear.
    public var looksLike: String?
    /// The HTTP status; nil without a response.
    public var status: Int?
    /// "1.1" or "2".
    public var httpVersion: String?
    /// Headers about the server, its limits and proxies.
    public var headers: [Header]
    /// Seconds from the request to the head, to the first byte of the body, to the first output, and to the end.
    public var headTime, firstByteTime, firstTokenTime, totalTime: Double?
    /// The number of chunks in which the body arrived.
    public var pieces: Int
    /// Bytes of the body.
    public var bytes: Int
    /// Bytes per chunk.
    public var pieceBytes: Spread?
    /// Seconds between chunks.
    public var gaps: Spread?
    /// Frames per chunk.
    public var pieceFrames: Spread?
    /// Whether a proxy or the server buffers the stream.
    public var buffering: Buffering
    /// The kinds of frames, in the order in which they were first seen.
    public var kinds: [Kind]
    /// The paths in the frames, in the order in which they were first seen.
    public var paths: [Path]
    /// The end marker of the stream: "[DONE]", or the last frame of the dialect; nil without one.
    public var endMarker: String?
    /// Deviations from the format.
    public var quirks: [String]
    /// The number of deltas of text and reasoning.
    public var outputs: Int
    /// The number of attempts; the report is about the last one.
    public var attempts: Int
}

extension WireRecorder {
    /// The report about the recording.
    /// - Parameters:
    ///   - name: the dialect of the request.
    ///   - reply: the reply as scripts see it; nil if the request failed.
    public func report(dialect name: String, reply: JSONValue?) -> ProbeReport {
        let fields = FormatCatalog.named(name)?.fields ?? FrameFields()
        var table = PathTable(fields)
        var documents: [(eventName: String, document: JSONValue)] = []
        for frame in documentFrames {
            guard let document = Self.parsed(frame.payload) else { continue }
            documents.append((frame.name, document))
            table.add(document, eventName: frame.name)
        }
        let looksLike = FormatGuess.format(of: documents)
        let times = pieces.map(\.time)
        let since = { (time: Double?) in time.map { max(0, $0 - self.start) } }
        return ProbeReport(
            url: url.split(separator: "?").first.map(String.init) ?? url, dialect: name, looksLike: looksLike,
            status: head?.status, httpVersion: head?.version, headers: ProbeHeaders.shown(head?.headers ?? [:]),
            headTime: since(headTime), firstByteTime: since(times.first), firstTokenTime: since(firstOutput),
            totalTime: since(end), pieces: pieces.count, bytes: pieces.reduce(0) { $0 + $1.bytes },
            pieceBytes: ProbeReport.Spread(pieces.map { Double($0.bytes) }),
            gaps: ProbeReport.Spread(zip(times, times.dropFirst()).map { $1 - $0 }),
            pieceFrames: ProbeReport.Spread(pieces.map { Double($0.frames) }),
            buffering: ProbeReport.Buffering(
                pieces: pieces.map { (since($0.time) ?? 0, $0.frames) }, frames: frames.count { $0.kind == .data }),
            kinds: kinds, paths: table.rows.map(ProbeReport.Path.init), endMarker: endMarker(table),
            quirks: ProbeQuirks(recorder: self, table: table, dialect: name, looksLike: looksLike, reply: reply).all,
            outputs: outputs, attempts: attempts)
    }

    /// Frames that may hold JSON. The body of an error response is one.
    private var documentFrames: [Frame] {
        let held = frames.filter { $0.kind != .comment }
        guard held.isEmpty, !body.isEmpty else { return held }
        return [Frame(time: start, kind: .body, name: "", payload: body)]
    }

    /// Empty for a frame that is not JSON.
    private static func parsed(_ bytes: [UInt8]) -> JSONValue? {
        do throws(JSONError) {
            let value = try JSONReader.value(bytes)
            return value
        } catch {
            return nil
        }
    }

    private var kinds: [ProbeReport.Kind] {
        var kinds: [ProbeReport.Kind] = []
        for frame in frames {
            let name =
                switch frame.kind {
                case .data: frame.name.isEmpty ? "data" : "event \(frame.name)"
                case .comment: "comment"
                case .stray: "stray line"
                case .body: "whole body"
                }
            if let index = kinds.firstIndex(where: { $0.name == name }) {
                kinds[index].count += 1
            } else if kinds.count < 50 {
                kinds.append(ProbeReport.Kind(name: name, count: 1))
            }
        }
        return kinds
    }

    /// True if this payload came as an event.
    func hasFrame(_ payload: String) -> Bool {
        frames.contains { $0.kind == .data && $0.payload.elementsEqual(payload.utf8) }
    }

    private func endMarker(_ table: PathTable) -> String? {
        if hasFrame("[DONE]") { return "[DONE]" }
        guard let row = table.rows.last(where: { $0.role == .end && $0.last != "false" }) else { return nil }
        return row.documentType ?? "\(row.path) = \(row.last)"
    }
}

extension ProbeReport.Path {
    init(_ row: PathTable.Row) {
        self.init(
            type: row.documentType, path: row.path, count: row.count, example: row.example,
            reading: row.role?.rawValue ?? "not read")
    }
}

extension ProbeReport.Buffering {
    /// Decides by the number of frames that arrived together, and the time.
    /// - Parameters:
    ///   - pieces: seconds since the request, and number of frames, of each chunk.
    ///   - frames: the number of frames of the stream.
    init(pieces: [(time: Double, frames: Int)], frames: Int) {
        let full = pieces.filter { $0.frames > 0 }
        guard frames >= 8, let first = full.first, let last = full.last else {
            self = .unclear
            return
        }
        let span = last.time - first.time
        let average = Double(frames) / Double(full.count)
        if average <= 3, full.count >= 4 {
            self = .none
        } else if full.count == 1 || span < 0.02 {
            // A model needs longer for so many tokens, unless the reply came from a cache.
            self = first.time > 0.5 ? .whole : .unclear
        } else {
            self = average > 3 && span / Double(full.count) > 0.05 ? .bursts : .unclear
        }
    }
}

/// The headers that are shown: known ones without secrets.
enum ProbeHeaders {
    private static let names: Set<String> = [
        "content-type", "server", "via", "transfer-encoding", "content-encoding", "content-length", "cache-control",
        "age",
        "retry-after", "x-should-retry", "connection", "x-cache", "cf-cache-status", "cf-ray", "x-served-by",
        "x-accel-buffering", "x-powered-by", "alt-svc", "request-id", "x-request-id", "x-amzn-requestid",
        "apim-request-id", "x-ms-request-id", "x-ms-region", "x-goog-request-id", "x-generation-id",
        "x-kong-request-id",
        "openai-processing-ms", "openai-version", "x-envoy-upstream-service-time", "x-inference-time", "x-compute-time",
        "x-proxied-host", "www-authenticate", "location",
    ]

    static func shown(_ headers: HTTPHeaders) -> [ProbeReport.Header] {
        headers.filter { field in
            let name = field.name.lowercased()
            return names.contains(name) || name.contains("ratelimit") || name.contains("rate-limit")
        }.map { ProbeReport.Header(name: $0.name, value: String($0.value.prefix(200))) }
    }
}
