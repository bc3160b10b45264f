// Encodes the option `thinking` for generateContent. Models before Gemini 3 take a number of tokens, later models take
// a level; each rejects the other form.

internal import Chat
internal import JSON

/// The option `thinking`.
/// https://ai.google.dev/gemini-api/docs/thinking
struct GeminiThinking {
    /// The levels as numbers of tokens, as in Google's own Chat Completions API.
    /// https://ai.google.dev/gemini-api/docs/openai#thinking
    private static let budgets: [String: Int64] = ["minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576]

    let thinking: Thinking
    let model: String
    let context: RequestContext

    /// `thinkingConfig`; nil to leave it out.
    /// - Throws: an `APIError` that names the option.
    func encoded() throws(APIError) -> JSONObject? {
        switch thinking {
        case .unspecified: return nil
        case .native(let object, _): return object
        case .off: return try off()
        case .on(let budget?, let effort):
            if effort != nil {
                try context.cannotExpress(
                    "reasoning_effort", because: "it takes a number of tokens or a level, not both")
            }
            return ["includeThoughts": true, "thinkingBudget": .int(budget)]
        case .on(nil, nil): return ["includeThoughts": true]
        case .on(nil, let effort?):
            guard let version = GeminiModel.version(of: model), version < (3, 0) else {
                return ["includeThoughts": true, "thinkingLevel": .string(effort)]
            }
            guard let budget = Self.budgets[effort] else {
                throw context.invalid(
                    "reasoning_effort", "must be one of minimal, low, medium, high for \(model); got \"\(effort)\"")
            }
            return ["includeThoughts": true, "thinkingBudget": .int(budget)]
        }
    }

    private func off() throws(APIError) -> JSONObject? {
        guard let version = GeminiModel.version(of: model) else { return ["thinkingBudget": 0] }
        // Models before 2.5 never think, and reject the option.
        guard version >= (2, 5) else { return nil }
        if model.lowercased().contains("-pro") {
            try context.cannotExpress("thinking", because: "\(model) always thinks; reasoning_effort says how hard")
            return nil
        }
        return version < (3, 0) ? ["thinkingBudget": 0] : ["thinkingLevel": "minimal"]
    }
}
