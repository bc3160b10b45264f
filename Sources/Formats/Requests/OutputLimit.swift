// Lowers the output token limit of a request, under all names of the limit.

package import Chat
internal import JSON

extension ChatRequest {
    /// Paths of the limit: the common names, and names of single formats (Responses, Gemini, Ollama, llama.cpp, Text
    /// Generation Inference).
    private static let names = [
        ["max_tokens"], ["max_completion_tokens"], ["max_output_tokens"], ["maxOutputTokens"], ["max_new_tokens"],
        ["num_predict"], ["n_predict"], ["options", "num_predict"], ["generationConfig", "maxOutputTokens"],
        ["generation_config", "max_output_tokens"], ["parameters", "max_new_tokens"],
    ]

    /// Lowers the limit by the tokens already received, to at least 1, for a request that continues a reply. A limit
    /// that is not a positive integer is not changed.
    package mutating func lowerOutputLimit(by arrived: Int64) {
        guard arrived > 0 else { return }
        arrivedTokens = arrived
        for path in Self.names { Self.lower(&parameters, path[...], by: arrived) }
    }

    private static func lower(_ object: inout JSONObject, _ path: ArraySlice<String>, by arrived: Int64) {
        guard let name = path.first, let value = object[name] else { return }
        if path.count > 1 {
            guard var inner = value.object else { return }
            lower(&inner, path.dropFirst(), by: arrived)
            object[name] = .object(inner)
        } else if let limit = value.int, limit > 0 {
            object[name] = .int(max(1, limit - min(limit, arrived)))
        }
    }
}
