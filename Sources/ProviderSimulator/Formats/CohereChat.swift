// Cohere's chat, second version, as the provider writes it: typed events, a plan before tools. Source: Cohere's API
// reference (v2 chat, chat-stream, errors).

internal import JSON
internal import NIOCore

struct CohereChat: SimulatedFormat {
    let streamType = "text/event-stream"

    /// Addresses are often configured with a /v1 at their end.
    func route(_ path: String) -> SimulatorRoute? { ["/v2/chat", "/v1/v2/chat"].contains(path) ? .reply : nil }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        try CohereChatReader(body: body).prompt()
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        CohereChatFrames(reply, leavingOut: omissions)
    }

    // MARK: A reply in one piece

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        let message = Self.message(reply)
        return JSONValue.object([
            "id": .string(Self.id(reply.id)), "message": .object(message), "finish_reason": .string(Self.reason(reply)),
            "usage": Self.usage(reply),
        ]).document
    }

    private static func message(_ reply: SimulatedReply) -> JSONObject {
        var (text, thought) = ("", "")
        var calls: [(id: String, name: String, arguments: String)] = []
        for piece in reply.choices[0].pieces {
            switch piece {
            case .text(let part): text += part
            case .reasoning(let part): thought += part
            case .call(_, let id, let name): calls.append((id, name, ""))
            case .arguments(let slot, let part): calls[slot].arguments += part
            }
        }
        var content: [JSONValue] = []
        var message: JSONObject = ["role": "assistant"]
        if reply.showsReasoning, !thought.isEmpty {
            content.append(["type": "thinking", "thinking": .string(thought)])
        } else if !thought.isEmpty {
            message["tool_plan"] = .string(thought)
        }
        if !text.isEmpty { content.append(["type": "text", "text": .string(text)]) }
        if !content.isEmpty || calls.isEmpty { message["content"] = .array(content) }
        if !calls.isEmpty {
            message["tool_calls"] = .array(calls.map { call($0.id, $0.name, arguments: $0.arguments) })
        }
        return message
    }

    // MARK: Parts of messages

    /// Ids have the form of a UUID.
    static func id(_ hex: String) -> String {
        "\(hex.prefix(8))-\(hex.dropFirst(8).prefix(4))-4000-8000-00000000\(hex.suffix(4))"
    }

    static func call(_ id: String, _ name: String, arguments: String) -> JSONValue {
        [
            "id": .string("\(name)_" + id.dropFirst("call_".count)), "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
    }

    static func reason(_ reply: SimulatedReply) -> String {
        switch reply.choices[0].finish {
        case .stop: "COMPLETE"
        case .length: "MAX_TOKENS"
        case .toolCalls: "TOOL_CALL"
        }
    }

    static func usage(_ reply: SimulatedReply) -> JSONValue {
        var tokens: JSONObject = [
            "input_tokens": .int(Int64(reply.promptTokens)), "output_tokens": .int(Int64(reply.replyTokens ?? 0)),
        ]
        let billed = JSONValue.object(tokens)
        if reply.showsReasoning { tokens["reasoning_tokens"] = .int(Int64(reply.reasoningTokens)) }
        return ["billed_units": billed, "tokens": .object(tokens), "cached_tokens": 0]
    }

    // MARK: Errors

    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer {
        var id = Fingerprint(seed: 0)
        id.add(refusal.message.utf8)
        let hex = String(id.value, radix: 16)
        let body: JSONValue = [
            "id": .string(Self.id(String(repeating: "0", count: 16 - hex.count) + hex)),
            "message": .string(Self.message(refusal)),
        ]
        return body.document
    }

    private static func message(_ refusal: RequestRefusal) -> String {
        let place = refusal.parameter.map { "\($0): " } ?? ""
        return (refusal.status == 400 ? "invalid request: " : "") + place + refusal.message
    }

    /// A reply that fails ends with a reason that says so.
    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer {
        var frame = ByteBuffer(string: "event: message-end\ndata: ")
        frame.writeJSON([
            "type": "message-end", "delta": ["finish_reason": "ERROR", "error": .string(Self.message(refusal))],
        ])
        frame.writeStaticString("\n\n")
        return frame
    }

    var brokenFrame: ByteBuffer {
        ByteBuffer(
            string:
                "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"co\n\n")
    }

    var commentFrame: ByteBuffer { ByteBuffer(string: ": keep-alive\n\n") }
}
