// Writes the events of one Messages stream. What stays the same in a block is laid down once: a delta costs a copy and
// its own text.

internal import JSON
internal import NIOCore

final class AnthropicMessagesFrames: FrameSource {
    private let reply: SimulatedReply
    private let omissions: FrameOmissions
    private var pieces: PieceSource
    private var next: ReplyPiece?
    private var phase = Phase.start
    private var block: Block?
    private var index = 0

    private enum Phase { case start, ping, pieces, finish, done, end }

    /// The block under way.
    private struct Block {
        var kind: Kind
        /// A delta up to its text.
        var opening: ByteBuffer
        /// The thinking so far, to be signed.
        var thought = ""
        var isSigned = false

        enum Kind: Equatable { case thinking, text, call(Int) }
    }

    init(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) {
        self.reply = reply
        self.omissions = omissions
        pieces = reply.choices[0].pieces
        next = pieces.next()
    }

    var hasDeltas: Bool { next != nil }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        switch phase {
        case .start:
            writeStart(&buffer)
            phase = .ping
        case .ping:
            buffer.writeStaticString("event: ping\ndata: {\"type\": \"ping\"}\n\n")
            phase = .pieces
        case .pieces: return writePiece(&buffer)
        case .finish:
            writeFinish(&buffer)
            phase = .done
        case .done:
            phase = .end
            guard !omissions.done else { return .end }
            buffer.writeStaticString("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
        case .end: return .end
        }
        return .control
    }

    private func writeStart(_ buffer: inout ByteBuffer) {
        var message = AnthropicMessages.message(reply)
        message["usage"] = ["input_tokens": .int(Int64(reply.promptTokens)), "output_tokens": 1]
        write("message_start", ["message": .object(message)], &buffer)
    }

    private func writeFinish(_ buffer: inout ByteBuffer) {
        let reason: JSONValue = omissions.finish ? nil : .string(AnthropicMessages.reason(reply))
        let delta: JSONObject = ["stop_reason": reason, "stop_sequence": nil]
        write("message_delta", ["delta": .object(delta), "usage": AnthropicMessages.usage(reply)], &buffer)
    }

    // MARK: Blocks

    /// Writes the next piece, or what must stand before it: the end of one block, the begin of another.
    private func writePiece(_ buffer: inout ByteBuffer) -> FrameStep {
        guard let piece = next else {
            guard block == nil else { return close(&buffer) }
            phase = .finish
            return next(into: &buffer)
        }
        let kind = Self.kind(of: piece)
        if let block, block.kind != kind { return close(&buffer) }
        guard block != nil else {
            begin(kind, piece, &buffer)
            guard case .call = piece else { return .control }
            next = pieces.next()
            return .delta
        }
        write(piece, &buffer)
        next = pieces.next()
        return .delta
    }

    private static func kind(of piece: ReplyPiece) -> Block.Kind {
        switch piece {
        case .reasoning: .thinking
        case .text: .text
        case .call(let slot, _, _), .arguments(let slot, _): .call(slot)
        }
    }

    private func begin(_ kind: Block.Kind, _ piece: ReplyPiece, _ buffer: inout ByteBuffer) {
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
            guard case .call(_, let id, let name) = piece else { return }
            form = AnthropicMessages.toolUse(id: id, name: name)
        }
        let opening = ByteBuffer(
            string: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":\(index),"
                + "\"delta\":{\"type\":\"\(type)\",\"\(member)\":")
        block = Block(kind: kind, opening: opening)
        write("content_block_start", ["index": .int(Int64(index)), "content_block": .object(form)], &buffer)
    }

    private func write(_ piece: ReplyPiece, _ buffer: inout ByteBuffer) {
        guard let block else { return }
        buffer.writeImmutableBuffer(block.opening)
        switch piece {
        case .text(let text), .arguments(_, let text): buffer.writeJSON(string: text)
        case .reasoning(let text):
            buffer.writeJSON(string: text)
            self.block?.thought += text
        case .call: break
        }
        buffer.writeStaticString("}}\n\n")
    }

    /// The signature of thinking, then the block's end.
    private func close(_ buffer: inout ByteBuffer) -> FrameStep {
        if let block, block.kind == .thinking, !block.isSigned {
            self.block?.isSigned = true
            let delta: JSONObject = [
                "type": "signature_delta", "signature": .string(AnthropicMessages.sign(block.thought)),
            ]
            write("content_block_delta", ["index": .int(Int64(index)), "delta": .object(delta)], &buffer)
            return .control
        }
        write("content_block_stop", ["index": .int(Int64(index))], &buffer)
        block = nil
        index += 1
        return .control
    }

    private func write(_ type: String, _ members: JSONObject, _ buffer: inout ByteBuffer) {
        var event: JSONObject = ["type": .string(type)]
        for member in members { event[member.key] = member.value }
        buffer.writeString("event: \(type)\ndata: ")
        buffer.writeJSON(.object(event))
        buffer.writeStaticString("\n\n")
    }
}
