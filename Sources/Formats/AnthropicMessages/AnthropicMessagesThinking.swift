// Encodes the option `thinking` for Messages. Newer models decide how much they think; older models take a number of
// tokens.

internal import Chat
internal import JSON

/// Thinking, and the maximum of the reply's tokens, which includes it.
/// https://docs.anthropic.com/en/docs/build-with-claude/adaptive-thinking, .../extended-thinking, .../effort
struct AnthropicMessagesThinking {
    /// Minimum tokens for thinking.
    static let minBudget: Int64 = 1024
    /// Tokens for thinking, by effort.
    private static let budgets: [String: Int64] = [
        "minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 24_576,
    ]

    private let thinking: Thinking
    private let model: String
    private let isAdaptive: Bool
    private let context: RequestContext
    /// Maximum tokens of the reply, thinking included.
    let maxTokens: Int64
    /// Whether the script has set `maxTokens`; otherwise it is a default.
    let isMaxGiven: Bool

    init(_ thinking: Thinking, model: String, maxTokens: Int64?, context: RequestContext) {
        self.thinking = thinking
        self.model = model
        self.context = context
        isAdaptive = AnthropicMessagesModel.isSinceClaude46(model)
        isMaxGiven = maxTokens != nil
        self.maxTokens =
            maxTokens ?? min(Self.room(for: thinking), AnthropicMessagesModel.maxOutputTokens(model) ?? .max)
    }

    /// Whether the request turns thinking on.
    var isOn: Bool {
        switch thinking {
        case .unspecified, .off: false
        case .on: true
        case .native(let object, _): object["type"] != "disabled"
        }
    }

    private static func room(for thinking: Thinking) -> Int64 {
        let budget: Int64?
        switch thinking {
        case .unspecified, .off: return AnthropicMessagesRequestEncoder.defaultMaxTokens
        case .on(let tokens, _): budget = tokens
        case .native(let object, _): budget = object["budget_tokens"]?.int
        }
        return max(
            AnthropicMessagesRequestEncoder.defaultMaxTokensThinking,
            (budget ?? 0) + AnthropicMessagesRequestEncoder.defaultMaxTokens)
    }

    /// The members of the body: `thinking`, and `output_config.effort` if the model has it.
    func encoded() throws(APIError) -> JSONObject? {
        switch thinking {
        case .unspecified: return nil
        case .off: return ["thinking": ["type": "disabled"]]
        case .native(let object, let effort):
            guard object["type"]?.string != nil else {
                throw context.invalid(
                    "thinking.type",
                    "is missing: write a number of tokens, or {type = \"enabled\", budget_tokens = ...}")
            }
            var body: JSONObject = ["thinking": .object(object)]
            if let effort { body["output_config"] = ["effort": .string(effort)] }
            return body
        case .on(_?, let effort) where AnthropicMessagesModel.isSinceClaude47(model):
            try context.cannotExpress(
                "thinking", because: "\(model) decides itself how much it thinks, and takes true or reasoning_effort")
            return adaptive(effort)
        case .on(let budget?, let effort):
            try check(budget)
            var body: JSONObject = ["thinking": ["type": "enabled", "budget_tokens": .int(budget)]]
            if let effort, isAdaptive { body["output_config"] = ["effort": .string(Self.word(effort))] }
            return body
        case .on(nil, let effort) where isAdaptive: return adaptive(effort)
        case .on(nil, let effort):
            return ["thinking": ["type": "enabled", "budget_tokens": .int(try budget(for: effort))]]
        }
    }

    /// Without `display` the newest models send only the signature.
    private func adaptive(_ effort: String?) -> JSONObject {
        var body: JSONObject = ["thinking": ["type": "adaptive", "display": "summarized"]]
        if let effort { body["output_config"] = ["effort": .string(Self.word(effort))] }
        return body
    }

    private func check(_ budget: Int64) throws(APIError) {
        guard budget >= Self.minBudget else {
            throw context.invalid("thinking", "must be at least \(Self.minBudget) tokens; got \(budget)")
        }
        guard budget < maxTokens else {
            throw context.invalid(
                "thinking", "must be less than max_tokens, which it counts towards: \(budget) of \(maxTokens)")
        }
    }

    private func budget(for effort: String?) throws(APIError) -> Int64 {
        guard let budget = Self.budgets[effort ?? "medium"] else {
            throw context.invalid(
                "reasoning_effort", "must be one of minimal, low, medium, high, xhigh, max; got \"\(effort ?? "")\"")
        }
        guard isMaxGiven else { return budget }
        guard maxTokens > Self.minBudget else {
            throw context.invalid(
                "max_tokens", "must be more than \(Self.minBudget) when the model thinks: its thinking counts")
        }
        return min(budget, max(Self.minBudget, maxTokens / 2))
    }

    /// The provider's lowest effort is "low".
    private static func word(_ effort: String) -> String { effort == "minimal" ? "low" : effort }
}
