// What the events of a Responses stream say between its beginning and its end. An extension of OpenAIResponsesDecoder, which
// calls it for each; nothing else does. Here is the hot path: a delta costs its String.

internal import Base
internal import Chat
internal import JSON

/// A piece of text, and where it belongs.
struct OpenAIResponsesPiece {
    var kind: OpenAIResponsesText.Kind
    var item: Int64
    var part: Int64
    var number: Int64?
    var text: String
}

extension OpenAIResponsesDecoder {
    typealias Kind = OpenAIResponsesText.Kind

    /// The kind of text that an event of this type brings a piece of; nil for all other types.
    static func kind(ofDelta type: JSONNode?) -> Kind? {
        guard let type else { return nil }
        if type.isString("response.output_text.delta") { return .output }
        if type.isString("response.reasoning_summary_text.delta") { return .summary }
        if type.isString("response.reasoning_text.delta") { return .rawReasoning }
        return nil
    }

    mutating func inner(
        _ type: String, _ node: JSONNode, _ top: JSONPicked, _ verdict: OpenAIResponsesOrder.Verdict,
        into events: inout [DecodedEvent]
    ) throws(APIError) {
        switch type {
        case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
            argumentsDelta(top, verdict, isCustom: type.hasPrefix("response.custom"))
        case "response.function_call_arguments.done": arguments(node["arguments"], top, type: "function_call")
        case "response.custom_tool_call_input.done": arguments(node["input"], top, type: "custom_tool_call")
        case "response.output_item.added": added(top, into: &events)
        case "response.output_item.done": try done(top, into: &events)
        case "response.content_part.done", "response.reasoning_summary_part.done":
            if let part = top[OpenAIResponsesKey.part] { try partDone(part, top, into: &events) }
        case "response.output_text.done": try textDone(.output, top[OpenAIResponsesKey.text], top, into: &events)
        case "response.refusal.done": try textDone(.refusal, node["refusal"], top, into: &events)
        case "response.reasoning_text.done", "response.reasoning.done":
            try textDone(.rawReasoning, top[OpenAIResponsesKey.text], top, into: &events)
        case "response.reasoning_summary_text.done", "response.reasoning_summary.done":
            try textDone(.summary, top[OpenAIResponsesKey.text], top, into: &events)
        case "response.output_text.annotation.added":
            if verdict != .repeated { annotation(node["annotation"], top, into: &events) }
        case "response.image_generation_call.partial_image":
            if verdict != .repeated { show(native: "image_generation_call.partial_image", node, into: &events) }
        default:
            guard let kind = Self.rareDeltas[type], let piece = piece(kind, top) else { return }
            try show(piece, verdict, into: &events)
        }
    }

    /// The usual ones come this way where their payload has no type; "reasoning" is what the others were called first.
    private static let rareDeltas: [String: Kind] = [
        "response.output_text.delta": .output, "response.refusal.delta": .refusal,
        "response.reasoning_text.delta": .rawReasoning, "response.reasoning_summary_text.delta": .summary,
        "response.reasoning.delta": .rawReasoning, "response.reasoning_summary.delta": .summary,
    ]

    // MARK: Pieces

    /// The piece of text that an event holds; nil where it holds none.
    mutating func piece(_ kind: Kind, _ top: JSONPicked) -> OpenAIResponsesPiece? {
        guard let node = top[OpenAIResponsesKey.delta], let text = node.string ?? node["text"]?.string, !text.isEmpty
        else {
            return nil
        }
        return OpenAIResponsesPiece(
            kind: kind, item: item(top), part: Self.part(kind, top), number: top[OpenAIResponsesKey.number]?.natural,
            text: text)
    }

