// What a script says about how much it may ask: llm.limit. Pure value.

/// A limit that requests share by its name.
package struct LimitRule: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case name, concurrent
        case requestsPerMinute = "rpm"
        case tokensPerMinute = "tpm"
    }

    /// Requests that name the same one share it.
    package var name: String
    /// Requests at once; nil for any number.
    package var concurrent: Int?
    /// Requests a minute; nil for any number.
    package var requestsPerMinute: Double?
    /// Tokens a minute, in and out; nil for any number.
    package var tokensPerMinute: Double?

    /// A limit of the given parts.
    package init(
        name: String, concurrent: Int? = nil, requestsPerMinute: Double? = nil, tokensPerMinute: Double? = nil
    ) {
        self.name = name
        self.concurrent = concurrent
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
    }
}
