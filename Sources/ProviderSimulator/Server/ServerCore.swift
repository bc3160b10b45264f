// State shared by the connections of one server: ServerCore on its event loop, ServerRecords from any thread.

internal import Base
internal import NIOCore
internal import Synchronization

/// State used on the event loop alone.
final class ServerCore {
    let pacer: TimerWheel
    let records: ServerRecords
    var responder: Responder
    /// Body bytes of the current write. Reused, so that a delta allocates no buffer.
    var body = ByteBuffer()
    /// Bytes of the current write.
    var out = ByteBuffer()

    init(loop: any EventLoop, options: SimulatorOptions, records: ServerRecords) {
        pacer = TimerWheel(loop: loop)
        self.records = records
        responder = Responder(options)
    }
}

/// Counters, read from any thread.
final class ServerRecords: Sendable {
    private let counters = Mutex(SimulatorStatistics())
    private let events = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)

    private static let mostPaths = 100
    private static let mostClosings = 10_000

    var statistics: SimulatorStatistics {
        var copy = counters.withLock { $0 }
        copy.events = events.load(ordering: .relaxed)
        return copy
    }

    /// Marks connections closed from now on as closed by the server.
    func stop() { isStopping.store(true, ordering: .relaxed) }

    func wrote(events count: Int) { events.add(count, ordering: .relaxed) }

    func received(path: String) {
        counters.withLock { counters in
            counters.requests += 1
            let isKnown = counters.paths[path] != nil || counters.paths.count < Self.mostPaths
            counters.paths[isKnown ? path : "other", default: 0] += 1
        }
    }

    func began() {
        counters.withLock { counters in
            counters.open += 1
            counters.openPeak = max(counters.openPeak, counters.open)
        }
    }

    func finished() {
        counters.withLock { counters in
            counters.open -= 1
            counters.finished += 1
        }
    }

    func aborted() {
        let isOurs = isStopping.load(ordering: .relaxed)
        counters.withLock { counters in
            counters.open -= 1
            if !isOurs { counters.aborted += 1 }
        }
    }

    func connected() {
        counters.withLock { counters in
            counters.connections += 1
            counters.openConnections += 1
        }
    }

    func disconnected() {
        let now = NIODeadline.nowSeconds
        counters.withLock { counters in
            counters.openConnections -= 1
            if counters.connectionsClosed.count == Self.mostClosings { counters.connectionsClosed.removeFirst() }
            counters.connectionsClosed.append(now)
        }
    }
}

extension NIODeadline {
    /// Seconds of CLOCK_MONOTONIC.
    static var nowSeconds: Double { Double(now().uptimeNanoseconds) / 1e9 }
}
