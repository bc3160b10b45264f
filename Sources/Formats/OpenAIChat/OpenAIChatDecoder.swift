// Reads one Chat Completions stream. This file sorts documents: which are chunks, which are errors, which end the stream.
// What a chunk says is in OpenAIChunk.swift. Only OpenAIChatFormat makes one.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream.
struct OpenAIChatDecoder: DocumentDecoder {
    static let replyName = "chat completion"
    static let eventNames: Set<String> = []
    /// `obfuscation` is padding that hides a piece's length from those who count encrypted bytes
    /// (https://platform.openai.com/docs/api-reference/chat-streaming).
    static let templatePaths = TemplatePaths(padding: [JSONPath("obfuscation")])

    let reader: JSONReader
    /// What is known; its tool calls are kept in `tools`.
    var known = ReplySummary()
    var tools = OpenAIChatToolCalls()
    var memory = OpenAIChatReasoningMemory()
    var additions = OpenAIChatAdditions()
    /// The kinds of output that deltas have brought themselves: a message in them or beside them repeats these.
    var deltaOutput = OpenAIChatOutput()
    /// Those that came in a message inside the deltas.
    var nestedOutput = OpenAIChatOutput()
    /// Those that came in a message in place of deltas, or beside them.
    var messageOutput = OpenAIChatOutput()
    /// What messages beside deltas have said; nil before the first one.
    var held: HeldMessage?
    var output = OutputProgress()
    private(set) var isDone = false
    private var hasStarted = false
    /// The chunk that named the reply had a role.
    private var isBegun = false
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
        try sort(kind, name: name, text, into: &events)
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

    /// `[DONE]`, or the end of a whole body. One inside a call's arguments, without a finish reason, is a cut.
    mutating func finish() {
        isDone = true
        if known.finishReason == nil, !tools.hasCutCall { known.finishReason = .other }
    }

    /// Routers leave out the finish reason and `[DONE]` behind whole calls.
    mutating func bodyEnded() {
        if known.finishReason == nil, tools.areAllWhole { finish() }
    }

    mutating func markDone() { finish() }

    // MARK: Documents

    /// One JSON document: a chunk, a whole completion, or an error.
    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let top = node.pick(ChunkKey.table)
        let choices = top[ChunkKey.choices]
        if isError || Self.isError(node, top) {
            takeUsage(top, into: &events)
            throw APIError(ErrorReport(node.value))
        }
        let before = events.count
        let hadOutput = hasOutput
        var cost: Double?
        if !hadOutput { takeNames(top) }
        if !hasStarted, choices != nil || known.id != nil {
            hasStarted = true
            events.append(.start)
        }
        if top.hasOthers {
            takeAdditions(to: node, at: .chunk, besides: ChunkKey.table, into: &events)
            // Venice says the cost beside the usage.
            cost = Usage.dollars(node["cost"]?["usd"])
        }
        var position: Int64 = 0
        do throws(APIError) {
            try choices?.forEachElement { (choice: JSONNode) throws(APIError) in
                try self.choice(choice, position: position, into: &events)
                position += 1
            }
        } catch {
            // A chunk that breaks the reply off may count its tokens.
            takeUsage(top, into: &events)
            throw error
        }
        if !hadOutput, hasOutput, !isBegun || top[ChunkKey.model]?.string != known.model {
            known.take(id: top[ChunkKey.id], model: top[ChunkKey.model], isOutput: true)
        }
        takeUsage(top, cost: cost, into: &events)
        takeTimings(top)
        if let error = top[ChunkKey.groq]?["error"], ErrorShape.says(error) {
            throw APIError(ErrorReport(error.value))
        }
        if events.count == before { Self.beat(&events) }
    }

    /// A chunk before the first output. One with a role begins the reply, and its names stand unless the output comes from
    /// another model.
    private mutating func takeNames(_ top: JSONPicked) {
        if known.model == nil, top[ChunkKey.choices]?.first?["delta"]?["role"]?.isNull == false { isBegun = true }
        known.take(id: top[ChunkKey.id], model: top[ChunkKey.model], isOutput: false)
    }

    /// A chunk's counts: its own, and those in Groq's own corner.
    private mutating func takeUsage(_ top: JSONPicked, cost: Double? = nil, into events: inout [DecodedEvent]) {
        if let usage = top[ChunkKey.usage] { take(usage: usage, cost: cost, into: &events) }
        if let usage = top[ChunkKey.groq]?["usage"] { take(usage: usage, into: &events) }
    }

    /// How long the server says that it took; the last word counts.
    private mutating func takeTimings(_ top: JSONPicked) {
        guard
            let timings = top[ChunkKey.timings].flatMap(ServerTimings.init(llama:))
                ?? top[ChunkKey.timeInfo].flatMap(ServerTimings.init(seconds:))
                ?? top[ChunkKey.usage].flatMap(ServerTimings.init(seconds:))
                ?? top[ChunkKey.groq]?["usage"].flatMap(ServerTimings.init(seconds:))
        else { return }
        known.timings = timings
    }

    /// Whether an object is an error: by its `error` member, or, where it is no chunk, by its shape.
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
