// Writes the events of one chat stream. What stays the same in a part is laid down once: a delta costs a copy and its
// own text.

internal import JSON
internal import NIOCore

final class CohereChatFrames: FrameSource {
    private let reply: SimulatedReply
    private let omissions: FrameOmissions
    private var pieces: PieceSource
    private var next: ReplyPiece?
    private var phase = Phase.start
    private var part: Part?
    /// The next content part's index; calls have a count of their own.
    private var index = 0

    private enum Phase { case start, pieces, finish, end }

    /// What is being said.
    private struct Part {
        var kind: Kind
        /// The number that stands in its events.
        var index: Int
        /// A delta up to its text.
        var opening: ByteBuffer
        /// What closes a delta after its text.
        var closing: String

        enum Kind: Equatable { case thinking, text, plan, call(Int) }
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
            let message: JSONValue = [
                "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [],
            ]
            let id = JSONValue.string(CohereChat.id(reply.id))
            write("message-start", ["id": id, "delta": ["message": message]], &buffer)
            phase = .pieces
            return .control
        case .pieces: return writePiece(&buffer)
        case .finish:
            phase = .end
            guard !omissions.done else { return .end }
            var delta: JSONObject = [:]
            if !omissions.finish { delta["finish_reason"] = .string(CohereChat.reason(reply)) }
            delta["usage"] = CohereChat.usage(reply)
            write("message-end", ["delta": .object(delta)], &buffer)
            return .control
        case .end: return .end
        }
    }

    // MARK: Parts

    /// Writes the next piece, or what must stand before it: the end of one part, the begin of another.
    private func writePiece(_ buffer: inout ByteBuffer) -> FrameStep {
        guard let piece = next else {
            if close(&buffer) { return .control }
            phase = .finish
            return next(into: &buffer)
        }
        let kind = kind(of: piece)
        if part?.kind != kind {
            if close(&buffer) { return .control }
            if begin(kind, piece, &buffer) {
                guard case .call = piece else { return .control }
                next = pieces.next()
                return .delta
            }
        }
        if let part {
            buffer.writeImmutableBuffer(part.opening)
            switch piece {
            case .text(let text), .reasoning(let text), .arguments(_, let text): buffer.writeJSON(string: text)
            case .call: buffer.writeStaticString("\"\"")
            }
            buffer.writeString(part.closing)
        }
        next = pieces.next()
        return .delta
    }

    /// What a model that does not think says before its calls is its plan.
    private func kind(of piece: ReplyPiece) -> Part.Kind {
        switch piece {
        case .reasoning: reply.showsReasoning ? .thinking : .plan
        case .text: .text
        case .call(let slot, _, _), .arguments(let slot, _): .call(slot)
        }
    }

    /// Lays down the part; false where no event begins it.
    private func begin(_ kind: Part.Kind, _ piece: ReplyPiece, _ buffer: inout ByteBuffer) -> Bool {
        switch kind {
        case .plan:
            part = Self.part(kind, 0, "tool-plan-delta", "\"tool_plan\":", "}}}\n\n")
            return false
        case .thinking, .text:
            let name = kind == .text ? "text" : "thinking"
            part = Self.part(kind, index, "content-delta", "\"content\":{\"\(name)\":", "}}}}\n\n")
            writeContent(
                "content-start", index, ["content": ["type": .string(name), name: ""]], &buffer)
            index += 1
        case .call(let slot):
            part = Self.part(
                kind, slot, "tool-call-delta", "\"tool_calls\":{\"function\":{\"arguments\":", "}}}}}\n\n")
            guard case .call(_, let id, let name) = piece else { return false }
            writeContent("tool-call-start", slot, ["tool_calls": CohereChat.call(id, name, arguments: "")], &buffer)
        }
        return true
    }

    private static func part(
        _ kind: Part.Kind, _ index: Int, _ type: String, _ member: String, _ closing: String
    ) -> Part {
        let place = kind == .plan ? "" : "\"index\":\(index),"
        let opening = ByteBuffer(
            string: "event: \(type)\ndata: {\"type\":\"\(type)\",\(place)\"delta\":{\"message\":{\(member)")
        return Part(kind: kind, index: index, opening: opening, closing: closing)
    }

    /// Ends the part under way; false where there is none, or where no event ends it.
    private func close(_ buffer: inout ByteBuffer) -> Bool {
        guard let part else { return false }
        self.part = nil
        switch part.kind {
        case .plan: return false
        case .thinking, .text: write("content-end", ["index": .int(Int64(part.index))], &buffer)
        case .call: write("tool-call-end", ["index": .int(Int64(part.index))], &buffer)
        }
        return true
    }

    private func writeContent(_ type: String, _ index: Int, _ message: JSONValue, _ buffer: inout ByteBuffer) {
        write(type, ["index": .int(Int64(index)), "delta": ["message": message]], &buffer)
    }

    private func write(_ type: String, _ members: JSONObject, _ buffer: inout ByteBuffer) {
        var event: JSONObject = ["type": .string(type)]
        for member in members { event[member.key] = member.value }
        buffer.writeString("event: \(type)\ndata: ")
        buffer.writeJSON(.object(event))
        buffer.writeStaticString("\n\n")
    }
}
