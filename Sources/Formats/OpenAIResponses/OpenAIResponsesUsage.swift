// Token counts of a response.

internal import Chat
internal import JSON

extension Usage {
    private static let responsesKeys = JSONKeys(
        "input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details")

    /// The counts of a response's `usage`; nil if it has none. Servers that only changed the URL of their Chat
    /// Completions send the names of that format.
    init?(responses node: JSONNode) {
        guard node.kind == .object else { return nil }
        let parts = node.pick(Self.responsesKeys)
        guard parts[0] != nil || parts[1] != nil else {
            self.init(openAI: node)
            return
        }
        self.init()
        inputTokens = Self.count(parts[0])
        outputTokens = Self.count(parts[1])
        totalTokens = Self.count(parts[2])
        cachedTokens = Self.count(parts[3]?["cached_tokens"])
        reasoningTokens = Self.count(parts[4]?["reasoning_tokens"])
        cost = Self.cost(node)
        if inputTokens == nil, outputTokens == nil, totalTokens == nil { return nil }
    }
}
