// Writes the lines of one /api/chat. What stays the same is laid down once: a delta costs a copy, the time and its text.

internal import JSON
internal import NIOCore

final class OllamaChatFrames: FrameSource {
    private let reply: SimulatedReply
    private let omissions: FrameOmissions
    private let opening: ByteBuffer
    private var parts: WholeParts
    private var next: WholePart?
    private var line = 0
    private var isOver = false

    init(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) {
        self.reply = reply
        self.omissions = omissions
        var opening = ByteBuffer(string: "{\"model\":")
        opening.writeJSON(string: reply.model)
        opening.writeStaticString(",\"created_at\":\"")
        self.opening = opening
        parts = WholeParts(reply.choices[0].pieces)
        next = parts.next()
    }

    var hasDeltas: Bool { next != nil }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        if let part = next {
            next = parts.next()
            write(part, &buffer)
            return .delta
        }
        guard !isOver, !omissions.done else { return .end }
        isOver = true
        let message: JSONObject = ["role": "assistant", "content": ""]
        buffer.writeJSON(.object(OllamaChat.last(reply, message, line: line, saysWhy: !omissions.finish)))
        buffer.writeStaticString("\n")
        return .control
    }

    private func write(_ part: WholePart, _ buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(opening)
        buffer.writeString(OllamaChat.time(reply, line: line))
        line += 1
        buffer.writeStaticString("\",\"message\":{\"role\":\"assistant\",\"content\":")
        switch part {
        case .text(let text): buffer.writeJSON(string: text)
        case .reasoning(let text):
            buffer.writeStaticString("\"\",\"thinking\":")
            buffer.writeJSON(string: text)
        case .call(let id, let name, let arguments, _):
            buffer.writeStaticString("\"\",\"tool_calls\":[")
            buffer.writeJSON(OllamaChat.call(id, name, arguments))
            buffer.writeStaticString("]")
        }
        buffer.writeStaticString("},\"done\":false}\n")
    }
}
