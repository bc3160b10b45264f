// What a model's name says of what it takes, where the provider tells nobody and refuses what is wrong. For the requests
// of Chat Completions and Responses.

internal import Chat

/// Reads names of models.
enum OpenAIChatModel {
    /// Models that never reason. They refuse `include = {"reasoning.encrypted_content"}` ("Encrypted content is not
    /// supported with this model") and reasoning items.
    private static let plain = ["gpt-4", "gpt-3", "chatgpt-", "gpt-5-chat"]

    /// Whether a model reasons; nil where its name does not tell.
    /// https://platform.openai.com/docs/guides/reasoning, https://docs.x.ai/docs/models
    static func reasons(_ model: String) -> Bool? {
        let name = base(model)
        if plain.contains(where: name.hasPrefix) || name.contains("non-reasoning") { return false }
        if name.contains("-chat") { return nil }
        let reasoning = ["gpt-5", "gpt-oss", "codex-mini", "grok-3-mini", "grok-4", "grok-code"]
        return isOfSeries(name) || reasoning.contains(where: name.hasPrefix) ? true : nil
    }

    /// Gateways put the maker before the name: "openai/gpt-5-mini".
    private static func base(_ model: String) -> Substring { model.lowercased().split(separator: "/").last ?? "" }

    /// o1, o3, o4-mini.
    private static func isOfSeries(_ name: Substring) -> Bool {
        name.count > 1 && name.hasPrefix("o") && name.dropFirst().first?.isNumber == true
    }

    /// The effort that stands for no thinking; nil where there is nothing to say, since the model never thinks. "none" is
    /// taken by GPT-5.1 and later, and by the models of others behind these formats; GPT-5 knows "minimal".
    /// https://platform.openai.com/docs/api-reference/responses/create (`reasoning.effort`)
    /// - Throws: an `APIError` that names `thinking`, where the model always thinks; nothing for a lenient request.
    static func leastEffort(of model: String, context: RequestContext) throws(APIError) -> String? {
        let name = base(model)
        if plain.contains(where: name.hasPrefix) { return nil }
        if isOfSeries(name) || name.hasPrefix("gpt-5-pro") || name.hasPrefix("gpt-5-codex") {
            try context.cannotExpress("thinking", because: "\(model) always thinks; reasoning_effort says how hard")
            return nil
        }
        return name == "gpt-5" || name.hasPrefix("gpt-5-") ? "minimal" : "none"
    }
}
