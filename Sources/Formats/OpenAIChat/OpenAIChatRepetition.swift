// Which chunks of a stream hold a piece of text and nothing else, so that those like them need not be parsed (see
// Repetition.swift). Called by OpenAIChatDecoder; what a chunk means is in OpenAIChunk.swift, not here.

internal import JSON

/// Where a chunk has a piece of text or reasoning.
struct OpenAIChatPlace: Sendable {
    /// What holds it.
    enum Container: Sendable {
        case delta, deltaMessage, deltaDelta
        /// A choice's message, and the choice itself: the legacy completions have `text` there.
        case message, choice

        fileprivate var steps: [JSONPath.Step] {
            switch self {
            case .delta: ["choices", .first, "delta"]
            case .deltaMessage: ["choices", .first, "delta", "message"]
            case .deltaDelta: ["choices", .first, "delta", "delta"]
            case .message: ["choices", .first, "message"]
            case .choice: ["choices", .first]
            }
        }
    }

    /// The member of the container.
    struct Key: Sendable {
        let index: Int
        let name: StaticString
        /// For reasoning, how it goes back.
        var field: OpenAIChatReasoningMemory.Field?

        /// The container is the text.
        static let itself = Self(index: -1, name: "")
    }

    /// Members of a delta or message that hold text; the first one that does counts.
    static let textKeys = [Key(index: DeltaKey.content, name: "content"), Key(index: DeltaKey.text, name: "text")]
    /// Members that hold reasoning.
    static let reasoningKeys = [
        Key(index: DeltaKey.reasoningContent, name: "reasoning_content", field: .reasoningContent),
        Key(index: DeltaKey.reasoning, name: "reasoning", field: .reasoning),
        Key(index: DeltaKey.reasoningText, name: "reasoning_text", field: .reasoningText),
        Key(index: DeltaKey.thinking, name: "thinking", field: .thinking),
    ]
    /// Members of a choice that hold text and reasoning.
    static let choiceText = Key(index: ChoiceKey.text, name: "text")
    static let choiceReasoningKeys = [
        Key(index: ChoiceKey.reasoningContent, name: "reasoning_content", field: .reasoningContent),
        Key(index: ChoiceKey.reasoning, name: "reasoning", field: .reasoning),
        Key(index: ChoiceKey.reasoningText, name: "reasoning_text", field: .reasoningText),
        Key(index: ChoiceKey.thinking, name: "thinking", field: .thinking),
    ]
    static let choiceKeys = choiceReasoningKeys + [choiceText]

    var container: Container
    var key: Key
    /// How the reasoning goes back; nil for text. A part of the content may be reasoning.
    var field: OpenAIChatReasoningMemory.Field?

    init(container: Container, key: Key) {
        self.container = container
        self.key = key
        field = key.field
    }

    private var steps: [JSONPath.Step] {
        key.index < 0 ? container.steps : container.steps + [.member(key.name)]
    }

    /// The ways to the string: the value itself, the only part of an array, or an object's text.
    fileprivate var ways: [[JSONPath.Step]] { [steps, steps + [.first, "text"], steps + ["text"]] }

    fileprivate func isAt(_ key: Key, of container: Container) -> Bool {
        self.container == container && self.key.index == key.index
    }
}

extension Repetition<OpenAIChatPlace> {
    /// Learns from a chunk that was parsed, and said `event` alone.
    mutating func learn(
        _ chunk: Span<UInt8>, _ event: DecodedEvent, at place: OpenAIChatPlace, _ reader: JSONReader
    ) {
        guard let (text, isReasoning) = event.piece else { return }
        var place = place
        if isReasoning != (place.field != nil) { place.field = isReasoning ? .parts : nil }
        var path = JSONPath()
        // `obfuscation` is padding that hides a piece's length from those who count encrypted bytes
        // (https://platform.openai.com/docs/api-reference/chat-streaming).
        learn(chunk, open: JSONTemplate.Gaps(text: path, ignored: [JSONPath("obfuscation")]), reader) { chunk in
            guard let way = place.ways.first(where: { JSONPath(steps: $0).node(in: chunk)?.string == text }),
                Self.holdsOnly(place, chunk)
            else { return nil }
            path = JSONPath(steps: way)
            return place
        }
    }

