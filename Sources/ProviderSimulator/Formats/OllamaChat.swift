// Ollama's own chat endpoint, as the provider writes it: a JSON line a piece, the last one with the numbers. Source:
// Ollama's API documentation (/api/chat, streaming, errors).

internal import JSON
internal import NIOCore

struct OllamaChat: SimulatedFormat {
    let streamType = "application/x-ndjson"

    func route(_ path: String) -> SimulatorRoute? {
        switch path {
        case "/api/chat": .reply
        case "/api/version": .document(["version": "0.12.0"])
        case "/api/tags": .document(["models": [Self.model("moonrill-chat"), Self.model("moonrill-reasoner")]])
        default: nil
        }
    }

    private static func model(_ name: String) -> JSONValue {
        [
            "name": .string(name), "model": .string(name), "modified_at": "2025-06-15T00:00:00Z", "size": 0,
            "digest": .string(String(repeating: "0", count: 64)),
            "details": ["format": "gguf", "family": "moonrill", "parameter_size": "0B", "quantization_level": "F16"],
        ]
    }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        try OllamaChatReader(body: body).prompt()
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        OllamaChatFrames(reply, leavingOut: omissions)
    }

    // MARK: A reply in one piece

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        var (text, thought) = ("", "")
        var calls: [JSONValue] = []
        for part in WholeParts(reply.choices[0].pieces) {
            switch part {
            case .text(let piece): text += piece
            case .reasoning(let piece): thought += piece
            case .call(let id, let name, let arguments, _): calls.append(Self.call(id, name, arguments))
            }
        }
        var message: JSONObject = ["role": "assistant", "content": .string(text)]
        if !thought.isEmpty { message["thinking"] = .string(thought) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return JSONValue.object(Self.last(reply, message, line: 0, saysWhy: true)).document
    }

    // MARK: Parts of lines

    static func call(_ id: String, _ name: String, _ arguments: JSONValue) -> JSONValue {
        ["id": .string(id), "function": ["name": .string(name), "arguments": arguments]]
    }

    /// RFC 3339, each line a little later than the one before.
    static func time(_ reply: SimulatedReply, line: Int) -> String {
        let date = ResponseHead.timestamp(reply.created)
        let nanoseconds = String(line % 1_000_000_000)
        return "\(date).\(String(repeating: "0", count: 9 - nanoseconds.count))\(nanoseconds)Z"
    }

    /// The line that ends a reply; times are nanoseconds, made up of what was counted.
    static func last(_ reply: SimulatedReply, _ message: JSONObject, line: Int, saysWhy: Bool) -> JSONObject {
        let (input, output) = (Int64(reply.promptTokens), Int64(reply.replyTokens ?? 0))
        var object: JSONObject = [
            "model": .string(reply.model), "created_at": .string(time(reply, line: line)), "message": .object(message),
        ]
        if saysWhy { object["done_reason"] = reply.choices[0].finish == .length ? "length" : "stop" }
        object["done"] = true
        object["total_duration"] = .int(30_000_000 + input * 1_000_000 + output * 20_000_000)
        object["load_duration"] = 30_000_000
        object["prompt_eval_count"] = .int(input)
        object["prompt_eval_duration"] = .int(input * 1_000_000)
        object["eval_count"] = .int(output)
        object["eval_duration"] = .int(output * 20_000_000)
        return object
    }

    // MARK: Errors

    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer { Self.error(refusal).document }

    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer {
        var line = Self.error(refusal).document
        line.writeStaticString("\n")
        return line
    }

    private static func error(_ refusal: RequestRefusal) -> JSONValue {
        let place = refusal.parameter.map { "\($0): " } ?? ""
        return ["error": .string(place + refusal.message)]
    }

    var brokenFrame: ByteBuffer {
        ByteBuffer(string: "{\"model\":\"broken\",\"message\":{\"role\":\"assistant\",\"con\n")
    }

    /// Lines have no comments; an empty one says nothing.
    var commentFrame: ByteBuffer { ByteBuffer(string: "\n") }
}
