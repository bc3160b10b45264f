// Encodes the chunks of one streamGenerateContent reply: one part per chunk, with the token counts so far.

internal import Chat
internal import JSON

final class GeminiStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    private let isArray: Bool
    private var joiner = ToolCallJoiner()
    private var counts: GeminiTokenCounts
    private var signature = GeminiSignature()
    private var hasCall = false
    private var hasBegun = false

    init(_ head: ReplyHead, isArray: Bool) {
        self.head = head
        self.isArray = isArray
        counts = GeminiTokenCounts(head)
    }

    func begin(into frames: inout EncodedFrames) {}

    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        write(joiner.take(part), &frames)
        switch part {
        case .text(let text):
            counts.text += 1
            if head.showsReasoning { signature.add(text) }
            write(part: ["text": .string(text)], &frames)
        case .reasoning(let text):
            counts.thoughts += 1
            write(part: ["text": .string(text), "thought": true], &frames)
        case .toolCall, .arguments: break
        }
    }

    private func write(_ joined: ToolCallJoiner.Joined?, _ frames: inout EncodedFrames) {
        guard let joined, let part = GeminiReplyEncoder.part(joined.call, isSigned: !hasCall) else { return }
        counts.text += joined.partCount
        hasCall = true
        write(part: part, &frames)
    }

    private func write(part: JSONObject, _ frames: inout EncodedFrames) {
        write(["content": GeminiReplyEncoder.content([part]), "index": 0], &frames, isDelta: true)
    }

    private func write(_ candidate: JSONObject, _ frames: inout EncodedFrames, isDelta: Bool = false) {
        frames.writeFrame(
            !isArray ? "data: " : hasBegun ? ",\r\n" : "[", GeminiReplyEncoder.chunk(candidate, head, counts),
            isArray ? "" : "\r\n\r\n", isDelta: isDelta)
        hasBegun = true
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        write(joiner.end(isCut: ending.reason == .length), &frames)
        guard ending.hasEndMarker else { return }
        counts = GeminiTokenCounts(ending.usage, head)
        var last: JSONObject = ["text": ""]
        // Only models that reason sign their output. In a turn with calls the first call is signed.
        if head.showsReasoning, !hasCall { last["thoughtSignature"] = .string(signature.text) }
        var candidate: JSONObject = ["content": GeminiReplyEncoder.content([last])]
        candidate["finishReason"] = ending.reason.map { .string(GeminiReplyEncoder.reason($0)) }
        candidate["index"] = 0
        write(candidate, &frames)
        guard isArray else { return }
        frames.write("\r\n]")
        frames.endFrame()
    }

    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeFrame(
            !isArray ? "data: " : hasBegun ? ",\r\n" : "[", GeminiReplyEncoder.error(error),
            isArray ? "\r\n]" : "\r\n\r\n")
    }
}
