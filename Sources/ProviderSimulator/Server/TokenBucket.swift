// The rate limit of the simulator, with the headers that OpenAI sends. One a server.

internal import NIOCore

/// A token bucket of requests that holds one second's worth.
struct TokenBucket {
    let rate: Double
    private var level: Double
    private var filledAt: NIODeadline?

    init(rate: Double) {
        self.rate = rate
        level = max(1, rate)
    }

    private var size: Double { max(1, rate) }

    /// Takes one request. Returns false if none is left.
    mutating func take(_ now: NIODeadline) -> Bool {
        if let filledAt { level = min(size, level + Double((now - filledAt).nanoseconds) / 1e9 * rate) }
        filledAt = now
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    /// Rate limit headers of a response.
    var headers: [(String, String)] {
        let milliseconds = Int(((size - level) / rate * 1_000).rounded(.up))
        return [
            ("x-ratelimit-limit-requests", String(Int(size))),
            ("x-ratelimit-remaining-requests", String(Int(level))),
            ("x-ratelimit-reset-requests", "\(milliseconds)ms"),
        ]
    }

    /// Seconds until a request is available, rounded up as OpenAI's are.
    var retryAfter: Int { max(1, Int(((1 - level) / rate).rounded(.up))) }
}
