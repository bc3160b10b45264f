// Decodes the choices, deltas and usage of a Chat Completions chunk. An extension of OpenAIChatDecoder. This is the hot
// path: a text delta allocates only its String.

internal import Base
internal import Chat
internal import JSON

/// Members of a chunk that the decoder reads.
enum ChunkKey {
    static let table = JSONKeys("choices", "id", "model", "usage", "error", "x_groq", "timings", "time_info")
    static let choices = 0
    static let id = 1
    static let model = 2
    static let usage = 3
    static let error = 4
    static let groq = 5
    static let timings = 6
    static let timeInfo = 7
    /// The members beside the choices that few chunks have, as a mask.
    static var rest: UInt32 { 1 << usage | 1 << groq | 1 << timings | 1 << timeInfo }
}

enum ChoiceKey {
    static let table = JSONKeys(
        "delta", "index", "finish_reason", "message", "text", "usage", "error", "logprobs", "reasoning_content",
        "reasoning", "reasoning_text", "thinking")
    static let delta = 0
    static let index = 1
    static let finishReason = 2
    static let message = 3
    static let text = 4
    static let usage = 5
    static let error = 6
    static let logprobs = 7
    static let reasoningContent = 8
    static let reasoning = 9
    static let reasoningText = 10
    static let thinking = 11
    /// The members that hold text and reasoning, as a mask.
    static var output: UInt32 {
        1 << text | 1 << reasoningContent | 1 << reasoning | 1 << reasoningText | 1 << thinking
    }
    /// The members that are null or missing in a choice with nothing but a delta, as a mask.
    static var rest: UInt32 { output | 1 << finishReason | 1 << message | 1 << usage | 1 << error | 1 << logprobs }
}

/// Members of a delta or message. OpenAIChatOutputKey lists those that hold text and reasoning.
enum DeltaKey {
    static let table = JSONKeys(
        "content", "reasoning_content", "reasoning", "tool_calls", "refusal", "function_call", "reasoning_details",
        "text", "message", "reasoning_text", "thinking", "finish_reason", "delta", "audio")
    static let content = 0
    static let reasoningContent = 1
    static let reasoning = 2
    static let toolCalls = 3
    static let refusal = 4
    static let functionCall = 5
    static let reasoningDetails = 6
    static let text = 7
    static let message = 8
    static let reasoningText = 9
    static let thinking = 10
    static let finishReason = 11
    static let delta = 12
    static let audio = 13
    /// The members that hold calls, as a mask.
    static var calls: UInt32 { 1 << toolCalls | 1 << functionCall }
    /// The members that hold reasoning, as a mask.
    static var reasonings: UInt32 { 1 << reasoningContent | 1 << reasoning | 1 << reasoningText | 1 << thinking }
    /// The members that hold other output, as a mask.
    static var otherOutput: UInt32 { calls | 1 << refusal | 1 << reasoningDetails | 1 << audio }
    /// The members that are read last, as a mask.
    static var rest: UInt32 { 1 << finishReason | 1 << message | 1 << delta }
}

/// The objects of a choice that hold output.
enum OpenAIChatContainer: Equatable {
    case delta, deltaMessage, deltaDelta
    /// The `message` of a choice, and the choice itself, which has `text` in legacy completions.
    case message, choice
}

/// A member that holds text or reasoning.
struct OpenAIChatOutputKey {
    let index: Int
    /// The member in which reasoning is sent back; nil for text.
    var field: OpenAIChatReasoningMemory.Field?

    /// Members of a delta or message that hold text. The first one with text is used.
    static let text = [Self(index: DeltaKey.content), Self(index: DeltaKey.text)]
    /// Members of a delta or message that hold reasoning.
    static let reasoning = [
        Self(index: DeltaKey.reasoningContent, field: .reasoningContent),
        Self(index: DeltaKey.reasoning, field: .reasoning),
        Self(index: DeltaKey.reasoningText, field: .reasoningText),
        Self(index: DeltaKey.thinking, field: .thinking),
    ]
    /// Members of a choice that hold text and reasoning.
    static let choiceText = Self(index: ChoiceKey.text)
    static let choiceReasoning = [
        Self(index: ChoiceKey.reasoningContent, field: .reasoningContent),
        Self(index: ChoiceKey.reasoning, field: .reasoning),
        Self(index: ChoiceKey.reasoningText, field: .reasoningText),
        Self(index: ChoiceKey.thinking, field: .thinking),
    ]
}

/// Kinds of output.
struct OpenAIChatOutput: OptionSet {
    let rawValue: UInt8

