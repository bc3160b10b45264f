// All streams that run or can still be read.

internal import Chat
internal import DequeModule

/// Streams by id. Ended ones are forgotten after their time, and earlier if all together hold too many bytes.
struct StreamTable {
    private let spec: StreamSpec
    private var streams: [String: LiveStream] = [:]
    /// Those that run or are read, and those that have ended since the last ``tick(now:)``.
    private var active: [LiveStream] = []
    /// Those that have ended and were read to the end, about in the order of their ends.
    private var ended: Deque<LiveStream> = []
    /// Bytes of those in `ended`.
    private var endedBytes = 0

    init(_ spec: StreamSpec) { self.spec = spec }

    /// Bytes that one stream may keep, however many there are.
    private static let leastBytes = 16 << 10

    subscript(id: String) -> LiveStream? { streams[id] }
    var running: Int { active.count { !$0.isOver } }
    var isEmpty: Bool { streams.isEmpty }
    /// Every stream that runs.
    var allRunning: [LiveStream] { active.filter { !$0.isOver } }

    /// Makes a stream.
    /// - Parameter id: not in use.
    mutating func open(id: String, exchange: ExchangeID, linger: Double) -> LiveStream {
        let stream = LiveStream(id: id, exchange: exchange, linger: linger, limit: share(among: active.count + 1))
        streams[id] = stream
        active.append(stream)
        return stream
    }

    /// Bytes that each of so many streams may keep.
    private func share(among count: Int) -> Int {
        min(spec.keptBytes, max(Self.leastBytes, spec.totalBytes / max(1, count)))
    }

    /// Sends heartbeats, divides the bytes among the streams that run, and forgets others. Called about once a second.
    mutating func tick(now: Double) {
        let limit = share(among: active.count)
        var bytes = 0
        for stream in active {
            stream.sendHeartbeats(after: spec.heartbeatSeconds, now: now)
            if stream.isOver, !stream.hasReaders {
                stream.settle()
                ended.append(stream)
                endedBytes += stream.bytes
            } else {
                stream.setLimit(limit)
                bytes += stream.bytes
            }
        }
        active.removeAll { $0.isOver && !$0.hasReaders }
        while let oldest = ended.first {
            let isExpired = now - (oldest.endTime ?? now) >= spec.keptSeconds
            guard isExpired || bytes + endedBytes > spec.totalBytes else { return }
            ended.removeFirst()
            endedBytes -= oldest.bytes
            streams[oldest.id] = nil
        }
    }
}
