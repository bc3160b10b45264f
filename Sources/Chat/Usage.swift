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
    /// Tokens of the reply. Most providers include the reasoning; Gemini does not.
    public var outputTokens: Int?
    /// Tokens of the reasoning.
    public var reasoningTokens: Int?
    /// Prompt tokens served from the provider's cache.
    public var cachedTokens: Int?
    /// Prompt tokens written to the provider's cache, if it reports them.
    public var cacheWriteTokens: Int?
    /// Whether `inputTokens` excludes the two cache counts (Anthropic).
    public var countsCacheApart = false
    /// Input and output together.
    public var totalTokens: Int?
    /// The cost that the provider reports, in US dollars.
    public var cost: Double?
    /// Whether the counts are estimates because the provider sent none.
    public var estimated = false

    /// No counts.
    public init() {}

    /// Tokens that the model has read, including those of the cache.
    public var readTokens: Int? {
        guard countsCacheApart else { return inputTokens }
        return WireNumber.sum(inputTokens ?? 0, cachedTokens ?? 0, cacheWriteTokens ?? 0)
    }

    /// Tokens that the model has written, including the reasoning. The total shows reasoning that is counted apart.
    public var writtenTokens: Int? {
        guard let outputTokens, let totalTokens, let readTokens else { return outputTokens }
        return max(outputTokens, totalTokens - readTokens)
    }
}
