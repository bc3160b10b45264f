// Replies from a recording: the simulator gives them to any client, in the format that it speaks.

internal import Base
internal import Chat
internal import Formats
internal import JSON
internal import Recording

/// The replies of a recording. A request is matched by its conversation: system prompt, messages, and the names and
/// descriptions of its tools. The nth of equal requests gets the nth reply.
package struct RecordedAnswers: Sendable {
    /// One recorded request.
    private struct Exchange: Sendable {
        var request: RecordedRun.Request
        var conversation: JSONValue
        var isUsed = false
    }

    private let name: String
    private var exchanges: [Exchange]

    /// Reads the recording at `path`.
    /// - Throws: ``SimulatorError/badRecording(_:)``.
    package init(path: String) throws(SimulatorError) {
        do throws(RecordingError) {
            let run = try RecordedRun(path: path)
            name = path
            // A request without an end has nothing to give.
            exchanges = run.requests.filter { $0.events.last?.isTerminal ?? false }.map {
                Exchange(request: $0, conversation: Self.conversation($0.spec.chat))
            }
        } catch {
            throw .badRecording(error.message)
        }
    }

    /// The next recorded reply to the request; after the last one, that again.
    /// - Throws: an error with the recorded status of a failure; 404 with the nearest request if none is recorded.
    mutating func reply(
        to request: DecodedRequest, prompt: SimulatedPrompt, fingerprint: Fingerprint
    ) throws(ReplyError) -> SimulatedReply {
        let conversation = Self.conversation(request.chat)
        let next = exchanges.firstIndex { !$0.isUsed && $0.conversation == conversation }
        guard let index = next ?? exchanges.lastIndex(where: { $0.conversation == conversation }) else {
            throw missing(conversation)
        }
        exchanges[index].isUsed = true
        let events = exchanges[index].request.events
        switch events.last {
        case .finish(let reply)?:
            return Self.simulated(reply, events, to: request, prompt: prompt, fingerprint: fingerprint)
        case .failed(let failure)?: throw Self.error(failure)
        default: throw missing(conversation)
        }
    }

    // MARK: Replies

    private static func simulated(
        _ reply: Reply, _ events: [ChatEvent], to request: DecodedRequest, prompt: SimulatedPrompt,
        fingerprint: Fingerprint
    ) -> SimulatedReply {
        var parts = textParts(events)
        // The text of a reply that its script has stopped is shorter than what was taken.
        if parts.text != reply.text || parts.reasoning != reply.reasoning {
            parts.list = []
            if !reply.reasoning.isEmpty { parts.list.append(.reasoning(reply.reasoning)) }
            if !reply.text.isEmpty { parts.list.append(.text(reply.text)) }
        }
        for (index, call) in reply.toolCalls.enumerated() {
            parts.list.append(.toolCall(index: index, id: call.id, name: call.name))
            let arguments = call.argumentsJSON.isEmpty ? "{}" : call.argumentsJSON
            parts.list.append(.arguments(index: index, arguments))
        }
        let head = ReplyHead(
            id: fingerprint.hex, created: 1_750_000_000 + Int(fingerprint.value % 10_000_000),
            model: reply.model.isEmpty ? prompt.model : reply.model,
            inputTokens: reply.usage?.inputTokens ?? prompt.tokens,
            showsReasoning: !reply.reasoning.isEmpty, includesUsage: request.includesUsage, echoed: request.echoed)
        let isWhole = reply.finishReason != nil && reply.finishReason != .cancelled
        let reason = isWhole ? reply.finishReason ?? .stop : .stop
        var simulated = SimulatedReply(
            head: head, choices: [SimulatedReply.Choice(parts: PartSource(parts.list), reason: reason)])
        simulated.recordedUsage = reply.usage
        simulated.refusal = reply.refusal
        return simulated
    }

    /// The pieces of the reply, without those of attempts that have failed.
    private static func textParts(_ events: [ChatEvent]) -> (list: [ReplyPart], text: String, reasoning: String) {
        var parts: (list: [ReplyPart], text: String, reasoning: String) = ([], "", "")
        for event in events {
            switch event {
            case .reset: parts = ([], "", "")
            case .text(let batch):
                for piece in batch {
                    switch batch.kind {
                    case .text:
                        parts.list.append(.text(piece))
                        parts.text += piece
                    case .reasoning:
                        parts.list.append(.reasoning(piece))
                        parts.reasoning += piece
                    }
                }
            default: break
            }
        }
        return parts
    }

    private static func error(_ failure: RequestFailure) -> ReplyError {
        // A failure without a response has no status of its own.
        let status = failure.status.flatMap { (400...599).contains($0) ? $0 : nil } ?? 503
        return ReplyError(
            status: status, message: failure.message, type: failure.kind.rawValue, code: failure.code,
            retryAfter: failure.retryAfter)
    }

    private func missing(_ conversation: JSONValue) -> ReplyError {
        var message = "This request is not in the recording \(name)."
        if let (near, lines) = nearest(to: conversation) {
            message += " The nearest one, request \(near.request.id.raw), differs: \(lines[0])"
        }
        return ReplyError(status: 404, message: message, code: "not_recorded")
    }

    private func nearest(to conversation: JSONValue) -> (Exchange, [String])? {
        exchanges.map { ($0, RequestDifference.lines(recorded: $0.conversation, new: conversation)) }
            .filter { !$0.1.isEmpty }.min { $0.1.count < $1.1.count }
    }

    // MARK: Matching

    /// What all formats keep of a request.
    private static func conversation(_ chat: ChatRequest) -> JSONValue {
        var system = chat.system.map { [$0] } ?? []
        var messages: [JSONValue] = []
        for message in chat.messages {
            let role = message["role"]?.string ?? ""
            let text = text(of: message["content"])
            if role == "system" || role == "developer" {
                system.append(text)
                continue
            }
            var kept: JSONObject = ["role": .string(role == "function" ? "tool" : role), "content": .string(text)]
            let calls = (message["tool_calls"]?.array ?? []).map(call)
            if !calls.isEmpty { kept["tool_calls"] = .array(calls) }
            let others = (message["content"]?.array ?? []).count { $0["text"] == nil }
            if others > 0 { kept["other_parts"] = .int(Int64(others)) }
            messages.append(.object(kept))
        }
        if let said = chat.continuing { messages.append(["role": "assistant", "content": .string(said)]) }
        var conversation: JSONObject = ["messages": .array(messages)]
        if !system.isEmpty { conversation["system"] = .string(system.joined(separator: "\n")) }
        let tools = (chat.parameters["tools"]?.array ?? []).compactMap(tool)
        if !tools.isEmpty { conversation["tools"] = .array(tools) }
        return .object(conversation)
    }

    private static func text(of content: JSONValue?) -> String {
        content?.string ?? (content?.array ?? []).compactMap { $0["text"]?.string }.joined()
    }

    private static func call(_ call: JSONValue) -> JSONValue {
        let function = call["function"]
        let arguments = function?["arguments"] ?? [:]
        // Arguments that are not JSON are compared as text.
        let decoded = arguments.string.flatMap { try? JSONReader.value($0) } ?? arguments
        return ["name": function?["name"] ?? "", "arguments": .string(canonical(decoded))]
    }

    private static func tool(_ tool: JSONValue) -> JSONValue? {
        // Scripts have a short form without the member `function`.
        let function = tool["function"] ?? tool
        guard let name = function["name"] else { return nil }
        return ["name": name, "description": function["description"] ?? ""]
    }

    private static func canonical(_ value: JSONValue) -> String {
        String(decoding: CanonicalJSON.bytes(value), as: UTF8.self)
    }
}
