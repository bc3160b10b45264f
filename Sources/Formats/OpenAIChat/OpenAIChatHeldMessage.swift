// A message beside the deltas of a Chat Completions stream: an extension of OpenAIChatDecoder. Perplexity and Writer repeat
// the whole reply so far there, others have nothing but their role in the delta.

internal import Base
internal import JSON

/// Output of messages beside deltas. A kind of output counts if no delta brings it.
struct HeldMessage: Equatable {
    /// The kinds that messages had brought in place of deltas before.
    let earlier: OpenAIChatOutput
    /// A delta with members stood beside a message: the message is the reply so far, and is emitted at the end.
    var isBesideDeltas = false
    /// The tool calls of the reply are those of the message.
    var hasCalls = false
    var text = HeldText()
    var reasoning = HeldText()
    var refusal = HeldText()
}

/// A text that comes in pieces, or again and again as a whole.
struct HeldText: Equatable {
    private var whole = ""
    /// Length in UTF-8 of what has been emitted.
    private var emittedCount = 0
    private var isCumulative = false

    /// Takes one message's text: the whole text so far if it begins with what is known, else a piece.
    mutating func take(_ text: String) {
        guard !text.isEmpty else { return }
        if text.utf8.starts(with: whole.utf8) {
            isCumulative = !whole.isEmpty
            whole = text
        } else if !isCumulative {
            whole += text
        } else if emittedCount == 0, !whole.utf8.starts(with: text.utf8) {
            // Revised.
            whole = text
        }
    }

    /// What has not been emitted; nil for nothing.
    mutating func rest() -> String? {
        guard emittedCount < whole.utf8.count else { return nil }
        defer { emittedCount = whole.utf8.count }
        return String(Substring(whole.utf8.dropFirst(emittedCount)))
    }
}

extension OpenAIChatDecoder {
    /// A choice's message: in place of deltas it is a piece, or a whole reply; beside them it is held.
    mutating func read(
        message: JSONNode, delta: JSONNode?, _ content: inout ChoiceContent, into events: inout [DecodedEvent]
    ) {
        let isFilled = delta.map { $0.count > 0 } ?? false
        let hasDelta = delta.map { !$0.isNull } ?? false
        if held == nil {
            guard hasDelta, isFilled || messageOutput.isEmpty else {
                return read(message, in: .message, &content, into: &events)
            }
            held = HeldMessage(earlier: messageOutput)
        }
        if isFilled { held?.isBesideDeltas = true }
        hold(message, &content, into: &events)
        if !isFilled { takeHeldMessage(into: &events) }
    }

    private mutating func hold(_ message: JSONNode, _ content: inout ChoiceContent, into events: inout [DecodedEvent]) {
        let refusal = known.refusal.take()
        var apart = ChoiceContent(kinds: content.kinds.union(held?.earlier ?? []))
        var said: [DecodedEvent] = []
        read(message, in: .message, &apart, into: &said)
        content.kinds.formUnion(apart.kinds)
        content.finishReason = content.finishReason ?? apart.finishReason
        held?.refusal.take(known.refusal ?? "")
        known.refusal = refusal
        guard !said.isEmpty else { return }
        var (text, reasoning) = ("", "")
        for event in said {
            switch event {
            case .text(let batch) where batch.kind == .reasoning: reasoning += batch.text
            case .text(let batch): text += batch.text
            case .native(let name, let value):
                if additions.isNew(name, value, at: .heldPart) { events.append(event) }
            default: events.append(event)
            }
        }
        held?.text.take(text)
        held?.reasoning.take(reasoning)
    }

    /// Emits the output of messages beside deltas that no delta brought: at the end, or beside a delta without members.
    mutating func takeHeldMessage(into events: inout [DecodedEvent]) {
        guard held != nil else { return }
        let known = deltaOutput.union(nestedOutput)
        if !known.contains(.reasoning), let reasoning = held?.reasoning.rest() {
            output.noteText()
            events.append(.text(.reasoning(reasoning)))
        }
        if !known.contains(.text), let text = held?.text.rest() {
            output.noteText()
            events.append(.text(TextBatch(text)))
        }
        if !known.contains(.refusal), let refusal = held?.refusal.rest() { take(refusal: refusal) }
    }

    /// Before a container's calls are read: a message's calls are void once a delta has calls, and a message that is the
    /// reply so far repeats its own.
    mutating func prepareCalls(_ parts: JSONPicked, in container: OpenAIChatContainer) {
        let first = parts[DeltaKey.toolCalls].flatMap { $0.kind == .array ? $0.first : $0 }
        guard let call = first ?? parts[DeltaKey.functionCall], call.kind == .object else { return }
        if container != .message {
            guard held?.hasCalls == true else { return }
            held?.hasCalls = false
            tools = OpenAIChatToolCalls()
        } else if held != nil {
            let name = call["function"]?["name"]?.string ?? call["name"]?.string ?? ""
            // One without a name goes on with the arguments of the last.
            if held?.hasCalls == true, held?.isBesideDeltas == true, !name.isEmpty { tools = OpenAIChatToolCalls() }
            held?.hasCalls = true
        }
    }
}
