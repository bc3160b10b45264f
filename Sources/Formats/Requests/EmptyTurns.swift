// Detects assistant messages without output: only reasoning, a filtered or malformed reply, blank text. MessageReader
// removes them, because providers reject empty turns (Messages: "text content blocks must be non-empty"; Gemini: "empty
// text parameter"; Moonshot: "must not be empty") and turns of only reasoning (Messages: "the final block in an
// assistant message cannot be `thinking`"; Responses: "reasoning was provided without its required following item").

internal import JSON

extension Message {
    /// True for an assistant message without output that the format can express: text, call, image, audio, or a call of
    /// the provider's own tools. Only Chat Completions has members for audio and images, and `prefix` or `partial`,
    /// which make the last message a prefill.
    func isEmptyTurn(for dialect: String, isLast: Bool) -> Bool {
        guard role == .assistant, toolCalls.isEmpty else { return false }
        if dialect == "openai" {
            if isLast, raw["prefix"] == true || raw["partial"] == true { return false }
            for name in ["audio", "images", "function_call"] {
                switch raw[name] {
                case nil, .null, .array([]), .object([:]): break
                default: return false
                }
            }
        }
        guard !hasContent, let native = native(for: dialect) else { return !hasContent }
        return ["content", "parts", "output"].allSatisfy { name in
            (native[name]?.array ?? []).allSatisfy { $0.object.map(Self.isEmpty) ?? true }
        }
    }

    /// True if the content has more than reasoning and blank text.
    var hasContent: Bool {
        parts.contains { part in
            switch part {
            case .text(let text, _): !Self.isBlank(text)
            case .image: true
            case .other(let object): !Self.isEmpty(object)
            }
        }
    }

    static func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

    /// True for a provider's block, part or item that is reasoning or blank text.
    private static func isEmpty(_ object: JSONObject) -> Bool {
        switch object["type"]?.string {
        case "thinking", "redacted_thinking", "reasoning": return true
        case "text", "output_text": return isBlank(object["text"]?.string ?? "")
        case "message":
            return (object["content"]?.array ?? []).allSatisfy { $0.object.map(isEmpty) ?? true }
        case nil:
            // Gemini's parts have no type.
            let hasMore = object.contains { !["text", "thought", "thoughtSignature"].contains($0.key) }
            return !hasMore && (object["thought"] == true || isBlank(object["text"]?.string ?? ""))
        default: return false
        }
    }
}
