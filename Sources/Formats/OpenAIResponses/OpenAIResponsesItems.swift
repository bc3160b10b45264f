// The items of a response's output: messages, reasoning, calls, and what the provider's own tools did. Owned by
// OpenAIResponsesDecoder. It keeps the calls while they come, and every item that is done as it came, to be sent back.

internal import Base
internal import Chat
internal import JSON

/// The items of one reply.
struct OpenAIResponsesItems: Equatable {
    private static let keys = JSONKeys("type", "id", "call_id", "name", "arguments", "input", "phase")

    /// One item.
    struct Item: Equatable {
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
        /// Of a message: "commentary" or "final_answer", where the model tells them apart.
        var phase: String?
        var isDone = false
        /// The whole item, once it is done.
        var value: JSONValue?
        /// A call of the client's own kind as it began, for servers that never say that it is done.
        var announced: JSONValue?

        var isCustom: Bool { type == "custom_tool_call" }
        var isCall: Bool { type == "function_call" || isCustom }
        /// For the client to answer if the provider has not.
        var isClientCall: Bool {
            // https://platform.openai.com/docs/guides/tools-tool-search: the provider runs it unless it says "client".
            if type == "tool_search_call" { return (value ?? announced)?["execution"]?.string == "client" }
            return OpenAIResponsesItems.clientTypes.contains(type)
        }
        var mayBeCall: Bool { isCall || type.isEmpty }

        /// What is known of a call.
        var said: [String] { [id, callID, name, arguments] }

        func call(id: String, arguments value: JSONValue?) -> ToolCall {
            ToolCall(id: id, name: name, argumentsJSON: arguments, arguments: value)
        }

        func hasShown(_ kind: OpenAIResponsesText.Kind) -> Bool { shown & (1 << UInt8(kind.rawValue)) != 0 }
    }

    /// In the order in which they were first named. Places stay the same, so that each is found in constant time: a
    /// response may hold hundreds of thousands.
    private var all: [Item] = []
    private var placeOfIndex: [Int64: Int] = [:]
    private var lastOfID: [String: Int] = [:]
    private var lastOfCallID: [String: Int] = [:]
    /// Items came under an index that another one has.
    private var sharesIndexes = false
    /// Places of items that are not done, or were not when they were put here.
    private var open: [Int] = []
    private var greatestIndex: Int64 = -1
    private var localIDs = LocalCallIDs(start: 0)

    subscript(place: Int) -> Item {
        get { all[place] }
        // In place: a call's arguments grow by a few bytes at a time, and a copy of each would take quadratic time.
        _modify { yield &all[place] }
    }

    /// In the order of the output.
    var inOrder: [Item] { placesInOrder.map { all[$0] } }

    private var placesInOrder: [Int] {
        all.indices.sorted { (all[$0].index, $0) < (all[$1].index, $1) }
    }

    /// The place of the item that an event speaks of: by its number in the output, else by its id, which some gateways
    /// change from event to event. Without either it is the last item that is not done.
    mutating func place(index: Int64?, id: String?) -> Int {
        if let index { return place(index: index) }
        if let id, !id.isEmpty, let known = lastOfID[id] { return known }
        while let last = open.last, all[last].isDone { open.removeLast() }
        return open.last ?? place(index: nextIndex)
    }

    /// The place of the call that a piece of arguments belongs to. Gateways number pieces wrongly, or change their ids: an
    /// id that names a call counts, then a number that does, then the call begun last that is not done.
    mutating func placeOfCall(index: Int64?, id: String?) -> Int {
        let bound = index.flatMap { placeOfIndex[$0] }
        if let id, !id.isEmpty, bound.map({ all[$0].id != id }) ?? true, let known = lastOfID[id], all[known].mayBeCall
        {
            return known
        }
        if let bound, all[bound].mayBeCall { return bound }
        while let last = open.last, all[last].isDone { open.removeLast() }
        if let last = open.last, all[last].isCall { return last }
        return place(index: bound == nil ? index : nil, id: id)
    }

    /// The place of the item under an index.
    mutating func newPlace(index: Int64) -> Int { place(index: index) }

