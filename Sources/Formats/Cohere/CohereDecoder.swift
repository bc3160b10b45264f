// Decodes one Cohere chat stream of either version: the typed events of version 2 here, the lines of version 1 in
// CohereLegacy.swift.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream.
struct CohereDecoder: DocumentDecoder {
    static let replyName = "reply of Cohere's"
    static let eventNames: Set<String> = [
        "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
        "tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end",
    ]

    private static let keys = JSONKeys("type", "delta", "index", "id", "event_type", "message", "text", "logprobs")
    private static let messageKeys = JSONKeys("content", "tool_plan", "tool_calls", "citations")

    let reader: JSONReader
    var strays = StrayLines()
    var output = OutputProgress()
    var isDone = false
    var known = ReplySummary()
    var tools = ToolCallAssembler()
    /// The model's plan for its tool calls (`tool_plan`). It is sent back with the calls.
    var plan = ""
    private var hasStarted = false
    var natives = NativeFields()

    init(reader: JSONReader) { self.reader = reader }

    var hasCleanEnd: Bool { isDone || known.finishReason != nil }

    var summary: ReplySummary {
        var summary = known
        summary.take(calls: tools.calls(reader: reader))
        return summary
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        var message: JSONObject = ["role": "assistant", "content": .string(reply.text)]
        if !tools.isEmpty { message["tool_calls"] = .array(tools.calls(reader: reader).map(\.messagePart)) }
        var native: JSONObject = ["dialect": "cohere"]
        if !plan.isEmpty { native["tool_plan"] = .string(plan) }
        if !reply.reasoning.isEmpty { native["thinking"] = .string(reply.reasoning) }
        if native.count > 1 { message["native"] = .object(native) }
        return .object(message)
    }

    // MARK: Documents

    /// `[DONE]` follows `message-end`; before that it is ignored.
    mutating func markDone() { isDone = hasCleanEnd }
    mutating func finish() { isDone = hasCleanEnd }

    func isReplyOrError(_ node: JSONNode) -> Bool {
        ["message", "text", "event_type", "type", "error"].contains { node[$0] != nil } || ErrorShape.isError(node)
    }

    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = node.pick(Self.keys)
        if isError {
            takeUsage(node["usage"] ?? node["meta"], into: &events)
            throw APIError(ErrorReport(node.value))
        }
        let before = events.count
        if let type = parts[4]?.string {
            try legacy(type, node, into: &events)
        } else if parts[0]?.isString("content-delta") == true {
            // The most frequent event is tested first: a piece of text.
            contentDelta(parts[1]?["message"]?["content"], into: &events)
        } else if let type = parts[0]?.string, type != "error" {
            try event(type, node, parts, into: &events)
        } else if let message = parts[5], message.kind == .object {
            try whole(node, message, into: &events)
        } else if parts[6] != nil {
            try legacyWhole(node, into: &events)
        } else if ErrorShape.isError(node) || node["error"] != nil || parts[5]?.string != nil {
            takeUsage(node["usage"] ?? node["meta"], into: &events)
            throw APIError(ErrorReport(node.value))
        }
        // Log probabilities of this event's tokens or of all tokens (https://docs.cohere.com/v2/reference/chat-stream,
        // `logprobs`).
        NativeFields.emitEach("logprobs", parts[7], into: &events)
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    private mutating func event(
        _ type: String, _ node: JSONNode, _ parts: JSONPicked, into events: inout [DecodedEvent]
    ) throws(APIError) {
        let message = parts[1]?["message"]
        switch type {
        case "message-start":
            start(parts[3], into: &events)
        case "content-start": contentDelta(message?["content"], into: &events)
        case "tool-plan-delta":
            guard let piece = message?["tool_plan"]?.string, !piece.isEmpty else { return }
            plan += piece
            output.note()
            events.append(.native(name: type, .string(piece)))
        case "tool-call-start":
            let call = message?["tool_calls"]
            let function = call?["function"]
            tools.beginDelta()
            tools.add(
                .init(
                    index: parts[2]?.natural, id: call?["id"]?.string ?? "", name: function?["name"]?.string ?? "",
                    arguments: function?["arguments"]?.string ?? ""))
            if tools.hasGrown { output.note() }
        case "tool-call-delta":
            guard let piece = message?["tool_calls"]?["function"]?["arguments"]?.string, !piece.isEmpty else { return }
            tools.beginDelta()
            tools.add(.init(index: parts[2]?.natural, arguments: piece))
            output.note()
        case "citation-start":
            if let citation = message?["citations"] { events.append(.native(name: "citation", citation.value)) }
        case "message-end":
            let delta = parts[1]
            takeUsage(delta?["usage"], into: &events)
            try finish(delta?["finish_reason"]?.string, error: delta?["error"] ?? node["error"])
        default: break
        }
    }

