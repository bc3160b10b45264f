// One stream of events: its handler writes, any number of readers read, each at its own pace.

internal import Chat

/// A stream that runs, or has ended and can still be read.
final class LiveStream {
    /// What changes for the handler's side.
    enum Flow { case unchanged, congested, drained }

    let id: String
    let exchange: ExchangeID
    /// Seconds that it goes on without a reader.
    let linger: Double
    private var ring: EventRing
    private(set) var readers: [StreamReader] = []
    /// When it ended (monotonic seconds); nil while it runs.
    private(set) var endTime: Double?
    /// The fastest reader is so far behind that the handler waits.
    private(set) var isCongested = false
    /// Counts the times that it was left by its last reader, so that an old deadline is recognized.
    private(set) var departures = 0
    /// The number of the first event that no reader has had.
    private var unread = 1

    /// Bytes that the fastest reader may be behind.
    private static let readerBacklog = 64 << 10

    init(id: String, exchange: ExchangeID, linger: Double, limit: Int) {
        self.id = id
        self.exchange = exchange
        self.linger = linger
        ring = EventRing(limit: limit)
        ring.unread = 1
    }

    var isOver: Bool { endTime != nil }
    var hasReaders: Bool { !readers.isEmpty }
    /// Bytes kept.
    var bytes: Int { ring.bytes }
    /// The number that the next event gets.
    var next: Int { ring.next }

    func setLimit(_ bytes: Int) {
        ring.limit = bytes
        ring.trim()
    }

    /// Keeps no more than the limit: it has ended, and those who read it have all.
    func settle() {
        ring.unread = .max
        ring.trim()
    }

    // MARK: Writing

    /// Appends events and sends them to the readers. What follows the last event is dropped.
    func append(_ events: some Sequence<StreamEvent>, now: Double) -> Flow {
        for event in events where !isOver {
            ring.append(event)
            if event.isTerminal { endTime = now }
        }
        pump(now: now)
        return flow()
    }

    /// Sends what has come to the readers whose sockets take it.
    func pump(now: Double) {
        var hasEnded = false
        for reader in readers {
            reader.pump(ring, now: now)
            if reader.isOver { hasEnded = true }
        }
        if hasEnded { readers.removeAll { $0.isOver } }
    }

    /// Compares the fastest reader with the handler.
    func flow() -> Flow {
        if !readers.isEmpty {
            unread = 1
            for reader in readers { unread = max(unread, reader.next) }
        }
        ring.unread = unread
        ring.trim()
        let limit = readers.isEmpty ? ring.limit / 2 : Self.readerBacklog
        let behind = ring.bytes(from: unread)
        if !isCongested, behind > limit {
            isCongested = true
            return .congested
        }
        if isCongested, behind <= limit / 2 {
            isCongested = false
            return .drained
        }
        return .unchanged
    }

    // MARK: Reading

    func add(_ reader: StreamReader, now: Double) {
        readers.append(reader)
        reader.pump(ring, now: now)
        readers.removeAll(where: \.isOver)
    }

    /// Removes a reader whose client is gone.
    /// - Returns: whether it was the last one of a stream that runs.
    func remove(_ reader: StreamReader) -> Bool {
        guard let index = readers.firstIndex(where: { $0 === reader }) else { return false }
        unread = max(unread, reader.next)
        readers.remove(at: index)
        guard readers.isEmpty, !isOver else { return false }
        departures += 1
        return true
    }

    func sendHeartbeats(after seconds: Double, now: Double) {
        for reader in readers where now - reader.lastWrite >= seconds { reader.sendHeartbeat(now: now) }
    }
}
