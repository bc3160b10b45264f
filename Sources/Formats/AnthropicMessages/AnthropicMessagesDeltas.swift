// Decodes the events about content blocks: start, delta, stop. An extension of AnthropicMessagesDecoder. This is the
// hot path: a text delta allocates only its String.

internal import Base
internal import JSON

private enum AnthropicMessagesDeltaKey {
    static let table = JSONKeys("type", "text", "thinking", "partial_json", "signature", "citation")
    static let type = 0
    static let text = 1
    static let thinking = 2
    static let json = 3
    static let signature = 4
    static let citation = 5
}

extension AnthropicMessagesDecoder {
    /// Begins a block, which may already hold text.
    mutating func begin(_ block: JSONNode, index: Int64?, into events: inout [DecodedEvent]) {
        guard let fields = block.value.object else { return }
        let kind = AnthropicMessagesBlock.Kind(fields["type"]?.string ?? "text")
        switch kind {
        case .text:
            let text = content.begin(kind, fields, index: index, streamed: "text")
            for citation in fields["citations"]?.array ?? [] { events.append(.native(name: "citation", citation)) }
            emit(text, kind, index: index, into: &events)
        case .thinking:
            let thinking = content.begin(kind, fields, index: index, streamed: "thinking")
            emit(thinking, kind, index: index, into: &events)
        case .tool, .other:
            _ = content.begin(kind, fields, index: index, streamed: nil)
            output.note()
        }
    }

    /// Takes a delta of a block. Its kind is in `type`; without `type` it follows from the other members.
    mutating func take(delta: JSONNode, index: Int64?, into events: inout [DecodedEvent]) {
        let parts = delta.pick(AnthropicMessagesDeltaKey.table)
        let type = parts[AnthropicMessagesDeltaKey.type]
        func mayBe(_ name: StaticString) -> Bool { type?.isString(name) ?? true }
        if let text = parts[AnthropicMessagesDeltaKey.text], mayBe("text_delta") {
            if let text = text.string { emit(text, .text, index: index, into: &events) }
        } else if let thinking = parts[AnthropicMessagesDeltaKey.thinking], mayBe("thinking_delta") {
            if let thinking = thinking.string { emit(thinking, .thinking, index: index, into: &events) }
        } else if let json = parts[AnthropicMessagesDeltaKey.json], mayBe("input_json_delta") {
            guard let json = json.string else { return }
            content.append(json: json, index: index)
            if !json.isEmpty { output.note() }
        } else if let signature = parts[AnthropicMessagesDeltaKey.signature], mayBe("signature_delta") {
            if let signature = signature.string { content.append(signature: signature, index: index) }
        } else if let citation = parts[AnthropicMessagesDeltaKey.citation], mayBe("citations_delta") {
            let value = citation.value
            content.append(citation: value, index: index)
            events.append(.native(name: "citation", value))
        } else if let fields = delta.value.object {
            content.merge(fields, index: index)
        }
    }

    /// Ends a block. A block without a common form is emitted now, as a native event.
    mutating func end(index: Int64?, into events: inout [DecodedEvent]) {
        guard let block = content.end(index: index), let name = block.nativeName else { return }
        events.append(.native(name: name, .object(block.value(reader: reader))))
    }

    /// Emits a piece of a block's text.
    private mutating func emit(
        _ text: String, _ kind: AnthropicMessagesBlock.Kind, index: Int64?, into events: inout [DecodedEvent]
    ) {
        let place = content.place(of: kind, index: index)
        guard !text.isEmpty else { return }
        output.noteText()
        if place != textBlock {
            textBlock = place
            events.append(.block(place))
        }
        events.append(.text(TextBatch(text, kind == .thinking ? .reasoning : .text)))
    }
}
