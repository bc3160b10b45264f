// Puts tool calls together from their pieces. Held by OpenAIDecoder, which hands it each delta's `tool_calls`; it runs
// nothing and shows nothing before it is asked.

internal import Wire

/// The tool calls of one reply, while they come.
///
/// The rule is: a piece belongs to the last call of its index. Servers break it in these ways, each seen: no index at
/// all; two calls under one index, told apart by their ids; an id that is empty, null or repeated on later pieces; a
/// name in pieces, or repeated; arguments that are null, an object instead of text, or the text `null`.
struct OpenAIToolCalls {
    private static let callKeys = JSONKeys("index", "id", "function", "extra_content", "name", "arguments")
    private static let functionKeys = JSONKeys("name", "arguments")

    private struct Slot {
        var index: Int64?
        var id = ""
        var name = ""
        var arguments = ""
        /// Google's thought signatures: to be sent back untouched.
        var extra: JSONValue?
        /// The delta that touched it last.
        var turn = 0

        /// Whether the arguments so far are a whole JSON object, by its braces outside of strings.
        var isWhole: Bool { OpenAIToolCalls.isWholeObject(arguments) }
    }

    private struct Piece {
        var index: Int64?
        var id = ""
        var name = ""
        var arguments = ""
    }

    private var slots: [Slot] = []
    private var turn = 0

    /// Takes a delta's `tool_calls`.
    mutating func take(_ calls: JSONNode) {
        turn += 1
        calls.forEachElement { call in
            let parts = call.pick(Self.callKeys)
            var piece = Piece(index: parts[0]?.int, id: Self.id(parts[1]))
            let function = parts[2].flatMap { $0.kind == .object ? $0.pick(Self.functionKeys) : nil }
            let (name, arguments) = function.map { ($0[0], $0[1]) } ?? (parts[4], parts[5])
            piece.name = name?.string ?? ""
            piece.arguments = Self.text(arguments)
            let slot = add(piece)
            if let extra = parts[3], !extra.isNull { slots[slot].extra = extra.value }
        }
    }

    /// Takes a delta's legacy `function_call`: one call, without index and id.
    mutating func take(functionCall call: JSONNode) {
        turn += 1
        let parts = call.pick(Self.functionKeys)
        _ = add(Piece(index: 0, name: parts[0]?.string ?? "", arguments: Self.text(parts[1])))
    }

    private mutating func add(_ piece: Piece) -> Int {
        guard let slot = slot(for: piece) else {
            slots.append(
                Slot(index: piece.index, id: piece.id, name: piece.name, arguments: piece.arguments, turn: turn))
            return slots.count - 1
        }
        if slots[slot].id.isEmpty { slots[slot].id = piece.id }
        join(name: piece.name, to: slot)
        slots[slot].arguments += piece.arguments
        slots[slot].turn = turn
        return slot
    }

    /// The call that a piece goes on with; nil where it begins one.
    private func slot(for piece: Piece) -> Int? {
        let candidate: Int? =
            if let index = piece.index {
                slots.lastIndex { $0.index == index }
                    ?? slots.lastIndex { $0.index == nil && $0.id == piece.id && !piece.id.isEmpty }
            } else if !piece.id.isEmpty {
                slots.lastIndex { $0.id == piece.id } ?? slots.indices.last.flatMap { slots[$0].id.isEmpty ? $0 : nil }
            } else {
                slots.indices.last
            }
        guard let candidate else { return nil }
        return begins(piece, after: slots[candidate]) ? nil : candidate
    }

    private func begins(_ piece: Piece, after slot: Slot) -> Bool {
        guard !piece.name.isEmpty, !slot.name.isEmpty else { return false }
        if !piece.id.isEmpty, !slot.id.isEmpty { return piece.id != slot.id }
        if slot.turn == turn { return true }
        return slot.isWhole && !piece.arguments.isEmpty
    }

    /// Names come whole, repeated, growing, or in pieces before the arguments.
    private mutating func join(name: String, to slot: Int) {
        if name.isEmpty || name == slots[slot].name { return }
        if name.hasPrefix(slots[slot].name) {
            slots[slot].name = name
        } else if slots[slot].arguments.isEmpty {
            slots[slot].name += name
        }
    }

    private static func id(_ node: JSONNode?) -> String {
        node?.string ?? node?.int.map(String.init) ?? ""
    }

    private static func text(_ arguments: JSONNode?) -> String {
        guard let arguments, !arguments.isNull else { return "" }
        return arguments.string ?? JSONWriter.text(arguments.value)
    }

    private static func isWholeObject(_ text: String) -> Bool {
        var depth = 0
        var inString = false
        var escaped = false
        var closed = false
        for byte in text.utf8 {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                closed = depth == 0
            default: break
            }
        }
        return closed && depth == 0 && !inString
    }

    // MARK: What came of it

    /// The calls so far, by index where they have one.
    func calls(reader: JSONReader) -> [ToolCall] {
        inOrder.map { slot in
            ToolCall(
                id: slot.id, name: slot.name, argumentsJSON: slot.arguments,
                arguments: ToolCall.arguments(slot.arguments, reader: reader))
        }
    }

    /// The calls as an assistant message carries them.
    var messageParts: [JSONValue] {
        inOrder.map { slot in
            let text = Excerpt.trimmed(slot.arguments).isEmpty ? "{}" : slot.arguments
            var call: JSONObject = ["id": .string(slot.id), "type": "function"]
            call["function"] = ["name": .string(slot.name), "arguments": .string(text)]
            if let extra = slot.extra { call["extra_content"] = extra }
            return .object(call)
        }
    }

    private var inOrder: [Slot] {
        guard slots.allSatisfy({ $0.index != nil }) else { return slots }
        return slots.enumerated().sorted { ($0.element.index ?? 0, $0.offset) < ($1.element.index ?? 0, $1.offset) }
            .map(\.element)
    }
}
