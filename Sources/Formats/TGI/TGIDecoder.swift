// Reads one stream of TGI's: a token a frame, the last one with the whole text. Only TGIFormat makes one.

internal import Base
internal import Chat
internal import HTTP
internal import JSON

/// The state of one stream.
final class TGIDecoder: DocumentDecoder {
    static let replyName = "generated text"
    static let eventNames: Set<String> = []

    private static let keys = JSONKeys("token", "generated_text", "details", "error", "top_tokens")
    private static let tokenKeys = JSONKeys("text", "special")

    let reader: JSONReader
    var strays = StrayLines()
    private(set) var hasOutput = false
    private(set) var isDone = false
    private(set) var known = ReplySummary()
    private var hasStarted = false
    private var endsWithSpecial = false
    private var repetition = Repetition<Bool>()
    private var natives = NativeFields()

    /// Every token has a number, a name and a probability of its own.
    private static let gaps = JSONTemplate.Gaps(
        text: JSONPath("token", "text"),
        ignored: [JSONPath("index"), JSONPath("token", "id"), JSONPath("token", "logprob")])

    init(reader: JSONReader) { self.reader = reader }

    var hasCleanEnd: Bool { isDone }
    var summary: ReplySummary { known }
    /// A special token ends a text that is empty.
    var isBlank: Bool { !hasOutput && !endsWithSpecial && known.saysNothing }

    func decode(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        guard !isDone else { return }
        let text = bytes.extracting(bytes.trimmed)
        let mayRepeat = repetition.mayBe(kind, name: name)
        if mayRepeat, let (_, piece, _) = repetition.read(text, reader) {
            endsWithSpecial = false
            return events.append(.text(TextBatch(piece)))
        }
        let before = events.count
        try sort(kind, name: name, text, into: &events)
        if mayRepeat, events.count == before + 1, !isDone { learn(text, events[before]) }
    }

    /// Learns from a frame that was parsed, and said `event` alone.
    private func learn(_ frame: Span<UInt8>, _ event: DecodedEvent) {
        guard case .text(let batch) = event else { return }
        let text = batch.text
        repetition.learn(frame, open: Self.gaps, reader) { $0["token"]?["text"]?.string == text ? true : nil }
    }

    func repeats(
        _ chunk: Span<UInt8>, behind place: FramePlace, into events: inout [DecodedEvent]
    ) -> (run: TextBatch, end: Int)? {
        repetition.read(chunk, behind: place, reader).map { ($0.run, $0.end) }
    }

    func assistantMessage(text: String, reasoning: String) -> JSONValue {
        ["role": "assistant", "content": .string(text)]
    }

    // MARK: Documents

    /// A proxy's `[DONE]` ends nothing: the frame with the whole text does.
    func markDone() {}
    func finish() {}

    func isReplyOrError(_ node: JSONNode) -> Bool {
        node["generated_text"] != nil || node["error"] != nil || ErrorShape.isError(node)
    }

    func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
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
            // Special tokens (`</s>`) steer the model; they are not text.
            endsWithSpecial = token[1]?.bool == true
            if !endsWithSpecial, let text = token[0]?.string, !text.isEmpty {
                hasOutput = true
                events.append(.text(TextBatch(text)))
            }
        }
        // The other choices for the token (https://huggingface.co/docs/text-generation-inference, `StreamResponse`).
        NativeFields.showEach("top_tokens", parts[4], into: &events)
        if let whole = parts[1]?.string { finish(whole, details: parts[2], into: &events) }
        if events.count == before { Self.beat(&events) }
    }

    /// The whole text comes once more at the end, with the prompt before it where `return_full_text` was set. It is the
    /// reply only where no token came before it: in an answer that was not streamed.
    private func finish(_ whole: String, details: JSONNode?, into events: inout [DecodedEvent]) {
        isDone = true
        if !hasOutput, !endsWithSpecial, !whole.isEmpty {
            hasOutput = true
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

    private func takeUsage(_ details: JSONNode?, into events: inout [DecodedEvent]) {
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
