// Writes the chunks of one Chat Completions stream. All that stays the same in a stream is laid down once: a delta
// costs two copies and its own text.

internal import NIOCore

final class ChatCompletionsFrames: FrameSource {
    private let reply: SimulatedReply
    private let omissions: FrameOmissions
    private let shared: ByteBuffer
    private var lanes: [Lane]
    /// How many of `lanes` still have pieces or their finish to send.
    private var openLanes: Int
    private var turn = 0
    private var phase = Phase.roles(0)
    private(set) var hasDeltas: Bool

    private enum Phase { case roles(Int), pieces, finishes(Int), usage, done, end }

    /// One choice under way.
    private struct Lane {
        var pieces: PieceSource
        var next: ReplyPiece?
        var opening: ByteBuffer
        var finish: SimulatedReply.Finish
    }

    init(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) {
        self.reply = reply
        self.omissions = omissions
        var shared = ByteBuffer(string: "data: {\"id\":\"chatcmpl-\(reply.id)\",\"object\":\"chat.completion.chunk\",")
        shared.writeString("\"created\":\(reply.created),\"model\":")
        shared.writeJSON(string: reply.model)
        shared.writeStaticString(",\"system_fingerprint\":\"fp_moonrill\",\"choices\":[")
        self.shared = shared
        lanes = reply.choices.enumerated().map { index, choice in
            var opening = shared
            opening.writeString("{\"index\":\(index),\"delta\":{")
            var pieces = choice.pieces
            let first = pieces.next()
            return Lane(pieces: pieces, next: first, opening: opening, finish: choice.finish)
        }
        openLanes = lanes.count { $0.next != nil }
        hasDeltas = openLanes > 0
    }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        switch phase {
        case .roles(let index):
            writeRole(index, &buffer)
            phase = index + 1 < lanes.count ? .roles(index + 1) : hasDeltas ? .pieces : .finishes(0)
            return .control
        case .pieces:
            writePiece(&buffer)
            if !hasDeltas { phase = .finishes(0) }
            return .delta
        case .finishes(let index):
            guard index < lanes.count, !omissions.finish else {
                phase = .usage
                return next(into: &buffer)
            }
            writeFinish(index, &buffer)
            phase = .finishes(index + 1)
            return .control
        case .usage:
            phase = .done
            guard reply.includesUsage else { return next(into: &buffer) }
            buffer.writeImmutableBuffer(shared)
            buffer.writeStaticString("],\"usage\":")
            buffer.writeJSON(ChatCompletions.usage(reply))
            buffer.writeStaticString("}\n\n")
            return .control
        case .done:
            phase = .end
            guard !omissions.done else { return .end }
            buffer.writeStaticString("data: [DONE]\n\n")
            return .control
        case .end: return .end
        }
    }

    private func writeRole(_ index: Int, _ buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(lanes[index].opening)
        if reply.showsReasoning {
            buffer.writeStaticString("\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"\"")
        } else {
            buffer.writeStaticString("\"role\":\"assistant\",\"content\":\"\"")
        }
        close(&buffer)
    }

    private func close(_ buffer: inout ByteBuffer) {
        buffer.writeStaticString("},\"logprobs\":null,\"finish_reason\":null}]}\n\n")
    }

    private func writeFinish(_ index: Int, _ buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(lanes[index].opening)
        buffer.writeStaticString("},\"logprobs\":null,\"finish_reason\":\"")
        buffer.writeString(lanes[index].finish.rawValue)
        buffer.writeStaticString("\"}]}\n\n")
    }

    /// Writes the next piece of the next choice that has one: choices take turns.
    private func writePiece(_ buffer: inout ByteBuffer) {
        while lanes[turn].next == nil { advance() }
        guard let piece = lanes[turn].next else { return }
        buffer.writeImmutableBuffer(lanes[turn].opening)
        write(piece, &buffer)
        close(&buffer)
        lanes[turn].next = lanes[turn].pieces.next()
        if lanes[turn].next == nil { openLanes -= 1 }
        hasDeltas = openLanes > 0
        advance()
    }

    private func advance() { turn = turn + 1 < lanes.count ? turn + 1 : 0 }

    private func write(_ piece: ReplyPiece, _ buffer: inout ByteBuffer) {
        switch piece {
        case .text(let text):
            buffer.writeStaticString("\"content\":")
            buffer.writeJSON(string: text)
            if reply.showsReasoning { buffer.writeStaticString(",\"reasoning_content\":null") }
        case .reasoning(let text):
            buffer.writeStaticString("\"content\":null,\"reasoning_content\":")
            buffer.writeJSON(string: text)
        case .call(let slot, let id, let name):
            buffer.writeString(
                "\"tool_calls\":[{\"index\":\(slot),\"id\":\"\(id)\",\"type\":\"function\",\"function\":{\"name\":")
            buffer.writeJSON(string: name)
            buffer.writeStaticString(",\"arguments\":\"\"}}]")
        case .arguments(let slot, let text):
            buffer.writeString("\"tool_calls\":[{\"index\":\(slot),\"function\":{\"arguments\":")
            buffer.writeJSON(string: text)
            buffer.writeStaticString("}}]")
        }
    }
}
