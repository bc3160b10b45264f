// The blocks of one reply while they come, and the message made of them. Held by AnthropicMessagesDecoder. It keeps each block as
// it came: the provider takes signed thinking back byte-exact or not at all.

internal import Base
internal import Chat
internal import JSON

/// One block of a reply's content.
struct AnthropicMessagesBlock: Equatable {
    /// What a block is for.
    enum Kind: Hashable {
        case text, thinking
        /// The use of a tool: the caller's, or the provider's own. Its `input` comes in pieces.
        case tool
        /// Anything else: results of the provider's tools, redacted thinking, what is yet to come. Whole at once.
        case other

        init(_ type: String) {
            self =
                switch type {
                case "text": .text
                case "thinking": .thinking
                case _ where type.hasSuffix("tool_use"): .tool
                default: .other
                }
        }
    }

    let kind: Kind
    fileprivate(set) var index: Int64?
    /// The members as they came with its begin, without the one that is streamed.
    fileprivate(set) var fields: JSONObject
    /// The pieces of a tool's input, JSON text.
    fileprivate(set) var json = TextBuilder()
    fileprivate(set) var isWhole = false

    var type: String { fields["type"]?.string ?? "text" }

    /// A call of one of the caller's tools.
    var isToolCall: Bool { kind == .tool && type == "tool_use" }

    /// The name under which it is shown as an event; nil for what the common vocabulary has words for, and for what
    /// nobody can read.
    var nativeName: String? {
        switch kind {
        case .text, .thinking: nil
        case .tool: isToolCall ? nil : type
        case .other: type == "redacted_thinking" ? nil : type
        }
    }

    /// The block as the provider wants it back.
    /// - Parameter text: the text of a block of text or thinking.
    func value(reader: JSONReader, text: String = "") -> JSONObject {
        var value = fields
        switch kind {
        case .text: value["text"] = .string(text)
        case .thinking: value["thinking"] = .string(text)
        case .tool: value["input"] = input(reader: reader) ?? AnthropicMessagesContent.broken(json: inputText)
        case .other: break
        }
        return value
    }

    // MARK: A tool's input

    func toolCall(reader: JSONReader) -> ToolCall {
        ToolCall(
            id: fields["id"]?.string ?? "", name: fields["name"]?.string ?? "", argumentsJSON: inputText,
            arguments: input(reader: reader))
    }

    /// The input as JSON text, as it came; what stood in the block's begin where no piece followed.
    var inputText: String {
        if !json.isEmpty { return json.text }
        guard let input = fields["input"], input.object?.isEmpty == false else { return "" }
        return JSONWriter.text(input)
    }

    /// The input decoded; nil where the text is not whole JSON.
    func input(reader: JSONReader) -> JSONValue? {
        guard !json.isEmpty else {
            guard let input = fields["input"], !input.isNull else { return [:] }
            return input
        }
        do throws(JSONError) {
            return try reader.parse(json.bytes.span).value
        } catch {
            return nil
        }
    }
}

/// All blocks of one reply.
struct AnthropicMessagesContent: Equatable {
    private(set) var blocks: [AnthropicMessagesBlock] = []
    /// The last block of each index, and of each index and kind: a stream may hold hundreds of thousands. Under no index
    /// stands the last of all.
    private var lastByIndex: [Int64?: Int] = [:]
    private var lastByKind: [KindPlace: Int] = [:]

    /// The last call of each id, and the ids made here.
    private var callPlaces: [String: Int] = [:]
    private var localIDs: LocalCallIDs?

    private struct KindPlace: Hashable {
        var kind: AnthropicMessagesBlock.Kind
        var index: Int64?
    }

    /// The container in which the provider ran code: a request that answers a call from it names it.
    var container: JSONValue?

    // MARK: While they come

    /// - Parameter streamed: the member that comes in pieces.
    /// - Returns: what that member holds already.
    mutating func begin(
        _ kind: AnthropicMessagesBlock.Kind, _ fields: JSONObject, index: Int64?, streamed: String?
    ) -> String {
        var block = AnthropicMessagesBlock(kind: kind, index: index, fields: fields)
        if block.isToolCall {
            if continues(with: block) { return "" }
            giveID(to: &block)
        }
        let text = streamed.flatMap { fields[$0]?.string } ?? ""
        if let streamed { block.fields[streamed] = .string("") }
        add(block)
        return text
    }

    private mutating func add(_ block: AnthropicMessagesBlock) {
        bind(block.index, block.kind, to: blocks.count)
        blocks.append(block)
    }

    private mutating func bind(_ index: Int64?, _ kind: AnthropicMessagesBlock.Kind, to place: Int) {
        for index in index == nil ? [nil] : [nil, index] {
            lastByIndex[index] = place
            lastByKind[KindPlace(kind: kind, index: index)] = place
        }
    }

    /// Whether a call that begins is one that has begun already: gateways repeat its begin, under another index too.
    private mutating func continues(with block: AnthropicMessagesBlock) -> Bool {
        guard let id = block.fields["id"]?.string, let place = callPlaces[id], !blocks[place].isWhole,
            blocks[place].fields["name"] == block.fields["name"]
        else { return false }
        let isBlank = blocks[place].inputText.isEmpty
        guard isBlank || blocks[place].index == block.index else { return false }
        if isBlank, let input = block.fields["input"] { blocks[place].fields["input"] = input }
        bind(block.index, .tool, to: place)
        return true
    }

