// Which events of a stream hold a piece of a block's text and nothing else, so that those like them need not be parsed
// (see Repetition.swift). Called by AnthropicMessagesDecoder; what an event means is in AnthropicDeltas.swift, not here.

internal import JSON

/// Where a piece of text belongs: a kind of block, and its index.
struct AnthropicMessagesPlace: Sendable {
    var kind: AnthropicMessagesBlock.Kind
    var index: Int64?
}

extension Repetition<AnthropicMessagesPlace> {
    /// Learns from an event that was parsed, and said `event` alone.
    mutating func learn(_ document: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        guard let (text, isReasoning) = event.piece else { return }
        let path = isReasoning ? JSONPath("delta", "thinking") : JSONPath("delta", "text")
        learn(document, open: JSONTemplate.Gaps(text: path), reader) { node in
            // Where its type does not name the piece, its members do, and then it matters which of them is empty.
            guard node["type"]?.isString("content_block_delta") == true, let type = node["delta"]?["type"],
                type.isString(isReasoning ? "thinking_delta" : "text_delta"), path.node(in: node)?.string == text
            else { return nil }
            return AnthropicMessagesPlace(kind: isReasoning ? .thinking : .text, index: node["index"]?.natural)
        }
    }
}