    /// Shows a piece of text. One that comes after its successors would stand in the wrong place. Which item it belongs
    /// to is remembered when the item changes.
    mutating func show(
        _ piece: OpenAIResponsesPiece, _ verdict: OpenAIResponsesOrder.Verdict, into events: inout [DecodedEvent]
    ) throws(APIError) {
        // An empty piece begins no paragraph.
        guard verdict != .repeated, !piece.text.isEmpty || piece.kind.separator.isEmpty else { return }
        let separator = texts[piece.kind.rawValue].separator(before: piece)
        switch texts[piece.kind.rawValue].add(piece, isLate: verdict == .late) {
        case .toSameItem: break
        case .toNewItem:
            let place = items.newPlace(index: piece.item)
            items[place].shown |= 1 << UInt8(piece.kind.rawValue)
            if piece.kind == .output { show(phaseOf: place, into: &events) }
        case .comesTooLate:
            let last = texts[piece.kind.rawValue].lastNumber
            throw Self.damaged("event \(piece.number ?? 0) came after event \(last)")
        }
        if !separator.isEmpty { emit(separator, piece.kind, into: &events) }
        emit(piece.text, piece.kind, into: &events)
    }

    /// The text that follows belongs to that item.
    private mutating func show(phaseOf place: Int, into events: inout [DecodedEvent]) {
        guard items[place].phase != phase else { return }
        phase = items[place].phase
        events.append(.phase(phase))
    }

    private mutating func emit(_ text: String, _ kind: Kind, into events: inout [DecodedEvent]) {
        lastKind = kind
        output.noteText()
        switch kind {
        case .output: events.append(.text(TextBatch(text)))
        case .summary, .rawReasoning: events.append(.text(.reasoning(text)))
        case .refusal:
            output.note()
            known.refusal = (known.refusal.take() ?? "") + text
        }
    }

    /// A piece of a call's arguments. Late ones are left to the whole arguments that follow.
    private mutating func argumentsDelta(_ top: JSONPicked, _ verdict: OpenAIResponsesOrder.Verdict, isCustom: Bool) {
        guard verdict != .repeated, let piece = top[OpenAIResponsesKey.delta]?.string else { return }
        let place = placeOfCall(top)
        if !piece.isEmpty { output.note() }
        if items[place].type.isEmpty { items[place].type = isCustom ? "custom_tool_call" : "function_call" }
        if verdict == .late {
            items[place].isDisordered = true
        } else {
            items[place].arguments += piece
        }
    }

    private mutating func arguments(_ whole: JSONNode?, _ top: JSONPicked, type: String) {
        let place = placeOfCall(top)
        let known = items[place].arguments
        if items[place].type.isEmpty { items[place].type = type }
        items.take(arguments: whole, at: place)
        if items[place].arguments != known { output.note() }
    }

    private mutating func place(_ top: JSONPicked) -> Int {
        items.place(index: top[OpenAIResponsesKey.output]?.natural, id: top[OpenAIResponsesKey.itemID]?.string)
    }

    private mutating func placeOfCall(_ top: JSONPicked) -> Int {
        items.placeOfCall(index: top[OpenAIResponsesKey.output]?.natural, id: top[OpenAIResponsesKey.itemID]?.string)
    }

    /// The number of the item that an event speaks of.
    private mutating func item(_ top: JSONPicked) -> Int64 {
        top[OpenAIResponsesKey.output]?.natural ?? items[place(top)].index
    }

    private static func part(_ kind: Kind, _ top: JSONPicked) -> Int64 {
        top[kind == .summary ? OpenAIResponsesKey.summary : OpenAIResponsesKey.content]?.natural ?? 0
    }

    // MARK: Parts

    private mutating func partDone(_ part: JSONNode, _ top: JSONPicked, into events: inout [DecodedEvent])
        throws(APIError)
    {
        guard let kind = Self.kind(ofPart: part) else { return }
        try textDone(kind, part[kind == .refusal ? "refusal" : "text"], top, into: &events)
    }

    private static func kind(ofPart part: JSONNode) -> Kind? {
        switch part["type"]?.string {
        case "output_text", "text": .output
        case "refusal": .refusal
        case "summary_text": .summary
        case "reasoning_text": .rawReasoning
        default: nil
        }
    }

