// Encodes the tokens of one /generate_stream reply. The last frame has the whole text. Its token is `</s>`, or the last
// token of a text that the token limit truncated.

internal import Base
internal import Chat
internal import JSON

final class TGIStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    private var text = ""
    /// The last token, held because its frame differs if it ends the reply.
    private var held: String?
    private var index = 0

    init(_ head: ReplyHead) { self.head = head }

    func begin(into frames: inout EncodedFrames) {}

    /// The format has only text: no reasoning, no tools.
    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        guard case .text(let token) = part else { return }
        if let held { write(held, isDelta: true, &frames) }
        held = token
        if !head.isEndless { text += token }
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        let isCut = ending.reason == .length && held != nil
        if let held { write(held, isDelta: true, last: isCut && ending.hasEndMarker ? ending : nil, &frames) }
        held = nil
        guard ending.hasEndMarker, !isCut else { return }
        write("</s>", isDelta: false, last: ending, &frames)
    }

    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeFrame("data:", TGIReplyEncoder.error(error), "\n\n")
    }

    /// - Parameter ending: the end of the reply, if this is its last token.
    private func write(_ token: String, isDelta: Bool, last ending: ReplyEnding? = nil, _ frames: inout EncodedFrames) {
        index += 1
        var id = Fingerprint(seed: 0)
        id.add(token.utf8)
        frames.write(
            "data:{\"index\":\(index),\"token\":{\"id\":\(isDelta ? 3 + id.value % 32_000 : 2),\"text\":")
        frames.write(jsonString: token)
        frames.write(",\"logprob\":-0.25,\"special\":\(!isDelta)},\"generated_text\":")
        if let ending {
            frames.write(jsonString: text)
            frames.write(",\"details\":")
            let reason = head.includesUsage ? ending.reason : nil
            frames.write(json: reason.map { .object(TGIReplyEncoder.details($0, ending)) } ?? .null)
        } else {
            frames.write("null,\"details\":null")
        }
        frames.write("}\n\n")
        frames.endFrame(isDelta: isDelta)
    }
}
