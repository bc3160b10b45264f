// Reads the tool calls of Chat Completions deltas. ToolCallAssembler assigns the pieces to calls.

internal import Base
internal import Chat
internal import JSON

/// The tool calls of one reply, as they arrive.
struct OpenAIChatToolCalls: Equatable {
    private static let callKeys = JSONKeys("index", "id", "function", "extra_content", "name", "arguments")
    private static let functionKeys = JSONKeys("name", "arguments")

    private var assembler = ToolCallAssembler()

    /// Takes the `tool_calls` of a delta: an array, or the single call that TGI sends instead.
    /// - Returns: whether they hold a new name or id, or text of arguments. Some servers send empty pieces while they
    ///   wait.
    mutating func take(_ calls: JSONNode) -> Bool {
        assembler.beginDelta()
        if calls.kind == .object {
            add(calls)
        } else {
            calls.forEachElement { add($0) }
        }
        return assembler.hasGrown
    }

    private mutating func add(_ call: JSONNode) {
        let parts = call.pick(Self.callKeys)
        var piece = ToolCallAssembler.Piece(index: Self.index(parts[0]), id: Self.id(parts[1]))
        let function = parts[2].flatMap { $0.kind == .object ? $0.pick(Self.functionKeys) : nil }
        let (name, arguments) = function.map { ($0[0], $0[1]) } ?? (parts[4], parts[5])
        piece.name = name?.string ?? ""
        piece.arguments = Self.text(arguments)
        let place = assembler.add(piece)
        if let extra = parts[3], !extra.isNull { assembler.set(extra: extra.value, at: place) }
    }

    /// Takes the legacy `function_call` of a delta: one call without index and id.
    /// - Returns: as above.
    mutating func take(functionCall call: JSONNode) -> Bool {
        assembler.beginDelta()
        let parts = call.pick(Self.functionKeys)
        assembler.add(.init(index: 0, name: parts[0]?.string ?? "", arguments: Self.text(parts[1])))
        return assembler.hasGrown
    }

    /// Some servers send the index as a string.
    private static func index(_ node: JSONNode?) -> Int64? {
        node?.natural ?? node?.string.flatMap { WireNumber.count($0) }
    }

    private static func id(_ node: JSONNode?) -> String {
        node?.string ?? node?.int.map(String.init) ?? ""
    }

    private static func text(_ arguments: JSONNode?) -> String {
        guard let arguments, !arguments.isNull else { return "" }
        return arguments.string ?? JSONWriter.text(arguments.value)
    }

    // MARK: Results

    /// Whether the arguments of some call end inside a value.
    var hasIncompleteCall: Bool { assembler.hasIncompleteCall }

    /// Whether there are calls, all with complete arguments.
    var areAllComplete: Bool { assembler.areAllComplete }

    /// The calls so far, sorted by index if each has one.
    func calls(reader: JSONReader) -> [ToolCall] { assembler.calls(reader: reader) }

    /// The calls in the form of an assistant message.
    var messageParts: [JSONValue] {
        assembler.inOrder.map { slot in
            let known = slot.arguments.text
            let text = Snippet.trimmed(known).isEmpty ? "{}" : known
            var call: JSONObject = ["id": .string(slot.id), "type": "function"]
            call["function"] = ["name": .string(slot.name), "arguments": .string(text)]
            if let extra = slot.extra { call["extra_content"] = extra }
            return .object(call)
        }
    }
}