    static let text = Self(rawValue: 1)
    static let reasoning = Self(rawValue: 2)
    static let refusal = Self(rawValue: 4)
    static let calls = Self(rawValue: 8)
}

/// What has been read from the containers of one choice.
struct ChoiceContent {
    /// The kinds of output that have been read. If another container of the choice has them too, it repeats them.
    var kinds = OpenAIChatOutput()
    /// The finish reason found inside a container.
    var finishReason: String?
}

extension OpenAIChatDecoder {
    /// Decodes one choice. Only the choice with index 0 is the reply. Without `index`, the position in the array
    /// counts.
    mutating func choice(_ choice: JSONNode, position: Int64, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = choice.pick(ChoiceKey.table)
        guard parts[ChoiceKey.index]?.natural ?? position == 0 else { return }
        var content = ChoiceContent()
        guard parts.hasValue(ChoiceKey.rest) else {
            // Most choices.
            if let delta = parts[ChoiceKey.delta] { read(delta, in: .delta, &content, into: &events) }
            if parts.hasOthers { takeAdditions(to: choice, at: .choice, besides: ChoiceKey.table, into: &events) }
            if let reason = content.finishReason { try finish(for: reason, into: &events) }
            return
        }
        if let error = parts[ChoiceKey.error], ErrorShape.says(error) {
            if let usage = parts[ChoiceKey.usage] { take(usage: usage, into: &events) }
            throw APIError(ErrorReport(error.value))
        }
        if let delta = parts[ChoiceKey.delta] { read(delta, in: .delta, &content, into: &events) }
        if let message = parts[ChoiceKey.message], !message.isNull {
            read(message: message, delta: parts[ChoiceKey.delta], &content, into: &events)
        }
        readLegacy(parts, &content, into: &events)
        takeAdditions(to: choice, parts, into: &events)
        if let usage = parts[ChoiceKey.usage] { take(usage: usage, into: &events) }
        let reason = parts[ChoiceKey.finishReason]?.string
        guard let reason = reason?.isEmpty == false ? reason : content.finishReason else { return }
        try finish(for: reason, into: &events)
    }

    private mutating func finish(for reason: String, into events: inout [DecodedEvent]) throws(APIError) {
        try take(finishReason: reason)
        if known.finishReason != nil { takeHeldMessage(into: &events) }
    }

    /// Reads text and reasoning in the choice itself: legacy completions, and OpenRouter for reasoning.
    private mutating func readLegacy(
        _ parts: JSONPicked, _ content: inout ChoiceContent, into events: inout [DecodedEvent]
    ) {
        guard parts.hasValue(ChoiceKey.output) else { return }
        let wanted = wanted(in: .choice, besides: content.kinds)
        var found = OpenAIChatOutput()
        if wanted.contains(.reasoning) {
            read(OpenAIChatOutputKey.choiceReasoning, .reasoning, parts, wanted, &found, &events)
        }
        if wanted.contains(.text) {
            read([OpenAIChatOutputKey.choiceText], .text, parts, wanted.subtracting(found), &found, &events)
        }
        content.kinds.formUnion(found)
    }

    // MARK: Containers

    /// Reads a delta or message.
    mutating func read(
        _ node: JSONNode, in container: OpenAIChatContainer, _ content: inout ChoiceContent,
        into events: inout [DecodedEvent]
    ) {
        guard node.isObject else { return readItself(node, in: container, &content, into: &events) }
        let parts = node.pick(DeltaKey.table)
        let wanted = wanted(in: container, besides: content.kinds)
        var found = OpenAIChatOutput()
        // Several reasoning members of one delta hold the same text, so only one is read. `reasoning_details` repeats
        // it too, and is kept only to be sent back.
        if wanted.contains(.reasoning), parts.hasValue(DeltaKey.reasonings) {
            read(OpenAIChatOutputKey.reasoning, .reasoning, parts, wanted, &found, &events)
        }
        if wanted.contains(.text) {
            // Reasoning parts in the content repeat the reasoning members.
            read(OpenAIChatOutputKey.text, .text, parts, wanted.subtracting(found), &found, &events)
        }
        if parts.hasValue(DeltaKey.otherOutput) {
            if wanted.contains(.refusal), let refusal = parts[DeltaKey.refusal]?.string, !refusal.isEmpty {
                take(refusal: refusal)
                found.insert(.refusal)
            }
            // A message next to deltas may repeat all earlier details.
            if let details = parts[DeltaKey.reasoningDetails], container != .message || !isHolding {
                memory.take(details: details)
            }
            if wanted.contains(.calls), readCalls(parts, in: container) { found.insert(.calls) }
            if let audio = parts[DeltaKey.audio] {
                take(audio: audio, wanted.subtracting(found), &found, into: &events)
            }
        }
        note(found, in: container)
        content.kinds.formUnion(found)
        // The members of a message are emitted with those of the choice.
        if parts.hasOthers, container != .message {
            takeAdditions(to: node, at: .container(container), besides: DeltaKey.table, into: &events)
        }
        guard parts.hasValue(DeltaKey.rest) else { return }
        if content.finishReason == nil, let reason = parts[DeltaKey.finishReason]?.string, !reason.isEmpty {
            content.finishReason = reason
        }
        // Some servers nest a message or a delta in the delta. Nested ones are not searched further, so the depth is
        // bounded.
        guard container == .delta else { return }
        if let message = parts[DeltaKey.message] { read(message, in: .deltaMessage, &content, into: &events) }
        if let delta = parts[DeltaKey.delta] { read(delta, in: .deltaDelta, &content, into: &events) }
    }

