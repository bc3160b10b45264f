// Which chunks of a stream hold a piece of text and nothing else, so that those like them need not be parsed (see
// Repetition.swift). Called by OpenAIDecoder; what a chunk means is in OpenAIChunk.swift, not here.

internal import Wire

/// Where a chunk has a piece of text.
enum OpenAIPlace: Sendable, CaseIterable {
    case content, reasoningContent, reasoning

    fileprivate var key: Int {
        switch self {
        case .content: DeltaKey.content
        case .reasoningContent: DeltaKey.reasoningContent
        case .reasoning: DeltaKey.reasoning
        }
    }

    /// `obfuscation` is padding that hides a piece's length from those who count encrypted bytes
    /// (https://platform.openai.com/docs/api-reference/chat-streaming).
    fileprivate var gaps: JSONTemplate.Gaps {
        let text =
            switch self {
            case .content: JSONPath("choices", .first, "delta", "content")
            case .reasoningContent: JSONPath("choices", .first, "delta", "reasoning_content")
            case .reasoning: JSONPath("choices", .first, "delta", "reasoning")
            }
        return JSONTemplate.Gaps(text: text, ignored: [JSONPath("obfuscation")])
    }
}

extension Repetition<OpenAIPlace> {
    /// Learns from a chunk that was parsed, and said `event` alone.
    mutating func learn(_ chunk: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        guard let (text, isReasoning) = event.piece else { return }
        let places: [OpenAIPlace] = isReasoning ? [.reasoningContent, .reasoning] : [.content]
        for place in places {
            learn(chunk, open: place.gaps, reader) { Self.saysOnly(text, at: place, $0) ? place : nil }
        }
    }

    /// Whether a chunk holds `text` at `place` and says nothing else: no usage, no end, no error, no other choice.
    private static func saysOnly(_ text: String, at place: OpenAIPlace, _ chunk: JSONNode) -> Bool {
        let top = chunk.pick(ChunkKey.table)
        guard isSilent(top, ChunkKey.usage, ChunkKey.error, ChunkKey.groq), let choices = top[ChunkKey.choices],
            choices.count == 1, let choice = choices.first?.pick(ChoiceKey.table)
        else { return false }
        guard isSilent(choice, ChoiceKey.finishReason, ChoiceKey.usage, ChoiceKey.error),
            choice[ChoiceKey.index]?.natural ?? 0 == 0, let delta = choice[ChoiceKey.delta]?.pick(DeltaKey.table)
        else { return false }
        guard
            isSilent(
                delta, DeltaKey.toolCalls, DeltaKey.refusal, DeltaKey.functionCall, DeltaKey.reasoningDetails,
                DeltaKey.text)
        else { return false }
        return OpenAIPlace.allCases.allSatisfy { candidate in
            if candidate == place { return delta[candidate.key]?.string == text }
            return isSilent(delta, candidate.key) || delta[candidate.key]?.string == ""
        }
    }

    private static func isSilent(_ parts: JSONPicked, _ keys: Int...) -> Bool {
        keys.allSatisfy { parts[$0]?.isNull ?? true }
    }
}
