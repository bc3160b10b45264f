// Decodes one Messages stream. This file handles the beginning and end of the reply, usage, stop reasons and errors.
// AnthropicMessagesDeltas.swift decodes the content blocks.

internal import Base
internal import Chat
internal import JSON

/// Members of an event that the decoder reads.
private enum AnthropicMessagesEventKey {
    static let table = JSONKeys(
        "type", "index", "delta", "content_block", "message", "usage", "error", "context_management")
    static let type = 0
    static let index = 1
    static let delta = 2
    static let block = 3
    static let message = 4
    static let usage = 5
    static let error = 6
    static let contextManagement = 7
}

/// The state of one stream.
struct AnthropicMessagesDecoder: DocumentDecoder {
    static let replyName = "message"
    static let eventNames: Set<String> = [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]

    let reader: JSONReader
    var strays = StrayLines()
    /// Everything known except the tool calls, which are in `content`.
    var known = ReplySummary()
    var content = AnthropicMessagesContent()
    /// The place in `content` of the block whose text was emitted last.
    var textBlock = 0
    var output = OutputProgress()
    private var natives = NativeFields()
    private(set) var isDone = false
    private var hasStarted = false

    init(reader: JSONReader) { self.reader = reader }

    /// `message_stop`. A stop reason alone is not the end: the stream may be truncated between the two.
    var hasCleanEnd: Bool { isDone }

    /// Some gateways omit `message_stop`.
    mutating func bodyEnded() {
        if known.finishReason != nil { isDone = true }
    }

    var summary: ReplySummary {
        var summary = known
        summary.take(calls: content.toolCalls(reader: reader))
        return summary
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        content.message(reply, isWhole: isDone, reader: reader)
    }

    mutating func finish() {
        isDone = true
        if known.finishReason == nil { known.finishReason = .other }
    }

    /// Gateways send `[DONE]` after `message_stop`. Alone it does not mean that the reply is complete.
    mutating func markDone() {}

    // MARK: Documents

    /// Decodes one event, a whole message, or an error. Other documents are heartbeats, because new types of events may
    /// be added.
    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = node.pick(AnthropicMessagesEventKey.table)
        let before = events.count
        if let type = parts[AnthropicMessagesEventKey.type], !isError {
            if type.isString("content_block_delta") {
                if let delta = parts[AnthropicMessagesEventKey.delta] {
                    take(delta: delta, index: parts[AnthropicMessagesEventKey.index]?.natural, into: &events)
                }
                if events.count == before { Self.appendHeartbeat(&events) }
                return
            }
            try event(type, parts, node, into: &events)
        } else if isError || Self.isError(node, parts) {
            if let usage = parts[AnthropicMessagesEventKey.usage] { take(usage: usage, into: &events) }
            throw APIError(ErrorReport(node.value))
        }
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    private mutating func event(
        _ type: JSONNode, _ parts: JSONPicked, _ node: JSONNode, into events: inout [DecodedEvent]
    ) throws(APIError) {
        // Gateways report errors in events of any type, even in the last one.
        let error = parts[AnthropicMessagesEventKey.error].flatMap { ErrorShape.says($0) ? $0 : nil }
        if let error, type.isString("message_stop") {
            throw APIError(ErrorReport(error.value))
        } else if type.isString("content_block_start") {
            if let block = parts[AnthropicMessagesEventKey.block] {
                begin(block, index: parts[AnthropicMessagesEventKey.index]?.natural, into: &events)
            }
        } else if type.isString("content_block_stop") {
            end(index: parts[AnthropicMessagesEventKey.index]?.natural, into: &events)
        } else if type.isString("message_start") {
            if let message = parts[AnthropicMessagesEventKey.message] { take(message: message, into: &events) }
        } else if type.isString("message_delta") {
            if let delta = parts[AnthropicMessagesEventKey.delta] { take(ending: delta, into: &events) }
            natives.show("context_management", parts[AnthropicMessagesEventKey.contextManagement], into: &events)
            if let usage = parts[AnthropicMessagesEventKey.usage] { take(usage: usage, into: &events) }
        } else if type.isString("message_stop") {
            finish()
        } else if type.isString("message") {
            take(message: node, into: &events)
            if error == nil { finish() }
        } else if Self.isError(node, parts) {
            if let usage = parts[AnthropicMessagesEventKey.usage] { take(usage: usage, into: &events) }
            throw APIError(ErrorReport(node.value))
        }
        if let error { throw APIError(ErrorReport(error.value)) }
    }

