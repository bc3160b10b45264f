// Token counts of a reply.

internal import JSON

/// Token counts. A count the provider did not report is nil, not zero.
public struct Usage: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case inputTokens = "input_tokens"
        case outputTokens = "output_tokens"
        case reasoningTokens = "reasoning_tokens"
        case cachedTokens = "cached_tokens"
        case cacheWriteTokens = "cache_write_tokens"
        case countsCacheApart = "counts_cache_apart"
        case totalTokens = "total_tokens"
        case cost, estimated
    }

    /// Tokens of the prompt.
    public var inputTokens: Int?
    /// Tokens of the reply. Most providers count the reasoning among them, Gemini does not.
    public var outputTokens: Int?
    /// Tokens of the reasoning alone.
    public var reasoningTokens: Int?
    /// Prompt tokens served from the provider's cache.
    public var cachedTokens: Int?
    /// Prompt tokens that the provider has put into its cache, where it reports (and charges) them.
    public var cacheWriteTokens: Int?
    /// Whether the two counts of the cache are no part of `inputTokens`, as Anthropic counts.
    public var countsCacheApart = false
    /// Input and output together.
    public var totalTokens: Int?
    /// What the provider says that the reply cost, in US dollars.
    public var cost: Double?
    /// True when counted here because the provider's numbers never came.
    public var estimated = false

    /// No counts.
    public init() {}

    /// Tokens that the model has read, those of the cache among them.
    public var readTokens: Int? {
        guard countsCacheApart else { return inputTokens }
        return WireNumber.sum(inputTokens ?? 0, cachedTokens ?? 0, cacheWriteTokens ?? 0)
    }

    /// Tokens that the model has written, the reasoning among them: where that is counted apart, the total tells.
    public var writtenTokens: Int? {
        guard let outputTokens, let totalTokens, let readTokens else { return outputTokens }
        return max(outputTokens, totalTokens - readTokens)
    }
}
