// OpenAI Chat Completions, as the provider writes it: with DeepSeek's `reasoning_content` for models that think.
// Source: the API references of OpenAI (chat/completions, streaming) and DeepSeek (reasoning model).

internal import JSON
internal import NIOCore

struct ChatCompletions: SimulatedFormat {
    let streamType = "text/event-stream; charset=utf-8"
    static let models = ["moonrill-reasoner", "moonrill-chat"]

    func route(_ path: String) -> SimulatorRoute? {
        if path == "/v1/chat/completions" { return .reply }
        if path == "/v1/models" {
            return .document(["object": "list", "data": .array(Self.models.map(Self.model))])
        }
        let prefix = "/v1/models/"
        guard path.hasPrefix(prefix), Self.models.contains(String(path.dropFirst(prefix.count))) else { return nil }
        return .document(Self.model(String(path.dropFirst(prefix.count))))
    }

    private static func model(_ name: String) -> JSONValue {
        ["id": .string(name), "object": "model", "created": 1_700_000_000, "owned_by": "moonrill"]
    }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        try ChatCompletionsReader(body: body).prompt()
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        ChatCompletionsFrames(reply, leavingOut: omissions)
    }

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        var object: JSONObject = [
            "id": .string("chatcmpl-\(reply.id)"), "object": "chat.completion", "created": .int(Int64(reply.created)),
            "model": .string(reply.model), "system_fingerprint": "fp_moonrill",
        ]
        object["choices"] = .array(
            reply.choices.enumerated().map { index, choice in
                [
                    "index": .int(Int64(index)), "message": Self.message(choice.pieces, reply), "logprobs": nil,
                    "finish_reason": .string(choice.finish.rawValue),
                ]
            })
        object["usage"] = Self.usage(reply)
        return JSONValue.object(object).document
    }

    private static func message(_ pieces: PieceSource, _ reply: SimulatedReply) -> JSONValue {
        var text = ""
        var reasoning = ""
        var calls: [(id: String, name: String, arguments: String)] = []
        for piece in pieces {
            switch piece {
            case .text(let part): text += part
            case .reasoning(let part): reasoning += part
            case .call(_, let id, let name): calls.append((id, name, ""))
            case .arguments(let slot, let part): calls[slot].arguments += part
            }
        }
        var message: JSONObject = [
            "role": "assistant", "content": text.isEmpty && !calls.isEmpty ? nil : .string(text),
        ]
        if reply.showsReasoning { message["reasoning_content"] = .string(reasoning) }
        if !calls.isEmpty {
            message["tool_calls"] = .array(
                calls.map { call in
                    [
                        "id": .string(call.id), "type": "function",
                        "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
                    ]
                })
        }
        return .object(message)
    }

    static func usage(_ reply: SimulatedReply) -> JSONValue {
        let output = reply.replyTokens ?? 0
        return [
            "prompt_tokens": .int(Int64(reply.promptTokens)), "completion_tokens": .int(Int64(output)),
            "total_tokens": .int(Int64(reply.promptTokens + output)),
            "prompt_tokens_details": ["cached_tokens": 0],
            "completion_tokens_details": ["reasoning_tokens": .int(Int64(reply.reasoningTokens))],
        ]
    }

    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer { Self.error(refusal).document }

    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer {
        var frame = ByteBuffer(string: "data: ")
        frame.writeJSON(Self.error(refusal))
        frame.writeStaticString("\n\n")
        return frame
    }

    private static func error(_ refusal: RequestRefusal) -> JSONValue {
        [
            "error": [
                "message": .string(refusal.message), "type": .string(refusal.type),
                "param": refusal.parameter.map { .string($0) } ?? nil,
                "code": refusal.code.map { .string($0) } ?? nil,
            ]
        ]
    }

    var brokenFrame: ByteBuffer {
        ByteBuffer(
            string: "data: {\"id\":\"chatcmpl-broken\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"br\n\n")
    }

    var commentFrame: ByteBuffer { ByteBuffer(string: ": keep-alive\n\n") }
}