    /// Each call has an id of its own; gateways leave it out, or send the same one for all.
    private mutating func giveID(to block: inout AnthropicMessagesBlock) {
        let id = block.fields["id"]?.string ?? ""
        if !id.isEmpty, callPlaces.updateValue(blocks.count, forKey: id) == nil { return }
        let ids = localIDs ?? LocalCallIDs()
        localIDs = ids
        block.fields["id"] = .string(ids[blocks.count])
    }

    /// Adds a piece of a tool's input.
    mutating func append(json piece: String, index: Int64?) {
        blocks[place(of: .tool, index: index)].json.append(piece)
    }

    mutating func append(signature: String, index: Int64?) {
        let place = place(of: .thinking, index: index)
        blocks[place].fields.extend("signature", by: .string(signature))
    }

    mutating func append(citation: JSONValue, index: Int64?) {
        let place = place(of: .text, index: index)
        blocks[place].fields.extend("citations", by: [citation])
    }

    /// A delta of a kind unknown here: its texts and arrays lengthen the block's, all else replaces it.
    mutating func merge(_ delta: JSONObject, index: Int64?) {
        guard let place = lastByIndex[index] else { return }
        for member in delta where member.key != "type" { blocks[place].fields.extend(member.key, by: member.value) }
    }

    /// - Returns: the block that is now whole; nil where that was known.
    mutating func end(index: Int64?) -> AnthropicMessagesBlock? {
        guard let place = lastByIndex[index], !blocks[place].isWhole else { return nil }
        blocks[place].isWhole = true
        return blocks[place]
    }

    /// The block that a piece belongs to: the last one of its index and kind. A piece without one begins one, so that
    /// nothing is lost where a server leaves out a block's begin.
    mutating func place(of kind: AnthropicMessagesBlock.Kind, index: Int64?) -> Int {
        if let last = blocks.last, last.kind == kind, index == nil || last.index == index { return blocks.count - 1 }
        let known = lastByKind[KindPlace(kind: kind, index: index)]
        // A piece of input under a wrong index belongs to the call begun last, if that is not whole.
        if kind == .tool, known.map({ blocks[$0].isWhole }) ?? true,
            let last = lastByKind[KindPlace(kind: .tool, index: nil)], !blocks[last].isWhole
        {
            return last
        }
        if let known { return known }
        let type = kind == .text ? "text" : kind == .thinking ? "thinking" : "tool_use"
        add(AnthropicMessagesBlock(kind: kind, index: index, fields: ["type": .string(type)]))
        return blocks.count - 1
    }

    // MARK: What came of them

    func toolCalls(reader: JSONReader) -> [ToolCall] {
        blocks.filter(\.isToolCall).map { $0.toolCall(reader: reader) }
    }

    /// What stands for a tool's input that is no whole JSON: the provider takes objects alone, and asks for this form
    /// (https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/fine-grained-tool-streaming).
    static func broken(json text: String) -> JSONValue { ["INVALID_JSON": .string(text)] }

    /// The message in the common form, the blocks beside it.
    func message(_ reply: ReplyText, isWhole: Bool, reader: JSONReader) -> JSONValue {
        let kept = kept(reply, isWhole: isWhole)
        let calls = (kept?.map(\.block) ?? blocks).filter { $0.isToolCall && ($0.isWhole || isWhole) }.map {
            $0.toolCall(reader: reader)
        }
        var message: JSONObject = ["role": "assistant"]
        message["content"] = reply.text.isEmpty && !calls.isEmpty ? .null : .string(reply.text)
        if !calls.isEmpty { message["tool_calls"] = .array(calls.map(\.messagePart)) }
        guard let kept, !kept.isEmpty else { return .object(message) }
        var native: JSONObject = ["dialect": "anthropic"]
        native["content"] = .array(kept.map { .object($0.block.value(reader: reader, text: $0.text)) })
        native["container"] = container
        message["native"] = .object(native)
        return .object(message)
    }

    /// The blocks that go back, with their text: those up to the last one that the reader has, which may have stopped the
    /// stream inside it. Nil where the reply's text is not that of the blocks.
    private func kept(_ reply: ReplyText, isWhole: Bool) -> [(block: AnthropicMessagesBlock, text: String)]? {
        var kept: [(block: AnthropicMessagesBlock, text: String)] = []
        for (place, block) in blocks.enumerated() {
            switch block.kind {
            case .text, .thinking:
                guard let own = reply.block(place) else { return nil }
                guard own.isWhole else {
                    // Thinking cut short fits its signature no more.
                    if block.kind == .text, !own.text.isEmpty { kept.append((block.withoutCitations, own.text)) }
                    return kept
                }
                // The provider refuses empty texts.
                if block.kind == .text ? !own.text.isEmpty : block.isWhole || isWhole { kept.append((block, own.text)) }
            case .tool where !block.isWhole && !isWhole: continue
            case .tool, .other: kept.append((block, ""))
            }
        }
        return reply.hasBlocks ? (isWhole ? kept : Self.answered(kept)) : nil
    }

    /// Without uses of the provider's own tools whose results were cut off: it refuses one without the other.
    private static func answered(
        _ kept: [(block: AnthropicMessagesBlock, text: String)]
    ) -> [(block: AnthropicMessagesBlock, text: String)] {
        let answers = Set(kept.compactMap { $0.block.fields["tool_use_id"]?.string })
        return kept.filter { block, _ in
            block.kind != .tool || block.isToolCall || answers.contains(block.fields["id"]?.string ?? "")
        }
    }
}

extension AnthropicMessagesBlock {
    /// For a block whose text is cut: citations may be about the rest.
    fileprivate var withoutCitations: AnthropicMessagesBlock {
        var block = self
        block.fields["citations"] = nil
        return block
    }
}
