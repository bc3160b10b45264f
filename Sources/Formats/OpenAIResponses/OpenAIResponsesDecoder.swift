// Decodes one Responses stream. This file handles whole documents: events, errors, complete responses, the end of the
// stream. OpenAIResponsesEvents.swift decodes the events in between.

internal import Base
internal import Chat
internal import JSON

/// Members of an event that the decoder reads.
enum OpenAIResponsesKey {
    static let table = JSONKeys(
        "type", "delta", "sequence_number", "output_index", "content_index", "summary_index", "item_id", "text",
        "item", "part", "response", "error", "object", "logprobs")
    static let type = 0
    static let delta = 1
    static let number = 2
    static let output = 3
    static let content = 4
    static let summary = 5
    static let itemID = 6
    static let text = 7
    static let item = 8
    static let part = 9
    static let response = 10
    static let error = 11
    static let object = 12
    static let logprobs = 13
}

/// The state of one stream.
struct OpenAIResponsesDecoder: DocumentDecoder {
    static let replyName = "response"
    static let eventNames: Set<String> = [
        "response.created", "response.in_progress", "response.queued", "response.completed", "response.incomplete",
        "response.failed", "response.output_item.added", "response.output_item.done", "response.content_part.added",
        "response.content_part.done", "response.output_text.delta", "response.output_text.done",
        "response.refusal.delta", "response.refusal.done", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done", "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done", "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done", "response.reasoning_text.delta", "response.reasoning_text.done",
    ]
    /// `obfuscation` is padding that hides the length of a delta from observers of the encrypted stream
    /// (https://platform.openai.com/docs/api-reference/responses-streaming).
    static let templatePaths = TemplatePaths(
        sequence: JSONPath("sequence_number"), padding: [JSONPath("obfuscation")])

    let reader: JSONReader
    var strays = StrayLines()
    /// Everything known except the tool calls, which are in `items`.
    var known = ReplySummary()
    var items = OpenAIResponsesItems()
    var order = OpenAIResponsesOrder()
    /// The emitted text, by the raw value of its kind.
    var texts = [OpenAIResponsesText](repeating: OpenAIResponsesText(), count: OpenAIResponsesText.Kind.allCases.count)
    /// The kind of the text that was emitted last.
    var lastKind = OpenAIResponsesText.Kind.output
    /// The phase of the message whose text was emitted last.
    var phase: String?
    var output = OutputProgress()
    private(set) var isDone = false
    /// The response has `store = false`: the provider keeps nothing of it, whether the request asked for that or not.
    private var isUnstored = false
    private var hasStarted = false
    /// The SSE event name of the current frame. It is the type of an event whose payload has none.
    private var frameName = ""

    init(reader: JSONReader) { self.reader = reader }

    /// `[DONE]`, which some gateways add, is not a clean end, because it does not say how the response ended.
    var hasCleanEnd: Bool { isDone }

    /// A final status does not count as content, unless the reason is a token limit or a content filter.
    var isBlank: Bool {
        guard !hasOutput, known.usage == nil, known.refusal == nil else { return false }
        return known.finishReason != .length && known.finishReason != .contentFilter
    }

    var summary: ReplySummary {
        var summary = known
        summary.toolCalls = items.calls(reader: reader)
        summary.nativeCalls = items.nativeCalls
        if known.finishReason == .stop, !summary.toolCalls.isEmpty || !summary.nativeCalls.isEmpty {
            summary.finishReason = .toolCalls
        }
        return summary
    }

    mutating func decode(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        frameName = name
        try decodeFrame(kind, name: name, text, into: &events)
    }

