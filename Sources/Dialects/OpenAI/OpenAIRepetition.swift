// Which chunks of a stream hold a piece of text and nothing else, so that those like them need not be parsed (see
// Repetition.swift). Called by OpenAIDecoder; what a chunk means is in OpenAIChunk.swift, not here.

internal import Wire

/// A piece of text out of a chunk that says nothing else.
struct OpenAIDelta {
    /// Where a chunk has it.
    enum Place: Sendable {
        case content, reasoningContent, reasoning

        fileprivate var key: Int {
            switch self {
            case .content: DeltaKey.content
            case .reasoningContent: DeltaKey.reasoningContent
            case .reasoning: DeltaKey.reasoning
            }
        }
    }

    var place: Place
    var text: String
}

extension Repetition<OpenAIDelta.Place> {
    /// Learns from a chunk that was parsed, and said `event` alone.
    mutating func learn(_ chunk: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        switch event {
        case .token(let text):
            learn(chunk, text, at: [.content]) { Self.saysOnly($1, at: $2, $0, reader) }
        case .reasoning(let text):
            learn(chunk, text, at: [.reasoningContent, .reasoning]) { Self.saysOnly($1, at: $2, $0, reader) }
        default: break
        }
    }

    /// Whether `chunk` holds `text` at `place` and says nothing else: no usage, no end, no error, no other choice. What
    /// it leaves unsaid a repetition leaves unsaid too.
    private static func saysOnly(
        _ text: String, at place: OpenAIDelta.Place, _ chunk: Span<UInt8>, _ reader: JSONReader
    ) -> Bool {
        guard let node = parsed(chunk, reader) else { return false }
        let top = node.pick(ChunkKey.table)
        guard isSilent(top, ChunkKey.usage, ChunkKey.error, ChunkKey.groq), let choices = top[ChunkKey.choices],
            choices.count == 1, let choice = choices.first?.pick(ChoiceKey.table)
        else { return false }
        guard isSilent(choice, ChoiceKey.finishReason, ChoiceKey.usage, ChoiceKey.error),
            choice[ChoiceKey.index]?.int ?? 0 == 0, let delta = choice[ChoiceKey.delta]?.pick(DeltaKey.table)
        else { return false }
        guard
            isSilent(
                delta, DeltaKey.toolCalls, DeltaKey.refusal, DeltaKey.functionCall, DeltaKey.reasoningDetails,
                DeltaKey.text)
        else { return false }
        return [OpenAIDelta.Place.content, .reasoningContent, .reasoning].allSatisfy { candidate in
            if candidate == place { return delta[candidate.key]?.string == text }
            return isSilent(delta, candidate.key) || delta[candidate.key]?.string == ""
        }
    }

    private static func isSilent(_ parts: JSONPicked, _ keys: Int...) -> Bool {
        keys.allSatisfy { parts[$0]?.isNull ?? true }
    }

    private static func parsed(_ chunk: Span<UInt8>, _ reader: JSONReader) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(chunk) } catch { return nil }
    }
}
