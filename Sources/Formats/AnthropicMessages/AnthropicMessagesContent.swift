// The content blocks of one reply, as they arrive, and the assistant message built from them. Blocks are kept as
// received, because the provider accepts signed thinking only if it is byte-exact.

internal import Base
internal import Chat
internal import JSON

/// A content block of a reply.
struct AnthropicMessagesBlock: Equatable {
    /// The kinds of blocks.
    enum Kind: Hashable {
        case text, thinking
        /// A use of a tool: the caller's, or the provider's own. Its `input` arrives in pieces.
        case tool
        /// Any other block: results of the provider's tools, redacted thinking, unknown types. Arrives whole.
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
    /// The members from the start of the block and from its deltas, without streamed text and input.
    fileprivate(set) var fields: JSONObject
    /// The pieces of a tool's input: JSON text.
    fileprivate(set) var json = TextBuilder()
    fileprivate(set) var isWhole = false

    var type: String { fields["type"]?.string ?? "text" }

    /// Whether it is a call of one of the caller's tools.
    var isToolCall: Bool { kind == .tool && type == "tool_use" }

    /// The name of the block's native event; nil for blocks that have a common form, and for redacted thinking, which
    /// is unreadable.
    var nativeName: String? {
        switch kind {
        case .text, .thinking: nil
        case .tool: isToolCall ? nil : type
        case .other: type == "redacted_thinking" ? nil : type
        }
    }

    /// The block in the form in which it is sent back.
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

    /// The input as JSON text, as received. Without pieces, the input from the start of the block.
    var inputText: String {
        if !json.isEmpty { return json.text }
        guard let input = fields["input"], input.object?.isEmpty == false else { return "" }
        return JSONWriter.text(input)
    }

    /// The decoded input; nil if its text is not complete JSON.
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
    /// The last block of each index, and of each index and kind, found in constant time: a stream may hold hundreds of
    /// thousands of blocks. The index nil has the last block of all.
    private var lastByIndex: [Int64?: Int] = [:]
    private var lastByKind: [KindPlace: Int] = [:]

    /// The last call of each id, and local ids for calls without a unique one.
    private var callPlaces: [String: Int] = [:]
    private var localIDs: LocalCallIDs?

    private struct KindPlace: Hashable {
        var kind: AnthropicMessagesBlock.Kind
        var index: Int64?
    }

    /// The container in which the provider ran code. A request with results of calls from that code names it.
    var container: JSONValue?

    // MARK: Streaming

    /// - Parameter streamed: the member that arrives in pieces.
    /// - Returns: the text that this member holds already.
    mutating func begin(
        _ kind: AnthropicMessagesBlock.Kind, _ fields: JSONObject, index: Int64?, streamed: String?
    ) -> String {
        var block = AnthropicMessagesBlock(kind: kind, index: index, fields: fields)
        if block.isToolCall {
            if continues(with: block) { return "" }
            assignID(to: &block)
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

    /// Whether a call has begun already. Some gateways repeat the start of a call, possibly under another index.
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

    /// Gives a call a unique id. Some gateways send no ids, or the same one for all calls.
    private mutating func assignID(to block: inout AnthropicMessagesBlock) {
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

    /// Merges a delta of an unknown type: strings and arrays are appended to those of the block, other values replace
    /// them.
    mutating func merge(_ delta: JSONObject, index: Int64?) {
        guard let place = lastByIndex[index] else { return }
        for member in delta where member.key != "type" { blocks[place].fields.extend(member.key, by: member.value) }
    }

    /// - Returns: the block that is now complete; nil if it was complete before, or is unknown.
    mutating func end(index: Int64?) -> AnthropicMessagesBlock? {
        guard let place = lastByIndex[index], !blocks[place].isWhole else { return nil }
        blocks[place].isWhole = true
        return blocks[place]
    }

    /// The block that a piece belongs to: the last one of its index and kind. If there is none, a block is added, so
    /// that a block is kept although a server omits its start.
    mutating func place(of kind: AnthropicMessagesBlock.Kind, index: Int64?) -> Int {
        if let last = blocks.last, last.kind == kind, index == nil || last.index == index { return blocks.count - 1 }
        let known = lastByKind[KindPlace(kind: kind, index: index)]
        // A piece of input under a wrong index belongs to the last call, if that is not complete.
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

    // MARK: Results

    func toolCalls(reader: JSONReader) -> [ToolCall] {
        blocks.filter(\.isToolCall).map { $0.toolCall(reader: reader) }
    }

    /// The form of a tool's input that is not complete JSON. The provider accepts only objects, and asks for this form
    /// (https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/fine-grained-tool-streaming).
    static func broken(json text: String) -> JSONValue { ["INVALID_JSON": .string(text)] }

    /// The message in the common form, with its native blocks.
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

    /// The blocks that are sent back, with their text: up to the last one that the reader has, which is incomplete if
    /// the reader stopped the stream inside it. Nil if the text of the reply is not that of the blocks.
    private func kept(_ reply: ReplyText, isWhole: Bool) -> [(block: AnthropicMessagesBlock, text: String)]? {
        var kept: [(block: AnthropicMessagesBlock, text: String)] = []
        for (place, block) in blocks.enumerated() {
            switch block.kind {
            case .text, .thinking:
                guard let own = reply.block(place) else { return nil }
                guard own.isWhole else {
                    // Truncated thinking does not match its signature.
                    if block.kind == .text, !own.text.isEmpty { kept.append((block.withoutCitations, own.text)) }
                    return kept
                }
                // The provider rejects empty texts.
                if block.kind == .text ? !own.text.isEmpty : block.isWhole || isWhole { kept.append((block, own.text)) }
            case .tool where !block.isWhole && !isWhole: continue
            case .tool, .other: kept.append((block, ""))
            }
        }
        return reply.hasBlocks ? (isWhole ? kept : Self.answered(kept)) : nil
    }

    /// Removes uses of the provider's own tools whose results did not arrive, because it rejects one without the other.
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
    /// The block without citations, which may refer to text that was truncated.
    fileprivate var withoutCitations: AnthropicMessagesBlock {
        var block = self
        block.fields["citations"] = nil
        return block
    }
}
