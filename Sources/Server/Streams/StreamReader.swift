// One reader of a stream: an SSE response, or a subscription on a WebSocket.

internal import HTTP
internal import NIOCore

/// Sends the events of a stream, from one of them on, as fast as its client reads.
final class StreamReader {
    /// Where the events go.
    enum Sink {
        case events(any ResponseWriter, SSEWriter)
        case socket(any SocketWriter, SocketMessageWriter)
    }

    private let sink: Sink
    /// The number of the next event to be sent.
    private(set) var next: Int
    /// When something was last sent (monotonic seconds).
    private(set) var lastWrite: Double
    /// It has had the last event, or has been told that events are lost.
    private(set) var isOver = false

    /// Bytes that are handed to the socket at a time.
    private static let portion = 32 << 10

    init(_ sink: Sink, from number: Int, now: Double) {
        self.sink = sink
        next = number
        lastWrite = now
    }

    var isWritable: Bool {
        switch sink {
        case .events(let writer, _): writer.isWritable
        case .socket(let writer, _): writer.isWritable
        }
    }

    /// Sends what has come, as far as the socket takes it.
    func pump(_ ring: EventRing, now: Double) {
        while !isOver, next < ring.next, isWritable {
            guard next >= ring.first else { return tellLoss(now: now) }
            lastWrite = now
            var hasLast = false
            switch sink {
            case .events(let writer, let frames):
                var bytes: [UInt8] = []
                while next < ring.next, !hasLast, bytes.count < Self.portion {
                    hasLast = ring.withEvent(next) { name, data, isLast in
                        frames.append(name, data, number: next, to: &bytes)
                        return isLast
                    }
                    next += 1
                }
                writer.write(ByteBuffer(bytes: bytes))
            case .socket(let writer, let messages):
                let event = ring[next]
                writer.send(ByteBuffer(bytes: messages.message(event, number: next)))
                hasLast = event.isTerminal
                next += 1
            }
            if hasLast { finish() }
        }
    }

    /// Keeps a silent connection open. WebSockets have pings for that.
    func sendHeartbeat(now: Double) {
        guard !isOver, case .events(let writer, _) = sink, writer.isWritable else { return }
        lastWrite = now
        writer.write(ByteBuffer(bytes: SSEWriter.heartbeat))
    }

    private func tellLoss(now: Double) {
        lastWrite = now
        let event = StreamEventEncoder.lost(
            "the next events are no longer kept: this reader was too slow, or came too late")
        switch sink {
        case .events(let writer, _):
            var bytes: [UInt8] = []
            SSEWriter.lost.append(event, number: EventID.lost.number, to: &bytes)
            writer.write(ByteBuffer(bytes: bytes))
        case .socket(let writer, let messages):
            writer.send(ByteBuffer(bytes: messages.message(event, number: next)))
        }
        finish()
    }

    private func finish() {
        isOver = true
        if case .events(let writer, _) = sink { writer.end() }
    }
}
