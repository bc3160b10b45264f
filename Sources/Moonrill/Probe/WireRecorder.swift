// Records the last attempt of a request on the wire. ScriptHost feeds it; ProbeReport reports about it.

internal import Base
internal import Chat
internal import Engine
internal import Formats
internal import HTTP
public import JSON

/// Records the response on the wire while a ``ScriptHost`` runs; of several attempts the last one.
///
/// ```swift
/// host.recorder = WireRecorder()
/// ```
public final class WireRecorder {
    /// A chunk of the body.
    struct Piece {
        var time: Double
        var bytes: Int
        /// The number of frames that ended in it.
        var frames = 0
    }

    /// A frame.
    struct Frame {
        var time: Double
        var kind: FrameKind
        var name: String
        var payload: [UInt8]
    }

    /// Maximum number and bytes of the first frames that are kept.
    private static let (mostFrames, mostBytes) = (20_000, 8 << 20)
    /// Maximum number and bytes of the last frames that are kept.
    private static let (mostLastFrames, mostLastBytes) = (256, 1 << 20)

    private(set) var attempts = 0
    private(set) var url = ""
    private(set) var start = 0.0
    private(set) var head: HTTPResponseHead?
    private(set) var headTime: Double?
    private(set) var pieces: [Piece] = []
    private var firstFrames: [Frame] = []
    private var lastFrames: [Frame] = []
    /// The number of frames between them, which are not kept.
    private(set) var droppedFrames = 0
    private(set) var firstOutput: Double?
    private(set) var outputs = 0
    private(set) var end: Double?
    private(set) var body: [UInt8] = []
    private var (firstBytes, lastBytes) = (0, 0)
    private var keys = KeyScrubber()

    /// An empty recording.
    public init() {}

    /// The frames. Of a long stream the first and the last ones, which have the finish reason, token counts and end marker.
    var frames: [Frame] { firstFrames + lastFrames }

    /// Records an event of an attempt.
    func take(_ event: WireEvent) {
        switch event.step {
        case .request(_, let url, _, let keys):
            self.url = url
            self.keys = keys
            begin(event)
        case .head(let head):
            self.head = head
            headTime = event.time
        case .piece(let bytes): pieces.append(Piece(time: event.time, bytes: bytes))
        case .frame(let kind, let name, let payload):
            if !pieces.isEmpty { pieces[pieces.count - 1].frames += 1 }
            keep(Frame(time: event.time, kind: kind, name: name, payload: payload))
        case .decoded(.text(let batch)):
            outputs += batch.count
            if firstOutput == nil { firstOutput = event.time }
        case .decoded: break
        case .end(let body):
            self.body = body
            end = event.time
        }
    }

    private func keep(_ frame: Frame) {
        let count = frame.payload.count
        if lastFrames.isEmpty, firstFrames.count < Self.mostFrames, firstBytes + count <= Self.mostBytes {
            firstBytes += count
            return firstFrames.append(frame)
        }
        lastBytes += count
        lastFrames.append(frame)
        while lastFrames.count > Self.mostLastFrames || lastBytes > Self.mostLastBytes, !lastFrames.isEmpty {
            lastBytes -= lastFrames.removeFirst().payload.count
            droppedFrames += 1
        }
    }

    private func begin(_ event: WireEvent) {
        attempts = event.attempt
        start = event.time
        (head, headTime, firstOutput, end) = (nil, nil, nil, nil)
        (pieces, firstFrames, lastFrames, body) = ([], [], [], [])
        (droppedFrames, firstBytes, lastBytes, outputs) = (0, 0, 0, 0)
    }

    /// A value from the reply without the key, which a server may have put into its text.
    public func withoutKeys(_ value: JSONValue) -> JSONValue { keys.scrub(value) }

    /// The response: status line, headers, an empty line and the body without its transfer coding, at most 4 MB. Keys, cookies
    /// and headers of the transfer coding are removed. Nil without a response head.
    public var recording: [UInt8]? {
        guard let head else { return nil }
        var text = "HTTP/\(head.version) \(head.status)\r\n"
        let left = [
            "set-cookie", "transfer-encoding", "content-encoding", "content-length", "connection", "keep-alive",
        ]
        for field in head.headers where !left.contains(field.name.lowercased()) {
            text += "\(field.name): \(field.value)\r\n"
        }
        return Array((text + "\r\n").utf8) + body
    }
}
