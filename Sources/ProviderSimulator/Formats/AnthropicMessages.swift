// Anthropic's Messages, as the provider writes them. Source: the API reference (messages, messages-streaming, errors).

internal import JSON
internal import NIOCore

struct AnthropicMessages: SimulatedFormat {
    let streamType = "text/event-stream; charset=utf-8"

    func route(_ path: String) -> SimulatorRoute? { path == "/v1/messages" ? .reply : nil }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        try AnthropicMessagesReader(body: body).prompt()
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        AnthropicMessagesFrames(reply, leavingOut: omissions)
    }

    // MARK: A reply in one piece

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        var blocks: [JSONObject] = []
        var arguments = ""
        for piece in reply.choices[0].pieces {
            switch piece {
            case .reasoning(let text): Self.add(text, to: "thinking", in: &blocks)
            case .text(let text): Self.add(text, to: "text", in: &blocks)
            case .call(_, let id, let name):
                Self.close(&arguments, in: &blocks)
                blocks.append(Self.toolUse(id: id, name: name))
            case .arguments(_, let text): arguments += text
            }
        }
        Self.close(&arguments, in: &blocks)
        for index in blocks.indices {
            if let text = blocks[index]["thinking"]?.string { blocks[index]["signature"] = .string(Self.sign(text)) }
        }
        var message = Self.message(reply)
        message["content"] = .array(blocks.map { .object($0) })
        message["stop_reason"] = .string(Self.reason(reply))
        message["usage"] = Self.usage(reply)
        return JSONValue.object(message).document
    }

    /// Adds text to the last block, or begins one.
    private static func add(_ text: String, to type: String, in blocks: inout [JSONObject]) {
        if blocks.last?["type"]?.string == type {
            let earlier = blocks[blocks.count - 1][type]?.string ?? ""
            blocks[blocks.count - 1][type] = .string(earlier + text)
        } else {
            blocks.append(["type": .string(type), type: .string(text)])
        }
    }

    /// Gives the last block its arguments; those cut by the token limit are no object, and are left out.
    private static func close(_ arguments: inout String, in blocks: inout [JSONObject]) {
        defer { arguments = "" }
        // Where the limit cut them, no JSON is what they are meant to be.
        guard !arguments.isEmpty, let value = try? RequestJSON.read(Array(arguments.utf8)) else { return }
        blocks[blocks.count - 1]["input"] = value
    }

    // MARK: Parts of messages

    /// The message's own members, before anything has been said.
    static func message(_ reply: SimulatedReply) -> JSONObject {
        [
            "id": .string("msg_\(reply.id)"), "type": "message", "role": "assistant", "model": .string(reply.model),
            "content": [], "stop_reason": nil, "stop_sequence": nil,
        ]
    }

    static func toolUse(id: String, name: String) -> JSONObject {
        [
            "type": "tool_use", "id": .string("toolu_" + id.dropFirst("call_".count)), "name": .string(name),
            "input": [:],
        ]
    }

    /// What is signed is known again when it comes back: the provider refuses thinking that was changed.
    static func sign(_ thinking: String) -> String {
        var signature = Fingerprint(seed: 0)
        signature.add(thinking.utf8)
        return "sig/" + String(signature.value, radix: 36) + "=="
    }

    static func reason(_ reply: SimulatedReply) -> String {
        switch reply.choices[0].finish {
        case .stop: "end_turn"
        case .length: "max_tokens"
        case .toolCalls: "tool_use"
        }
    }

    static func usage(_ reply: SimulatedReply) -> JSONValue {
        [
            "input_tokens": .int(Int64(reply.promptTokens)), "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": .int(Int64(reply.replyTokens ?? 0)),
            "output_tokens_details": ["thinking_tokens": .int(Int64(reply.reasoningTokens))],
        ]
    }

    // MARK: Errors

    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer { Self.error(refusal).document }

    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer {
        var frame = ByteBuffer(string: "event: error\ndata: ")
        frame.writeJSON(Self.error(refusal))
        frame.writeStaticString("\n\n")
        return frame
    }

    private static func error(_ refusal: RequestRefusal) -> JSONValue {
        let type =
            switch refusal.status {
            case _ where refusal.code == RequestRefusal.noQuota.code: "billing_error"
            case 401: "authentication_error"
            case 403: "permission_error"
            case 404: "not_found_error"
            case 408, 504: "timeout_error"
            case 413: "request_too_large"
            case 429: "rate_limit_error"
            case 503, 529: "overloaded_error"
            case 500...: "api_error"
            default: "invalid_request_error"
            }
        let place = refusal.parameter.map { "\($0): " } ?? ""
        return ["type": "error", "error": ["type": .string(type), "message": .string(place + refusal.message)]]
    }

    var brokenFrame: ByteBuffer {
        ByteBuffer(
            string:
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"te\n\n")
    }

    /// This provider keeps the connection warm with events of its own, not with comments.
    var commentFrame: ByteBuffer { ByteBuffer(string: "event: ping\ndata: {\"type\": \"ping\"}\n\n") }
}
