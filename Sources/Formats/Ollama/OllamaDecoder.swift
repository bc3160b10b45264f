// Decodes one stream of Ollama: one line per piece, the last one with `done` and the token counts. Also decodes
// `/api/generate`, which has its text in another member.

internal import Base
internal import Chat
internal import JSON

/// The state of one stream.
struct OllamaDecoder: DocumentDecoder {
    static let replyName = "reply of Ollama's"
    static let eventNames: Set<String> = []
    static let templatePaths = TemplatePaths(padding: [JSONPath("created_at")])

    private static let keys = JSONKeys(
        "message", "response", "thinking", "done", "error", "model", "done_reason", "prompt_eval_count", "eval_count",
        "load_duration", "prompt_eval_duration", "eval_duration", "logprobs", "context", "remote_model", "remote_host")
    private static let messageKeys = JSONKeys("content", "thinking", "tool_calls", "images")
    /// Members that become `native` events unchanged (https://docs.ollama.com/api/chat,
    /// https://docs.ollama.com/api/generate).
    private static let nativeMembers: [(key: Int, name: String)] = [
        (13, "context"), (14, "remote_model"), (15, "remote_host"),
    ]

    let reader: JSONReader
    var strays = StrayLines()
    var output = OutputProgress()
    private(set) var isDone = false
    private(set) var known = ReplySummary()
    private var hasStarted = false
    private var calls: [ToolCall] = []
    private var callIDs = WholeCallIDs()
    /// Indexes of the calls that have an id or an index: proxies repeat calls in later lines.
    private var callPlaces: [String: Int] = [:]
    private var natives = NativeFields()

    init(reader: JSONReader) { self.reader = reader }

    var hasCleanEnd: Bool { isDone }

    /// Some proxies omit `done` after a `done_reason`.
    mutating func bodyEnded() {
        if known.finishReasonRaw != nil { isDone = true }
    }

    var summary: ReplySummary {
        var summary = known
        summary.take(calls: calls)
        return summary
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        var message: JSONObject = ["role": "assistant", "content": .string(reply.text)]
        if !calls.isEmpty { message["tool_calls"] = .array(calls.map(\.messagePart)) }
        if !reply.reasoning.isEmpty {
            message["native"] = ["dialect": "ollama", "thinking": .string(reply.reasoning)]
        }
        return .object(message)
    }

    // MARK: Documents

    /// A `[DONE]` of a proxy does not end the stream; the line with `done` does.
    mutating func markDone() {}
    mutating func finish() {}

    func isReplyOrError(_ node: JSONNode) -> Bool {
        ["message", "response", "done", "error"].contains { node[$0] != nil } || ErrorShape.isError(node)
    }

    mutating func document(_ node: JSONNode, isError: Bool, into events: inout [DecodedEvent]) throws(APIError) {
        let parts = node.pick(Self.keys)
        if isError || parts[4].map(ErrorShape.says) ?? (parts[0] == nil && parts[3] == nil && ErrorShape.isError(node))
        {
            takeUsage(parts, into: &events)
            throw APIError(ErrorReport(node.value))
        }
        let before = events.count
        let hadOutput = hasOutput
        if !hadOutput {
            known.take(id: nil, model: parts[5], isOutput: false)
            if !hasStarted, known.model != nil {
                hasStarted = true
                events.append(.start)
            }
        }
        if let message = parts[0], message.kind == .object {
            let inner = message.pick(Self.messageKeys)
            take(thinking: inner[1], content: inner[0], into: &events)
            inner[2]?.forEachElement { take(call: $0) }
            natives.show("images", inner[3], into: &events)
        } else {
            take(thinking: parts[2], content: parts[1], into: &events)
        }
        if !hadOutput, hasOutput { known.take(id: nil, model: parts[5], isOutput: true) }
        NativeFields.emitEach("logprobs", parts[12], into: &events)
        for (key, name) in Self.nativeMembers { natives.show(name, parts[key], into: &events) }
        if let raw = parts[6]?.string, !raw.isEmpty { take(finishReason: raw) }
        if parts[3]?.bool == true { finish(parts, into: &events) }
        if events.count == before { Self.appendHeartbeat(&events) }
    }

    private mutating func take(thinking: JSONNode?, content: JSONNode?, into events: inout [DecodedEvent]) {
        if let text = thinking?.string, !text.isEmpty {
            output.noteText()
            events.append(.text(.reasoning(text)))
        }
        if let text = content?.string, !text.isEmpty {
            output.noteText()
            events.append(.text(TextBatch(text)))
        }
    }

    /// Adds a call. Calls arrive whole, with their arguments as an object. A call with the id or index of an earlier
    /// one is a repetition if its name and arguments are the same.
    private mutating func take(call: JSONNode) {
        guard let function = call["function"], let name = function["name"]?.string else { return }
        if !name.isEmpty { output.note() }
        let id = call["id"]?.string ?? function["id"]?.string ?? ""
        let arguments = function["arguments"].map(\.value) ?? [:]
        let value = arguments.string.map { ToolCall.arguments($0, reader: reader) } ?? arguments
        let text = arguments.string ?? JSONWriter.text(arguments)
        let key = id.isEmpty ? function["index"]?.natural.map { "\($0)" } : "id \(id)"
        if let key, let place = callPlaces.updateValue(calls.count, forKey: key), calls[place].name == name,
            calls[place].argumentsJSON == text
        {
            callPlaces[key] = place
            return
        }
        calls.append(ToolCall(id: callIDs.next(id), name: name, argumentsJSON: text, arguments: value))
    }

    private mutating func finish(_ parts: JSONPicked, into events: inout [DecodedEvent]) {
        isDone = true
        if known.finishReason == nil { known.finishReason = .stop }
        takeUsage(parts, into: &events)
        var timings = ServerTimings()
        timings.load = Self.seconds(parts[9])
        timings.promptEval = Self.seconds(parts[10])
        timings.eval = Self.seconds(parts[11])
        if timings != ServerTimings() { known.timings = timings }
    }

    private mutating func take(finishReason raw: String) {
        known.finishReasonRaw = raw
        known.finishReason =
            switch raw {
            case "stop": .stop
            case "length": .length
            default: .other
            }
    }

    private mutating func takeUsage(_ parts: JSONPicked, into events: inout [DecodedEvent]) {
        var usage = Usage()
        usage.inputTokens = Usage.count(parts[7])
        usage.outputTokens = Usage.count(parts[8])
        if let input = usage.inputTokens, let output = usage.outputTokens {
            usage.totalTokens = WireNumber.sum(input, output)
        }
        if usage != Usage() {
            known.usage = usage
            events.append(.usage(usage))
        }
    }

    /// A duration in seconds. On the wire it is in nanoseconds.
    private static func seconds(_ node: JSONNode?) -> Double? { node?.double.flatMap { WireNumber.delay($0 / 1e9) } }
}
