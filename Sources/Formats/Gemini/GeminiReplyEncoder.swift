// Encodes generateContent bodies and errors in the form of the Gemini API and Vertex AI. Source: Google's API reference
// (generate-content, streamGenerateContent, error codes).

internal import Base
internal import Chat
internal import JSON

struct GeminiReplyEncoder: ReplyEncoder {
    /// Whether the chunks are elements of one array, as without `alt=sse`.
    var isArray = false

    var streamType: String { isArray ? "application/json; charset=UTF-8" : "text/event-stream" }

    /// White space is the only keep-alive that an array allows.
    var keepAlive: [UInt8] { Array((isArray ? "\r\n" : ": keep-alive\r\n\r\n").utf8) }

    /// Google's clients take a comment for JSON.
    var keepsAliveByText: Bool { true }

    func stream(_ head: ReplyHead) -> any StreamEncoder { GeminiStreamEncoder(head, isArray: isArray) }

    func body(_ reply: WholeReply) -> [UInt8] {
        var parts: [JSONObject] = []
        var hasCall = false
        for block in reply.blocks {
            switch block {
            case .text(let text): parts.append(["text": .string(text)])
            case .reasoning(let text): parts.append(["text": .string(text), "thought": true])
            case .toolCall(let call):
                guard let part = Self.part(call, isSigned: !hasCall) else { continue }
                parts.append(part)
                hasCall = true
            }
        }
        if reply.head.showsReasoning, !hasCall, let last = parts.indices.last, parts[last]["thought"] == nil {
            var signature = GeminiSignature()
            signature.add(parts[last]["text"]?.string ?? "")
            parts[last]["thoughtSignature"] = .string(signature.text)
        }
        var candidate: JSONObject = ["content": Self.content(parts)]
        candidate["finishReason"] = reply.ending.reason.map { .string(Self.reason($0)) }
        candidate["index"] = 0
        return JSONWriter.bytes(Self.chunk(candidate, reply.head, GeminiTokenCounts(reply.ending.usage, reply.head)))
    }

    // MARK: Parts of chunks

    static func content(_ parts: [JSONObject]) -> JSONValue {
        ["parts": .array(parts.map { .object($0) }), "role": "model"]
    }

    static func chunk(_ candidate: JSONObject, _ head: ReplyHead, _ counts: GeminiTokenCounts) -> JSONValue {
        var usage: JSONObject = ["promptTokenCount": .int(Int64(counts.prompt))]
        if counts.text > 0 { usage["candidatesTokenCount"] = .int(Int64(counts.text)) }
        usage["totalTokenCount"] = .int(counts.total)
        if counts.thoughts > 0 { usage["thoughtsTokenCount"] = .int(Int64(counts.thoughts)) }
        if counts.cached > 0 { usage["cachedContentTokenCount"] = .int(Int64(counts.cached)) }
        return [
            "candidates": [.object(candidate)], "usageMetadata": .object(usage), "modelVersion": .string(head.model),
            "responseId": .string(head.id),
        ]
    }

    /// A call; nil if its arguments are incomplete. Only the first call of a turn is signed.
    static func part(_ call: ToolCall, isSigned: Bool) -> JSONObject? {
        guard let arguments = call.arguments else { return nil }
        let form: JSONValue = ["id": .string(call.id), "name": .string(call.name), "args": arguments]
        var part: JSONObject = ["functionCall": form]
        if isSigned { part["thoughtSignature"] = .string(GeminiSignature(call: call.name, arguments).text) }
        return part
    }

    /// A reply with tool calls also has the reason STOP.
    static func reason(_ reason: FinishReason) -> String {
        switch reason {
        case .length: "MAX_TOKENS"
        case .contentFilter: "SAFETY"
        case .stop, .toolCalls, .cancelled, .other: "STOP"
        }
    }

    // MARK: Errors

    /// An error is the element of an array if the stream is an array.
    func errorBody(_ error: ReplyError) -> [UInt8] {
        let value = Self.error(error)
        return JSONWriter.bytes(isArray ? [value] : value)
    }

    static func error(_ error: ReplyError) -> JSONValue {
        let place = error.parameter.map { "* GenerateContentRequest.\($0): " } ?? ""
        // Google has no status 529.
        let code = error.status == 529 ? 503 : error.status
        var object: JSONObject = [
            "code": .int(Int64(code)), "message": .string(place + error.message), "status": .string(status(code)),
        ]
        if let seconds = error.retryAfter {
            object["details"] = [
                ["@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": .string("\(seconds)s")]
            ]
        }
        return ["error": .object(object)]
    }

    private static func status(_ code: Int) -> String {
        switch code {
        case 401: "UNAUTHENTICATED"
        case 403: "PERMISSION_DENIED"
        case 404: "NOT_FOUND"
        case 408, 504: "DEADLINE_EXCEEDED"
        case 409: "ABORTED"
        case 429: "RESOURCE_EXHAUSTED"
        case 503: "UNAVAILABLE"
        case 500...: "INTERNAL"
        default: "INVALID_ARGUMENT"
        }
    }
}

/// Token counts as Gemini reports them: thoughts separately from the text.
struct GeminiTokenCounts {
    var prompt: Int
    /// Tokens of the prompt from the cache.
    var cached = 0
    var thoughts = 0
    var text = 0

    /// No output yet.
    init(_ head: ReplyHead) { prompt = head.inputTokens }

    init(_ usage: Usage, _ head: ReplyHead) {
        prompt = usage.inputTokens ?? head.inputTokens
        cached = usage.cachedTokens ?? 0
        thoughts = usage.reasoningTokens ?? 0
        text = max(0, (usage.outputTokens ?? 0) - thoughts)
    }

    var total: Int64 { Int64(prompt) + Int64(thoughts) + Int64(text) }
}

/// A thought signature of the mock. A request that sends back changed content is rejected.
struct GeminiSignature {
    private var fingerprint: Fingerprint

    /// The signature that Google documents for calls of other models.
    static let foreign = "skip_thought_signature_validator"

    /// The signature of empty text.
    init() { fingerprint = Fingerprint(seed: 7) }

    /// The signature of a call. Independent of the order of its arguments and of the notation of their numbers.
    init(call name: String, _ arguments: JSONValue) {
        fingerprint = Fingerprint(seed: 8)
        fingerprint.add(name.utf8)
        fingerprint.add(JSONWriter.bytes(Self.normalized(arguments)))
    }

    mutating func add(_ text: String) { fingerprint.add(text.utf8) }

    /// Twenty characters that are in both alphabets of base64 (RFC 4648): clients decode a signature, and encode it
    /// with either alphabet.
    var text: String { "rill" + fingerprint.hex }

    private static func normalized(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(normalized))
        case .object(let object):
            var sorted = JSONObject()
            for member in object.sorted(by: { $0.key < $1.key }) { sorted[member.key] = normalized(member.value) }
            return .object(sorted)
        case .double(let number): return Int64(exactly: number).map { .int($0) } ?? value
        default: return value
        }
    }
}
