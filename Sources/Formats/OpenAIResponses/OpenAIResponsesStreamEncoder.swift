// Encodes the events of one Responses stream.

internal import Chat
internal import JSON

final class OpenAIResponsesStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    private var number = 0
    private var item: Item?
    private var output: [JSONValue] = []

    /// The item in progress.
    private struct Item {
        var content: OpenAIResponsesOutputItem
        /// The name of its delta events: "output_text".
        var name: String
        /// The members by which an event refers to it.
        var place: JSONObject
        /// A delta event up to its sequence number, and from there up to its text.
        var opening: String
        var middle: String

        /// The name of its part's events; nil for calls, which have no parts.
        var partName: String? {
            switch content.kind {
            case .reasoning: "reasoning_summary_part"
            case .message: "content_part"
            case .call: nil
            }
        }
    }

    init(_ head: ReplyHead) { self.head = head }

    func begin(into frames: inout EncodedFrames) {
        for name in ["created", "in_progress"] {
            write(name, ["response": OpenAIResponsesReplyEncoder.begun(head)], &frames)
        }
    }

    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        if item?.content.kind != OpenAIResponsesOutputItem.Kind(of: part) {
            close(isCut: false, &frames)
            begin(part, &frames)
        }
        guard let item else { return }
        switch part {
        case .toolCall: return
        case .text(let text), .reasoning(let text), .arguments(_, let text): write(delta: text, of: item, &frames)
        }
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        close(isCut: ending.reason == .length, &frames)
        if let refusal = ending.refusal { write(refusal: refusal, &frames) }
        guard ending.hasEndMarker else { return }
        guard ending.reason != nil else {
            frames.write("data: [DONE]\n\n")
            return frames.endFrame()
        }
        write(
            OpenAIResponsesReplyEncoder.status(ending),
            ["response": OpenAIResponsesReplyEncoder.finished(head, ending, output)], &frames)
    }

    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeEvent(
            "error",
            [
                "code": .string(error.code ?? error.type), "message": .string(error.message),
                "param": error.parameter.map { .string($0) } ?? nil,
            ])
    }

    // MARK: Items

    private func begin(_ part: ReplyPart, _ frames: inout EncodedFrames) {
        let index = JSONValue.int(Int64(output.count))
        let content = OpenAIResponsesOutputItem(part, index: output.count, replyID: head.id)
        var place: JSONObject = ["item_id": .string(content.id), "output_index": index]
        let name: String
        switch content.kind {
        case .reasoning:
            name = "reasoning_summary_text"
            place["summary_index"] = 0
        case .message:
            name = "output_text"
            place["content_index"] = 0
        case .call: name = "function_call_arguments"
        }
        let type = "response.\(name).delta"
        let opening = "event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":"
        var middle = ""
        for member in place { middle += ",\"\(member.key)\":" + JSONWriter.text(member.value) }
        let item = Item(
            content: content, name: name, place: place, opening: opening, middle: middle + ",\"delta\":")
        self.item = item
        var isCall = false
        if case .call = content.kind { isCall = true }
        write("output_item.added", ["output_index": index, "item": content.begun], &frames, isDelta: isCall)
        if let part = item.partName { write("\(part).added", place.with("part", content.part("")), &frames) }
    }

    /// Ends the item in progress with its complete text.
    private func close(isCut: Bool, _ frames: inout EncodedFrames) {
        guard let item else { return }
        self.item = nil
        let text = item.content.text
        if let part = item.partName {
            let done = item.place.with("text", .string(text))
            write("\(item.name).done", item.content.kind == .message ? done.with("logprobs", []) : done, &frames)
            write("\(part).done", item.place.with("part", item.content.part(text)), &frames)
        } else {
            write("\(item.name).done", item.place.with("arguments", .string(text)), &frames)
        }
        let value = item.content.done(isCut: isCut)
        write("output_item.done", ["output_index": .int(Int64(output.count)), "item": value], &frames)
        output.append(value)
    }

    /// Writes a message that is a refusal.
    private func write(refusal: String, _ frames: inout EncodedFrames) {
        let item = OpenAIResponsesOutputItem(ReplyPart.text(""), index: output.count, replyID: head.id)
        let index = JSONValue.int(Int64(output.count))
        let place: JSONObject = ["item_id": .string(item.id), "output_index": index, "content_index": 0]
        let value = item.refused(refusal)
        write("output_item.added", ["output_index": index, "item": item.begun], &frames)
        write("content_part.added", place.with("part", OpenAIResponsesOutputItem.part(refusal: "")), &frames)
        write("refusal.delta", place.with("delta", .string(refusal)), &frames, isDelta: true)
        write("refusal.done", place.with("refusal", .string(refusal)), &frames)
        write("content_part.done", place.with("part", OpenAIResponsesOutputItem.part(refusal: refusal)), &frames)
        write("output_item.done", ["output_index": index, "item": value], &frames)
        output.append(value)
    }

    private func write(_ name: String, _ members: JSONObject, _ frames: inout EncodedFrames, isDelta: Bool = false) {
        var event: JSONObject = ["sequence_number": .int(Int64(number))]
        for member in members { event[member.key] = member.value }
        frames.writeEvent("response.\(name)", event, isDelta: isDelta)
        number += 1
    }

    private func write(delta text: String, of item: Item, _ frames: inout EncodedFrames) {
        frames.write(item.opening)
        frames.write(String(number))
        frames.write(item.middle)
        frames.write(jsonString: text)
        if item.content.kind == .message { frames.write(",\"logprobs\":[]") }
        frames.write(",\"obfuscation\":\"")
        frames.write(String(Self.padding.prefix(16 - text.utf8.count % 16)))
        frames.write("\"}\n\n")
        frames.endFrame(isDelta: true)
        number += 1
        if !head.isEndless { self.item?.content.text += text }
    }

    /// OpenAI hides the length of each delta behind random letters. Fixed letters make the bytes of a reply
    /// reproducible.
    private static let padding = "q7ZpVx2LmR9sKd4T"
}