    /// The place of an item that begins, or is done. Gateways number all items alike: ids that name an item count, then
    /// the index, unless its item is a call of another id, or no call where this is one.
    mutating func place(of node: JSONNode, index: Int64?, begins: Bool) -> Int {
        let parts = node.pick(Self.keys)
        let named = Identity(
            type: parts[0]?.string ?? "", id: parts[1]?.string ?? "", callID: parts[2]?.string ?? "")
        guard let index else {
            if !named.id.isEmpty, let known = lastOfID[named.id] { return known }
            return begins ? place(index: nextIndex) : place(index: nil, id: named.id)
        }
        let bound = placeOfIndex[index]
        if let bound, named.matches(all[bound]) { return bound }
        // What begins under an index of its own is an item of its own, whatever its id.
        if bound != nil || !begins {
            for known in [lastOfCallID[named.callID], lastOfID[named.id]] {
                if let known, named.matches(all[known]), bound != nil || !all[known].isDone { return known }
            }
        }
        guard let bound, named.differs(from: all[bound], begins: begins) else { return place(index: index) }
        sharesIndexes = true
        return append(index: index)
    }

    /// What an item is known by.
    private struct Identity {
        var type: String
        var id: String
        var callID: String

        func matches(_ item: Item) -> Bool {
            guard item.type == type else { return false }
            if !callID.isEmpty, !item.callID.isEmpty { return item.callID == callID }
            return !id.isEmpty && item.id == id
        }

        /// For an item that it does not match. Ids may change from a call's begin to its end, but not behind it.
        func differs(from item: Item, begins: Bool) -> Bool {
            if item.type.isEmpty || type.isEmpty || (!callID.isEmpty && item.callID == callID) { return false }
            let isCall = Item(index: 0, type: type).isCall
            if item.type != type { return isCall || item.isCall }
            guard isCall, begins || item.isDone else { return false }
            if !callID.isEmpty, !item.callID.isEmpty { return true }
            return !id.isEmpty && !item.id.isEmpty && item.id != id
        }
    }

    /// Indexes from the wire are bounded, so that one more is always a number.
    private var nextIndex: Int64 { greatestIndex + 1 }

    private mutating func place(index: Int64) -> Int {
        placeOfIndex[index] ?? append(index: index)
    }

    private mutating func append(index: Int64) -> Int {
        let place = all.count
        if place == 0 { localIDs = LocalCallIDs() }
        all.append(Item(index: index))
        placeOfIndex[index] = place
        open.append(place)
        greatestIndex = max(greatestIndex, index)
        return place
    }

    /// Finds the items of the finished response among those that came. Gateways change ids and leave items out, so one is
    /// looked for by its ids, by its position, and by which one of its type it is; only an item that never came gets a
    /// new place.
    struct Finder {
        fileprivate var byID: [[String]: Int] = [:]
        fileprivate var byCallID: [[String]: Int] = [:]
        fileprivate var ofType: [String: [Int]] = [:]
        /// How many items of a type the response has had so far.
        fileprivate var seen: [String: Int] = [:]
    }

    var finder: Finder {
        var finder = Finder()
        for place in placesInOrder {
            let item = all[place]
            if !item.id.isEmpty { finder.byID[[item.type, item.id]] = finder.byID[[item.type, item.id]] ?? place }
            if !item.callID.isEmpty {
                finder.byCallID[[item.type, item.callID]] = finder.byCallID[[item.type, item.callID]] ?? place
            }
            finder.ofType[item.type, default: []].append(place)
        }
        return finder
    }

    /// The place of the item that stands at `position` in the finished response.
    mutating func place(inResponse position: Int64, _ node: JSONNode, _ finder: inout Finder) -> Int {
        let parts = node.pick(Self.keys)
        let type = parts[0]?.string ?? ""
        let ordinal = finder.seen[type, default: 0]
        finder.seen[type] = ordinal + 1
        if let place = parts[1]?.string.flatMap({ finder.byID[[type, $0]] })
            ?? parts[2]?.string.flatMap({ finder.byCallID[[type, $0]] })
        {
            return place
        }
        let atPosition = sharesIndexes ? nil : placeOfIndex[position]
        if let place = atPosition, all[place].type == type || all[place].type.isEmpty { return place }
        if let sameType = finder.ofType[type], ordinal < sameType.count { return sameType[ordinal] }
        return place(index: atPosition == nil && !sharesIndexes ? position : nextIndex)
    }

