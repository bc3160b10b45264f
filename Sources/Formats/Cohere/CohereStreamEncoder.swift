// Encodes the events of one Cohere chat stream.

internal import Chat
internal import JSON

final class CohereStreamEncoder: StreamEncoder {
    private let head: ReplyHead
    private var section: Section?
    /// The index of the next content block. Calls have separate indexes.
    private var contentIndex = 0

    /// Consecutive parts of one kind.
    private struct Section {
        var kind: Kind
        /// The index in its events; not sent for a plan.
        var index: Int
        /// The parts of a delta event before and after its text.
        var opening: String
        var closing: String

        enum Kind: Equatable { case thinking, text, plan, call(Int) }

        init(_ kind: Kind, index: Int, type: String, member: String, closing: String) {
            self.kind = kind
            self.index = index
            let place = kind == .plan ? "" : "\"index\":\(index),"
            opening = "event: \(type)\ndata: {\"type\":\"\(type)\",\(place)\"delta\":{\"message\":{\(member)"
            self.closing = closing
        }
    }

    init(_ head: ReplyHead) { self.head = head }

    func begin(into frames: inout EncodedFrames) {
        let message: JSONValue = [
            "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [],
        ]
        frames.writeEvent(
            "message-start", ["id": .string(CohereReplyEncoder.id(head.id)), "delta": ["message": message]])
    }

    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames) {
        let kind = kind(of: part)
        if section?.kind != kind {
            close(&frames)
            begin(kind, part, &frames)
        }
        guard let section else { return }
        switch part {
        case .toolCall: return
        case .text(let text), .reasoning(let text), .arguments(_, let text):
            frames.write(section.opening)
            frames.write(jsonString: text)
            frames.write(section.closing)
            frames.endFrame(isDelta: true)
        }
    }

    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames) {
        close(&frames)
        guard ending.hasEndMarker else { return }
        var delta: JSONObject = [:]
        delta["finish_reason"] = ending.reason.map { .string(CohereReplyEncoder.reason($0)) }
        delta["usage"] = CohereReplyEncoder.usage(ending.usage, head)
        frames.writeEvent("message-end", ["delta": .object(delta)])
    }

    /// An error ends the reply with the finish reason ERROR.
    func fail(_ error: ReplyError, into frames: inout EncodedFrames) {
        frames.writeEvent(
            "message-end",
            ["delta": ["finish_reason": "ERROR", "error": .string(CohereReplyEncoder.message(error))]])
    }

    // MARK: Sections

    /// The reasoning of a model that does not reason is its plan for tool calls.
    private func kind(of part: ReplyPart) -> Section.Kind {
        switch part {
        case .reasoning: head.showsReasoning ? .thinking : .plan
        case .text: .text
        case .toolCall(let index, _, _), .arguments(let index, _): .call(index)
        }
    }

    private func begin(_ kind: Section.Kind, _ part: ReplyPart, _ frames: inout EncodedFrames) {
        switch kind {
        case .plan:
            section = Section(
                kind, index: 0, type: "tool-plan-delta", member: "\"tool_plan\":", closing: "}}}\n\n")
        case .thinking, .text:
            let name = kind == .text ? "text" : "thinking"
            section = Section(
                kind, index: contentIndex, type: "content-delta", member: "\"content\":{\"\(name)\":",
                closing: "}}}}\n\n")
            write("content-start", contentIndex, ["content": ["type": .string(name), name: ""]], &frames)
            contentIndex += 1
        case .call(let index):
            guard case .toolCall(_, let id, let name) = part else { return }
            section = Section(
                kind, index: index, type: "tool-call-delta", member: "\"tool_calls\":{\"function\":{\"arguments\":",
                closing: "}}}}}\n\n")
            let call = CommonForm.call(id: id, name: name, argumentsJSON: "")
            write("tool-call-start", index, ["tool_calls": call], &frames, isDelta: true)
        }
    }

    private func close(_ frames: inout EncodedFrames) {
        guard let section else { return }
        self.section = nil
        switch section.kind {
        case .plan: break
        case .thinking, .text: frames.writeEvent("content-end", ["index": .int(Int64(section.index))])
        case .call: frames.writeEvent("tool-call-end", ["index": .int(Int64(section.index))])
        }
    }

    private func write(
        _ type: String, _ index: Int, _ message: JSONValue, _ frames: inout EncodedFrames, isDelta: Bool = false
    ) {
        frames.writeEvent(
            type, ["index": .int(Int64(index)), "delta": ["message": message]], isDelta: isDelta)
    }
}
