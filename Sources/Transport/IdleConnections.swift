// How many connections curl keeps for reuse, as far as their users know.

internal import DequeModule

/// Counts the idle connections of each place that connections go to. curl walks through all its connections, busy ones
/// included, when it looks for an idle one, and when it has more than it may keep: with thousands of streams each start and
/// each end would cost as much as all streams together. The count says when neither is needed.
struct IdleConnections {
    /// The number of a place: an origin, or a proxy on the way to it.
    typealias Place = Int

    /// Maximum of idle connections. A transfer that ends beyond it closes its own.
    static let limit = 256
    /// Seconds after which curl does not reuse a connection (CURLOPT_MAXAGE_CONN).
    static let maxAge = 60.0

    /// When the connections became idle, the oldest first.
    private var times: [Deque<Double>] = []
    private(set) var count = 0
    private var lastExpiry = -Double.infinity

    /// A transfer to this place has ended and left its connection open.
    mutating func add(_ place: Place, now: Double) {
        while times.count <= place { times.append([]) }
        times[place].append(now)
        count += 1
    }

    /// A transfer to this place begins, and takes an idle connection if there is one.
    /// - Returns: false if there is surely none.
    mutating func take(_ place: Place, now: Double) -> Bool {
        guard place < times.count else { return false }
        expire(place, now: now)
        guard times[place].popLast() != nil else { return false }
        count -= 1
        return true
    }

    /// Whether another connection may be kept.
    mutating func hasRoom(now clock: () -> Double) -> Bool {
        guard count >= Self.limit else { return true }
        let now = clock()
        if now - lastExpiry > 1 { expire(now: now) }
        return count < Self.limit
    }

    /// Forgets connections that curl no longer reuses.
    private mutating func expire(now: Double) {
        lastExpiry = now
        for place in times.indices { expire(place, now: now) }
    }

    private mutating func expire(_ place: Place, now: Double) {
        while let first = times[place].first, now - first > Self.maxAge {
            times[place].removeFirst()
            count -= 1
        }
    }
}
