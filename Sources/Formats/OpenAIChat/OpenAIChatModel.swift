// Capabilities of OpenAI models by name, for Chat Completions and Responses. The API does not report them.

internal import Chat

enum OpenAIChatModel {
    /// Models that never reason. They reject `include = {"reasoning.encrypted_content"}` ("Encrypted content is not
    /// supported with this model") and reasoning items.
    private static let plain = ["gpt-4", "gpt-3", "chatgpt-", "gpt-5-chat"]

    /// Whether a model reasons; nil if its name is unknown.
    /// https://platform.openai.com/docs/guides/reasoning, https://docs.x.ai/docs/models
    static func reasons(_ model: String) -> Bool? {
        let name = base(model)
        if plain.contains(where: name.hasPrefix) || name.contains("non-reasoning") { return false }
        if name.contains("-chat") { return nil }
        let reasoning = ["gpt-5", "gpt-oss", "codex-mini", "grok-3-mini", "grok-4", "grok-code"]
        return isOfSeries(name) || reasoning.contains(where: name.hasPrefix) ? true : nil
    }

    /// The name in lower case, without the vendor that gateways prepend ("openai/gpt-5-mini").
    private static func base(_ model: String) -> Substring { model.lowercased().split(separator: "/").last ?? "" }

    /// Whether it is a model of the o series: o1, o3, o4-mini.
    private static func isOfSeries(_ name: Substring) -> Bool {
        name.count > 1 && name.hasPrefix("o") && name.dropFirst().first?.isNumber == true
    }

    /// The effort that turns thinking off, or the least one; nil for a model that never or always thinks. "none" is
    /// valid for GPT-5.1 and later and for models of other providers; GPT-5 has "minimal".
    /// https://platform.openai.com/docs/api-reference/responses/create (`reasoning.effort`)
    /// - Throws: an `APIError` that names `thinking` if the model always thinks, unless the request is lenient.
    static func lowestEffort(of model: String, context: RequestContext) throws(APIError) -> String? {
        let name = base(model)
        if plain.contains(where: name.hasPrefix) { return nil }
        if isOfSeries(name) || name.hasPrefix("gpt-5-pro") || name.hasPrefix("gpt-5-codex") {
            try context.cannotExpress("thinking", because: "\(model) always thinks; reasoning_effort says how hard")
            return nil
        }
        return name == "gpt-5" || name.hasPrefix("gpt-5-") ? "minimal" : "none"
    }
}
