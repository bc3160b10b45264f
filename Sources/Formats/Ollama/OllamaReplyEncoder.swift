// Encodes bodies and errors of Ollama's /api/chat. Source: Ollama's API documentation (/api/chat, streaming, errors).

internal import Chat
internal import HTTP
internal import JSON

struct OllamaReplyEncoder: ReplyEncoder {
    let streamType = "application/x-ndjson"
    /// NDJSON has no comments; an empty line is ignored.
    let keepAlive = Array("\n".utf8)

    /// Ollama's Python client parses empty lines.
    var keepsAliveByText: Bool { true }

    func stream(_ head: ReplyHead) -> any StreamEncoder { OllamaStreamEncoder(head) }

    func body(_ reply: WholeReply) -> [UInt8] {
        var (text, thinking) = ("", "")
        var calls: [JSONValue] = []
        for block in reply.blocks {
            switch block {
            case .text(let piece): text += piece
            case .reasoning(let piece): thinking += piece
            case .toolCall(let call): if let form = Self.call(call) { calls.append(form) }
            }
        }
        var message: JSONObject = ["role": "assistant", "content": .string(text)]
        if !thinking.isEmpty { message["thinking"] = .string(thinking) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return JSONWriter.bytes(Self.last(reply.head, reply.ending, message, line: 0))
    }

    // MARK: Parts of lines

    /// A call; nil if its arguments are incomplete.
    static func call(_ call: ToolCall) -> JSONValue? {
        guard let arguments = call.arguments else { return nil }
        return ["id": .string(call.id), "function": ["name": .string(call.name), "arguments": arguments]]
    }

    /// The time of a line (RFC 3339). Each line is a nanosecond later than the previous one.
    static func time(_ head: ReplyHead, line: Int) -> String {
        let nanoseconds = String(line % 1_000_000_000)
        return "\(HTTPDate.timestamp(head.created)).\(String(repeating: "0", count: 9 - nanoseconds.count))"
            + "\(nanoseconds)Z"
    }

    /// The last line of a reply. Its durations are in nanoseconds, measured or computed from the token counts.
    static func last(_ head: ReplyHead, _ ending: ReplyEnding, _ message: JSONObject, line: Int) -> JSONValue {
        let (input, output) = (Int64(ending.usage.inputTokens ?? 0), Int64(ending.usage.outputTokens ?? 0))
        var object: JSONObject = [
            "model": .string(head.model), "created_at": .string(time(head, line: line)), "message": .object(message),
        ]
        if let reason = ending.reason { object["done_reason"] = reason == .length ? "length" : "stop" }
        object["done"] = true
        let durations = ending.timing.map(Durations.init) ?? Durations(input: input, output: output)
        object["total_duration"] = .int(durations.load + durations.prompt + durations.output)
        object["load_duration"] = .int(durations.load)
        object["prompt_eval_count"] = .int(input)
        object["prompt_eval_duration"] = .int(durations.prompt)
        object["eval_count"] = .int(output)
        object["eval_duration"] = .int(durations.output)
        return .object(object)
    }

    /// The durations of a reply in nanoseconds.
    private struct Durations {
        var load: Int64
        var prompt: Int64
        var output: Int64

        init(input: Int64, output: Int64) {
            (load, prompt, self.output) = (30_000_000, input * 1_000_000, output * 20_000_000)
        }

        init(_ timing: ReplyTiming) {
            let first = min(timing.firstOutput ?? timing.total, timing.total)
            (load, prompt, output) = (0, Self.nanoseconds(first), Self.nanoseconds(timing.total - first))
        }

        /// At most a year; 0 for a value that is not a duration.
        private static func nanoseconds(_ seconds: Double) -> Int64 {
            seconds > 0 ? Int64(min(seconds, 31_536_000) * 1e9) : 0
        }
    }

    // MARK: Errors

    func errorBody(_ error: ReplyError) -> [UInt8] { JSONWriter.bytes(Self.error(error)) }

    static func error(_ error: ReplyError) -> JSONValue { ["error": .string(error.placedMessage)] }
}