    /// A part of the text, whole.
    private mutating func textDone(
        _ kind: Kind, _ node: JSONNode?, _ top: JSONPicked, into events: inout [DecodedEvent]
    ) throws(APIError) {
        guard let whole = node?.string, !whole.isEmpty else { return }
        let (item, part) = (item(top), Self.part(kind, top))
        let shown = texts[kind.rawValue]
        if shown.item == item, shown.part == part {
            try add(shown.rest(of: whole, since: shown.partStart), kind, into: &events)
        } else if shown.item != item || part > shown.part {
            try showNew(whole, kind, item: item, part: part, into: &events)
        }
    }

    /// All text of an item.
    private mutating func itemDone(
        _ kind: Kind, _ whole: String, item: Int64, into events: inout [DecodedEvent]
    ) throws(APIError) {
        guard !whole.isEmpty else { return }
        let shown = texts[kind.rawValue]
        if shown.item == item {
            try add(shown.rest(of: whole, since: shown.itemStart), kind, into: &events)
        } else {
            try showNew(whole, kind, item: item, part: 0, into: &events)
        }
    }

    /// Text of which no piece came; unless it came under another number, or an item after it has been shown.
    private mutating func showNew(
        _ whole: String, _ kind: Kind, item: Int64, part: Int64, into events: inout [DecodedEvent]
    ) throws(APIError) {
        let shown = texts[kind.rawValue]
        let known = items[items.newPlace(index: item)]
        guard shown.rest(of: whole, since: shown.partStart) != .nothing,
            shown.rest(of: whole, since: shown.itemStart) != .nothing
        else { return }
        if shown.item != item, known.hasShown(kind) { return }
        // A server that streamed one kind of reasoning may repeat it as the other.
        if kind == .summary, known.hasShown(.rawReasoning) { return }
        if kind == .rawReasoning, known.hasShown(.summary) { return }
        try show(
            OpenAIResponsesPiece(kind: kind, item: item, part: part, number: nil, text: whole), .inOrder, into: &events)
    }

    /// Shows what a whole text has beyond its pieces. Servers may tidy a text up in the end, and then its pieces stand;
    /// where events are missing as well, the text that was shown has a hole.
    private mutating func add(
        _ rest: OpenAIResponsesText.Rest, _ kind: Kind, into events: inout [DecodedEvent]
    ) throws(APIError) {
        switch rest {
        case .nothing: break
        case .text(let text):
            texts[kind.rawValue].add(text)
            emit(text, kind, into: &events)
        case .differs:
            guard order.isDisturbed else { return }
            throw Self.damaged("events are missing from it, and the whole text is not what its pieces make")
        }
    }

    private static func damaged(_ how: String) -> APIError {
        APIError(
            kind: .protocol, message: "the stream's text would be damaged: \(how) (sequence_number)", isRetryable: true)
    }

    // MARK: Items

    private mutating func added(_ top: JSONPicked, into events: inout [DecodedEvent]) {
        guard let node = top[OpenAIResponsesKey.item], node.kind == .object else { return }
        let place = items.place(of: node, index: top[OpenAIResponsesKey.output]?.natural, begins: true)
        guard !items[place].isDone else { return }
        let known = items[place].said
        items.take(node, at: place)
        if items[place].isCall, items[place].said != known { output.note() }
        // Some servers name the item again, or only now, inside its text.
        if texts[Kind.output.rawValue].item == items[place].index { show(phaseOf: place, into: &events) }
    }

    private mutating func done(_ top: JSONPicked, into events: inout [DecodedEvent]) throws(APIError) {
        guard let node = top[OpenAIResponsesKey.item], node.kind == .object else { return }
        let place = items.place(of: node, index: top[OpenAIResponsesKey.output]?.natural, begins: false)
        try settle(node, at: place, into: &events)
    }

