// Most chunks of a stream repeat the one before but for the piece of text. Such a chunk is known by its bytes, and costs
// a comparison in place of a parse. Owned by OpenAIDecoder; what a chunk means is in OpenAIChunk.swift, not here.

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

/// What is known of the chunks of one stream that hold a piece of text and nothing else.
struct OpenAIRepetition {
    /// Templates made in a row without any use: some servers put a random string or the time into every chunk.
    private static let mostInVain = 4

    private var template: JSONTemplate?
    private var place = OpenAIDelta.Place.content
    private var madeInVain = 0

    /// The piece of text, if the chunk is the last one over again with another piece.
    mutating func read(_ chunk: Span<UInt8>, _ reader: JSONReader) -> OpenAIDelta? {
        guard let text = template?.string(in: chunk, reader), !text.isEmpty else { return nil }
        madeInVain = 0
        return OpenAIDelta(place: place, text: text)
    }

    /// Makes a template of a chunk that was parsed, and said `event` alone.
    mutating func learn(_ chunk: Span<UInt8>, _ event: DecodedEvent, _ reader: JSONReader) {
        guard madeInVain < Self.mostInVain else { return template = nil }
        let text: String
        let places: [OpenAIDelta.Place]
        switch event {
        case .token(let piece): (text, places) = (piece, [.content])
        case .reasoning(let piece): (text, places) = (piece, [.reasoningContent, .reasoning])
        default: return
        }
        for place in places {
            let made = JSONTemplate(chunk, text: text) { Self.saysOnly($1, at: place, $0, reader) }
            guard let made else { continue }
            template = made
            self.place = place
            madeInVain += 1
            return
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
