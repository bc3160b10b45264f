// The items of a response's output: messages, reasoning, calls, and the work of the provider's own tools. Collects
// calls as they arrive, and keeps items that are done as received, to be sent back.

internal import Base
internal import Chat
internal import JSON

/// The items of one reply.
struct OpenAIResponsesItems: Equatable {
    private static let keys = JSONKeys("type", "id", "call_id", "name", "arguments", "input", "phase")

    struct Item: Equatable {
        var index: Int64
        var id = ""
        var type = ""
        var callID = ""
        var name = ""
        /// A function's arguments, or a custom tool's input.
        var arguments = ""
        /// Pieces of the arguments arrived out of order.
        var isDisordered = false
        /// The kinds of text that were emitted, as bits.
        var shown: UInt8 = 0
        var annotations = 0
        /// Of a message: "commentary" or "final_answer", if the model distinguishes them.
        var phase: String?
        var isDone = false
        /// The complete item, once it is done.
        var value: JSONValue?
        /// A call in the provider's own form as received last, for servers that never send it as done.
        var announced: JSONValue?

        var isCustom: Bool { type == "custom_tool_call" }
        var isCall: Bool { type == "function_call" || isCustom }
        /// Whether the client has to answer it, unless the provider has.
        var isClientCall: Bool {
            // The provider runs it unless `execution` is "client"
            // (https://platform.openai.com/docs/guides/tools-tool-search).
            if type == "tool_search_call" { return (value ?? announced)?["execution"]?.string == "client" }
            return OpenAIResponsesItems.clientTypes.contains(type)
        }
        var mayBeCall: Bool { isCall || type.isEmpty }

        /// The members of a call, to detect changes.
        var said: [String] { [id, callID, name, arguments] }

        func call(id: String, arguments value: JSONValue?) -> ToolCall {
            ToolCall(id: id, name: name, argumentsJSON: arguments, arguments: value)
        }

        func hasShown(_ kind: OpenAIResponsesText.Kind) -> Bool { shown & (1 << UInt8(kind.rawValue)) != 0 }
    }

    /// In the order of arrival. Places do not change, so that each item is found in constant time: a response may hold
    /// hundreds of thousands of items.
    private var all: [Item] = []
    private var placeOfIndex: [Int64: Int] = [:]
    private var lastOfID: [String: Int] = [:]
    private var lastOfCallID: [String: Int] = [:]
    /// An item arrived under the index of another item.
    private var sharesIndexes = false
    /// Places of items that were not done when they were added.
    private var open: [Int] = []
    private var greatestIndex: Int64 = -1
    private var localIDs = LocalCallIDs(start: 0)

    subscript(place: Int) -> Item {
        get { all[place] }
        // In place: arguments grow by a few bytes at a time, and a copy for each piece would take quadratic time.
        _modify { yield &all[place] }
    }

    /// All items in output order.
    var inOrder: [Item] { placesInOrder.map { all[$0] } }

    private var placesInOrder: [Int] {
        all.indices.sorted { (all[$0].index, $0) < (all[$1].index, $1) }
    }

    /// The place of the item that an event refers to: by output index, otherwise by id. Some gateways change ids from
    /// event to event. Without an index and a known id it is the last item that is not done.
    mutating func place(index: Int64?, id: String?) -> Int {
        if let index { return place(index: index) }
        if let id, !id.isEmpty, let known = lastOfID[id] { return known }
        while let last = open.last, all[last].isDone { open.removeLast() }
        return open.last ?? place(index: nextIndex)
    }

    /// The place of the call that a piece of arguments belongs to. Gateways send wrong indexes or change ids. An id of
    /// a known call counts first, then an index of a call, then the last call that is not done.
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

    /// The place of the item with an index. It is added if it is new.
    mutating func newPlace(index: Int64) -> Int { place(index: index) }

