// A call's arguments and ids, its place in a message, and counts, for every decoder.

internal import Base
internal import Chat
internal import JSON

extension ToolCall {
    /// Nothing, and the text `null`, mean no arguments. Nil where the text is not whole JSON.
    static func arguments(_ text: String, reader: JSONReader) -> JSONValue? {
        let trimmed = Snippet.trimmed(text)
        if trimmed.isEmpty || trimmed == "null" { return [:] }
        do throws(JSONError) {
            return try reader.parse([UInt8](trimmed.utf8).span).value
        } catch {
            return nil
        }
    }

    /// The call as an assistant message of the common form carries it.
    var messagePart: JSONValue {
        let text = Snippet.trimmed(argumentsJSON).isEmpty ? "{}" : argumentsJSON
        return [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(text)],
        ]
    }
}

extension ReplySummary {
    /// Takes the calls. With them a model waits for results, though servers end such replies with "stop" (Gemini, Ollama,
    /// Chat Completions servers that were told which tool to call), or with an end marker and no reason.
    mutating func take(calls: [ToolCall]) {
        toolCalls = calls
        guard !calls.isEmpty else { return }
        let isUnsaid = finishReason == .other && finishReasonRaw?.isEmpty ?? true
        if finishReason == .stop || (isUnsaid && calls.allSatisfy { $0.arguments != nil }) { finishReason = .toolCalls }
    }
}

/// The ids of calls that come whole: each is the provider's, or one made here where there is none, or none of its own.
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
    /// A count of tokens; nil for what is none.
    static func count(_ node: JSONNode?) -> Int? { node?.natural.flatMap { Int(exactly: $0) } }

    /// A count of tokens; nil for what is none.
    static func count(_ value: Int64) -> Int? { WireNumber.count(value).flatMap { Int(exactly: $0) } }
}
