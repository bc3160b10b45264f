// Joins the parts of a tool call, for formats and bodies that have whole calls.

internal import Chat
internal import JSON

/// Holds the call under way.
struct ToolCallJoiner {
    /// A whole call, and how many parts it had.
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

    /// Ends the call under way.
    /// - Parameter isCut: whether empty arguments are arguments that the token limit cut away.
    /// - Returns: the call; its `arguments` are nil if they are not whole JSON.
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
            return nil  // Arguments cut by the token limit are not JSON.
        }
    }
}
