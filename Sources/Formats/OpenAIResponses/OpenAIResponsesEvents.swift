// Decodes the events of a Responses stream between its beginning and its end. An extension of OpenAIResponsesDecoder.
// This is the hot path: a text delta allocates only its String.

internal import Base
internal import Chat
internal import JSON

/// A piece of text and its position.
struct OpenAIResponsesPiece {
    var kind: OpenAIResponsesText.Kind
    var item: Int64
    var part: Int64
    var number: Int64?
    var text: String
}

extension OpenAIResponsesDecoder {
    typealias Kind = OpenAIResponsesText.Kind

    /// The kind of text in the most frequent delta events; nil for all other types.
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

    /// The frequent types get here if the payload has no type. `reasoning` and `reasoning_summary` are older names.
    private static let rareDeltas: [String: Kind] = [
        "response.output_text.delta": .output, "response.refusal.delta": .refusal,
        "response.reasoning_text.delta": .rawReasoning, "response.reasoning_summary_text.delta": .summary,
        "response.reasoning.delta": .rawReasoning, "response.reasoning_summary.delta": .summary,
    ]

    // MARK: Pieces

    /// The piece of text in an event; nil if it has none.
    mutating func piece(_ kind: Kind, _ top: JSONPicked) -> OpenAIResponsesPiece? {
        guard let node = top[OpenAIResponsesKey.delta], let text = node.string ?? node["text"]?.string, !text.isEmpty
        else {
            return nil
        }
        return OpenAIResponsesPiece(
            kind: kind, item: item(top), part: Self.part(kind, top), number: top[OpenAIResponsesKey.number]?.natural,
            text: text)
    }

    /// Emits a piece of text. Records that its item has text of this kind when the item changes.
    /// - Throws: an `APIError` if a later piece was emitted before, because the text would be in the wrong order.
    mutating func show(
        _ piece: OpenAIResponsesPiece, _ verdict: OpenAIResponsesOrder.Verdict, into events: inout [DecodedEvent]
    ) throws(APIError) {
        // An empty piece does not begin a paragraph.
        guard verdict != .repeated, !piece.text.isEmpty || piece.kind.separator.isEmpty else { return }
        let separator = texts[piece.kind.rawValue].separator(before: piece)
        switch texts[piece.kind.rawValue].add(piece, isLate: verdict == .late) {
        case .toSameItem: break
        case .toNewItem:
            let place = items.newPlace(index: piece.item)
            items[place].shown |= 1 << UInt8(piece.kind.rawValue)
            if piece.kind == .output { show(phaseOf: place, into: &events) }
        case .isOutOfOrder:
            let last = texts[piece.kind.rawValue].lastNumber
            throw Self.damaged("event \(piece.number ?? 0) came after event \(last)")
        }
        if !separator.isEmpty { emit(separator, piece.kind, into: &events) }
        emit(piece.text, piece.kind, into: &events)
    }

    /// Emits the phase of an item before its text, if the phase has changed.
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

    /// Appends a piece of a call's arguments. A late piece is skipped, because the complete arguments follow.
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

    /// The output index of the item that an event refers to.
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

    /// Emits what the complete text of a part has beyond its pieces.
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

    /// Emits what the complete text of an item has beyond its pieces.
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

    /// Emits a complete text of which no piece has arrived. Skips text that arrived under another index, and text of an
    /// item that was followed by another one.
    private mutating func showNew(
        _ whole: String, _ kind: Kind, item: Int64, part: Int64, into events: inout [DecodedEvent]
    ) throws(APIError) {
        let shown = texts[kind.rawValue]
        let known = items[items.newPlace(index: item)]
        guard shown.rest(of: whole, since: shown.partStart) != .nothing,
            shown.rest(of: whole, since: shown.itemStart) != .nothing
        else { return }
        if shown.item != item, known.hasShown(kind) { return }
        // A server that streamed one kind of reasoning may repeat it as the other kind.
        if kind == .summary, known.hasShown(.rawReasoning) { return }
        if kind == .rawReasoning, known.hasShown(.summary) { return }
        try show(
            OpenAIResponsesPiece(kind: kind, item: item, part: part, number: nil, text: whole), .inOrder, into: &events)
    }

    /// Emits what a complete text has beyond its pieces. Some servers clean up a text at the end; its pieces are kept
    /// then.
    /// - Throws: an `APIError` if the texts differ and events are missing, because the emitted text has a gap.
    private mutating func add(
        _ rest: OpenAIResponsesText.Rest, _ kind: Kind, into events: inout [DecodedEvent]
    ) throws(APIError) {
        switch rest {
        case .nothing: break
        case .text(let text):
            texts[kind.rawValue].add(text)
            emit(text, kind, into: &events)
        case .differs:
            guard order.hasGapsOrLateEvents else { return }
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
        // Some servers send the item again, or for the first time, in the middle of its text.
        if texts[Kind.output.rawValue].item == items[place].index { show(phaseOf: place, into: &events) }
    }

    private mutating func done(_ top: JSONPicked, into events: inout [DecodedEvent]) throws(APIError) {
        guard let node = top[OpenAIResponsesKey.item], node.kind == .object else { return }
        let place = items.place(of: node, index: top[OpenAIResponsesKey.output]?.natural, begins: false)
        try settle(node, at: place, into: &events)
    }

    /// Takes a complete item.
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

    /// The text of one kind in the parts of an item.
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

    /// Emits the annotations of a complete message that had no events of their own.
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

    /// Takes from the final response what has not arrived: whole items, and the end of each kind of text.
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

    /// - Throws: an `APIError` if pieces of a call's arguments arrived out of order, and the complete arguments never
    ///   did.
    func checkCalls() throws(APIError) {
        guard let call = items.inOrder.first(where: \.isDisordered) else { return }
        throw Self.damaged("the arguments of \"\(call.name)\" came out of order")
    }
}
