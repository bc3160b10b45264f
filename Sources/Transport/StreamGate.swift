// Which transfers of one TLS origin may look for a connection, so that an origin that speaks HTTP/2 gets few of them.

internal import DequeModule

/// Queues the transfers to one TLS origin until a connection can take them.
///
/// curl lets transfers wait while it does not know the protocol of a connection (CURLOPT_PIPEWAIT). Once it knows that all
/// streams of its HTTP/2 connections are taken, each further transfer opens one more: 400 transfers at once would open
/// hundreds. So one transfer at a time looks for a connection beyond the streams that are known to be free, and the others
/// wait until it has one. The result also shows the protocol: if a transfer opens a socket beside a busy connection, the
/// origin speaks HTTP/1.1, and its transfers are not throttled.
///
/// Depends on transfer ids alone: it knows no sockets and no curl handles.
struct StreamGate {
    /// What a connection to the place carries.
    enum Kind {
        case unknown
        /// One transfer at a time (HTTP/1.1).
        case single
        /// Several at once (HTTP/2).
        case multiplexed
    }

    private(set) var kind = Kind.unknown
    /// Transfers that wait, the oldest first.
    private var held: Deque<UInt64> = []
    /// Transfers that passed and have no connection yet; the value says whether it has opened a socket.
    private var looking: [UInt64: Bool] = [:]
    /// Transfers that have a connection.
    private var running: Set<UInt64> = []
    /// Established connections at the last call of `connected`.
    private var connections = 0
    /// Streams a connection, as observed: a lower bound until a transfer had to open another connection.
    private var streams = 1

    /// Transfers that have passed and not ended.
    private var passed: Int { looking.count + running.count }
    /// Transfers that are opening a connection, which takes no streams yet.
    private var openingCount: Int { looking.values.count(where: { $0 }) }

    /// A transfer is to begin.
    /// - Returns: whether it may look for a connection now. If not, `next` names it later.
    mutating func enter(_ id: UInt64, openConnections: Int) -> Bool {
        guard held.isEmpty, mayPass(openConnections) else {
            held.append(id)
            return false
        }
        looking[id] = false
        return true
    }

    /// The next transfer that may look for a connection.
    mutating func next(openConnections: Int) -> UInt64? {
        guard !held.isEmpty, mayPass(openConnections), let id = held.popFirst() else { return nil }
        looking[id] = false
        return id
    }

    /// A transfer passes without having waited, because it must have a connection of its own.
    mutating func pass(_ id: UInt64) { running.insert(id) }

    private func mayPass(_ openConnections: Int) -> Bool {
        switch kind {
        case .single: true
        // The second one waits inside curl for the protocol of the first one's connection.
        case .unknown: passed < 2
        case .multiplexed:
            // Closed connections are not counted.
            looking.isEmpty
                || passed - openingCount < streams * min(connections, openConnections - openingCount)
        }
    }

    /// A transfer opens a socket.
    mutating func opened(_ id: UInt64) {
        guard looking[id] == false else { return }
        looking[id] = true
        switch kind {
        case .single: break
        case .unknown: if !running.isEmpty { learn(.single) }
        // All streams of the open connections were taken.
        case .multiplexed: if connections > 0 { streams = max(1, running.count / connections) }
        }
    }

    /// A transfer has a connection, over which its request leaves now.
    mutating func connected(_ id: UInt64, openConnections: Int) {
        guard let hasOpened = looking.removeValue(forKey: id) else { return }
        if !hasOpened, !running.isEmpty, kind == .unknown { learn(.multiplexed) }
        running.insert(id)
        connections = max(1, openConnections - openingCount)
        streams = max(streams, (running.count + connections - 1) / connections)
    }

    /// A response says what its connection is.
    mutating func learn(_ kind: Kind) {
        guard kind != self.kind else { return }
        self.kind = kind
        streams = 1
    }

    /// A transfer has ended or was cancelled.
    /// - Parameter isFailure: whether it failed. If it found no connection, the others must not wait for one another to fail.
    /// - Returns: the transfers that may now look for a connection.
    mutating func end(_ id: UInt64, isFailure: Bool) -> [UInt64] {
        guard looking.removeValue(forKey: id) != nil else {
            if running.remove(id) == nil, let index = held.firstIndex(of: id) { held.remove(at: index) }
            return []
        }
        guard isFailure else { return [] }
        defer { held.removeAll() }
        for id in held { looking[id] = false }
        return Array(held)
    }

    /// Whether transfers wait.
    var hasHeld: Bool { !held.isEmpty }
}
