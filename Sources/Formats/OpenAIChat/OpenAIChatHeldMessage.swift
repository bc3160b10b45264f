// Messages next to the deltas of a Chat Completions stream: an extension of OpenAIChatDecoder. Perplexity and Writer
// repeat the whole reply so far in the message; other servers send only the role in the delta.

internal import Base
internal import JSON

/// Output of messages next to deltas. A kind of output is emitted only if no delta has it.
struct HeldMessage: Equatable {
    /// The kinds of output in earlier messages that had no delta next to them.
    let earlier: OpenAIChatOutput
    /// A message arrived next to a delta with members. It is the reply so far, and is emitted at the end.
    var isBesideDeltas = false
    /// The tool calls of the reply come from messages.
    var hasCalls = false
    var text = HeldText()
    var reasoning = HeldText()
    var refusal = HeldText()
}

/// Text that arrives in pieces, or each time as the whole text so far.
struct HeldText: Equatable {
    private var whole = ""
    /// Length of the emitted text in UTF-8 bytes.
    private var emittedCount = 0
    private var isCumulative = false

    /// Takes the text of one message: the whole text so far if it begins with the known text, otherwise a piece.
    mutating func take(_ text: String) {
        guard !text.isEmpty else { return }
        if text.utf8.starts(with: whole.utf8) {
            isCumulative = !whole.isEmpty
            whole = text
        } else if !isCumulative {
            whole += text
        } else if emittedCount == 0, !whole.utf8.starts(with: text.utf8) {
            // The server has revised the text.
            whole = text
        }
    }

    /// The text that has not been emitted; nil if there is none. It counts as emitted from then on.
    mutating func rest() -> String? {
        guard emittedCount < whole.utf8.count else { return nil }
        defer { emittedCount = whole.utf8.count }
        return String(Substring(whole.utf8.dropFirst(emittedCount)))
    }
}

extension OpenAIChatDecoder {
    /// Reads the message of a choice. In place of a delta it is a piece, or the whole reply. Next to a delta it is
    /// held.
    mutating func read(
        message: JSONNode, delta: JSONNode?, _ content: inout ChoiceContent, into events: inout [DecodedEvent]
    ) {
        let isFilled = delta.map { $0.count > 0 } ?? false
        let hasDelta = delta.map { !$0.isNull } ?? false
        if !isHolding {
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
        var messageContent = ChoiceContent(kinds: content.kinds.union(held?.earlier ?? []))
        var messageEvents: [DecodedEvent] = []
        read(message, in: .message, &messageContent, into: &messageEvents)
        content.kinds.formUnion(messageContent.kinds)
        content.finishReason = content.finishReason ?? messageContent.finishReason
        held?.refusal.take(known.refusal ?? "")
        known.refusal = refusal
        guard !messageEvents.isEmpty else { return }
        var (text, reasoning) = ("", "")
        for event in messageEvents {
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

    /// Emits held output of the kinds that no delta has: at the end, or when the delta next to the message is empty.
    mutating func takeHeldMessage(into events: inout [DecodedEvent]) {
        guard isHolding else { return }
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

    /// Called before the calls of a container are read. Calls of messages are dropped once a delta has calls. A message
    /// with the reply so far repeats its own calls.
    mutating func prepareCalls(_ parts: JSONPicked, in container: OpenAIChatContainer) {
        let first = parts[DeltaKey.toolCalls].flatMap { $0.kind == .array ? $0.first : $0 }
        guard let call = first ?? parts[DeltaKey.functionCall], call.kind == .object else { return }
        if container != .message {
            guard held?.hasCalls == true else { return }
            held?.hasCalls = false
            tools = OpenAIChatToolCalls()
        } else if isHolding {
            let name = call["function"]?["name"]?.string ?? call["name"]?.string ?? ""
            // A call without a name continues the arguments of the last call.
            if held?.hasCalls == true, held?.isBesideDeltas == true, !name.isEmpty { tools = OpenAIChatToolCalls() }
            held?.hasCalls = true
        }
    }
}
