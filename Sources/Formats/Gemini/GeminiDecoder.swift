// Decodes one generateContent stream. Each chunk has the form of a whole response. The parts of a candidate are decoded
// by GeminiParts.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream.
struct GeminiDecoder: DocumentDecoder {
    static let replyName = "generated content"
    static let eventNames: Set<String> = []
    static let templatePaths = TemplatePaths(
        counters: [
            JSONPath("usageMetadata", "candidatesTokenCount"), JSONPath("usageMetadata", "totalTokenCount"),
            JSONPath("usageMetadata", "thoughtsTokenCount"),
        ])

    private static let keys = JSONKeys(
        "candidates", "usageMetadata", "modelVersion", "responseId", "error", "promptFeedback", "modelStatus")
    private static let candidateKeys = JSONKeys(
        "content", "index", "finishReason", "finishMessage", "groundingMetadata", "citationMetadata",
        "urlContextMetadata", "safetyRatings", "logprobsResult", "avgLogprobs", "groundingAttributions",
        "urlRetrievalMetadata")
    /// Members of a candidate that become `native` events unchanged (https://ai.google.dev/api/generate-content,
    /// `Candidate`; Vertex AI, `GenerateContentResponse`).
    private static let nativeMembers: [(key: Int, name: String)] = [
        (3, "finishMessage"), (4, "groundingMetadata"), (5, "citationMetadata"), (6, "urlContextMetadata"),
        (7, "safetyRatings"), (8, "logprobsResult"), (9, "avgLogprobs"), (10, "groundingAttributions"),
        (11, "urlRetrievalMetadata"),
    ]

    let reader: JSONReader
    var strays = StrayLines()
    var parts = GeminiParts()
    private(set) var known = ReplySummary()
    private var hasStarted = false
    /// A part arrived after a chunk with a finish reason: the reply ends with the next finish reason.
    private var continues = false
    private var natives = NativeFields()

    init(reader: JSONReader) { self.reader = reader }

    var output: OutputProgress { parts.output }
    var hasCleanEnd: Bool { known.finishReason != nil && !continues }
    /// Text may follow a chunk with a finish reason: only the end of the body ends the stream.
    var isDone: Bool { false }

    var summary: ReplySummary {
        var summary = known
        summary.take(calls: parts.calls)
        return summary
    }

    mutating func skip(_ batch: TextBatch, _ counters: TemplateCounters, into events: inout [DecodedEvent]) {
        guard var usage = known.usage else { return }
        if let count = counters[0] { usage.outputTokens = Usage.count(count) }
        if let count = counters[1] { usage.totalTokens = Usage.count(count) }
        if let count = counters[2] { usage.reasoningTokens = Usage.count(count) }
        take(usage, into: &events)
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        var message: JSONObject = ["role": "assistant", "content": .string(reply.text)]
        if !parts.calls.isEmpty { message["tool_calls"] = .array(parts.calls.map(\.messagePart)) }
        // The parts cannot be sent back for a reply that was stopped or truncated: they may hold more text than was
        // delivered.
        if let native = parts.native(reply) { message["native"] = ["dialect": "gemini", "parts": native] }
        return .object(message)
    }

    // MARK: Documents

    /// A proxy may send `[DONE]`. It neither ends a stream nor completes one.
    mutating func markDone() {}
    mutating func finish() {}

