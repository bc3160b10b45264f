// Writes the tokens of one /generate_stream. The last token's frame has the whole text: that of `</s>`, or the last of
// the text where the limit cut it.

internal import JSON
internal import NIOCore

final class TextGenerationFrames: FrameSource {
    private let reply: SimulatedReply
    private let omissions: FrameOmissions
    private let isCut: Bool
    private var pieces: PieceSource
    private var next: String?
    private var index = 0
    private var isOver = false

    init(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) {
        self.reply = reply
        self.omissions = omissions
        isCut = reply.choices[0].finish == .length
        pieces = reply.choices[0].pieces
        next = Self.text(pieces.next())
    }

    var hasDeltas: Bool { next != nil }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        if let text = next {
            next = Self.text(pieces.next())
            write(text, isLast: isCut && next == nil && !omissions.done, &buffer)
            return .delta
        }
        guard !isOver, !isCut, !omissions.done else { return .end }
        isOver = true
        write("</s>", isSpecial: true, isLast: true, &buffer)
        return .control
    }

    /// Only text is asked of this format: no thinking, no tools.
    private static func text(_ piece: ReplyPiece?) -> String? {
        guard case .text(let text) = piece else { return nil }
        return text
    }

    private func write(_ text: String, isSpecial: Bool = false, isLast: Bool, _ buffer: inout ByteBuffer) {
        index += 1
        var id = Fingerprint(seed: 0)
        id.add(text.utf8)
        buffer.writeString(
            "data:{\"index\":\(index),\"token\":{\"id\":\(isSpecial ? 2 : 3 + id.value % 32_000),\"text\":")
        buffer.writeJSON(string: text)
        buffer.writeStaticString(",\"logprob\":-0.25,\"special\":")
        buffer.writeString("\(isSpecial)},\"generated_text\":")
        guard isLast else {
            buffer.writeStaticString("null,\"details\":null}\n\n")
            return
        }
        buffer.writeJSON(string: TextGeneration.text(reply))
        buffer.writeStaticString(",\"details\":")
        let isDetailed = reply.includesUsage && !omissions.finish
        buffer.writeJSON(isDetailed ? .object(TextGeneration.details(reply)) : .null)
        buffer.writeStaticString("}\n\n")
    }
}
