// Replies and errors that handlers return, read back from their tables.

internal import Base
internal import Chat
internal import JSON

extension Reply {
    /// The reply in a table, as JSON: one of llm.lua's, or one that a handler has made.
    init(table: JSONValue) {
        let usage = table["usage"] ?? nil
        self.init(
            text: table["text"]?.string ?? "", reasoning: table["reasoning"]?.string ?? "",
            toolCalls: (table["tool_calls"]?.array ?? []).compactMap(ToolCall.init(table:)),
            finishReason: table["finish_reason"]?.string.flatMap(FinishReason.init(rawValue:)) ?? .stop,
            usage: usage.isNull ? nil : Usage(table: usage), model: table["model"]?.string ?? "",
            id: table["id"]?.string, provider: table["provider"]?.string ?? "",
            attempts: table["attempts"]?.naturalNumber ?? 1, totalTime: table["timing"]?["total"]?.double ?? 0,
            message: table["message"] ?? nil)
        firstTokenTime = table["timing"]?["first_token"]?.double
        refusal = table["refusal"]?.string
        isCached = table["cached"]?.bool ?? false
    }

    /// A reply of this text alone.
    init(text: String) {
        self.init(
            text: text, reasoning: "", toolCalls: [], finishReason: .stop, usage: Usage(estimatedFor: text), model: "",
            provider: "", attempts: 1, totalTime: 0, message: ["role": "assistant", "content": .string(text)])
    }

    /// Adds what the reply has cost, unless the provider has said it or a cache has answered.
    mutating func addCost(_ price: TokenPrice?) {
        if let price, let usage, usage.cost == nil, !isCached { self.usage?.cost = price.dollars(usage) }
    }

    /// The events that bring the whole reply.
    var events: [ChatEvent] {
        var events: [ChatEvent] = []
        if !reasoning.isEmpty { events.append(.text(TextBatch(reasoning, .reasoning))) }
        if !text.isEmpty { events.append(.text(TextBatch(text))) }
        return events + ending
    }

    /// The events that end a reply whose text was sent. A finish event alone does not bring its tool calls.
    var ending: [ChatEvent] { toolCalls.map { .toolCall($0) } + [.finish(self)] }
}

extension ToolCall {
    fileprivate init?(table: JSONValue) {
        guard let name = table["name"]?.string else { return nil }
        let arguments = table["arguments"]
        let json = table["arguments_json"]?.string ?? arguments.map { JSONWriter.text($0) } ?? "{}"
        self.init(id: table["id"]?.string ?? "", name: name, argumentsJSON: json, arguments: arguments)
    }
}

extension Usage {
    /// The estimated counts of a text that no model has made.
    fileprivate init(estimatedFor text: String) {
        self.init()
        outputTokens = Int(estimatedTokens(in: text.utf8).rounded(.up))
        estimated = true
    }

    fileprivate init(table: JSONValue) {
        self.init()
        inputTokens = table["input_tokens"]?.naturalNumber
        outputTokens = table["output_tokens"]?.naturalNumber
        reasoningTokens = table["reasoning_tokens"]?.naturalNumber
        cachedTokens = table["cached_tokens"]?.naturalNumber
        cost = table["cost"]?.double
        estimated = table["estimated"]?.bool ?? false
    }
}

extension RequestFailure {
    /// The failure in an error's table, as JSON.
    init(table: JSONValue) {
        self.init(
            kind: table["kind"]?.string.flatMap(ErrorKind.init(rawValue:)) ?? .provider,
            message: table["message"]?.string ?? "the request failed", status: table["status"]?.naturalNumber,
            code: table["code"]?.string, phase: table["phase"]?.string.flatMap(Phase.init(rawValue:)),
            isRetryable: table["retryable"]?.bool ?? false, retryAfter: table["retry_after"]?.double,
            provider: table["provider"]?.string ?? "", model: table["model"]?.string ?? "",
            attempts: table["attempts"]?.naturalNumber ?? 0)
    }
}

extension ChatEvent {
    /// The event in the table that a loop over a stream gets, if it is one of the attempt's progress or of its output beside
    /// text.
    init?(progress table: JSONValue) {
        let failure = RequestFailure(table: table["err"] ?? table["error"] ?? nil)
        let attempt = table["attempt"]?.naturalNumber ?? 1
        switch table["type"]?.string {
        case "retry":
            self = .retry(
                RetryInfo(
                    attempt: attempt, delay: table["delay"]?.double ?? 0, error: failure, received: Position()))
        case "wait":
            self = .wait(
                WaitInfo(seconds: table["seconds"]?.double ?? 0, reason: table["reason"]?.string ?? ""))
        case "reset": self = .reset(ResetInfo(attempt: attempt, error: failure))
        case "usage": self = .usage(Usage(table: table["usage"] ?? nil))
        case "native": self = .native(name: table["name"]?.string ?? "", table["value"] ?? nil)
        default: return nil
        }
    }
}

extension JSONValue {
    /// A whole number of 0 or more, bounded as numbers from the wire are.
    fileprivate var naturalNumber: Int? { int.flatMap { (0...WireNumber.greatestCount).contains($0) ? Int($0) : nil } }
}