    /// The place of an item that was added, or is done. Some gateways send the same index for all items. Ids of a known
    /// item count first, then the index, unless its item is a call with another id, or only one of the two is a call.
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
        // An item that is added under an unused index is a new item, whatever its id.
        if bound != nil || !begins {
            for known in [lastOfCallID[named.callID], lastOfID[named.id]] {
                if let known, named.matches(all[known]), bound != nil || !all[known].isDone { return known }
            }
        }
        guard let bound, named.differs(from: all[bound], begins: begins) else { return place(index: index) }
        sharesIndexes = true
        return append(index: index)
    }

    /// The members that identify an item.
    private struct Identity {
        var type: String
        var id: String
        var callID: String

        func matches(_ item: Item) -> Bool {
            guard item.type == type else { return false }
            if !callID.isEmpty, !item.callID.isEmpty { return item.callID == callID }
            return !id.isEmpty && item.id == id
        }

        /// Whether it is certainly another item than `item`, which it does not match. Ids of a call may change until
        /// the call is done, not after that.
        func differs(from item: Item, begins: Bool) -> Bool {
            if item.type.isEmpty || type.isEmpty || (!callID.isEmpty && item.callID == callID) { return false }
            let isCall = Item(index: 0, type: type).isCall
            if item.type != type { return isCall || item.isCall }
            guard isCall, begins || item.isDone else { return false }
            if !callID.isEmpty, !item.callID.isEmpty { return true }
            return !id.isEmpty && !item.id.isEmpty && item.id != id
        }
    }

    /// Indexes from the wire are bounded, so adding one cannot overflow.
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

    /// Finds the items of the final response among those that have arrived. Gateways change ids and leave items out, so
    /// an item is looked up by its ids, by its position, and by its number among the items of its type. Only an item
    /// that has not arrived gets a new place.
    struct Finder {
        fileprivate var byID: [[String]: Int] = [:]
        fileprivate var byCallID: [[String]: Int] = [:]
        fileprivate var ofType: [String: [Int]] = [:]
        /// The number of items of each type in the response so far.
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

    /// The place of the item at `position` in the final response.
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

    /// Takes the members of an item. Empty ones do not replace earlier values.
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

    /// Takes the complete arguments of a call.
    mutating func take(arguments node: JSONNode?, at place: Int) {
        guard let node, !node.isNull else { return }
        let text = node.string ?? JSONWriter.text(node.value)
        guard !text.isEmpty else { return }
        all[place].arguments = text
        all[place].isDisordered = false
    }

    // MARK: Results

    /// The calls in output order.
    func calls(reader: JSONReader) -> [ToolCall] {
        identified.map { item, id in
            item.call(
                id: id,
                arguments: item.isCustom
                    ? .string(item.arguments) : ToolCall.arguments(item.arguments, reader: reader))
        }
    }

    /// The calls in the form of an assistant message in the common form.
    var messageParts: [JSONValue] {
        identified.map { item, id in
            Self.messagePart(id: id, name: item.name, arguments: item.arguments, isCustom: item.isCustom)
        }
    }

    /// The calls in output order. Each has a unique id.
    private var identified: [(item: Item, id: String)] {
        var known: Set<String> = []
        return placesInOrder.lazy.filter { all[$0].isCall }.map { place in
            let item = all[place]
            let id = item.callID.isEmpty ? item.id : item.callID
            return (item, !id.isEmpty && known.insert(id).inserted ? id : localIDs[place])
        }
    }

    /// One call in the common form. The text for a custom tool becomes the argument `input`, because other providers
    /// accept only named arguments.
    static func messagePart(id: String, name: String, arguments: String, isCustom: Bool) -> JSONValue {
        let text = isCustom ? JSONWriter.text(["input": .string(arguments)]) : arguments
        return ToolCall(id: id, name: name, argumentsJSON: text, arguments: nil).messagePart
    }

    /// Types of items that the client runs or approves, and answers with an item in the next request
    /// (https://platform.openai.com/docs/api-reference/responses/object, `output`).
    private static let clientTypes: Set<String> = [
        "mcp_approval_request", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
    ]

    /// Whether an item is a call that the client has to answer, or may have to.
    static func waitsForClient(_ item: JSONValue) -> Bool {
        guard let type = item["type"]?.string else { return false }
        return clientTypes.contains(type) || ["function_call", "custom_tool_call", "tool_search_call"].contains(type)
    }

    /// The client's calls in the provider's own form, as received, in output order. Calls that the provider has run are
    /// left out: their outputs are items too.
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

    /// All items, to be sent back; nil if there are none or one is not done.
    var whole: [JSONValue]? {
        let values = inOrder.compactMap(\.value)
        return values.count == all.count && !values.isEmpty ? values : nil
    }

    /// Whether the messages among the items have this text. White space at its ends does not count, because servers
    /// trim it at the end of the stream.
    static func say(_ text: String, _ items: [JSONValue]) -> Bool {
        let messages = items.filter { $0["type"]?.string == "message" }
        let parts = messages.flatMap { $0["content"]?.array ?? [] }.filter { $0["type"]?.string == "output_text" }
        let said = parts.compactMap { $0["text"]?.string }.joined()
        return Snippet.trimmed(said) == Snippet.trimmed(text)
    }
}
