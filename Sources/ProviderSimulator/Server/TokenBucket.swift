// The server's own limit: so many requests a second, and 429 past it, with the headers that OpenAI sends. One a server.

internal import NIOCore

/// A bucket of requests that fills at a steady rate, and holds one second's worth.
struct TokenBucket {
    let rate: Double
    private var level: Double
    private var filledAt: NIODeadline?

    init(rate: Double) {
        self.rate = rate
        level = max(1, rate)
    }

    private var size: Double { max(1, rate) }

    /// Takes one request out; false where none is left.
    mutating func take(_ now: NIODeadline) -> Bool {
        if let filledAt { level = min(size, level + Double((now - filledAt).nanoseconds) / 1e9 * rate) }
        filledAt = now
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    /// What an answer says of the limit.
    var headers: [(String, String)] {
        let milliseconds = Int(((size - level) / rate * 1_000).rounded(.up))
        return [
            ("x-ratelimit-limit-requests", String(Int(size))),
            ("x-ratelimit-remaining-requests", String(Int(level))),
            ("x-ratelimit-reset-requests", "\(milliseconds)ms"),
        ]
    }

    /// What a refusal says: when there will be one again, in whole seconds as OpenAI's is.
    var retryAfter: Int { max(1, Int(((1 - level) / rate).rounded(.up))) }
}
