// Writes the events of one Responses stream. What stays the same in an item is laid down once: a delta costs a few
// copies and its own text.

internal import JSON
internal import NIOCore

final class OpenAIResponsesFrames: FrameSource {
    private let reply: SimulatedReply
    private let omissions: FrameOmissions
    private var pieces: PieceSource
    private var next: ReplyPiece?
    private var number = 0
    /// Events that stand between two pieces, first in, first out.
    private var waiting: [JSONObject]
    private var phase = Phase.pieces
    private var item: Item?
    private var output: [JSONValue] = []
    /// An endless reply is never told whole, and is not kept.
    private let isEndless: Bool

    private enum Phase { case pieces, finish, end }

    /// The item under way.
    private struct Item {
        var content: OpenAIResponsesItem
        /// The name of its deltas: "output_text".
        var name: String
        /// Where it belongs, as members of an event.
        var place: JSONObject
        /// A delta up to its number, and from there to its text.
        var opening: ByteBuffer
        var middle: ByteBuffer
    }

    init(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) {
        self.reply = reply
        self.omissions = omissions
        pieces = reply.choices[0].pieces
        isEndless = pieces.remaining == nil
        next = pieces.next()
        waiting = ["created", "in_progress"].map {
            ["type": .string("response.\($0)"), "response": OpenAIResponses.begun(reply)]
        }
    }

    var hasDeltas: Bool { next != nil }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        while waiting.isEmpty {
            switch phase {
            case .pieces:
                if let piece = next, let item, item.content.kind == OpenAIResponsesItem.Kind(of: piece) {
                    write(piece, of: item, &buffer)
                    next = pieces.next()
                    return .delta
                }
                if item != nil {
                    close()
                } else if let piece = next {
                    begin(piece)
                    guard case .call = piece else { break }
                    // A call's name is the first of its pieces.
                    next = pieces.next()
                    writeWaiting(&buffer)
                    return .delta
                } else {
                    phase = .finish
                }
            case .finish:
                phase = .end
                if omissions.done { return .end }
                if omissions.finish {
                    buffer.writeStaticString("data: [DONE]\n\n")
                    return .control
                }
                let type = "response.\(OpenAIResponses.status(reply))"
                waiting.append(["type": .string(type), "response": OpenAIResponses.finished(reply, output)])
            case .end: return .end
            }
        }
        writeWaiting(&buffer)
        return .control
    }

    private func writeWaiting(_ buffer: inout ByteBuffer) {
        let event = waiting.removeFirst()
        let type = event["type"]?.string ?? ""
        buffer.writeString("event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":\(number)")
        for member in event where member.key != "type" {
            buffer.writeString(",\"\(member.key)\":")
            buffer.writeJSON(member.value)
        }
        buffer.writeStaticString("}\n\n")
        number += 1
    }

    // MARK: Items

    private func begin(_ piece: ReplyPiece) {
        let index = output.count
        let content = OpenAIResponsesItem(piece, index: index, reply)
        var place: JSONObject = ["item_id": .string(content.id), "output_index": .int(Int64(index))]
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
        let opening = ByteBuffer(string: "event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":")
        var middle = ByteBuffer()
        for member in place {
            middle.writeString(",\"\(member.key)\":")
            middle.writeJSON(member.value)
        }
        middle.writeStaticString(",\"delta\":")
        item = Item(content: content, name: name, place: place, opening: opening, middle: middle)
        add("output_item.added", ["output_index": .int(Int64(index)), "item": content.begun])
        if let part = Self.partName(content.kind) { add("\(part).added", place.with("part", content.part(""))) }
    }

    /// The whole text, part and item.
    private func close() {
        guard let item else { return }
        self.item = nil
        let isCut = next == nil && reply.choices[0].finish == .length
        let whole = JSONValue.string(item.content.text)
        if let part = Self.partName(item.content.kind) {
            let done = item.place.with("text", whole)
            add("\(item.name).done", item.content.kind == .message ? done.with("logprobs", []) : done)
            add("\(part).done", item.place.with("part", item.content.part(item.content.text)))
        } else {
            add("\(item.name).done", item.place.with("arguments", whole))
        }
        output.append(item.content.done(isCut: isCut))
        add("output_item.done", ["output_index": .int(Int64(output.count - 1)), "item": output[output.count - 1]])
    }

    private static func partName(_ kind: OpenAIResponsesItem.Kind) -> String? {
        switch kind {
        case .reasoning: "reasoning_summary_part"
        case .message: "content_part"
        case .call: nil
        }
    }

    private func add(_ type: String, _ members: JSONObject) {
        waiting.append(members.with("type", .string("response.\(type)")))
    }

    private func write(_ piece: ReplyPiece, of item: Item, _ buffer: inout ByteBuffer) {
        let text = OpenAIResponsesItem.text(of: piece)
        buffer.writeImmutableBuffer(item.opening)
        buffer.writeString(String(number))
        buffer.writeImmutableBuffer(item.middle)
        buffer.writeJSON(string: text)
        if item.content.kind == .message { buffer.writeStaticString(",\"logprobs\":[]") }
        buffer.writeStaticString(",\"obfuscation\":\"")
        buffer.writeString(String(Self.padding.prefix(16 - text.utf8.count % 16)))
        buffer.writeStaticString("\"}\n\n")
        number += 1
        if !isEndless { self.item?.content.text += text }
    }

    /// The real provider hides the length of each piece behind random letters; here the same request gets the same
    /// bytes.
    private static let padding = "q7ZpVx2LmR9sKd4T"
}

extension JSONObject {
    fileprivate func with(_ name: String, _ value: JSONValue) -> JSONObject {
        var object = self
        object[name] = value
        return object
    }
}
