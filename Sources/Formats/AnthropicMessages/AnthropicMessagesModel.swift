// Capabilities of Claude models by name. The API does not report them.

enum AnthropicMessagesModel {
    /// Whether it is Claude 4.6 or later. These models decide how much they think, and do not continue partial replies
    /// (https://docs.anthropic.com/en/docs/about-claude/models/migration-guide). Earlier Claude models and other models
    /// with this format take a number of tokens for thinking, and continue partial replies.
    static func isSinceClaude46(_ model: String) -> Bool { version(of: model).map { $0 >= (4, 6) } ?? false }

    /// Whether it is Claude 4.7 or later, which does not take a number of tokens for thinking
    /// (https://docs.anthropic.com/en/docs/build-with-claude/adaptive-thinking).
    static func isSinceClaude47(_ model: String) -> Bool { version(of: model).map { $0 >= (4, 7) } ?? false }

    /// The maximum of `max_tokens` for the models whose maximum is below the defaults of
    /// AnthropicMessagesRequestEncoder: Opus 4 and 4.1
    /// (https://docs.anthropic.com/en/docs/about-claude/models/overview).
    static func maxOutputTokens(_ model: String) -> Int64? {
        guard model.lowercased().contains("opus"), let version = version(of: model) else { return nil }
        return version >= (4, 0) && version < (4, 5) ? 32_000 : nil
    }

    /// The version of a Claude model; nil for other models. A name without a number counts as the latest version.
    private static func version(of model: String) -> (Int, Int)? {
        let words = model.lowercased().split { !$0.isLetter && !$0.isNumber }
        guard let claude = words.firstIndex(of: "claude") else { return nil }
        // "claude-3-7-sonnet-20250219", "claude-sonnet-4.5", "claude-opus-4-1@20250805". Dates are not versions.
        let rest = words[(claude + 1)...]
        guard let place = rest.firstIndex(where: { number($0) != nil }), let major = number(rest[place]) else {
            return rest.contains("instant") ? (1, 0) : (.max, 0)
        }
        let minor = rest[(place + 1)...].first.flatMap(number) ?? 0
        return (major, minor)
    }

    private static func number(_ word: Substring) -> Int? { word.count <= 2 ? Int(word) : nil }
}