    /// Takes the id of the reply, and appends a `start` event. Does so once.
    mutating func start(_ id: JSONNode?, into events: inout [DecodedEvent]) {
        guard !hasStarted else { return }
        hasStarted = true
        known.id = id?.string
        events.append(.start)
    }

    private mutating func contentDelta(_ content: JSONNode?, into events: inout [DecodedEvent]) {
        if let text = content?["text"]?.string, !text.isEmpty {
            output.noteText()
            events.append(.text(TextBatch(text)))
        } else if let text = content?["thinking"]?.string, !text.isEmpty {
            output.noteText()
            events.append(.text(.reasoning(text)))
        }
    }

    /// Decodes a reply that was not streamed.
    private mutating func whole(_ node: JSONNode, _ message: JSONNode, into events: inout [DecodedEvent])
        throws(APIError)
    {
        let parts = message.pick(Self.messageKeys)
        start(node["id"], into: &events)
        parts[0]?.forEachElement { contentDelta($0, into: &events) }
        plan = parts[1]?.string ?? ""
        var index: Int64 = 0
        parts[2]?.forEachElement { call in
            tools.beginDelta()
            tools.add(
                .init(
                    index: index, id: call["id"]?.string ?? "", name: call["function"]?["name"]?.string ?? "",
                    arguments: call["function"]?["arguments"]?.string ?? ""))
            if tools.hasGrown { output.note() }
            index += 1
        }
        parts[3]?.forEachElement { events.append(.native(name: "citation", $0.value)) }
        takeUsage(node["usage"], into: &events)
        try finish(node["finish_reason"]?.string, error: node["error"])
    }

    // MARK: The end

    mutating func takeUsage(_ node: JSONNode?, into events: inout [DecodedEvent]) {
        // Billed units (search units, classifications), and warnings in `meta` of version 1.
        natives.show("usage", node, beyond: ["tokens", "cached_tokens", "api_version"], into: &events)
        // The tokens that the model read and wrote. The billed ones exclude the provider's own preamble.
        let tokens = node?["tokens"] ?? node?["billed_units"]
        var usage = Usage()
        usage.inputTokens = Usage.count(tokens?["input_tokens"])
        usage.outputTokens = Usage.count(tokens?["output_tokens"])
        usage.cachedTokens = Usage.count(node?["cached_tokens"])
        guard usage.inputTokens != nil || usage.outputTokens != nil else { return }
        if let input = usage.inputTokens, let output = usage.outputTokens {
            usage.totalTokens = WireNumber.sum(input, output)
        }
        known.usage = usage
        events.append(.usage(usage))
    }

    /// Sets the finish reason.
    /// - Throws: an `APIError` for a reason that means failure, because the reply is then truncated, and for an error
    ///   next to any reason (https://docs.cohere.com/v2/reference/chat-stream, `message-end`).
    mutating func finish(_ raw: String?, error: JSONNode?) throws(APIError) {
        known.finishReasonRaw = raw
        let error = error.flatMap { ErrorShape.says($0) ? ErrorReport($0.value) : nil }
        switch raw {
        case "ERROR", "TIMEOUT":
            throw APIError(
                kind: .provider,
                message: error?.message ?? "the provider broke off the reply (finish_reason \"\(raw ?? "")\")",
                code: raw, isRetryable: true)
        case _ where error != nil:
            throw APIError(
                kind: .provider, message: error?.message ?? "the provider broke off the reply", code: error?.code,
                isRetryable: true)
        case "COMPLETE", "STOP_SEQUENCE": known.finishReason = .stop
        case "MAX_TOKENS", "ERROR_LIMIT": known.finishReason = .length
        case "TOOL_CALL": known.finishReason = .toolCalls
        case "ERROR_TOXIC": known.finishReason = .contentFilter
        default: known.finishReason = .other
        }
    }
}
