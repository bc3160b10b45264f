// Which chunks of a stream hold a piece of text, with the tokens counted on, and nothing else, so that those like them
// need not be parsed (see Repetition.swift). Called by GeminiDecoder, which says what a chunk means.

internal import Chat
internal import JSON

/// What a chunk says beside its text.
struct GeminiPlace: Sendable {
    fileprivate static let gaps = JSONTemplate.Gaps(
        text: JSONPath("candidates", .first, "content", "parts", .first, "text"),
        counts: [
            JSONPath("usageMetadata", "candidatesTokenCount"), JSONPath("usageMetadata", "totalTokenCount"),
            JSONPath("usageMetadata", "thoughtsTokenCount"),
        ])

    var isThought: Bool
    /// The usage that the chunk reported from which this was learnt.
    fileprivate var usage: Usage?

    /// The usage that a repetition reports: the same but for what is counted on.
    func usage(_ match: JSONTemplate.Match) -> Usage? {
        guard var usage else { return nil }
        if let count = match.count(0) { usage.outputTokens = Usage.count(count) }
        if let count = match.count(1) { usage.totalTokens = Usage.count(count) }
        if let count = match.count(2) { usage.reasoningTokens = Usage.count(count) }
        return usage
    }
}

extension Repetition<GeminiPlace> {
    /// Learns from a chunk that was parsed, and said `events`.
    mutating func learn(_ chunk: Span<UInt8>, _ events: ArraySlice<DecodedEvent>, _ reader: JSONReader) {
        guard let first = events.first, let (text, isThought) = first.piece else { return }
        guard
            events.dropFirst().allSatisfy({ event in
                if case .usage = event { true } else { false }
            })
        else { return }
        learn(chunk, open: GeminiPlace.gaps, reader) { node in
            guard let candidates = node["candidates"], candidates.count == 1, let candidate = candidates.first,
                candidate["finishReason"]?.isNull ?? true, let parts = candidate["content"]?["parts"],
                parts.count == 1, let part = parts.first, part["thoughtSignature"]?.isNull ?? true,
                part["text"]?.string == text
            else { return nil }
            return GeminiPlace(isThought: isThought, usage: node["usageMetadata"].map(Usage.init(gemini:)))
        }
    }
}
