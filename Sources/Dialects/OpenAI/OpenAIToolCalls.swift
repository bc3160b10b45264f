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
        var arguments = ArgumentText()
        /// Google's thought signatures: to be sent back untouched.
        var extra: JSONValue?
        /// The delta that touched it last.
        var turn = 0
    }

    /// Arguments as they grow, scanned once.
    private struct ArgumentText {
        private(set) var text = ""
        private var depth = 0
        private var inString = false
        private var isEscaped = false
        private var isClosed = false

        /// Whether they are a whole JSON object so far, by its braces outside of strings.
        var isWholeObject: Bool { isClosed && depth == 0 && !inString }

        mutating func append(_ piece: String) {
            text += piece
            for byte in piece.utf8 {
                if inString {
                    if isEscaped {
                        isEscaped = false
                    } else if byte == UInt8(ascii: "\\") {
                        isEscaped = true
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
                    isClosed = depth == 0
                default: break
                }
            }
        }
    }

    private struct Piece {
        var index: Int64?
        var id = ""
        var name = ""
        var arguments = ""
    }

    private var slots: [Slot] = []
    /// The last call of each index, and of each id: a stream may hold hundreds of thousands.
    private var lastByIndex: [Int64: Int] = [:]
    private var lastByID: [String: Int] = [:]
    private var turn = 0
    /// True if the last delta brought a call's name or id, or a piece of its arguments.
    private var hasGrown = false

    /// Takes a delta's `tool_calls`.
    /// - Returns: whether they say anything that was not known: servers send empty pieces while they wait.
    mutating func take(_ calls: JSONNode) -> Bool {
        turn += 1
        hasGrown = false
        calls.forEachElement { call in
            let parts = call.pick(Self.callKeys)
            var piece = Piece(index: parts[0]?.natural, id: Self.id(parts[1]))
            let function = parts[2].flatMap { $0.kind == .object ? $0.pick(Self.functionKeys) : nil }
            let (name, arguments) = function.map { ($0[0], $0[1]) } ?? (parts[4], parts[5])
            piece.name = name?.string ?? ""
            piece.arguments = Self.text(arguments)
            let slot = add(piece)
            if let extra = parts[3], !extra.isNull { slots[slot].extra = extra.value }
        }
        return hasGrown
    }

    /// Takes a delta's legacy `function_call`: one call, without index and id.
    /// - Returns: as above.
    mutating func take(functionCall call: JSONNode) -> Bool {
        turn += 1
        hasGrown = false
        let parts = call.pick(Self.functionKeys)
        _ = add(Piece(index: 0, name: parts[0]?.string ?? "", arguments: Self.text(parts[1])))
        return hasGrown
    }

    private mutating func add(_ piece: Piece) -> Int {
        if !piece.arguments.isEmpty { hasGrown = true }
        guard let slot = slot(for: piece) else {
            if !piece.id.isEmpty || !piece.name.isEmpty { hasGrown = true }
            let slot = slots.count
            slots.append(Slot(index: piece.index, id: piece.id, name: piece.name, turn: turn))
            slots[slot].arguments.append(piece.arguments)
            if let index = piece.index { lastByIndex[index] = slot }
            if !piece.id.isEmpty { lastByID[piece.id] = slot }
            return slot
        }
        if slots[slot].id.isEmpty, !piece.id.isEmpty {
            hasGrown = true
            slots[slot].id = piece.id
            lastByID[piece.id] = max(slot, lastByID[piece.id] ?? 0)
        }
        join(name: piece.name, to: slot)
        slots[slot].arguments.append(piece.arguments)
        slots[slot].turn = turn
        return slot
    }

    /// The call that a piece goes on with; nil where it begins one.
    private func slot(for piece: Piece) -> Int? {
        let candidate: Int? =
            if let index = piece.index {
                lastByIndex[index] ?? lastByID[piece.id].flatMap { slots[$0].index == nil ? $0 : nil }
            } else if !piece.id.isEmpty {
                lastByID[piece.id] ?? slots.indices.last.flatMap { slots[$0].id.isEmpty ? $0 : nil }
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
        return slot.arguments.isWholeObject && !piece.arguments.isEmpty
    }

    /// Names come whole, repeated, growing, or in pieces before the arguments.
    private mutating func join(name: String, to slot: Int) {
        if name.isEmpty || name == slots[slot].name { return }
        if name.hasPrefix(slots[slot].name) {
            slots[slot].name = name
        } else if slots[slot].arguments.text.isEmpty {
            slots[slot].name += name
        } else {
            return
        }
        hasGrown = true
    }

    private static func id(_ node: JSONNode?) -> String {
        node?.string ?? node?.int.map(String.init) ?? ""
    }

    private static func text(_ arguments: JSONNode?) -> String {
        guard let arguments, !arguments.isNull else { return "" }
        return arguments.string ?? JSONWriter.text(arguments.value)
    }

    // MARK: What came of it

    /// The calls so far, by index where they have one.
    func calls(reader: JSONReader) -> [ToolCall] {
        inOrder.map { slot in
            ToolCall(
                id: slot.id, name: slot.name, argumentsJSON: slot.arguments.text,
                arguments: ToolCall.arguments(slot.arguments.text, reader: reader))
        }
    }

    /// The calls as an assistant message carries them.
    var messageParts: [JSONValue] {
        inOrder.map { slot in
            let text = Excerpt.trimmed(slot.arguments.text).isEmpty ? "{}" : slot.arguments.text
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
