// Requests of each client a minute: a token bucket for each.

/// Token buckets by client. Holds at most ``maxClients`` of them: full ones are forgotten first.
struct ClientLimiter {
    private struct Bucket {
        var level: Double
        var time: Double
    }

    private static let maxClients = 100_000
    /// The longest wait that is told, in seconds.
    private static let longestWait = 86_400.0

    /// Requests a minute. A bucket holds one minute's worth.
    private let perMinute: Double
    private var buckets: [String: Bucket] = [:]

    init(perMinute: Double) { self.perMinute = perMinute }

    /// Takes one request of a client.
    /// - Parameter now: monotonic seconds.
    /// - Returns: nil if it may go on, else the seconds until the next may.
    mutating func take(_ client: String, now: Double) -> Double? {
        if buckets.count >= Self.maxClients { forgetFull(now: now) }
        var bucket = buckets[client] ?? Bucket(level: size, time: now)
        bucket.level = level(of: bucket, now: now)
        bucket.time = now
        defer { buckets[client] = bucket }
        guard bucket.level >= 1 else { return min((1 - bucket.level) * 60 / perMinute, Self.longestWait) }
        bucket.level -= 1
        return nil
    }

    private var size: Double { max(1, perMinute) }

    private func level(of bucket: Bucket, now: Double) -> Double {
        min(size, bucket.level + max(0, now - bucket.time) * perMinute / 60)
    }

    private mutating func forgetFull(now: Double) {
        buckets = buckets.filter { level(of: $0.value, now: now) < size }
        // No bucket is full: clear the table, so that memory stays bounded.
        if buckets.count >= Self.maxClients { buckets = [:] }
    }
}
