// Encodes the lines of one /api/chat stream.

internal import Chat
internal import JSON

final class OllamaStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    /// The beginning of a line, up to the value of `created_at`.
    private let opening: String
    private var joiner = ToolCallJoiner()
    private var line = 0

    init(_ head: ReplyHead) {
        self.head = head
        opening = "{\"model\":\(JSONWriter.text(.string(head.model))),\"created_at\":\""
    }

    func begin(into frames: inout EncodedFrames) {}

    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        write(joiner.take(part), &frames)
        switch part {
        case .text(let text): write(&frames) { $0.write(jsonString: text) }
        case .reasoning(let text):
            write(&frames) {
                $0.write("\"\",\"thinking\":")
                $0.write(jsonString: text)
            }
        case .toolCall, .arguments: break
        }
    }

    private func write(_ joined: ToolCallJoiner.Joined?, _ frames: inout EncodedFrames) {
        guard let joined, let form = OllamaReplyEncoder.call(joined.call) else { return }
        write(&frames) {
            $0.write("\"\",\"tool_calls\":[")
            $0.write(json: form)
            $0.write("]")
        }
    }

    /// Writes a line; `content` writes the value of `content` and the members after it.
    private func write(_ frames: inout EncodedFrames, _ content: (inout EncodedFrames) -> Void) {
        frames.write(opening)
        frames.write(OllamaReplyEncoder.time(head, line: line))
        line += 1
        frames.write("\",\"message\":{\"role\":\"assistant\",\"content\":")
        content(&frames)
        frames.write("},\"done\":false}\n")
        frames.endFrame(isDelta: true)
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        write(joiner.end(isCut: ending.reason == .length), &frames)
        guard ending.hasEndMarker else { return }
        let message: JSONObject = ["role": "assistant", "content": ""]
        frames.writeFrame("", OllamaReplyEncoder.last(head, ending, message, line: line), "\n")
    }

    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeFrame("", OllamaReplyEncoder.error(error), "\n")
    }
}
