// Token counts, under all names that Chat Completions servers use.

internal import Chat
internal import JSON

extension Usage {
    private static let keys = JSONKeys(
        "prompt_tokens", "completion_tokens", "total_tokens", "completion_tokens_details", "prompt_tokens_details",
        "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens", "reasoning_tokens", "input_tokens",
        "output_tokens")

    /// The counts of a `usage` object; nil if it has neither counts nor a cost.
    init?(openAI node: JSONNode) {
        guard node.kind == .object else { return nil }
        let parts = node.pick(Self.keys)
        self.init()
        inputTokens = Self.count(parts[0]) ?? Self.count(parts[9])
        outputTokens = Self.count(parts[1]) ?? Self.count(parts[10])
        totalTokens = Self.count(parts[2])
        reasoningTokens = Self.count(parts[3]?["reasoning_tokens"]) ?? Self.count(parts[8])
        cachedTokens =
            Self.count(parts[4]?["cached_tokens"]) ?? Self.count(parts[5]) ?? Self.count(parts[6])
            ?? Self.count(parts[7])
        cost = Self.cost(node)
        if inputTokens == nil, outputTokens == nil, totalTokens == nil, cost == nil { return nil }
    }
}