    func isReplyOrError(_ node: JSONNode) -> Bool {
        ["candidates", "promptFeedback", "usageMetadata", "error"].contains { node[$0] != nil }
            || ErrorShape.isError(node)
    }

    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let top = node.pick(Self.keys)
        let isChunk = top[0] != nil || top[1] != nil || top[5] != nil
        if isError || top[4].map(ErrorShape.says) == true || (!isChunk && ErrorShape.isError(node)) {
            if let usage = top[1] { take(Usage(gemini: usage), into: &events) }
            throw APIError(ErrorReport(node.value))
        }
        let before = events.count
        let hadOutput = hasOutput
        if !hadOutput { known.take(id: top[3], model: top[2], isOutput: false) }
        if !hasStarted, isChunk {
            hasStarted = true
            events.append(.start)
        }
        var position: Int64 = 0
        try top[0]?.forEachElement { (candidate: JSONNode) throws(APIError) in
            try take(candidate, position: position, into: &events)
            position += 1
        }
        if !hadOutput, hasOutput { known.take(id: top[3], model: top[2], isOutput: true) }
        if let feedback = top[5] {
            natives.show("promptFeedback", feedback, into: &events)
            if feedback["blockReason"]?.isNull == false {
                // A rejected prompt has no candidates and no finish reason. Vertex AI adds a message.
                known.finishReason = .contentFilter
                take(finishMessage: feedback["blockReasonMessage"])
            }
        }
        natives.show("modelStatus", top[6], into: &events)
        if let usage = top[1] { take(Usage(gemini: usage), into: &events) }
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    /// Decodes one candidate. Only the candidate with index 0 is the reply; without an index the position in the array
    /// counts.
    private mutating func take(
        _ candidate: JSONNode, position: Int64, into events: inout [DecodedEvent]
    ) throws(APIError) {
        let members = candidate.pick(Self.candidateKeys)
        guard members[1]?.natural ?? position == 0 else { return }
        let before = (events.count, parts.calls.count)
        members[0]?["parts"]?.forEachElement { parts.take($0, into: &events) }
        if (events.count, parts.calls.count) != before || parts.unfinishedCall != nil {
            continues = known.finishReason != nil
        }
        for (key, name) in Self.nativeMembers { natives.show(name, members[key], into: &events) }
        take(finishMessage: members[3])
        if let reason = members[2], !reason.isNull { try take(finishReason: reason) }
    }

    /// Updates the token counts. Counts are cumulative; the last ones replace all earlier ones.
    private mutating func take(_ usage: Usage, into events: inout [DecodedEvent]) {
        guard usage != Usage(), usage != known.usage else { return }
        known.usage = usage
        events.append(.usage(usage))
    }

    // MARK: The end

    private mutating func take(finishMessage node: JSONNode?) {
        guard let words = node?.string, !words.isEmpty else { return }
        known.finishMessage = words
    }

    /// Sets the finish reason. The last one sent counts. Some servers send the number of the enum value instead of its
    /// name.
    /// - Throws: an `APIError` if the reason is STOP and the arguments of a call are incomplete.
    private mutating func take(finishReason node: JSONNode) throws(APIError) {
        guard let raw = node.string ?? node.int.map(String.init), !raw.isEmpty, raw != "0" else { return }
        guard raw != "FINISH_REASON_UNSPECIFIED" else { return }
        if raw == "STOP" || raw == "1", let call = parts.unfinishedCall {
            let words = known.finishMessage.map { ": \($0)" } ?? ""
            throw APIError(kind: .protocol, message: "the reply ended inside the arguments of \"\(call)\"\(words)")
        }
        continues = false
        known.finishReasonRaw = raw
        known.finishReason =
            switch raw {
            case "STOP", "1": .stop
            case "MAX_TOKENS", "2": .length
            case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
                "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "3", "4", "6", "7", "8":
                .contentFilter
            default: .other
            }
    }
}

extension Usage {
    private static let geminiKeys = JSONKeys(
        "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount", "totalTokenCount")

    /// The counts in `usageMetadata`. Gemini counts thoughts separately from the candidates.
    init(gemini node: JSONNode) {
        self.init()
        let counts = node.pick(Self.geminiKeys)
        inputTokens = Self.count(counts[0])
        outputTokens = Self.count(counts[1])
        reasoningTokens = Self.count(counts[2])
        cachedTokens = Self.count(counts[3])
        totalTokens = Self.count(counts[4])
    }
}
