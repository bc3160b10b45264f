// Joins the parts of a tool call, for formats and bodies that only have complete calls.

internal import Chat
internal import JSON

/// Holds the call in progress.
struct ToolCallJoiner {
    /// A complete call, and its number of parts.
    struct Joined {
        var call: ToolCall
        var partCount: Int
    }

    private var index = 0
    private var joined: Joined?

    /// Takes the next part of a reply.
    /// - Returns: the call that ended before it.
    mutating func take(_ part: ReplyPart) -> Joined? {
        switch part {
        case .arguments(let index, let piece):
            guard index == self.index else { return nil }
            joined?.call.argumentsJSON += piece
            joined?.partCount += 1
            return nil
        case .text, .reasoning: return end(isCut: false)
        case .toolCall(let index, let id, let name):
            defer {
                self.index = index
                joined = Joined(
                    call: ToolCall(id: id, name: name, argumentsJSON: "", arguments: nil), partCount: 1)
            }
            return end(isCut: false)
        }
    }

    /// Ends the call in progress.
    /// - Parameter isCut: whether the token limit truncated the reply. Empty arguments are then missing, otherwise they
    ///   are `{}`.
    /// - Returns: the call; its `arguments` are nil if their text is not complete JSON.
    mutating func end(isCut: Bool) -> Joined? {
        guard var ended = joined else { return nil }
        joined = nil
        let text = ended.call.argumentsJSON
        ended.call.arguments = text.isEmpty ? (isCut ? nil : [:]) : Self.value(text)
        return ended
    }

    private static func value(_ text: String) -> JSONValue? {
        do throws(JSONError) {
            return try JSONReader.strictValue([UInt8](text.utf8))
        } catch {
            return nil  // Arguments truncated by the token limit are not JSON.
        }
    }
}
