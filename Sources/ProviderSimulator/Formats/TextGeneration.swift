// Hugging Face's text-generation-inference on its own endpoints, as the provider writes it: one prompt in, tokens out.
// Source: TGI's API reference (/generate, /generate_stream) and its error types.

internal import JSON
internal import NIOCore

struct TextGeneration: SimulatedFormat {
    let streamType = "text/event-stream"

    /// Servers behind a gateway have a /v1 before the path.
    func route(_ path: String) -> SimulatorRoute? {
        ["/generate_stream", "/generate", "/v1/generate_stream", "/v1/generate"].contains(path) ? .reply : nil
    }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        try TextGenerationReader(body: body, streams: path.hasSuffix("_stream")).prompt()
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        TextGenerationFrames(reply, leavingOut: omissions)
    }

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        var object: JSONObject = ["generated_text": .string(Self.text(reply))]
        if reply.includesUsage {
            var details = Self.details(reply)
            details["prefill"] = []
            details["tokens"] = []
            object["details"] = .object(details)
        }
        return JSONValue.object(object).document
    }

    /// All the text of a reply that ends.
    static func text(_ reply: SimulatedReply) -> String {
        var text = ""
        for case .text(let part) in reply.choices[0].pieces { text += part }
        return text
    }

    /// What `details` asks for. The token that ends a text is one of those generated.
    static func details(_ reply: SimulatedReply) -> JSONObject {
        let isCut = reply.choices[0].finish == .length
        return [
            "finish_reason": isCut ? "length" : "eos_token",
            "generated_tokens": .int(Int64((reply.replyTokens ?? 0) + (isCut ? 0 : 1))), "seed": nil,
            "input_length": .int(Int64(reply.promptTokens)),
        ]
    }

    // MARK: Errors

    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer { Self.error(refusal).document }

    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer {
        var frame = ByteBuffer(string: "data:")
        frame.writeJSON(Self.error(refusal))
        frame.writeStaticString("\n\n")
        return frame
    }

    /// The server names the type of its own errors; those of the gateway before it (keys, limits) have none.
    private static func error(_ refusal: RequestRefusal) -> JSONValue {
        let type: String? =
            switch refusal.status {
            case 400, 422: "validation"
            case 503, 529: "overloaded"
            case 500...: "generation"
            default: nil
            }
        let place = refusal.parameter.map { "`\($0)`: " } ?? ""
        let prefix = type == "validation" ? "Input validation error: " : ""
        var object: JSONObject = ["error": .string(prefix + place + refusal.message)]
        if let type { object["error_type"] = .string(type) }
        return .object(object)
    }

    var brokenFrame: ByteBuffer {
        ByteBuffer(string: "data:{\"index\":1,\"token\":{\"id\":1,\"text\":\"br\n\n")
    }

    var commentFrame: ByteBuffer { ByteBuffer(string: ":\n\n") }
}
