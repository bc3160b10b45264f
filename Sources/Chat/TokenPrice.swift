// The price of a model's tokens.

/// US dollars for a million tokens.
package struct TokenPrice: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case input, output
        case cachedInput = "cached_input"
        case cacheWrite = "cache_write"
    }

    /// For tokens that the model reads.
    package var input: Double
    /// For tokens that it writes.
    package var output: Double
    /// For tokens from the provider's cache; `input` if not known.
    package var cachedInput: Double?
    /// For tokens written to the provider's cache; `input` if not known.
    package var cacheWrite: Double?

    /// The given prices.
    package init(input: Double, output: Double, cachedInput: Double? = nil, cacheWrite: Double? = nil) {
        self.input = input
        self.output = output
        self.cachedInput = cachedInput
        self.cacheWrite = cacheWrite
    }

    /// The price of tokens in US dollars.
    /// - Parameters:
    ///   - cached: tokens of `input` from the provider's cache.
    ///   - stored: tokens of `input` written to it.
    package func dollars(input: Double, cached: Double, stored: Double, output: Double) -> Double {
        let read = cached * (cachedInput ?? self.input) + stored * (cacheWrite ?? self.input)
        return ((input - cached - stored) * self.input + read + output * self.output) / 1e6
    }

    /// The price of a reply.
    package func dollars(_ usage: Usage) -> Double {
        dollars(
            input: Double(usage.readTokens ?? 0), cached: Double(usage.cachedTokens ?? 0),
            stored: Double(usage.cacheWriteTokens ?? 0), output: Double(usage.writtenTokens ?? 0))
    }
}
