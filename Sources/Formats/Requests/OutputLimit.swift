// The limit of a reply's tokens under every name that a request may give it.

package import Chat
internal import JSON

extension ChatRequest {
    /// Where the limit stands: the common names, and those of single formats, which are passed on as they are (Responses,
    /// Gemini, Ollama, llama.cpp, Text Generation Inference).
    private static let names = [
        ["max_tokens"], ["max_completion_tokens"], ["max_output_tokens"], ["maxOutputTokens"], ["max_new_tokens"],
        ["num_predict"], ["n_predict"], ["options", "num_predict"], ["generationConfig", "maxOutputTokens"],
        ["generation_config", "max_output_tokens"], ["parameters", "max_new_tokens"],
    ]

    /// Asks for fewer tokens, and for one at least: for a request that goes on with a reply of which so many have come.
    /// A limit that is no positive integer is left as it is.
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
