// What a model's name says of what it takes, where the provider tells nobody and refuses what is wrong. For the requests
// of Chat Completions and Responses.

/// Reads names of models.
enum OpenAIModel {
    /// The effort that stands for no thinking; nil where there is nothing to say, since the model never thinks. "none" is
    /// taken by GPT-5.1 and later, and by the models of others behind these formats; GPT-5 knows "minimal".
    /// https://platform.openai.com/docs/api-reference/responses/create (`reasoning.effort`)
    /// - Throws: an `APIError` that names `thinking`, where the model always thinks; nothing for a lenient request.
    static func leastEffort(of model: String, context: RequestContext) throws(APIError) -> String? {
        // Gateways put the maker before the name: "openai/gpt-5-mini".
        let name = model.lowercased().split(separator: "/").last ?? ""
        if ["gpt-4", "gpt-3", "chatgpt-", "gpt-5-chat"].contains(where: name.hasPrefix) { return nil }
        let isOfSeries = name.count > 1 && name.hasPrefix("o") && name.dropFirst().first?.isNumber == true
        if isOfSeries || name.hasPrefix("gpt-5-pro") || name.hasPrefix("gpt-5-codex") {
            try context.cannotExpress("thinking", because: "\(model) always thinks; reasoning_effort says how hard")
            return nil
        }
        return name == "gpt-5" || name.hasPrefix("gpt-5-") ? "minimal" : "none"
    }
}
