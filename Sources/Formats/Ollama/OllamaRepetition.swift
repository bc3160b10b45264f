// Which lines of a stream hold a piece of text and nothing else, so that those like them need not be parsed (see
// Repetition.swift). Called by OllamaDecoder, which says what a line means.

internal import JSON

/// What a line's piece is, and where it stands.
enum OllamaPlace: Sendable, CaseIterable {
    case content, thinking, generated, generatedThinking

    var isReasoning: Bool { self == .thinking || self == .generatedThinking }

    fileprivate var path: JSONPath {
        switch self {
        case .content: JSONPath("message", "content")
        case .thinking: JSONPath("message", "thinking")
        case .generated: JSONPath("response")
        case .generatedThinking: JSONPath("thinking")
        }
    }
}

extension Repetition<OllamaPlace> {
    /// Learns from a line that was parsed, and said `event` alone. The time of each line is read by nobody.
    mutating func learn(_ line: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        guard let (text, isReasoning) = event.piece else { return }
        for place in OllamaPlace.allCases where place.isReasoning == isReasoning {
            learn(line, open: JSONTemplate.Gaps(text: place.path, ignored: [JSONPath("created_at")]), reader) { node in
                // Beside a message no other text is read; calls in it are more than a piece of text.
                let message = node["message"]
                let isInside = place == .content || place == .thinking
                guard isInside == (message?.kind == .object), message?["tool_calls"]?.first == nil else { return nil }
                return place.path.node(in: node)?.string == text ? place : nil
            }
        }
    }
}
