// The items of a response's output: messages, reasoning, calls, and what the provider's own tools did. Owned by
// ResponsesDecoder. It keeps the calls while they come, and every item that is done as it came, to be sent back.

internal import Wire

/// The items of one reply.
struct ResponsesItems {
    private static let keys = JSONKeys("type", "id", "call_id", "name", "arguments", "input")

    /// One item.
    struct Item {
        var index: Int64
        var id = ""
        var type = ""
        var callID = ""
        var name = ""
        /// A function's arguments, or a custom tool's input.
        var arguments = ""
        /// Pieces of the arguments came in the wrong order.
        var isDisordered = false
        /// The kinds of its text that were shown, as bits.
        var shown: UInt8 = 0
        var annotations = 0
        var isDone = false
        /// The whole item, once it is done.
        var value: JSONValue?

        var isCustom: Bool { type == "custom_tool_call" }
        var isCall: Bool { type == "function_call" || isCustom }

        func call(arguments value: JSONValue?) -> ToolCall {
            ToolCall(id: callID.isEmpty ? id : callID, name: name, argumentsJSON: arguments, arguments: value)
        }

        func hasShown(_ kind: ResponsesText.Kind) -> Bool { shown & (1 << UInt8(kind.rawValue)) != 0 }
    }

    private(set) var all: [Item] = []

    subscript(place: Int) -> Item {
        get { all[place] }
        // In place: a call's arguments grow by a few bytes at a time, and a copy of each would take quadratic time.
        _modify { yield &all[place] }
    }

    /// The place of the item that an event speaks of: by its number in the output, else by its id, which some gateways
    /// change from event to event. Without either it is the last item that is not done.
    mutating func place(index: Int64?, id: String?) -> Int {
        if let index { return place(index: index) }
        if let id, !id.isEmpty, let known = all.lastIndex(where: { $0.id == id }) { return known }
        if let open = all.lastIndex(where: { !$0.isDone }) { return open }
        return place(index: nextIndex)
    }

    /// The place of an item that begins.
    mutating func newPlace(index: Int64?, id: String? = nil) -> Int {
        if index == nil, let id, !id.isEmpty, let known = all.firstIndex(where: { $0.id == id }) { return known }
        return place(index: index ?? nextIndex)
    }

    private var nextIndex: Int64 { all.map(\.index).max().map { $0 < Int64.max ? $0 + 1 : $0 } ?? 0 }

    private mutating func place(index: Int64) -> Int {
        if let known = all.lastIndex(where: { $0.index == index }) { return known }
        let place = all.firstIndex { $0.index > index } ?? all.count
        all.insert(Item(index: index), at: place)
        return place
    }

    /// The place of an item of the finished response. Gateways change ids and leave items out, so it is looked for by
    /// its ids, by its position, and by which one of its type it is; only an item that never came gets a new place.
    /// - Parameter ordinal: how many items of the same type stand before it in the response.
    mutating func place(inResponse position: Int64, _ node: JSONNode, ordinal: Int) -> Int {
        let parts = node.pick(Self.keys)
        let type = parts[0]?.string ?? ""
        func known(_ path: KeyPath<Item, String>, _ id: String?) -> Int? {
            guard let id, !id.isEmpty else { return nil }
            return all.firstIndex { $0.type == type && $0[keyPath: path] == id }
        }
        if let place = known(\.id, parts[1]?.string) ?? known(\.callID, parts[2]?.string) { return place }
        if let place = all.firstIndex(where: { $0.index == position && ($0.type == type || $0.type.isEmpty) }) {
            return place
        }
        let sameType = all.indices.filter { all[$0].type == type }
        if ordinal < sameType.count { return sameType[ordinal] }
        return place(index: all.contains { $0.index == position } ? nextIndex : position)
    }

    /// Takes what an item says of itself. What it leaves empty stays as it was.
    mutating func take(_ node: JSONNode, at place: Int) {
        let parts = node.pick(Self.keys)
        if let type = parts[0]?.string, !type.isEmpty { all[place].type = type }
        if let id = parts[1]?.string, !id.isEmpty { all[place].id = id }
        if let id = parts[2]?.string, !id.isEmpty { all[place].callID = id }
        if let name = parts[3]?.string, !name.isEmpty { all[place].name = name }
        take(arguments: parts[4] ?? parts[5], at: place)
    }

    /// Takes a call's whole arguments.
    mutating func take(arguments node: JSONNode?, at place: Int) {
        guard let node, !node.isNull else { return }
        let text = node.string ?? JSONWriter.text(node.value)
        guard !text.isEmpty else { return }
        all[place].arguments = text
        all[place].isDisordered = false
    }

    // MARK: What came of it

    /// The calls, in the order of the output.
    func calls(reader: JSONReader) -> [ToolCall] {
        all.lazy.filter(\.isCall).map { item in
            item.call(
                arguments: item.isCustom
                    ? .string(item.arguments) : ToolCall.arguments(item.arguments, reader: reader))
        }
    }

    /// The calls as a message in the common form carries them.
    var messageParts: [JSONValue] {
        all.filter(\.isCall).map { item in
            let call = item.call(arguments: nil)
            return Self.messagePart(
                id: call.id, name: call.name, arguments: call.argumentsJSON, isCustom: item.isCustom)
        }
    }

    /// One call. A custom tool's input is text; other providers know arguments with names alone.
    static func messagePart(id: String, name: String, arguments: String, isCustom: Bool) -> JSONValue {
        let text = isCustom ? JSONWriter.text(["input": .string(arguments)]) : arguments
        return ToolCall(id: id, name: name, argumentsJSON: text, arguments: nil).messagePart
    }

    /// Every item, to be sent back; nil while one of them is not done.
    var whole: [JSONValue]? {
        let values = all.compactMap(\.value)
        return values.count == all.count && !values.isEmpty ? values : nil
    }

    /// Whether the messages among the items say that text, white space at its ends aside: servers trim it in the end.
    static func say(_ text: String, _ items: [JSONValue]) -> Bool {
        let messages = items.filter { $0["type"]?.string == "message" }
        let parts = messages.flatMap { $0["content"]?.array ?? [] }.filter { $0["type"]?.string == "output_text" }
        let said = parts.compactMap { $0["text"]?.string }.joined()
        return Excerpt.trimmed(said) == Excerpt.trimmed(text)
    }
}
