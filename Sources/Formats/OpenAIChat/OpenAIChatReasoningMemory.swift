// How reasoning came, so that it goes back the same way. Providers refuse, or think worse, when a conversation comes
// back without it. Held by OpenAIChatDecoder; it shows nothing to anyone, it only shapes the assistant message.

internal import JSON

/// Under which name reasoning came, and the opaque parts that came with it.
struct OpenAIChatReasoningMemory: Equatable {
    /// Where the reasoning stood.
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
    /// OpenRouter's blocks: text, summaries, signatures, encrypted reasoning.
    private var details: [Detail] = []

    private struct Detail: Equatable {
        var fields: JSONObject
        /// The streamed members, grown in place.
        var text: String?
        var summary: String?
    }

    /// Takes one chunk's `reasoning_details`. Pieces of one block are joined; all else is kept as it came.
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

    /// Text and summaries are streamed in pieces; encrypted blocks come whole. A block that is signed is complete.
    private static func areOneBlock(_ a: JSONObject, _ b: JSONObject) -> Bool {
        guard let type = a["type"], type == b["type"], type == "reasoning.text" || type == "reasoning.summary",
            a["index"] == b["index"], (a["signature"]?.string ?? "").isEmpty
        else { return false }
        let ids = [a["id"]?.string, b["id"]?.string].compactMap(\.self)
        return ids.count < 2 || ids[0] == ids[1]
    }

    /// The message's content: text, or Mistral's parts where the reasoning came in them.
    func content(text: String, reasoning: String, hasCalls: Bool) -> JSONValue {
        if field == .parts, !reasoning.isEmpty {
            let thinking: JSONValue = [
                "type": "thinking", "thinking": [["type": "text", "text": .string(reasoning)]],
            ]
            return text.isEmpty ? [thinking] : [thinking, ["type": "text", "text": .string(text)]]
        }
        return text.isEmpty && hasCalls ? .null : .string(text)
    }

    /// The message's reasoning members.
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
