// Writes the chunks of one streamGenerateContent: a part each, and the counts so far.

internal import JSON
internal import NIOCore

final class GeminiContentFrames: FrameSource {
    private let reply: SimulatedReply
    private let isArray: Bool
    private let omissions: FrameOmissions
    private var parts: WholeParts
    private var next: WholePart?
    private var counts = GeminiContent.Counts()
    private var signature = GeminiSignature()
    private var hasCall = false
    private var hasBegun = false
    private var phase = Phase.parts

    private enum Phase { case parts, finish, close, end }

    init(_ reply: SimulatedReply, isArray: Bool, leavingOut omissions: FrameOmissions) {
        self.reply = reply
        self.isArray = isArray
        self.omissions = omissions
        parts = WholeParts(reply.choices[0].pieces)
        next = parts.next()
    }

    var hasDeltas: Bool { next != nil }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        switch phase {
        case .parts:
            guard let part = next else {
                phase = omissions.done ? .close : .finish
                return next(into: &buffer)
            }
            next = parts.next()
            write(["content": content(of: part), "index": 0], &buffer)
            return .delta
        case .finish:
            phase = .close
            var last: JSONObject = ["text": ""]
            // Where nobody thinks, nothing is signed; of a turn with calls the first call is.
            if reply.showsReasoning, !hasCall { last["thoughtSignature"] = .string(signature.text) }
            var candidate: JSONObject = ["content": ["parts": [.object(last)], "role": "model"]]
            if !omissions.finish { candidate["finishReason"] = .string(GeminiContent.reason(reply)) }
            candidate["index"] = 0
            write(candidate, &buffer)
            return .control
        case .close:
            phase = .end
            // A reply that is left without its end is left without the array's too.
            guard isArray, !omissions.done else { return .end }
            buffer.writeString(hasBegun ? "\r\n]" : "[]")
            return .control
        case .end: return .end
        }
    }

    private func content(of part: WholePart) -> JSONValue {
        let fields: JSONObject
        switch part {
        case .reasoning(let piece):
            counts.thoughts += 1
            fields = ["text": .string(piece), "thought": true]
        case .text(let piece):
            counts.text += 1
            if reply.showsReasoning { signature.add(piece) }
            fields = ["text": .string(piece)]
        case .call(let id, let name, let arguments, let count):
            counts.text += count
            fields = GeminiContent.call(id, name, arguments, isSigned: !hasCall)
            hasCall = true
        }
        return ["parts": [.object(fields)], "role": "model"]
    }

    private func write(_ candidate: JSONObject, _ buffer: inout ByteBuffer) {
        buffer.writeString(!isArray ? "data: " : hasBegun ? ",\r\n" : "[")
        hasBegun = true
        buffer.writeJSON(GeminiContent.chunk(candidate, reply, counts))
        if !isArray { buffer.writeStaticString("\r\n\r\n") }
    }
}
