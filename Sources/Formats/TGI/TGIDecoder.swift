// Decodes one stream of TGI: one token per frame. The last frame also has the whole text.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream.
struct TGIDecoder: DocumentDecoder {
    static let replyName = "generated text"
    static let eventNames: Set<String> = []
    /// Every token has its own index, id and log probability.
    static let templatePaths = TemplatePaths(
        padding: [JSONPath("index"), JSONPath("token", "id"), JSONPath("token", "logprob")])

    private static let keys = JSONKeys("token", "generated_text", "details", "error", "top_tokens")
    private static let tokenKeys = JSONKeys("text", "special")

    let reader: JSONReader
    var strays = StrayLines()
    var output = OutputProgress()
    private(set) var isDone = false
    private(set) var known = ReplySummary()
    private var hasStarted = false
    private var endsWithSpecial = false
    private var natives = NativeFields()

    init(reader: JSONReader) { self.reader = reader }

    var hasCleanEnd: Bool { isDone }
    var summary: ReplySummary { known }
    /// A reply of a special token only is a valid empty text.
    var isBlank: Bool { !hasOutput && !endsWithSpecial && known.isEmpty }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        ["role": "assistant", "content": .string(reply.text)]
    }

    // MARK: Documents

    /// A `[DONE]` of a proxy does not end the stream; the frame with the whole text does.
    mutating func markDone() {}
    mutating func finish() {}

    func isReplyOrError(_ node: JSONNode) -> Bool {
        node["generated_text"] != nil || node["error"] != nil || ErrorShape.isError(node)
    }

    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = node.pick(Self.keys)
        if isError || parts[3].map(ErrorShape.says) == true
            || (parts[0] == nil && parts[1] == nil && ErrorShape.isError(node))
        {
            takeUsage(parts[2], into: &events)
            throw APIError(ErrorReport(node.value))
        }
        let before = events.count
        if !hasStarted {
            hasStarted = true
            events.append(.start)
        }
        if let token = parts[0]?.pick(Self.tokenKeys) {
            // Special tokens (`</s>`) are control tokens, not text.
            endsWithSpecial = token[1]?.bool == true
            if !endsWithSpecial, let text = token[0]?.string, !text.isEmpty {
                output.noteText()
                events.append(.text(TextBatch(text)))
            }
        }
        // The alternatives to the token (https://huggingface.co/docs/text-generation-inference, `StreamResponse`).
        NativeFields.emitEach("top_tokens", parts[4], into: &events)
        if let whole = parts[1]?.string { finish(whole, details: parts[2], into: &events) }
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    /// Handles the whole text in the last frame. It has the prompt before it if `return_full_text` was set. It is the
    /// reply only if no token preceded it: in a response that was not streamed.
    private mutating func finish(_ whole: String, details: JSONNode?, into events: inout [DecodedEvent]) {
        isDone = true
        if !hasOutput, !endsWithSpecial, !whole.isEmpty {
            output.noteText()
            events.append(.text(TextBatch(whole)))
        }
        known.finishReasonRaw = details?["finish_reason"]?.string
        known.finishReason =
            switch known.finishReasonRaw {
            case "eos_token", "stop_sequence": .stop
            case "length": .length
            case nil: endsWithSpecial ? .stop : .other
            default: .other
            }
        takeUsage(details, into: &events)
    }

    private mutating func takeUsage(_ details: JSONNode?, into events: inout [DecodedEvent]) {
        natives.show(
            "details", details, beyond: ["finish_reason", "generated_tokens", "input_length"], into: &events)
        var usage = Usage()
        usage.outputTokens = Usage.count(details?["generated_tokens"])
        usage.inputTokens = Usage.count(details?["input_length"])
        if usage.inputTokens == nil, let prefill = details?["prefill"], prefill.first != nil {
            usage.inputTokens = prefill.count
        }
        guard usage.outputTokens != nil else { return }
        usage.totalTokens = usage.inputTokens.flatMap { input in usage.outputTokens.map { WireNumber.sum($0, input) } }
        known.usage = usage
        events.append(.usage(usage))
    }
}
