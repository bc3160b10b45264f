// Encodes Chat Completions bodies and errors, with DeepSeek's `reasoning_content` for models that reason.
// Sources: API references of OpenAI (chat/completions, streaming) and DeepSeek (reasoning model).

internal import Chat
internal import JSON

struct OpenAIChatReplyEncoder: ReplyEncoder {
    let streamType = "text/event-stream; charset=utf-8"
    let keepAlive = Array(": keep-alive\n\n".utf8)
    let hasRefusals = true

    func stream(_ head: ReplyHead) -> any StreamEncoder { OpenAIChatStreamEncoder(head) }

    func body(_ reply: WholeReply) -> [UInt8] {
        let choices = reply.choices.enumerated().map { index, blocks -> JSONValue in
            let reason = index < reply.ending.reasons.count ? reply.ending.reasons[index] : nil
            return [
                "index": .int(Int64(index)), "message": Self.message(blocks, reply), "logprobs": nil,
                "finish_reason": reason.map { .string(Self.reason($0)) } ?? nil,
            ]
        }
        return JSONWriter.bytes([
            "id": .string(Self.id(reply.head)), "object": "chat.completion",
            "created": .int(Int64(reply.head.created)), "model": .string(reply.head.model),
            "system_fingerprint": "fp_moonrill", "choices": .array(choices), "usage": Self.usage(reply.ending.usage),
        ])
    }

    private static func message(_ blocks: [ReplyBlock], _ reply: WholeReply) -> JSONValue {
        var (text, reasoning) = ("", "")
        var calls: [JSONValue] = []
        for block in blocks {
            switch block {
            case .text(let piece): text += piece
            case .reasoning(let piece): reasoning += piece
            case .toolCall(let call): calls.append(call.messagePart)
            }
        }
        var message: JSONObject = [
            "role": "assistant",
            "content": text.isEmpty && !(calls.isEmpty && reply.ending.refusal == nil) ? nil : .string(text),
        ]
        if let refusal = reply.ending.refusal { message["refusal"] = .string(refusal) }
        if reply.head.showsReasoning { message["reasoning_content"] = .string(reasoning) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return .object(message)
    }

    // MARK: Parts of chunks

    static func id(_ head: ReplyHead) -> String { "chatcmpl-\(head.id)" }

    static func reason(_ reason: FinishReason) -> String {
        switch reason {
        case .stop, .length, .toolCalls, .contentFilter: reason.rawValue
        case .cancelled, .other: FinishReason.stop.rawValue
        }
    }

    static func usage(_ usage: Usage) -> JSONValue {
        [
            "prompt_tokens": .int(Int64(usage.inputTokens ?? 0)),
            "completion_tokens": .int(Int64(usage.outputTokens ?? 0)),
            "total_tokens": .int(usage.sum),
            "prompt_tokens_details": ["cached_tokens": .int(Int64(usage.cachedTokens ?? 0))],
            "completion_tokens_details": ["reasoning_tokens": .int(Int64(usage.reasoningTokens ?? 0))],
        ]
    }

    // MARK: Errors

    func errorBody(_ error: ReplyError) -> [UInt8] { JSONWriter.bytes(Self.error(error)) }

    static func error(_ error: ReplyError) -> JSONValue {
        [
            "error": [
                "message": .string(error.message), "type": .string(error.type),
                "param": error.parameter.map { .string($0) } ?? nil, "code": error.code.map { .string($0) } ?? nil,
            ]
        ]
    }
}

extension Usage {
    /// Sum of input and output tokens.
    var sum: Int64 { Int64(inputTokens ?? 0) + Int64(outputTokens ?? 0) }
}
