// Which events of a stream hold a piece of a block's text and nothing else, so that those like them need not be parsed
// (see Repetition.swift). Called by AnthropicDecoder; what an event means is in AnthropicDeltas.swift, not here.

internal import Wire

/// Where a piece of text belongs: a kind of block, and its index.
struct AnthropicPlace: Sendable {
    var kind: AnthropicBlock.Kind
    var index: Int64?
}

extension Repetition<AnthropicPlace> {
    /// Learns from an event that was parsed, and said `event` alone.
    mutating func learn(_ document: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        let (text, kind): (String, AnthropicBlock.Kind)
        switch event {
        case .token(let piece): (text, kind) = (piece, .text)
        case .reasoning(let piece): (text, kind) = (piece, .thinking)
        default: return
        }
        guard let delta = Self.delta(document, reader), delta.text == text else { return }
        learn(document, text, at: [AnthropicPlace(kind: kind, index: delta.index)]) { changed, text, place in
            guard let delta = Self.delta(changed, reader) else { return false }
            return delta.kind == place.kind && delta.index == place.index && delta.text == text
        }
    }

    /// What a piece of a block says, where its type names it; of other members nothing is read.
    private static func delta(
        _ document: Span<UInt8>, _ reader: JSONReader
    ) -> (kind: AnthropicBlock.Kind, text: String, index: Int64?)? {
        guard let node = parsed(document, reader), node["type"]?.isString("content_block_delta") == true,
            let delta = node["delta"]
        else { return nil }
        let index = node["index"]?.int
        switch delta["type"]?.string {
        case "text_delta": return delta["text"]?.string.map { (.text, $0, index) }
        case "thinking_delta" where delta["text"] == nil:
            return delta["thinking"]?.string.map { (.thinking, $0, index) }
        default: return nil
        }
    }

    private static func parsed(_ document: Span<UInt8>, _ reader: JSONReader) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(document) } catch { return nil }
    }
}
