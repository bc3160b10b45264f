// Encodes the events of one Messages stream.

internal import Chat
internal import JSON

final class AnthropicMessagesStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    private var block: Block?
    private var index = 0

    /// The content block in progress.
    private struct Block {
        var kind: Kind
        /// A delta event up to its text.
        var opening: String
        var signature = AnthropicMessagesSignature()

        enum Kind: Equatable {
            case thinking, text
            case call(Int)

            init(of part: ReplyPart) {
                self =
                    switch part {
                    case .reasoning: .thinking
                    case .text: .text
                    case .toolCall(let index, _, _), .arguments(let index, _): .call(index)
                    }
            }
        }
    }

    init(_ head: ReplyHead) { self.head = head }

    func begin(into frames: inout EncodedFrames) {
        var message = AnthropicMessagesReplyEncoder.message(head)
        message["usage"] = ["input_tokens": .int(Int64(head.inputTokens)), "output_tokens": 1]
        frames.writeEvent("message_start", ["message": .object(message)])
        frames.write(AnthropicMessagesReplyEncoder.ping)
        frames.endFrame()
    }

    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        let kind = Block.Kind(of: part)
        if block?.kind != kind {
            close(&frames)
            begin(kind, part, &frames)
        }
        let text: String
        switch part {
        case .toolCall: return
        case .text(let piece), .arguments(_, let piece): text = piece
        case .reasoning(let piece):
            text = piece
            block?.signature.add(piece)
        }
        frames.write(block?.opening ?? "")
        frames.write(jsonString: text)
        frames.write("}}\n\n")
        frames.endFrame(isDelta: true)
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        close(&frames)
        let reason: JSONValue = ending.reason.map { .string(AnthropicMessagesReplyEncoder.reason($0)) } ?? nil
        frames.writeEvent(
            "message_delta",
            [
                "delta": ["stop_reason": reason, "stop_sequence": nil],
                "usage": AnthropicMessagesReplyEncoder.usage(ending.usage),
            ])
        if ending.hasEndMarker { frames.writeEvent("message_stop", [:]) }
    }

    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeFrame("event: error\ndata: ", AnthropicMessagesReplyEncoder.error(error), "\n\n")
    }

    // MARK: Blocks

    private func begin(_ kind: Block.Kind, _ part: ReplyPart, _ frames: inout EncodedFrames) {
        let (type, member): (String, String)
        let form: JSONObject
        switch kind {
        case .thinking:
            (type, member) = ("thinking_delta", "thinking")
            form = ["type": "thinking", "thinking": "", "signature": ""]
        case .text:
            (type, member) = ("text_delta", "text")
            form = ["type": "text", "text": ""]
        case .call:
            (type, member) = ("input_json_delta", "partial_json")
            guard case .toolCall(_, let id, let name) = part else { return }
            form = AnthropicMessagesReplyEncoder.toolUse(id: id, name: name)
        }
        block = Block(
            kind: kind,
            opening: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":\(index),"
                + "\"delta\":{\"type\":\"\(type)\",\"\(member)\":")
        var isCall = false
        if case .call = kind { isCall = true }
        frames.writeEvent(
            "content_block_start", ["index": .int(Int64(index)), "content_block": .object(form)], isDelta: isCall)
    }

    /// Ends the block in progress. Thinking is signed first.
    private func close(_ frames: inout EncodedFrames) {
        guard let block else { return }
        let place: JSONObject = ["index": .int(Int64(index))]
        if block.kind == .thinking {
            let delta: JSONValue = ["type": "signature_delta", "signature": .string(block.signature.text)]
            frames.writeEvent("content_block_delta", place.with("delta", delta))
        }
        frames.writeEvent("content_block_stop", place)
        self.block = nil
        index += 1
    }
}