    /// Reads the members `keys` up to the first one that holds output of `kind`.
    private mutating func read(
        _ keys: [OpenAIChatOutputKey], _ kind: OpenAIChatOutput, _ parts: JSONPicked, _ wanted: OpenAIChatOutput,
        _ found: inout OpenAIChatOutput, _ events: inout [DecodedEvent]
    ) {
        for key in keys {
            guard let node = parts[key.index], !node.isNull else { continue }
            let output = read(node, as: key.field, wanted, into: &events)
            guard !output.isEmpty else { continue }
            found.formUnion(output)
            if output.contains(kind) { return }
        }
    }

    /// Reads a message or delta that is not an object but the text itself.
    private mutating func readItself(
        _ node: JSONNode, in container: OpenAIChatContainer, _ content: inout ChoiceContent,
        into events: inout [DecodedEvent]
    ) {
        guard !node.isNull else { return }
        let found = read(node, as: nil, wanted(in: container, besides: content.kinds), into: &events)
        note(found, in: container)
        content.kinds.formUnion(found)
    }

    /// The kinds of output to read from a container: not `kinds`, and not those that containers of higher rank have
    /// held earlier in the stream, because this container repeats them.
    private func wanted(in container: OpenAIChatContainer, besides kinds: OpenAIChatOutput) -> OpenAIChatOutput {
        let known: OpenAIChatOutput =
            switch container {
            case .delta: []
            case .deltaMessage, .deltaDelta: deltaOutput
            case .message: deltaOutput.union(nestedOutput)
            case .choice: deltaOutput.union(nestedOutput).union(messageOutput)
            }
        return OpenAIChatOutput(rawValue: ~known.union(kinds).rawValue)
    }

    private mutating func note(_ found: OpenAIChatOutput, in container: OpenAIChatContainer) {
        switch container {
        case .delta: deltaOutput.formUnion(found)
        case .deltaMessage, .deltaDelta: nestedOutput.formUnion(found)
        case .message: messageOutput.formUnion(found)
        case .choice: break
        }
    }

    private mutating func readCalls(_ parts: JSONPicked, in container: OpenAIChatContainer) -> Bool {
        var found = false
        if isHolding { prepareCalls(parts, in: container) }
        if let calls = parts[DeltaKey.toolCalls], calls.count > 0, tools.take(calls) { found = true }
        if let call = parts[DeltaKey.functionCall], call.kind == .object, tools.take(functionCall: call) {
            found = true
        }
        if found { output.note() }
        return found
    }

    // MARK: Values

    /// Reads text or reasoning in one of its forms: a string, an array of parts, or an object that holds it.
    /// - Parameters:
    ///   - field: the member that holds the reasoning; nil for text.
    ///   - wanted: the kinds that are not repetitions.
    /// - Returns: the kinds that were read.
    private mutating func read(
        _ node: JSONNode, as field: OpenAIChatReasoningMemory.Field?, _ wanted: OpenAIChatOutput,
        into events: inout [DecodedEvent]
    ) -> OpenAIChatOutput {
        if let text = node.string {
            guard wanted.contains(field == nil ? .text : .reasoning), !text.isEmpty else { return [] }
            if let field {
                emit(reasoning: text, as: field, into: &events)
                return .reasoning
            }
            output.noteText()
            events.append(.text(TextBatch(text)))
            return .text
        }
        switch node.kind {
        case .array:
            var found = OpenAIChatOutput()
            node.forEachElement { found.formUnion(read($0, as: field, wanted, into: &events)) }
            return found
        case .object: return read(part: node, as: field, wanted, into: &events)
        default: return []
        }
    }