    /// An item is done, and comes whole.
    private mutating func settle(_ node: JSONNode, at place: Int, into events: inout [DecodedEvent]) throws(APIError) {
        guard !items[place].isDone else { return }
        items.take(node, at: place)
        items[place].isDone = true
        items[place].value = node.value
        let index = items[place].index
        switch items[place].type {
        case "message":
            try itemDone(.output, Self.joined(node["content"], .output), item: index, into: &events)
            try itemDone(.refusal, Self.joined(node["content"], .refusal), item: index, into: &events)
            annotations(node["content"], at: place, into: &events)
        case "reasoning":
            try itemDone(.summary, Self.joined(node["summary"], .summary), item: index, into: &events)
            try itemDone(.rawReasoning, Self.joined(node["content"], .rawReasoning), item: index, into: &events)
        case "function_call", "custom_tool_call": output.note()
        case "": break
        case let type: show(native: type, node, into: &events)
        }
    }

    /// The text of that kind in an item's parts.
    private static func joined(_ parts: JSONNode?, _ kind: Kind) -> String {
        var text = ""
        parts?.forEachElement { part in
            guard Self.kind(ofPart: part) == kind else { return }
            let own = part[kind == .refusal ? "refusal" : "text"]?.string ?? ""
            if !text.isEmpty, !own.isEmpty { text += kind.separator }
            text += own
        }
        return text
    }

    private mutating func show(native name: String, _ node: JSONNode, into events: inout [DecodedEvent]) {
        output.note()
        events.append(.native(name: name, node.value))
    }

    private mutating func annotation(_ node: JSONNode?, _ top: JSONPicked, into events: inout [DecodedEvent]) {
        guard let node, node.kind == .object else { return }
        items[place(top)].annotations += 1
        show(native: node["type"]?.string ?? "annotation", node, into: &events)
    }

    /// The annotations of a whole message that did not come by themselves.
    private mutating func annotations(_ content: JSONNode?, at place: Int, into events: inout [DecodedEvent]) {
        var count = 0
        content?.forEachElement { part in
            part["annotations"]?.forEachElement { node in
                count += 1
                guard count > items[place].annotations, node.kind == .object else { return }
                show(native: node["type"]?.string ?? "annotation", node, into: &events)
            }
        }
    }

    // MARK: The finished response

    /// Takes from a finished response what never came: whole items, and what the text of all of them has beyond what
    /// was shown.
    mutating func complete(with output: JSONNode, into events: inout [DecodedEvent]) throws(APIError) {
        var wholes = InlineArray<4, String>(repeating: "")
        output.forEachElement { item in
            for kind in Kind.allCases {
                let own = Self.joined(item[kind == .summary ? "summary" : "content"], kind)
                if !wholes[kind.rawValue].isEmpty, !own.isEmpty { wholes[kind.rawValue] += kind.separator }
                wholes[kind.rawValue] += own
            }
        }
        var position: Int64 = 0
        var finder = items.finder
        try output.forEachElement { (item: JSONNode) throws(APIError) in
            let place = items.place(inResponse: position, item, &finder)
            try settle(item, at: place, into: &events)
            position += 1
        }
        let hadReasoning = texts[Kind.summary.rawValue].end.count + texts[Kind.rawReasoning.rawValue].end.count > 0
        for kind in Kind.allCases where !wholes[kind.rawValue].isEmpty {
            let shown = texts[kind.rawValue]
            if kind == .summary || kind == .rawReasoning, hadReasoning, shown.end.count == 0 { continue }
            try add(shown.rest(of: wholes[kind.rawValue], since: OpenAIResponsesText.Mark()), kind, into: &events)
        }
    }

    /// A call whose pieces came in the wrong order, and never whole.
    func checkCalls() throws(APIError) {
        guard let call = items.inOrder.first(where: \.isDisordered) else { return }
        throw Self.damaged("the arguments of \"\(call.name)\" came out of order")
    }
}
