// Decoding of tool calls and token counts, shared by all decoders.

internal import Base
internal import Chat
internal import JSON

extension ToolCall {
    /// The decoded arguments: `{}` for empty text and `null`, nil if the text is not complete JSON.
    static func arguments(_ text: String, reader: JSONReader) -> JSONValue? {
        let trimmed = Snippet.trimmed(text)
        if trimmed.isEmpty || trimmed == "null" { return [:] }
        do throws(JSONError) {
            return try reader.parse([UInt8](trimmed.utf8).span).value
        } catch {
            return nil
        }
    }

    /// The call in the form of an assistant message in the common form.
    var messagePart: JSONValue {
        let text = Snippet.trimmed(argumentsJSON).isEmpty ? "{}" : argumentsJSON
        return [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(text)],
        ]
    }
}

extension ReplySummary {
    /// Takes the calls. After a reply with calls the model waits for results, so the finish reason is `toolCalls`,
    /// although servers end such replies with "stop" (Gemini, Ollama, Chat Completions servers with a forced tool
    /// choice), or with an end marker and no reason.
    mutating func take(calls: [ToolCall]) {
        toolCalls = calls
        guard !calls.isEmpty else { return }
        let hasNoReason = finishReason == .other && finishReasonRaw?.isEmpty ?? true
        if finishReason == .stop || (hasNoReason && calls.allSatisfy { $0.arguments != nil }) {
            finishReason = .toolCalls
        }
    }
}

/// Ids of calls that arrive whole: the id of the provider, or a local one if the provider sends none or repeats one.
struct WholeCallIDs: Equatable {
    private var known: Set<String> = []
    private var local: LocalCallIDs?
    private var count = 0

    /// The id of the next call.
    mutating func next(_ id: String) -> String {
        count += 1
        if !id.isEmpty, known.insert(id).inserted { return id }
        let ids = local ?? LocalCallIDs()
        local = ids
        return ids[count]
    }
}

extension Usage {
    /// A token count; nil if the value is not a valid one.
    static func count(_ node: JSONNode?) -> Int? { node?.natural.flatMap { Int(exactly: $0) } }

    /// A token count; nil if the value is not a valid one.
    static func count(_ value: Int64) -> Int? { WireNumber.count(value).flatMap { Int(exactly: $0) } }
}
