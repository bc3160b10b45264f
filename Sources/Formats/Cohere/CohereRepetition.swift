// Which events of a stream hold a piece of text and nothing else, so that those like them need not be parsed (see
// Repetition.swift). Called by CohereDecoder; what an event means is there and in CohereLegacy.swift, not here.

internal import JSON

/// What an event's piece is, and where it stands: the last in lines of the first version.
enum CoherePlace: Sendable, CaseIterable {
    case text, thinking, legacy

    fileprivate var path: JSONPath {
        switch self {
        case .text: JSONPath("delta", "message", "content", "text")
        case .thinking: JSONPath("delta", "message", "content", "thinking")
        case .legacy: JSONPath("text")
        }
    }
}

extension Repetition<CoherePlace> {
    /// Learns from an event that was parsed, and said `event` alone.
    mutating func learn(_ document: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        guard let (text, isReasoning) = event.piece else { return }
        for place in CoherePlace.allCases where (place == .thinking) == isReasoning {
            learn(document, open: JSONTemplate.Gaps(text: place.path), reader) { node in
                let isOfPlace =
                    place == .legacy
                    ? node["event_type"]?.isString("text-generation") == true
                    : node["event_type"] == nil && node["type"]?.isString("content-delta") == true
                return isOfPlace && place.path.node(in: node)?.string == text ? place : nil
            }
        }
    }
}
