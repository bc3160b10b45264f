// Which requests of a log are meant.

/// Conditions that a request of the log must all meet.
package struct RequestFilter: Hashable, Sendable {
    /// The model's name; nil for any.
    package var model: String?
    /// The provider's name; nil for any.
    package var provider: String?
    /// The earliest start, in seconds since 1970; nil for any.
    package var since: Double?
    /// The row of the run; nil for any.
    package var run: Int64?
    /// Whether only failed requests are meant.
    package var failedOnly: Bool

    /// All requests, or those with the given properties.
    package init(
        model: String? = nil, provider: String? = nil, since: Double? = nil, run: Int64? = nil, failedOnly: Bool = false
    ) {
        self.model = model
        self.provider = provider
        self.since = since
        self.run = run
        self.failedOnly = failedOnly
    }
}

/// Sums over requests.
package struct RequestTotals: Hashable, Sendable {
    /// How many there are, how many of them failed, and how many a cache answered.
    package var requests = 0
    package var failed = 0
    package var cached = 0
    /// Tokens, without those of cached replies.
    package var inputTokens = 0
    package var outputTokens = 0
    /// US dollars; nil if no cost is known.
    package var cost: Double?

    package init() {}
}
