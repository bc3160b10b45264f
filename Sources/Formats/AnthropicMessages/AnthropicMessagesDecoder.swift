// Reads one Messages stream. This file sorts events: which begin and end the reply, which are errors, what they say of
// usage and reasons. The blocks of the reply are in AnthropicDeltas.swift. Only AnthropicMessagesFormat makes one.

internal import Base
internal import Chat
internal import JSON

/// The members of an event that matter.
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
    /// What is known; its tool calls are kept in `content`.
    var known = ReplySummary()
    var content = AnthropicMessagesContent()
    /// The block that the last text belonged to, by its place in `content`.
    var textBlock = 0
    var output = OutputProgress()
    private var natives = NativeFields()
    private(set) var isDone = false
    private var hasStarted = false

    init(reader: JSONReader) { self.reader = reader }

    /// `message_stop`: a reason alone comes before the end, and a stream may be cut between the two.
    var hasCleanEnd: Bool { isDone }

    /// Some gateways leave `message_stop` out.
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

    /// Gateways send it behind `message_stop`. Alone it does not say that the reply is whole.
    mutating func markDone() {}

    // MARK: Documents

    /// One event, a whole message, or an error. What is none of these is a heartbeat: new kinds of events may come.
    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = node.pick(AnthropicMessagesEventKey.table)
        let before = events.count
        if let type = parts[AnthropicMessagesEventKey.type], !isError {
            if type.isString("content_block_delta") {
                if let delta = parts[AnthropicMessagesEventKey.delta] {
                    take(delta: delta, index: parts[AnthropicMessagesEventKey.index]?.natural, into: &events)
                }
                if events.count == before { Self.beat(&events) }
                return
            }
            try event(type, parts, node, into: &events)
        } else if isError || Self.isError(node, parts) {
            if let usage = parts[AnthropicMessagesEventKey.usage] { take(usage: usage, into: &events) }
            throw APIError(ErrorReport(node.value))
        }
        if events.count == before { Self.beat(&events) }
    }

    private mutating func event(
        _ type: JSONNode, _ parts: JSONPicked, _ node: JSONNode, into events: inout [DecodedEvent]
    ) throws(APIError) {
        // Gateways report an error in whatever event is at hand, the last one too.
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

    /// The message as `message_start` has it. It may hold content already, of which no other event then speaks.
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

    /// How the message ends, as `message_delta` has it.
    private mutating func take(ending: JSONNode, into events: inout [DecodedEvent]) {
        let parts = ending.pick(Self.endingKeys)
        if let raw = parts[0]?.string, !raw.isEmpty {
            known.finishReasonRaw = raw
            // Gateways answer in the words of both vocabularies.
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

    /// Members of `usage` that `reply.usage` has.
    private static let countedMembers: Set<String> = [
        "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
        "output_tokens_details",
    ]

    private static let usageKeys = JSONKeys(
        "input_tokens", "output_tokens", "cache_read_input_tokens", "output_tokens_details",
        "cache_creation_input_tokens")

    /// `message_start` counts the input, `message_delta` the output, and corrects the input where tools of the server's
    /// own have added to it. What one leaves out stands.
    private mutating func take(usage node: JSONNode, into events: inout [DecodedEvent]) {
        guard node.kind == .object else { return }
        // Requests of the provider's own tools, the tier, the cache's parts, the passes of a compaction.
        natives.show("usage", node, beyond: Self.countedMembers, into: &events)
        let parts = node.pick(Self.usageKeys)
        var usage = known.usage ?? Usage()
        if let count = Usage.count(parts[0]) { usage.inputTokens = count }
        if let count = Usage.count(parts[1]) { usage.outputTokens = count }
        if let count = Usage.count(parts[2]) { usage.cachedTokens = count }
        if let count = Usage.count(parts[4]) { usage.cacheWriteTokens = count }
        usage.countsCacheApart = usage.cachedTokens != nil || usage.cacheWriteTokens != nil
        if let count = Usage.count(parts[3]?["thinking_tokens"]) { usage.reasoningTokens = count }
        // OpenRouter's Messages endpoint adds it.
        if let cost = Usage.cost(node) { usage.cost = cost }
        guard usage != known.usage ?? Usage() else { return }
        known.usage = usage
        events.append(.usage(usage))
    }
}
