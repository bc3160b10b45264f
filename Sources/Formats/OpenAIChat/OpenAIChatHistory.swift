// Encodes the messages of a Chat Completions request. The common form is this format's own: messages are unchanged
// except for reasoning, images, calls in the short form, and members of other formats.

internal import Chat
internal import JSON

struct OpenAIChatHistory {
    let quirks: Quirks
    let legal: CallRepair
    /// False if the request turns thinking off.
    var mayThink = true

    /// Members in which servers send reasoning.
    private static let reasoningMembers = [
        "reasoning_content", "reasoning", "reasoning_text", "thinking", "reasoning_details",
    ]

    func encoded(_ messages: [Message]) -> [JSONValue] {
        let withCalls = quirks.reasoningEcho == .toolLoop ? Self.turnsWithCalls(messages) : []
        return messages.indices.map { encoded(messages[$0], isInTurnWithCalls: withCalls.contains($0)) }
    }

    /// The indexes of all messages in turns with tool calls. A turn is the messages between two user messages.
    private static func turnsWithCalls(_ messages: [Message]) -> Set<Int> {
        let turns = messages.indices.split { messages[$0].role == .user }
        return Set(turns.filter { turn in turn.contains { !messages[$0].toolCalls.isEmpty } }.joined())
    }

    private func encoded(_ message: Message, isInTurnWithCalls: Bool) -> JSONValue {
        var object = message.raw
        object["native"] = nil
        object["is_error"] = nil
        var parts = message.parts
        let thinking = message.role == .assistant ? takeThinking(of: &parts) : nil
        if message.raw["content"]?.array != nil || message.raw["content"]?.object != nil {
            object["content"] = content(of: message, parts)
        }
        if message.isResult, let name = message.name { object["name"] = .string(legal.name(name)) }
        if message.role == .tool, message.answered != nil, object["tool_call_id"]?.string != message.toolCallID {
            object["tool_call_id"] = message.toolCallID.map { .string($0) }
        }
        if let call = object["function_call"]?.object {
            object["function_call"] = .object(legal.mended(call, arguments: "arguments", isText: true))
        }
        // Providers reject an empty array.
        object["tool_calls"] = message.toolCalls.isEmpty ? nil : .array(calls(of: message))
        if message.role == .assistant {
            if let thinking, Self.reasoning(in: object) == nil { object["reasoning_content"] = .string(thinking) }
            takeReasoning(of: &object, isInTurnWithCalls: isInTurnWithCalls)
        }
        return .object(object)
    }

    /// DeepSeek requires the reasoning of turns with tool calls in every later request: each message of such a turn has
    /// the member, even if it is empty. Other turns do not need it ("Thinking Mode" guide, api-docs.deepseek.com).
    /// Moonshot, Zhipu, MiniMax, OpenRouter and vLLM require that reasoning is sent back unchanged ("Use Kimi K2
    /// thinking", "Thinking Mode", "Interleaved thinking", "Preserving reasoning blocks").
    private func takeReasoning(of object: inout JSONObject, isInTurnWithCalls: Bool) {
        switch quirks.reasoningEcho {
        case .keep: break
        case .drop, .parts: for name in Self.reasoningMembers { object[name] = nil }
        // A partial reply may begin with reasoning.
        case .toolLoop where !isInTurnWithCalls && object["prefix"] != true:
            for name in Self.reasoningMembers { object[name] = nil }
        case .toolLoop:
            // The reasoning may be from a server that has another name for the member.
            let reasoning = Self.reasoning(in: object) ?? (isInTurnWithCalls && mayThink ? "" : nil)
            for name in Self.reasoningMembers { object[name] = nil }
            object["reasoning_content"] = reasoning.map { .string($0) }
        }
    }

    /// The reasoning of a message, from any of its members.
    private static func reasoning(in object: JSONObject) -> String? {
        let texts = reasoningMembers.compactMap { object[$0]?.string }
        if let text = texts.first(where: { !$0.isEmpty }) { return text }
        let details = object["reasoning_details"]?.array ?? []
        let pieces = details.compactMap { $0["text"]?.string ?? $0["summary"]?.string }
        return pieces.isEmpty ? texts.first : pieces.joined()
    }

    /// Removes reasoning parts from the content if the provider does not accept them, and returns their text.
    private func takeThinking(of parts: inout [Part]) -> String? {
        switch quirks.reasoningEcho {
        case .parts: return nil
        case .keep: if quirks.takesThinkingParts { return nil }
        case .drop, .toolLoop: break
        }
        var text: String?
        parts.removeAll { part in
            guard case .other(let object) = part, let type = object["type"]?.string,
                type == "thinking" || type == "redacted_thinking"
            else { return false }
            let pieces = object["thinking"]?.array?.compactMap { $0["text"]?.string }
            if let piece = pieces?.joined() ?? object["thinking"]?.string { text = (text ?? "") + piece }
            return true
        }
        return text
    }

    /// - Parameter parts: the parts of the message to send. Text that remains without its reasoning becomes a string,
    ///   because many servers require one.
    private func content(of message: Message, _ parts: [Part]) -> JSONValue {
        let texts = parts.compactMap { if case .text(let text, let extra) = $0, extra.isEmpty { text } else { nil } }
        if texts.count == parts.count {
            // Neither the array ("[] is too short") nor a text in it may be empty. With calls, null means no content.
            if texts.allSatisfy(\.isEmpty) { return message.toolCalls.isEmpty ? "" : .null }
            if parts.count < message.parts.count { return .string(texts.joined()) }
        }
        return .array(
            parts.map { part in
                switch part {
                case .text(let text, let extra):
                    var form: JSONObject = ["type": "text", "text": .string(text)]
                    form.merge(extra)
                    return .object(form)
                case .other(let object): return .object(object)
                case .image(let image):
                    var form: JSONObject = ["url": .string(image.url)]
                    if let detail = image.detail { form["detail"] = .string(detail) }
                    return ["type": "image_url", "image_url": .object(form)]
                }
            })
    }

    /// Calls already in this format keep all members, because some providers put signatures into them.
    private func calls(of message: Message) -> [JSONValue] {
        let raw = message.raw["tool_calls"]?.array ?? []
        return message.toolCalls.enumerated().map { index, call in
            if index < raw.count, var own = raw[index].object, let function = own["function"]?.object {
                own["function"] = .object(legal.mended(function, arguments: "arguments", isText: true))
                if own["id"]?.string != call.id { own["id"] = .string(call.id) }
                return .object(own)
            }
            return legal.call(call).messagePart
        }
    }
}
