// What a model's name says of what it takes. Messages tell no one; a request that asks for the wrong thing is refused.

/// Reads names of models.
enum AnthropicMessagesModel {
    /// Whether it is Claude 4.6 or later. Those decide themselves how much to think, and take no beginning of a reply
    /// (https://docs.anthropic.com/en/docs/about-claude/models/migration-guide). Claude before, and models of others
    /// behind this format, are given a number of tokens to think with, and go on from what they are given.
    static func isSinceClaude46(_ model: String) -> Bool { version(of: model).map { $0 >= (4, 6) } ?? false }

    /// Whether it is Claude 4.7 or later: those take no number of tokens to think with
    /// (https://docs.anthropic.com/en/docs/build-with-claude/adaptive-thinking).
    static func isSinceClaude47(_ model: String) -> Bool { version(of: model).map { $0 >= (4, 7) } ?? false }

    /// The most tokens of a reply that it takes, where that is less than our defaults may come to: Opus 4 and 4.1
    /// (https://docs.anthropic.com/en/docs/about-claude/models/overview).
    static func mostTokens(_ model: String) -> Int64? {
        guard model.lowercased().contains("opus"), let version = version(of: model) else { return nil }
        return version >= (4, 0) && version < (4, 5) ? 32_000 : nil
    }

    /// Nil for what is no Claude; a Claude without a number counts as the latest.
    private static func version(of model: String) -> (Int, Int)? {
        let words = model.lowercased().split { !$0.isLetter && !$0.isNumber }
        guard let claude = words.firstIndex(of: "claude") else { return nil }
        // "claude-3-7-sonnet-20250219", "claude-sonnet-4.5", "claude-opus-4-1@20250805": dates are no versions.
        let rest = words[(claude + 1)...]
        guard let place = rest.firstIndex(where: { number($0) != nil }), let major = number(rest[place]) else {
            return rest.contains("instant") ? (1, 0) : (.max, 0)
        }
        let minor = rest[(place + 1)...].first.flatMap(number) ?? 0
        return (major, minor)
    }

    private static func number(_ word: Substring) -> Int? { word.count <= 2 ? Int(word) : nil }
}