    /// Takes what an item says of itself. What it leaves empty stays as it was.
    mutating func take(_ node: JSONNode, at place: Int) {
        let parts = node.pick(Self.keys)
        if let type = parts[0]?.string, !type.isEmpty { all[place].type = type }
        if let id = parts[1]?.string, !id.isEmpty {
            all[place].id = id
            lastOfID[id] = max(place, lastOfID[id] ?? 0)
        }
        if let id = parts[2]?.string, !id.isEmpty {
            all[place].callID = id
            if all[place].isCall { lastOfCallID[id] = place }
        }
        if let name = parts[3]?.string, !name.isEmpty { all[place].name = name }
        if all[place].isClientCall || all[place].type == "tool_search_call" { all[place].announced = node.value }
        take(arguments: parts[4] ?? parts[5], at: place)
        if let phase = parts[6]?.string, !phase.isEmpty { all[place].phase = phase }
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
        identified.map { item, id in
            item.call(
                id: id,
                arguments: item.isCustom
                    ? .string(item.arguments) : ToolCall.arguments(item.arguments, reader: reader))
        }
    }

    /// The calls as a message in the common form carries them.
    var messageParts: [JSONValue] {
        identified.map { item, id in
            Self.messagePart(id: id, name: item.name, arguments: item.arguments, isCustom: item.isCustom)
        }
    }

    /// The calls in the order of the output. Each has an id of its own.
    private var identified: [(item: Item, id: String)] {
        var known: Set<String> = []
        return placesInOrder.lazy.filter { all[$0].isCall }.map { place in
            let item = all[place]
            let id = item.callID.isEmpty ? item.id : item.callID
            return (item, !id.isEmpty && known.insert(id).inserted ? id : localIDs[place])
        }
    }

    /// One call. A custom tool's input is text; other providers know arguments with names alone.
    static func messagePart(id: String, name: String, arguments: String, isCustom: Bool) -> JSONValue {
        let text = isCustom ? JSONWriter.text(["input": .string(arguments)]) : arguments
        return ToolCall(id: id, name: name, argumentsJSON: text, arguments: nil).messagePart
    }

    /// Types of items that the client runs, or decides on, and answers with an item in the next request
    /// (https://platform.openai.com/docs/api-reference/responses/object, `output`).
    private static let clientTypes: Set<String> = [
        "mcp_approval_request", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
    ]

    /// Whether an item is a call that the client is to answer, or may be.
    static func waitsForClient(_ item: JSONValue) -> Bool {
        guard let type = item["type"]?.string else { return false }
        return clientTypes.contains(type) || ["function_call", "custom_tool_call", "tool_search_call"].contains(type)
    }

    /// The items that wait for the client, as they came, in the order of the output. Calls that the provider has run have
    /// their outputs beside them.
    var nativeCalls: [JSONValue] {
        guard all.contains(where: { $0.isClientCall }) else { return [] }
        var answered: Set<String> = []
        for item in all where item.type.hasSuffix("_output") || item.type == "mcp_approval_response" {
            answered.insert(item.callID)
            if let id = item.value?["approval_request_id"]?.string { answered.insert(id) }
        }
        return inOrder.filter { item in
            item.isClientCall && !answered.contains(item.callID.isEmpty ? item.id : item.callID)
        }.compactMap { $0.value ?? $0.announced }
    }

    /// Every item, to be sent back; nil while one of them is not done.
    var whole: [JSONValue]? {
        let values = inOrder.compactMap(\.value)
        return values.count == all.count && !values.isEmpty ? values : nil
    }

    /// Whether the messages among the items say that text, white space at its ends aside: servers trim it in the end.
    static func say(_ text: String, _ items: [JSONValue]) -> Bool {
        let messages = items.filter { $0["type"]?.string == "message" }
        let parts = messages.flatMap { $0["content"]?.array ?? [] }.filter { $0["type"]?.string == "output_text" }
        let said = parts.compactMap { $0["text"]?.string }.joined()
        return Snippet.trimmed(said) == Snippet.trimmed(text)
    }
}
