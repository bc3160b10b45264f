// What one chunk of a Chat Completions stream says: the choices, their deltas, the usage. An extension of
// OpenAIDecoder, which calls it for each chunk; nothing else does. Here is the hot path: a delta costs its String.

internal import Wire

/// The members of a chunk that matter.
enum ChunkKey {
    static let table = JSONKeys("choices", "id", "model", "usage", "error", "x_groq")
    static let choices = 0
    static let id = 1
    static let model = 2
    static let usage = 3
    static let error = 4
    static let groq = 5
}

enum ChoiceKey {
    static let table = JSONKeys("delta", "index", "finish_reason", "message", "text", "usage", "error")
    static let delta = 0
    static let index = 1
    static let finishReason = 2
    static let message = 3
    static let text = 4
    static let usage = 5
    static let error = 6
}

enum DeltaKey {
    static let table = JSONKeys(
        "content", "reasoning_content", "reasoning", "tool_calls", "refusal", "function_call", "reasoning_details",
        "text")
    static let content = 0
    static let reasoningContent = 1
    static let reasoning = 2
    static let toolCalls = 3
    static let refusal = 4
    static let functionCall = 5
    static let reasoningDetails = 6
    static let text = 7
}

extension OpenAIDecoder {
    /// A chunk that repeats an earlier one with another piece of text, and so changes nothing else that is known.
    func take(_ text: String, at place: OpenAIPlace, into events: inout [DecodedEvent]) {
        switch place {
        case .content: events.append(.token(text))
        case .reasoningContent: emit(reasoning: text, as: .reasoningContent, into: &events)
        case .reasoning: emit(reasoning: text, as: .reasoning, into: &events)
        }
    }

    /// One choice. Only the one with index 0 is the reply; where no index is sent, the place in the array is it.
    func choice(_ choice: JSONNode, position: Int64, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = choice.pick(ChoiceKey.table)
        guard parts[ChoiceKey.index]?.natural ?? position == 0 else { return }
        if let error = parts[ChoiceKey.error], ErrorShape.says(error) {
            if let usage = parts[ChoiceKey.usage] { take(usage: usage, into: &events) }
            throw APIError(ErrorReport(error.value))
        }
        if let delta = parts[ChoiceKey.delta], delta.kind == .object, hasDeltaContent || delta.count > 0 {
            if message(delta, into: &events) { hasDeltaContent = true }
        } else if !hasDeltaContent {
            whole(parts, into: &events)
        }
        if let usage = parts[ChoiceKey.usage] { take(usage: usage, into: &events) }
        if let reason = parts[ChoiceKey.finishReason]?.string { try take(finishReason: reason) }
    }

    /// A choice without a delta: a message (a whole completion), or the text of the legacy completions.
    private func whole(_ parts: JSONPicked, into events: inout [DecodedEvent]) {
        if let message = parts[ChoiceKey.message], !message.isNull {
            if message.kind == .string {
                emit(content: message, into: &events)
            } else {
                _ = self.message(message, into: &events)
            }
        } else if let text = parts[ChoiceKey.text] {
            emit(content: text, into: &events)
        }
    }

    /// A delta or a message.
    /// - Returns: whether it held content.
    private func message(_ message: JSONNode, into events: inout [DecodedEvent]) -> Bool {
        let parts = message.pick(DeltaKey.table)
        // Both names in one delta hold the same text; so do `reasoning_details`, which are kept to be sent back.
        if let text = parts[DeltaKey.reasoningContent]?.string, !text.isEmpty {
            emit(reasoning: text, as: .reasoningContent, into: &events)
        } else if let text = parts[DeltaKey.reasoning]?.string, !text.isEmpty {
            emit(reasoning: text, as: .reasoning, into: &events)
        }
        var hasContent = false
        if let content = parts[DeltaKey.content], !content.isNull {
            hasContent = emit(content: content, into: &events)
        } else if let text = parts[DeltaKey.text] {
            hasContent = emit(content: text, into: &events)
        }
        if let refusal = parts[DeltaKey.refusal]?.string, !refusal.isEmpty {
            known.refusal = (known.refusal.take() ?? "") + refusal
            hasOutput = true
        }
        if let details = parts[DeltaKey.reasoningDetails] { memory.take(details: details) }
        if let calls = parts[DeltaKey.toolCalls], calls.first != nil, tools.take(calls) { hasOutput = true }
        if let call = parts[DeltaKey.functionCall], call.kind == .object, tools.take(functionCall: call) {
            hasOutput = true
        }
        return hasContent
    }

    /// Content: a string, or parts of it (Mistral's thinking, multimodal messages).
    /// - Returns: whether there was any.
    @discardableResult
    private func emit(content: JSONNode, into events: inout [DecodedEvent]) -> Bool {
        switch content.kind {
        case .string:
            guard let text = content.string, !text.isEmpty else { return false }
            hasOutput = true
            events.append(.token(text))
            return true
        case .array:
            var any = false
            content.forEachElement { if emit(content: $0, into: &events) { any = true } }
            return any
        case .object:
            if let thinking = content["thinking"] {
                emit(thinking: thinking, into: &events)
                return true
            }
            guard let text = content["text"], text.kind == .string else { return false }
            return emit(content: text, into: &events)
        default: return false
        }
    }

    private func emit(thinking: JSONNode, into events: inout [DecodedEvent]) {
        switch thinking.kind {
        case .string:
            if let text = thinking.string, !text.isEmpty { emit(reasoning: text, as: .parts, into: &events) }
        case .array: thinking.forEachElement { emit(thinking: $0, into: &events) }
        case .object: if let text = thinking["text"] { emit(thinking: text, into: &events) }
        default: break
        }
    }

    private func emit(reasoning: String, as field: OpenAIReasoningMemory.Field, into events: inout [DecodedEvent]) {
        memory.field = field
        hasOutput = true
        events.append(.reasoning(reasoning))
    }

    /// Usage may come in every chunk, counting up; only a change is told.
    func take(usage node: JSONNode, into events: inout [DecodedEvent]) {
        guard let usage = Usage(openAI: node), usage != known.usage else { return }
        known.usage = usage
        events.append(.usage(usage))
    }

    /// The last reason sent counts. Some of them are failures in disguise: the reply was cut, and is no success.
    private func take(finishReason raw: String) throws(APIError) {
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

extension FinishReason {
    /// The common word for a reason as Chat Completions servers send it. An unknown one is `other`.
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