    /// Reads a part of the content. Its type, the name of its text member or `thought` marks it as reasoning
    /// (Mistral's `thinking`, Responses' `reasoning` and `summary_text`).
    private mutating func read(
        part: JSONNode, as field: OpenAIChatReasoningMemory.Field?, _ wanted: OpenAIChatOutput,
        into events: inout [DecodedEvent]
    ) -> OpenAIChatOutput {
        let parts = part.pick(PartKey.table)
        let isReasoning =
            parts[PartKey.type].map(PartKey.isReasoning(type:)) == true || parts[PartKey.thought]?.bool == true
        for key in PartKey.reasoning {
            guard let node = parts[key] else { continue }
            let found = read(node, as: field ?? .parts, wanted, into: &events)
            if !found.isEmpty { return found }
        }
        for key in PartKey.text {
            guard let node = parts[key] else { continue }
            let found = read(node, as: field ?? (isReasoning ? .parts : nil), wanted, into: &events)
            if !found.isEmpty { return found }
        }
        if wanted.contains(.refusal), let refusal = parts[PartKey.refusal]?.string, !refusal.isEmpty {
            take(refusal: refusal)
            return .refusal
        }
        if field == nil, !isReasoning, wanted.contains(.text) {
            take(part: part, type: parts[PartKey.type]?.string, into: &events)
        }
        return []
    }

    mutating func take(refusal: String) {
        known.refusal = (known.refusal.take() ?? "") + refusal
        output.note()
    }

    private mutating func emit(
        reasoning: String, as field: OpenAIChatReasoningMemory.Field, into events: inout [DecodedEvent]
    ) {
        memory.field = field
        output.noteText()
        events.append(.text(.reasoning(reasoning)))
    }

    /// Takes the usage. Some servers send cumulative counts with every chunk; only changes are emitted.
    mutating func take(usage node: JSONNode, cost: Double? = nil, into events: inout [DecodedEvent]) {
        guard var usage = Usage(openAI: node) else { return }
        // The cost and the counts may arrive in different chunks.
        usage.cost = usage.cost ?? cost ?? known.usage?.cost
        if usage.inputTokens == nil, usage.outputTokens == nil, usage.totalTokens == nil, let counts = known.usage {
            let cost = usage.cost
            usage = counts
            usage.cost = cost
        }
        guard usage != known.usage else { return }
        known.usage = usage
        events.append(.usage(usage))
    }

    /// Takes a finish reason; the last one counts.
    /// - Throws: an `APIError` for a finish reason that reports a failure: the reply is incomplete.
    private mutating func take(finishReason raw: String) throws(APIError) {
        guard !raw.isEmpty, raw != "null" else { return }
        known.finishReasonRaw = raw
        switch raw {
        case "error", "network_error":  // OpenRouter; Zhipu
            throw APIError(
                kind: .provider, message: "the provider broke off the reply (finish_reason \"\(raw)\")", code: raw,
                isRetryable: true)
        case "insufficient_system_resource":  // DeepSeek
            throw APIError(
                kind: .overloaded, message: "the provider broke off the reply for want of capacity", code: raw,
                isRetryable: true)
        default: known.finishReason = FinishReason(openAI: raw)
        }
    }
}

/// Members of a content part.
enum PartKey {
    static let table = JSONKeys(
        "type", "text", "content", "value", "thinking", "reasoning", "reasoning_content", "reasoning_text", "summary",
        "refusal", "thought")
    static let type = 0
    static let refusal = 9
    static let thought = 10
    /// Members that hold text.
    static let text = [1, 2, 3]
    /// Members that hold reasoning.
    static let reasoning = [4, 5, 6, 7, 8]

    /// Whether a part of this type is reasoning: "thinking", "reasoning", "reasoning_text", "summary_text", "thought".
    static func isReasoning(type: JSONNode) -> Bool {
        guard let name = type.string else { return false }
        return name.hasPrefix("thinking") || name.hasPrefix("reasoning") || name.hasPrefix("summary")
            || name == "thought"
    }
}

extension FinishReason {
    /// The common finish reason for a value sent by Chat Completions servers. Unknown values become `other`.
    init(openAI raw: String) {
        self =
            switch raw.lowercased() {
            case "stop", "eos", "eos_token", "stop_sequence", "end_turn": .stop
            case "length", "max_tokens", "max_length", "model_length", "model_context_window_exceeded": .length
            case "tool_calls", "function_call", "tool_call", "tool_use": .toolCalls
            case "content_filter", "content_filtered", "safety", "sensitive", "recitation", "prohibited_content",
                "blocklist", "spii", "refusal", "moderation":
                .contentFilter
            default: .other
            }
    }
}
