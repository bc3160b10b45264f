// OpenAI's Responses, as the provider writes them. Source: the API reference (responses, responses-streaming).

internal import JSON
internal import NIOCore

struct OpenAIResponses: SimulatedFormat {
    let streamType = "text/event-stream; charset=utf-8"

    /// The second one is Azure's.
    func route(_ path: String) -> SimulatorRoute? {
        path == "/v1/responses" || path == "/openai/v1/responses" ? .reply : nil
    }

    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt {
        try OpenAIResponsesReader(body: body).prompt()
    }

    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource {
        OpenAIResponsesFrames(reply, leavingOut: omissions)
    }

    func whole(_ reply: SimulatedReply) -> ByteBuffer {
        var items: [OpenAIResponsesItem] = []
        for piece in reply.choices[0].pieces {
            if items.last?.kind != OpenAIResponsesItem.Kind(of: piece) {
                items.append(OpenAIResponsesItem(piece, index: items.count, reply))
            }
            items[items.count - 1].text += OpenAIResponsesItem.text(of: piece)
        }
        let isCut = reply.choices[0].finish == .length
        let output = items.enumerated().map { $1.done(isCut: isCut && $0 == items.count - 1) }
        return Self.finished(reply, output).document
    }

    // MARK: The response

    /// How the response ends.
    static func status(_ reply: SimulatedReply) -> String {
        reply.choices[0].finish == .length ? "incomplete" : "completed"
    }

    /// The response while it is being made.
    static func begun(_ reply: SimulatedReply) -> JSONValue {
        response(reply, status: "in_progress", output: [], usage: nil)
    }

    static func finished(_ reply: SimulatedReply, _ output: [JSONValue]) -> JSONValue {
        let count = reply.replyTokens ?? 0
        let usage: JSONValue = [
            "input_tokens": .int(Int64(reply.promptTokens)),
            "input_tokens_details": ["cached_tokens": 0, "cache_write_tokens": 0],
            "output_tokens": .int(Int64(count)),
            "output_tokens_details": ["reasoning_tokens": .int(Int64(reply.reasoningTokens))],
            "total_tokens": .int(Int64(reply.promptTokens + count)),
        ]
        return response(reply, status: status(reply), output: output, usage: usage)
    }

    private static func response(
        _ reply: SimulatedReply, status: String, output: [JSONValue], usage: JSONValue
    ) -> JSONValue {
        var response: JSONObject = [
            "id": .string("resp_\(reply.id)"), "object": "response", "created_at": .int(Int64(reply.created)),
            "status": .string(status), "background": false, "error": nil,
            "incomplete_details": status == "incomplete" ? ["reason": "max_output_tokens"] : nil,
            "model": .string(reply.model), "output": .array(output), "previous_response_id": nil, "usage": usage,
        ]
        for member in reply.repeated { response[member.key] = member.value }
        return .object(response)
    }

    // MARK: Errors

    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer { ChatCompletions().errorBody(refusal) }

    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer {
        var frame = ByteBuffer(string: "event: error\ndata: ")
        frame.writeJSON([
            "type": "error", "code": .string(refusal.code ?? refusal.type), "message": .string(refusal.message),
            "param": refusal.parameter.map { .string($0) } ?? nil,
        ])
        frame.writeStaticString("\n\n")
        return frame
    }

    var brokenFrame: ByteBuffer {
        ByteBuffer(
            string:
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"br\n\n")
    }

    var commentFrame: ByteBuffer { ByteBuffer(string: ": keepalive\n\n") }
}
