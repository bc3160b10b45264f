// What a model's name says of what it takes. Messages tell no one; a request that asks for the wrong thing is refused.

/// Reads names of models.
enum AnthropicModel {
    /// Whether it is Claude 4.6 or later. Those decide themselves how much to think, and take no beginning of a reply
    /// (https://docs.anthropic.com/en/docs/about-claude/models/migration-guide). Claude before, and models of others
    /// behind this format, are given a number of tokens to think with, and go on from what they are given.
    static func isSinceClaude46(_ model: String) -> Bool {
        let words = model.lowercased().split { !$0.isLetter && !$0.isNumber }
        guard let claude = words.firstIndex(of: "claude") else { return false }
        // "claude-3-7-sonnet-20250219", "claude-sonnet-4.5", "claude-opus-4-1@20250805": dates are no versions.
        let rest = words[(claude + 1)...]
        guard let place = rest.firstIndex(where: { number($0) != nil }), let major = number(rest[place]) else {
            return !rest.contains("instant")
        }
        let minor = rest[(place + 1)...].first.flatMap(number) ?? 0
        return (major, minor) >= (4, 6)
    }

    private static func number(_ word: Substring) -> Int? { word.count <= 2 ? Int(word) : nil }
}
