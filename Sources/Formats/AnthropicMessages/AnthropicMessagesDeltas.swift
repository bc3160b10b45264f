// What the events about blocks say: their begin, their pieces, their end. An extension of AnthropicMessagesDecoder, which calls
// it; nothing else does. Here is the hot path: a piece of text costs its String and a copy of its bytes.

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
    /// A block begins; it may hold something already.
    func begin(_ block: JSONNode, index: Int64?, into events: inout [DecodedEvent]) {
        guard let fields = block.value.object else { return }
        let kind = AnthropicMessagesBlock.Kind(fields["type"]?.string ?? "text")
        switch kind {
        case .text:
            let text = content.begin(kind, fields, index: index, streamed: "text")
            for citation in fields["citations"]?.array ?? [] { events.append(.native(name: "citation", citation)) }
            emit(text: text, into: &events)
        case .thinking:
            emit(reasoning: content.begin(kind, fields, index: index, streamed: "thinking"), into: &events)
        case .tool, .other:
            _ = content.begin(kind, fields, index: index, streamed: nil)
            hasOutput = true
        }
    }

    /// A piece of a block. What kind of piece it is stands in its `type`; where that is missing, in its members.
    func take(delta: JSONNode, index: Int64?, into events: inout [DecodedEvent]) {
        let parts = delta.pick(AnthropicMessagesDeltaKey.table)
        let type = parts[AnthropicMessagesDeltaKey.type]
        func mayBe(_ name: StaticString) -> Bool { type?.isString(name) ?? true }
        if let text = parts[AnthropicMessagesDeltaKey.text], mayBe("text_delta") {
            guard let text = text.string else { return }
            content.append(text, to: .text, index: index)
            emit(text: text, into: &events)
        } else if let thinking = parts[AnthropicMessagesDeltaKey.thinking], mayBe("thinking_delta") {
            guard let thinking = thinking.string else { return }
            content.append(thinking, to: .thinking, index: index)
            emit(reasoning: thinking, into: &events)
        } else if let json = parts[AnthropicMessagesDeltaKey.json], mayBe("input_json_delta") {
            guard let json = json.string else { return }
            content.append(json, to: .tool, index: index)
            if !json.isEmpty { hasOutput = true }
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

    /// A block is whole. What only this provider sends is shown now.
    func end(index: Int64?, into events: inout [DecodedEvent]) {
        guard let block = content.end(index: index), let name = block.nativeName else { return }
        events.append(.native(name: name, .object(block.value(reader: reader))))
    }

    private func emit(text: String, into events: inout [DecodedEvent]) {
        guard !text.isEmpty else { return }
        hasOutput = true
        events.append(.text(TextBatch(text)))
    }

    private func emit(reasoning: String, into events: inout [DecodedEvent]) {
        guard !reasoning.isEmpty else { return }
        hasOutput = true
        events.append(.text(.reasoning(reasoning)))
    }
}