    /// True if a chunk holds output at `place` alone: no usage, finish reason, error or other choice.
    private static func holdsOnly(_ place: OpenAIChatPlace, _ chunk: JSONNode) -> Bool {
        let top = chunk.pick(ChunkKey.table)
        guard isEmpty(top, ChunkKey.usage, ChunkKey.error, ChunkKey.groq), let choices = top[ChunkKey.choices],
            choices.count == 1, let choice = choices.first?.pick(ChoiceKey.table),
            isEmpty(choice, ChoiceKey.finishReason, ChoiceKey.usage, ChoiceKey.error),
            choice[ChoiceKey.index]?.natural ?? 0 == 0, choice[ChoiceKey.logprobs]?.isFilled != true
        else { return false }
        let delta = choice[ChoiceKey.delta]
        switch place.container {
        case .delta, .deltaMessage, .deltaDelta: return delta.map { isEmpty($0, in: .delta, but: place) } ?? false
        case .message:
            guard delta.map({ $0.count == 0 && $0.kind != .string }) ?? true else { return false }
            return choice[ChoiceKey.message].map { isEmpty($0, in: .message, but: place) } ?? false
        case .choice:
            guard choice[ChoiceKey.message]?.isNull ?? true else { return false }
            return areEmpty(OpenAIChatPlace.choiceKeys, choice, in: .choice, but: place)
                && (delta.map { isEmpty($0, in: .delta, but: place) } ?? true)
        }
    }

    /// True if a container holds output at `place` alone.
    private static func isEmpty(
        _ node: JSONNode, in container: OpenAIChatPlace.Container, but place: OpenAIChatPlace
    ) -> Bool {
        if place.isAt(.itself, of: container) { return isOnePiece(node) }
        guard node.kind == .object else { return isEmpty(node) }
        let parts = node.pick(DeltaKey.table)
        let others = [
            DeltaKey.toolCalls, DeltaKey.refusal, DeltaKey.functionCall, DeltaKey.reasoningDetails,
            DeltaKey.finishReason, DeltaKey.audio,
        ]
        guard others.allSatisfy({ parts[$0].map(isEmpty) ?? true }) else { return false }
        guard areEmpty(OpenAIChatPlace.textKeys + OpenAIChatPlace.reasoningKeys, parts, in: container, but: place)
        else {
            return false
        }
        let (message, delta) = (parts[DeltaKey.message], parts[DeltaKey.delta])
        guard container == .delta else { return true }
        return (message.map { isEmpty($0, in: .deltaMessage, but: place) } ?? true)
            && (delta.map { isEmpty($0, in: .deltaDelta, but: place) } ?? true)
    }

    private static func areEmpty(
        _ keys: [OpenAIChatPlace.Key], _ parts: JSONPicked, in container: OpenAIChatPlace.Container,
        but place: OpenAIChatPlace
    ) -> Bool {
        keys.allSatisfy { key in
            guard let value = parts[key.index] else { return true }
            return place.isAt(key, of: container) ? isOnePiece(value) : isEmpty(value)
        }
    }

    /// Whether a value is a string, or one part that holds its text as `text` alone.
    private static func isOnePiece(_ value: JSONNode) -> Bool {
        guard value.kind != .string else { return true }
        guard let part = value.kind == .array ? value.first : value, value.kind != .array || value.count == 1 else {
            return false
        }
        let parts = part.pick(PartKey.table)
        return (PartKey.text.dropFirst() + PartKey.reasoning + [PartKey.refusal]).allSatisfy { parts[$0] == nil }
    }

    private static func isEmpty(_ parts: JSONPicked, _ keys: Int...) -> Bool {
        keys.allSatisfy { parts[$0]?.isNull ?? true }
    }

    /// True for null and for an empty string, array or object.
    private static func isEmpty(_ value: JSONNode) -> Bool {
        switch value.kind {
        case .null: true
        case .string: value.string == ""
        case .array, .object: value.count == 0
        default: false
        }
    }
}
