// Tool calls put together from pieces that name their call, as Anthropic, Cohere and the Responses API send them. Held by
// decoders; it runs nothing and shows nothing before it is asked. (Chat Completions, whose pieces may name nothing, has
// OpenAIToolCalls.)

internal import Wire

/// The calls of one reply, while they come.
struct ToolCallPieces {
    private struct Slot: Equatable {
        var id: String
        var name: String
        var arguments: String
    }

    private var slots: [Slot] = []
    /// The place of each key's call: a stream may hold hundreds of thousands.
    private var places: [Int64: Int] = [:]

    var isEmpty: Bool { slots.isEmpty }

    /// A call begins. A second one under the same key replaces what was said of the first.
    /// - Returns: whether that says anything new.
    mutating func begin(_ key: Int64, id: String, name: String, arguments: String = "") -> Bool {
        let slot = Slot(id: id, name: name, arguments: arguments)
        let isEmpty = id.isEmpty && name.isEmpty && arguments.isEmpty
        if let index = places[key] {
            let isKnown = slots[index] == slot
            slots[index] = slot
            return !isEmpty && !isKnown
        }
        places[key] = slots.count
        slots.append(slot)
        return !isEmpty
    }

    /// A piece of the call's arguments; false if it is empty, or no such call has begun.
    mutating func append(_ key: Int64, _ piece: String) -> Bool {
        guard let index = places[key], !piece.isEmpty else { return false }
        slots[index].arguments += piece
        return true
    }

    /// The call's whole arguments, where the provider says them again at its end.
    mutating func complete(_ key: Int64, arguments: String) {
        if let index = places[key], !arguments.isEmpty {
            slots[index].arguments = arguments
        }
    }

    /// The calls so far, in the order in which they began.
    func calls(reader: JSONReader) -> [ToolCall] {
        slots.map { slot in
            ToolCall(
                id: slot.id, name: slot.name, argumentsJSON: slot.arguments,
                arguments: ToolCall.arguments(slot.arguments, reader: reader))
        }
    }

    /// The calls as an assistant message of the common form carries them.
    func messageParts(reader: JSONReader) -> [JSONValue] { calls(reader: reader).map(\.messagePart) }
}

extension ToolCall {
    /// Nothing, and the text `null`, mean no arguments. Nil where the text is not whole JSON.
    static func arguments(_ text: String, reader: JSONReader) -> JSONValue? {
        let trimmed = Excerpt.trimmed(text)
        if trimmed.isEmpty || trimmed == "null" { return [:] }
        do throws(JSONError) {
            return try reader.parse([UInt8](trimmed.utf8).span).value
        } catch {
            return nil
        }
    }

    /// The call as an assistant message of the common form carries it.
    var messagePart: JSONValue {
        let text = Excerpt.trimmed(argumentsJSON).isEmpty ? "{}" : argumentsJSON
        return [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(text)],
        ]
    }
}

extension Usage {
    /// A count of tokens; nil for what is none.
    static func count(_ node: JSONNode?) -> Int? { node?.natural.flatMap { Int(exactly: $0) } }

    /// A count of tokens; nil for what is none.
    static func count(_ value: Int64) -> Int? { WireNumber.count(value).flatMap { Int(exactly: $0) } }
}
