// Encodes the chunks of one Chat Completions stream.

internal import Chat
internal import JSON

final class OpenAIChatStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    /// The beginning of every chunk, up to its choices.
    private let opening: [UInt8]
    /// The beginning of a chunk up to the members of the delta, by choice.
    private let deltas: [[UInt8]]

    init(_ head: ReplyHead) {
        self.head = head
        var chunk = EncodedFrames()
        chunk.write("data: {\"id\":")
        chunk.write(jsonString: OpenAIChatReplyEncoder.id(head))
        chunk.write(",\"object\":\"chat.completion.chunk\",\"created\":\(head.created),\"model\":")
        chunk.write(jsonString: head.model)
        chunk.write(",\"system_fingerprint\":\"fp_moonrill\",\"choices\":[")
        let opening = chunk.bytes
        self.opening = opening
        deltas = (0..<head.choices).map { opening + Array("{\"index\":\($0),\"delta\":{".utf8) }
    }

    func begin(into frames: inout EncodedFrames) {
        for delta in deltas {
            frames.write(delta)
            frames.write("\"role\":\"assistant\",")
            frames.write(head.showsReasoning ? "\"content\":null,\"reasoning_content\":\"\"" : "\"content\":\"\"")
            close(&frames, isDelta: false)
        }
    }

    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        frames.write(deltas[choice])
        switch part {
        case .text(let text):
            frames.write("\"content\":")
            frames.write(jsonString: text)
            if head.showsReasoning { frames.write(",\"reasoning_content\":null") }
        case .reasoning(let text):
            frames.write("\"content\":null,\"reasoning_content\":")
            frames.write(jsonString: text)
        case .toolCall(let index, let id, let name):
            frames.write("\"tool_calls\":[{\"index\":\(index),\"id\":")
            frames.write(jsonString: id)
            frames.write(",\"type\":\"function\",\"function\":{\"name\":")
            frames.write(jsonString: name)
            frames.write(",\"arguments\":\"\"}}]")
        case .arguments(let index, let text):
            frames.write("\"tool_calls\":[{\"index\":\(index),\"function\":{\"arguments\":")
            frames.write(jsonString: text)
            frames.write("}}]")
        }
        close(&frames, isDelta: true)
    }

    private func close(_ frames: inout EncodedFrames, isDelta: Bool) {
        frames.write("},\"logprobs\":null,\"finish_reason\":null}]}\n\n")
        frames.endFrame(isDelta: isDelta)
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        if let refusal = ending.refusal, let delta = deltas.first {
            frames.write(delta)
            frames.write("\"refusal\":")
            frames.write(jsonString: refusal)
            close(&frames, isDelta: true)
        }
        for (delta, reason) in zip(deltas, ending.reasons) {
            frames.write(delta)
            frames.write("},\"logprobs\":null,\"finish_reason\":\"\(OpenAIChatReplyEncoder.reason(reason))\"}]}\n\n")
            frames.endFrame()
        }
        if head.includesUsage {
            frames.write(opening)
            frames.write("],\"usage\":")
            frames.write(json: OpenAIChatReplyEncoder.usage(ending.usage))
            frames.write("}\n\n")
            frames.endFrame()
        }
        guard ending.hasEndMarker else { return }
        frames.write("data: [DONE]\n\n")
        frames.endFrame()
    }

    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeFrame("data: ", OpenAIChatReplyEncoder.error(error), "\n\n")
    }
}