    func isReplyOrError(_ node: JSONNode) -> Bool {
        node["type"]?.isString("message") == true || Self.isError(node, node.pick(AnthropicMessagesEventKey.table))
    }

    private static func isError(_ node: JSONNode, _ parts: JSONPicked) -> Bool {
        if let error = parts[AnthropicMessagesEventKey.error], ErrorShape.says(error) { return true }
        return ErrorShape.isError(node)
    }

    // MARK: The message around the blocks

    private static let messageKeys = JSONKeys("id", "model", "usage", "content")

    /// Takes the message of `message_start`, or a whole message. It may hold content, which no other event repeats.
    private mutating func take(message: JSONNode, into events: inout [DecodedEvent]) {
        let parts = message.pick(Self.messageKeys)
        if known.id == nil, let id = parts[0]?.string, !id.isEmpty { known.id = id }
        if known.model == nil, let model = parts[1]?.string, !model.isEmpty { known.model = model }
        if !hasStarted {
            hasStarted = true
            events.append(.start)
        }
        parts[3]?.forEachElement { block in
            begin(block, index: nil, into: &events)
            end(index: nil, into: &events)
        }
        take(ending: message, into: &events)
        if let usage = parts[2] { take(usage: usage, into: &events) }
    }

    private static let endingKeys = JSONKeys(
        "stop_reason", "stop_details", "container", "context_management", "stop_sequence")

    /// Takes the end of a message, from `message_delta` or from the message itself.
    private mutating func take(ending: JSONNode, into events: inout [DecodedEvent]) {
        let parts = ending.pick(Self.endingKeys)
        if let raw = parts[0]?.string, !raw.isEmpty {
            known.finishReasonRaw = raw
            // Gateways send stop reasons of Messages and of Chat Completions.
            known.finishReason = FinishReason(openAI: raw)
        }
        natives.show("stop_details", parts[1], into: &events)
        natives.show("context_management", parts[3], into: &events)
        natives.show("stop_sequence", parts[4], into: &events)
        if let words = parts[1]?["explanation"]?.string, !words.isEmpty {
            known.refusal = words
            known.finishMessage = words
        }
        if let container = parts[2], container.kind == .object {
            let value = container.value
            guard value != content.container else { return }
            content.container = value
            events.append(.native(name: "container", value))
        }
    }

    /// Members of `usage` that are in `reply.usage`.
    private static let countedMembers: Set<String> = [
        "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
        "output_tokens_details",
    ]

    private static let usageKeys = JSONKeys(
        "input_tokens", "output_tokens", "cache_read_input_tokens", "output_tokens_details",
        "cache_creation_input_tokens")

    /// `message_start` has the input tokens, `message_delta` the output tokens. The latter also corrects the input
    /// tokens if the server's own tools have added some. Missing counts keep their value.
    private mutating func take(usage node: JSONNode, into events: inout [DecodedEvent]) {
        guard node.kind == .object else { return }
        // Requests of the provider's own tools, the service tier, the parts of the cache, the passes of a compaction.
        natives.show("usage", node, beyond: Self.countedMembers, into: &events)
        let parts = node.pick(Self.usageKeys)
        var usage = known.usage ?? Usage()
        if let count = Usage.count(parts[0]) { usage.inputTokens = count }
        if let count = Usage.count(parts[1]) { usage.outputTokens = count }
        if let count = Usage.count(parts[2]) { usage.cachedTokens = count }
        if let count = Usage.count(parts[4]) { usage.cacheWriteTokens = count }
        usage.countsCacheApart = usage.cachedTokens != nil || usage.cacheWriteTokens != nil
        if let count = Usage.count(parts[3]?["thinking_tokens"]) { usage.reasoningTokens = count }
        // OpenRouter's Messages endpoint adds the cost.
        if let cost = Usage.cost(node) { usage.cost = cost }
        guard usage != known.usage ?? Usage() else { return }
        known.usage = usage
        events.append(.usage(usage))
    }
}
