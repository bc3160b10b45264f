// Assistant messages that say nothing: a reply of reasoning alone, one that was filtered or malformed, or blanks. Providers
// refuse empty turns (Messages: "text content blocks must be non-empty"; Gemini: "empty text parameter"; Moonshot: "must
// not be empty") and turns of reasoning alone (Messages: "the final block in an assistant message cannot be `thinking`";
// Responses: "reasoning was provided without its required following item"). MessageReader leaves them out.

internal import Wire

extension Message {
    /// Whether an assistant's message holds nothing that goes to a provider of that dialect as output: no text, call,
    /// picture, sound or use of the provider's own tools. Chat Completions alone have members for these, and one for a
    /// last message that is to be continued, which is a prefill, whatever it holds.
    func isSilent(for dialect: String, isLast: Bool) -> Bool {
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
            (native[name]?.array ?? []).allSatisfy { $0.object.map(Self.isSilent) ?? true }
        }
    }

    /// Whether its content is more than reasoning and blank text.
    var hasContent: Bool {
        parts.contains { part in
            switch part {
            case .text(let text, _): !Self.isBlank(text)
            case .image: true
            case .other(let object): !Self.isSilent(object)
            }
        }
    }

    static func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

    /// Whether a provider's block, part or item is reasoning or blank text.
    private static func isSilent(_ object: JSONObject) -> Bool {
        switch object["type"]?.string {
        case "thinking", "redacted_thinking", "reasoning": return true
        case "text", "output_text": return isBlank(object["text"]?.string ?? "")
        case "message":
            return (object["content"]?.array ?? []).allSatisfy { $0.object.map(isSilent) ?? true }
        case nil:
            // Gemini's parts have no type.
            let hasMore = object.contains { !["text", "thought", "thoughtSignature"].contains($0.key) }
            return !hasMore && (object["thought"] == true || isBlank(object["text"]?.string ?? ""))
        default: return false
        }
    }
}
