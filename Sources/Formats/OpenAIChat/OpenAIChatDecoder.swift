// Decodes one Chat Completions stream. This file handles whole documents: chunks, errors, the end of the stream.
// OpenAIChatChunk.swift decodes the choices of a chunk.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream.
struct OpenAIChatDecoder: DocumentDecoder {
    static let replyName = "chat completion"
    static let eventNames: Set<String> = []
    /// `obfuscation` is padding that hides the length of a delta from observers of the encrypted stream
    /// (https://platform.openai.com/docs/api-reference/chat-streaming).
    static let templatePaths = TemplatePaths(padding: [JSONPath("obfuscation")])

    let reader: JSONReader
    /// Everything known except the tool calls, which are in `tools`.
    var known = ReplySummary()
    var tools = OpenAIChatToolCalls()
    var memory = OpenAIChatReasoningMemory()
    var additions = OpenAIChatAdditions()
    /// Kinds of output that deltas held directly. A message inside or next to a delta repeats these.
    var deltaOutput = OpenAIChatOutput()
    /// Kinds of output in a message or delta nested in a delta.
    var nestedOutput = OpenAIChatOutput()
    /// Kinds of output in a message in place of a delta, or next to it.
    var messageOutput = OpenAIChatOutput()
    /// Output of messages next to deltas; nil before the first such message.
    var held: HeldMessage?
    /// Whether there is one. A comparison of the optional with nil copies and releases its texts.
    var isHolding: Bool { if case .some = held { true } else { false } }
    var output = OutputProgress()
    private(set) var isDone = false
    private var hasStarted = false
    /// A role arrived with the model's name, or before it.
    private var hasRoleChunk = false
    var strays = StrayLines()

    init(reader: JSONReader) { self.reader = reader }

    var hasCleanEnd: Bool { known.finishReason != nil }

    var summary: ReplySummary {
        var summary = known
        summary.take(calls: tools.calls(reader: reader))
        return summary
    }

    mutating func decode(
        _ kind: FrameKind, name: String, _ text: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        try decodeFrame(kind, name: name, text, into: &events)
        if isDone { takeHeldMessage(into: &events) }
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        var message: JSONObject = ["role": "assistant"]
        let calls = tools.messageParts
        message["content"] = memory.content(
            text: reply.text, reasoning: reply.reasoning, hasCalls: !calls.isEmpty)
        if let refusal = known.refusal { message["refusal"] = .string(refusal) }
        memory.addFields(to: &message, reasoning: reply.reasoning)
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return .object(message)
    }

    /// Ends the reply, at `[DONE]` or at the end of a whole body. Without a finish reason, a reply that ends inside the
    /// arguments of a call is truncated.
    mutating func finish() {
        isDone = true
        if known.finishReason == nil, !tools.hasIncompleteCall { known.finishReason = .other }
    }

    /// Some routers send neither a finish reason nor `[DONE]` after complete calls.
    mutating func bodyEnded() {
        if known.finishReason == nil, tools.areAllComplete { finish() }
    }

    mutating func markDone() { finish() }

    // MARK: Documents

    /// Decodes one JSON document: a chunk, a whole completion, or an error.
    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let top = node.pick(ChunkKey.table)
        let choices = top[ChunkKey.choices]
        if isError || ((choices == nil || top.hasValue(1 << ChunkKey.error)) && Self.isError(node, top)) {
            takeUsage(top, into: &events)
            throw APIError(ErrorReport(node.value))
        }
        let before = events.count
        let hadOutput = hasOutput
        if !hadOutput { takeNames(top) }
        if !hasStarted, choices != nil || known.id != nil {
            hasStarted = true
            events.append(.start)
        }
        if top.hasOthers {
            takeAdditions(to: node, at: .chunk, besides: ChunkKey.table, into: &events)
        }
        var position: Int64 = 0
        var elements = choices?.elements
        do throws(APIError) {
            while let choice = elements?.next() {
                try self.choice(choice, position: position, into: &events)
                position += 1
            }
        } catch {
            // A chunk that reports an error may hold token counts.
            takeUsage(top, into: &events)
            throw error
        }
        if !hadOutput, hasOutput, !hasRoleChunk || top[ChunkKey.model]?.string != known.model {
            known.take(id: top[ChunkKey.id], model: top[ChunkKey.model], isOutput: true)
        }
        if top.hasValue(ChunkKey.rest) {
            // Venice sends the cost next to the usage.
            let cost = top.hasOthers ? Usage.dollars(node["cost"]?["usd"]) : nil
            takeUsage(top, cost: cost, into: &events)
            takeTimings(top)
            if let error = top[ChunkKey.groq]?["error"], ErrorShape.says(error) {
                throw APIError(ErrorReport(error.value))
            }
        }
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    /// Takes the id and model of a chunk before the first output. A chunk with a role begins the reply: its id and
    /// model are kept, unless the first output names another model.
    private mutating func takeNames(_ top: JSONPicked) {
        if known.model == nil, top[ChunkKey.choices]?.first?["delta"]?["role"]?.isNull == false { hasRoleChunk = true }
        known.take(id: top[ChunkKey.id], model: top[ChunkKey.model], isOutput: false)
    }

    /// Takes the token counts of a chunk: `usage`, and Groq's `x_groq.usage`.
    private mutating func takeUsage(_ top: JSONPicked, cost: Double? = nil, into events: inout [DecodedEvent]) {
        if let usage = top[ChunkKey.usage] { take(usage: usage, cost: cost, into: &events) }
        if let usage = top[ChunkKey.groq]?["usage"] { take(usage: usage, into: &events) }
    }

    /// Takes the durations that the server reports; the last ones count.
    private mutating func takeTimings(_ top: JSONPicked) {
        guard
            let timings = top[ChunkKey.timings].flatMap(ServerTimings.init(llama:))
                ?? top[ChunkKey.timeInfo].flatMap(ServerTimings.init(seconds:))
                ?? top[ChunkKey.usage].flatMap(ServerTimings.init(seconds:))
                ?? top[ChunkKey.groq]?["usage"].flatMap(ServerTimings.init(seconds:))
        else { return }
        known.timings = timings
    }

    /// Whether an object is an error: by its `error` member, or, if it has no choices, by its shape.
    private static func isError(_ node: JSONNode, _ top: JSONPicked) -> Bool {
        let choices = top[ChunkKey.choices]
        if let error = top[ChunkKey.error], !error.isNull, error.bool != false {
            if ErrorShape.says(error) || choices?.first == nil { return true }
        }
        return choices == nil && ErrorShape.isError(node)
    }

    func isReplyOrError(_ node: JSONNode) -> Bool {
        node["choices"] != nil || Self.isError(node, node.pick(ChunkKey.table))
    }
}
