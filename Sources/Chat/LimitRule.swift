// The rule of an `llm.limit`.

/// A rate limit that requests share by its name.
package struct LimitRule: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case name, concurrent
        case requestsPerMinute = "rpm"
        case tokensPerMinute = "tpm"
    }

    /// Requests with the same name share the limit.
    package var name: String
    /// Maximum concurrent requests; nil for no bound.
    package var concurrent: Int?
    /// Maximum requests a minute; nil for no bound.
    package var requestsPerMinute: Double?
    /// Maximum tokens a minute, input and output; nil for no bound.
    package var tokensPerMinute: Double?

    /// A rule with the given parts.
    package init(
        name: String, concurrent: Int? = nil, requestsPerMinute: Double? = nil, tokensPerMinute: Double? = nil
    ) {
        self.name = name
        self.concurrent = concurrent
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
    }
}
