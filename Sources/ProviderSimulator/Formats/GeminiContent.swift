// Google's generateContent, as the Gemini API and Vertex AI write it: chunks that each look like a whole answer, as events
// or in one growing array. Source: the API reference (generate-content, streamGenerateContent, error codes).

internal import Base
internal import JSON
internal import NIOCore

struct GeminiContent: SimulatedFormat {
    /// Whether chunks come in one array, as without `alt=sse`.
    var isArray = false

    var streamType: String { isArray ? "application/json; charset=UTF-8" : "text/event-stream" }

    func route(_ path: String) -> SimulatorRoute? { route(path, query: "") }

    func route(_ path: String, query: String) -> SimulatorRoute? {
        if !isArray, let document = Self.document(path) { return .document(document) }
        guard path.contains("/models/"), let method = path.split(separator: ":").last else { return nil }
        switch method {
        case "generateContent": return isArray ? nil : .reply
        case "streamGenerateContent":
            let isEvents = query.split(separator: "&").contains("alt=sse")
            return isEvents != isArray ? .reply : nil
        default: return nil
        }
    }

    /// The list of models, or one of them.
    private static func document(_ path: String) -> JSONValue? {
        let root = "/v1beta/models"
        if path == root { return ["models": .array(ChatCompletions.models.map(model))] }
        return ChatCompletions.models.first { path == "\(root)/\($0)" }.map(model)
    }

    private static func model(_ name: String) -> JSONValue {
        [
            "name": .string("models/" + name), "displayName": .string(name),
            "supportedGenerationMethods": ["generateContent"],
        ]
    }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        let resource = path.split(separator: ":").first ?? ""
        let model = resource.split(separator: "/").last.map(String.init) ?? ""
        return try GeminiContentReader(body: body).prompt(
            model: model.percentDecoded, streams: path.hasSuffix(":streamGenerateContent"))
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        GeminiContentFrames(reply, isArray: isArray, leavingOut: omissions)
    }

    // MARK: A reply in one piece

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        var parts: [JSONObject] = []
        var hasCall = false
        for part in WholeParts(reply.choices[0].pieces) {
            switch part {
            case .text(let text): Self.add(text, isThought: false, to: &parts)
            case .reasoning(let text): Self.add(text, isThought: true, to: &parts)
            case .call(let id, let name, let arguments, _):
                parts.append(Self.call(id, name, arguments, isSigned: !hasCall))
                hasCall = true
            }
        }
        if reply.showsReasoning, !hasCall, let last = parts.indices.last, parts[last]["thought"] == nil {
            var signature = GeminiSignature()
            signature.add(parts[last]["text"]?.string ?? "")
            parts[last]["thoughtSignature"] = .string(signature.text)
        }
        let candidate: JSONObject = [
            "content": ["parts": .array(parts.map { .object($0) }), "role": "model"],
            "finishReason": .string(Self.reason(reply)), "index": 0,
        ]
        let counts = Counts(
            thoughts: reply.reasoningTokens, text: (reply.replyTokens ?? 0) - reply.reasoningTokens)
        return Self.chunk(candidate, reply, counts).document
    }

    /// Adds text to the last part, or begins one.
    private static func add(_ text: String, isThought: Bool, to parts: inout [JSONObject]) {
        if let last = parts.indices.last, let earlier = parts[last]["text"]?.string,
            (parts[last]["thought"] != nil) == isThought
        {
            parts[last]["text"] = .string(earlier + text)
        } else {
            parts.append(isThought ? ["text": .string(text), "thought": true] : ["text": .string(text)])
        }
    }

    // MARK: Parts of chunks

    /// What has been counted so far; thoughts are counted apart.
    struct Counts {
        var thoughts = 0
        var text = 0
    }

    static func chunk(_ candidate: JSONObject, _ reply: SimulatedReply, _ counts: Counts) -> JSONValue {
        var usage: JSONObject = ["promptTokenCount": .int(Int64(reply.promptTokens))]
        if counts.text > 0 { usage["candidatesTokenCount"] = .int(Int64(counts.text)) }
        usage["totalTokenCount"] = .int(Int64(reply.promptTokens + counts.thoughts + counts.text))
        if counts.thoughts > 0 { usage["thoughtsTokenCount"] = .int(Int64(counts.thoughts)) }
        return [
            "candidates": [.object(candidate)], "usageMetadata": .object(usage), "modelVersion": .string(reply.model),
            "responseId": .string(reply.id),
        ]
    }

    /// Only the first call of a turn is signed.
    static func call(_ id: String, _ name: String, _ arguments: JSONValue, isSigned: Bool) -> JSONObject {
        let call: JSONValue = ["id": .string(id), "name": .string(name), "args": arguments]
        var part: JSONObject = ["functionCall": call]
        if isSigned { part["thoughtSignature"] = .string(GeminiSignature(call: name, arguments).text) }
        return part
    }

    /// The service says STOP though it waits for the results of calls.
    static func reason(_ reply: SimulatedReply) -> String {
        reply.choices[0].finish == .length ? "MAX_TOKENS" : "STOP"
    }

    // MARK: Errors

    /// What would be streamed in an array fails in one too.
    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer {
        let error = Self.error(refusal)
        return (isArray ? [error] : error).document
    }

    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer { errorFrame(refusal, isFirst: false) }

    func errorFrame(_ refusal: RequestRefusal, isFirst: Bool) -> ByteBuffer {
        var frame = ByteBuffer(string: !isArray ? "data: " : isFirst ? "[" : ",\r\n")
        frame.writeJSON(Self.error(refusal))
        frame.writeString(isArray ? "\r\n]" : "\r\n\r\n")
        return frame
    }

    private static func error(_ refusal: RequestRefusal) -> JSONValue {
        let place = refusal.parameter.map { "* GenerateContentRequest.\($0): " } ?? ""
        // Google has no 529.
        let code = refusal.status == 529 ? 503 : refusal.status
        var error: JSONObject = [
            "code": .int(Int64(code)), "message": .string(place + refusal.message), "status": .string(status(code)),
        ]
        if let seconds = refusal.retryAfter {
            error["details"] = [
                ["@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": .string("\(seconds)s")]
            ]
        }
        return ["error": .object(error)]
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

    /// In an array the frame must end where its braces do: one that breaks off would swallow the rest of the stream.
    var brokenFrame: ByteBuffer {
        ByteBuffer(
            string: isArray
                ? ",\r\n{\"candidates\":[{\"content\":}]}" : "data: {\"candidates\":[{\"content\":{\"pa\r\n\r\n")
    }

    /// Between the elements of an array there is room for white space alone.
    var commentFrame: ByteBuffer { ByteBuffer(string: isArray ? "\r\n" : ": keep-alive\r\n\r\n") }
}
