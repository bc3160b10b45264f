// Records the form in which reasoning arrived, so that the assistant message returns it in the same form. Without their
// reasoning, providers reject a conversation or reason worse.

internal import JSON

/// The member in which reasoning arrived, and the opaque parts that arrived with it.
struct OpenAIChatReasoningMemory: Equatable {
    /// The member that held the reasoning.
    enum Field {
        /// `reasoning_content` (DeepSeek, Qwen, Moonshot, ...).
        case reasoningContent
        /// `reasoning` (OpenRouter, Groq, vLLM, Ollama, ...).
        case reasoning
        /// `reasoning_text` (GitHub Copilot).
        case reasoningText
        /// `thinking`.
        case thinking
        /// Parts of type `thinking` inside the content (Mistral).
        case parts
    }

    var field: Field?
    /// OpenRouter's reasoning blocks: text, summaries, signatures, encrypted reasoning.
    private var details: [Detail] = []

    private struct Detail: Equatable {
        var fields: JSONObject
        /// The streamed members, kept apart so that they grow in place.
        var text: String?
        var summary: String?
    }

    /// Takes the `reasoning_details` of one chunk. Pieces of one block are joined; other blocks are kept as received.
    /// https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
    mutating func take(details node: JSONNode) {
        node.forEachElement { if let piece = $0.value.object { take(piece) } }
    }

    private mutating func take(_ piece: JSONObject) {
        guard let last = details.indices.last, Self.areOneBlock(details[last].fields, piece) else {
            return details.append(
                Detail(fields: piece, text: piece["text"]?.string, summary: piece["summary"]?.string))
        }
        for member in piece {
            switch (member.key, member.value) {
            case ("text", .string(let text)): details[last].text = (details[last].text.take() ?? "") + text
            case ("summary", .string(let text)): details[last].summary = (details[last].summary.take() ?? "") + text
            case (_, .null), (_, .string("")): break
            default: details[last].fields[member.key] = member.value
            }
        }
    }

    /// Whether `b` continues the block `a`. Text and summaries are streamed in pieces; encrypted blocks arrive whole. A
    /// signed block is complete.
    private static func areOneBlock(_ a: JSONObject, _ b: JSONObject) -> Bool {
        guard let type = a["type"], type == b["type"], type == "reasoning.text" || type == "reasoning.summary",
            a["index"] == b["index"], (a["signature"]?.string ?? "").isEmpty
        else { return false }
        let ids = [a["id"]?.string, b["id"]?.string].compactMap(\.self)
        return ids.count < 2 || ids[0] == ids[1]
    }

    /// The content of the message: text, or Mistral's parts if the reasoning arrived in parts.
    func content(text: String, reasoning: String, hasCalls: Bool) -> JSONValue {
        if field == .parts, !reasoning.isEmpty {
            let thinking: JSONValue = [
                "type": "thinking", "thinking": [["type": "text", "text": .string(reasoning)]],
            ]
            return text.isEmpty ? [thinking] : [thinking, ["type": "text", "text": .string(text)]]
        }
        return text.isEmpty && hasCalls ? .null : .string(text)
    }

    /// Adds the members with reasoning to the message.
    func addFields(to message: inout JSONObject, reasoning: String) {
        switch field {
        case .reasoningContent where !reasoning.isEmpty: message["reasoning_content"] = .string(reasoning)
        case .reasoning where !reasoning.isEmpty: message["reasoning"] = .string(reasoning)
        case .reasoningText where !reasoning.isEmpty: message["reasoning_text"] = .string(reasoning)
        case .thinking where !reasoning.isEmpty: message["thinking"] = .string(reasoning)
        default: break
        }
        guard !details.isEmpty else { return }
        message["reasoning_details"] = .array(
            details.map { detail in
                var fields = detail.fields
                if let text = detail.text { fields["text"] = .string(text) }
                if let summary = detail.summary { fields["summary"] = .string(summary) }
                return .object(fields)
            })
    }
}