    mutating func skip(_ batch: TextBatch, _ counters: TemplateCounters, into events: inout [DecodedEvent]) {
        let number = counters[0].flatMap { WireNumber.count($0) }
        order.advance(to: number)
        texts[lastKind.rawValue].add(batch, lastNumber: number)
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        let text = reply.text
        let calls = items.messageParts
        var message: JSONObject = ["role": "assistant"]
        message["content"] = text.isEmpty && !calls.isEmpty ? .null : .string(text)
        if let refusal = known.refusal { message["refusal"] = .string(refusal) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        if let native = native(reply) { message["native"] = .object(native) }
        return .object(message)
    }

    /// The items as received, if their text is the text that was delivered. Reasoning at the end of a response that
    /// ended early is left out: the provider rejects reasoning without the item that followed it.
    private func native(_ reply: ReplyText) -> JSONObject? {
        guard isDone, reply.isWhole(.text), var output = items.whole else { return nil }
        while known.finishReason != .stop, output.last?["type"]?.string == "reasoning" { output.removeLast() }
        guard !output.isEmpty, OpenAIResponsesItems.say(reply.text, output) else { return nil }
        var native: JSONObject = ["dialect": .string(WireFormat.openAIResponses.name)]
        if let id = known.id { native["id"] = .string(id) }
        if isUnstored { native["store"] = false }
        native["output"] = .array(output)
        return native
    }

    mutating func markDone() {}

    mutating func finish() { isDone = true }

    // MARK: Documents

    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        guard !isDone else { return }
        let before = events.count
        let top = node.pick(OpenAIResponsesKey.table)
        let verdict = order.take(top[OpenAIResponsesKey.number]?.natural)
        if let kind = Self.kind(ofDelta: top[OpenAIResponsesKey.type]) {
            start(&events)
            if let piece = piece(kind, top) {
                try show(piece, verdict, into: &events)
                if let probabilities = top[OpenAIResponsesKey.logprobs], probabilities.first != nil {
                    // Log probabilities belong to the piece of text, and are emitted with each one.
                    if verdict != .repeated { events.append(.native(name: "logprobs", probabilities.value)) }
                }
            }
        } else {
            let type = top[OpenAIResponsesKey.type]?.string ?? frameName
            if type.hasPrefix("response.") {
                try event(type, node, top, verdict, into: &events)
            } else if top[OpenAIResponsesKey.object]?.isString("response") == true {
                try end(node, status: node["status"]?.string ?? "completed", into: &events)
            } else if isError || Self.isError(node, top) {
                takeUsage(node["usage"] ?? top[OpenAIResponsesKey.response]?["usage"], into: &events)
                throw APIError(ErrorReport(node.value))
            }
        }
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    func isReplyOrError(_ node: JSONNode) -> Bool {
        node["object"]?.isString("response") == true || Self.isError(node, node.pick(OpenAIResponsesKey.table))
    }

    private static func isError(_ node: JSONNode, _ top: JSONPicked) -> Bool {
        if let error = top[OpenAIResponsesKey.error], ErrorShape.says(error) { return true }
        return ErrorShape.isError(node)
    }

    private mutating func event(
        _ type: String, _ node: JSONNode, _ top: JSONPicked, _ verdict: OpenAIResponsesOrder.Verdict,
        into events: inout [DecodedEvent]
    ) throws(APIError) {
        let response = top[OpenAIResponsesKey.response]
        if let response { take(names: response) }
        start(&events)
        switch type {
        case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done":
            let ending = String(type.dropFirst("response.".count))
            let responseStatus = response?["status"]?.string ?? ""
            // Some servers end every response with `response.completed`, and report in its status how it ended.
            let overridesEvent = ["incomplete", "failed", "cancelled"].contains(responseStatus)
            // llama.cpp's server puts `timings` next to the response, not into it.
            if let timings = node["timings"].flatMap(ServerTimings.init(llama:)) { known.timings = timings }
            try end(
                response, status: overridesEvent ? responseStatus : ending == "done" ? "completed" : ending,
                error: top[OpenAIResponsesKey.error], into: &events)
        case "response.error":
            takeUsage(node["usage"] ?? response?["usage"], into: &events)
            throw APIError(ErrorReport(node.value))
        default: try inner(type, node, top, verdict, into: &events)
        }
    }

    private mutating func start(_ events: inout [DecodedEvent]) {
        guard !hasStarted else { return }
        hasStarted = true
        events.append(.start)
    }

    private mutating func take(names response: JSONNode) {
        if known.id == nil, let id = response["id"]?.string, !id.isEmpty { known.id = id }
        if known.model == nil, let model = response["model"]?.string, !model.isEmpty { known.model = model }
    }

    // MARK: The end

    /// Ends the response. The final event holds the whole response again; what was missing is taken from it.
    /// - Parameter error: the error next to the response. The response may hold one too, whatever its status.
    private mutating func end(
        _ response: JSONNode?, status: String, error: JSONNode? = nil, into events: inout [DecodedEvent]
    ) throws(APIError) {
        if let response { take(names: response) }
        start(&events)
        takeUsage(response?["usage"], into: &events)
        switch status {
        case "completed", "incomplete": break
        case "failed": throw Self.failure(response)
        case "cancelled":
            throw APIError(kind: .provider, message: "the response was cancelled at the provider", code: status)
        default:
            throw APIError(
                kind: .protocol, message: "the response is not finished (status \"\(Snippet.of(status))\")")
        }
        if let error = [response?["error"], error].lazy.compactMap(\.self).first(where: ErrorShape.says) {
            do throws(APIError) {
                if let output = response?["output"] { try complete(with: output, into: &events) }
            } catch {
                // The error of the response is more important than damage to its text.
            }
            throw APIError(ErrorReport(error.value))
        }
        if let output = response?["output"] { try complete(with: output, into: &events) }
        isUnstored = response?["store"]?.bool == false
        try checkCalls()
        known.finishReasonRaw = status
        known.finishReason =
            status == "completed"
            ? .stop : FinishReason(incomplete: response?["incomplete_details"]?["reason"]?.string)
        isDone = true
    }

    private mutating func takeUsage(_ node: JSONNode?, into events: inout [DecodedEvent]) {
        guard let node, let usage = Usage(responses: node), usage != known.usage else { return }
        known.usage = usage
        events.append(.usage(usage))
    }

    private static func failure(_ response: JSONNode?) -> APIError {
        guard let error = response?["error"], ErrorShape.says(error) else {
            return APIError(kind: .provider, message: "the response failed, and the provider does not say why")
        }
        return APIError(ErrorReport(error.value))
    }
}

extension FinishReason {
    /// From `incomplete_details.reason`: why a response is incomplete.
    fileprivate init(incomplete reason: String?) {
        self =
            switch reason {
            case "max_output_tokens": .length
            case let reason?:
                switch FinishReason(openAI: reason) {
                case .length: .length
                case .contentFilter: .contentFilter
                default: .other
                }
            case nil: .other
            }
    }
}
