// Encodes the events of a request as events of a stream, by the server's wire contract.

internal import Base
internal import Chat
internal import JSON

/// Makes stream events. Holds no state: the caller numbers the events.
enum StreamEventEncoder {
    /// The events for a chat event, in order. `start`, heartbeats, raw chunks and phases have none: the server makes the
    /// event `start` before the provider answers.
    static func encode(_ event: ChatEvent) -> [StreamEvent] {
        var events: [StreamEvent] = []
        encode(event) { events.append($0) }
        return events
    }

    /// Calls `emit` with each event for a chat event.
    static func encode(_ event: ChatEvent, _ emit: (StreamEvent) -> Void) {
        switch event {
        case .start, .heartbeat, .phase, .chunk: return
        case .text(let batch): encode(batch, emit)
        case .toolCall(let call): emit(Self.event("tool_call", toolCall(call)))
        case .usage(let counts): emit(Self.event("usage", usage(counts)))
        case .native(let name, let value): emit(Self.event("native", ["name": .string(name), "value": value]))
        case .retry(let info):
            emit(
                Self.event(
                    "retry",
                    ["attempt": .int(Int64(info.attempt)), "delay": seconds(info.delay), "error": error(info.error)]))
        case .wait(let info):
            emit(Self.event("wait", ["seconds": seconds(info.seconds), "reason": .string(info.reason)]))
        case .reset(let info):
            emit(Self.event("reset", ["attempt": .int(Int64(info.attempt)), "error": error(info.error)]))
        case .finish(let reply):
            // Clients show text only. A refusal that the provider sends apart would be an empty reply.
            if let refusal = reply.refusal, !refusal.isEmpty, reply.text.isEmpty {
                emit(StreamEvent(data: content([UInt8](refusal.utf8).span)))
            }
            emit(Self.event("finish", finish(reply), isTerminal: true))
        case .failed(let failure): emit(Self.failure(failure))
        }
    }

    // MARK: Events of the server

    /// The first event of a stream.
    static func start(stream: String, model: String?) -> StreamEvent {
        var members: JSONObject = ["stream": .string(stream)]
        members["model"] = model.map { .string($0) }
        return event("start", members)
    }

    /// The last event of a stream whose handler returned without a reply.
    static func ended(model: String?) -> StreamEvent {
        var members: JSONObject = ["finish_reason": "stop"]
        members["model"] = model.map { .string($0) }
        return event("finish", members, isTerminal: true)
    }

    /// The last event of a request that failed.
    static func failure(_ failure: RequestFailure) -> StreamEvent {
        var members: JSONObject = ["kind": .string(failure.kind.rawValue), "message": .string(failure.message)]
        members["hint"] = FailureHint.text(failure).map { .string($0) }
        members["status"] = failure.status.map { .int(Int64($0)) }
        members["retryable"] = .bool(failure.isRetryable)
        members["retry_after"] = failure.retryAfter.map(seconds)
        members["request_id"] = failure.requestID.map { .string($0) }
        return event("failure", members, isTerminal: true)
    }

    /// The last event of a stream that a client stopped.
    static func stopped() -> StreamEvent {
        failure(kind: ErrorKind.cancelled.rawValue, message: "The stream was stopped.")
    }

    /// The last event of a stream whose handler raised an error. The error itself is in the server's log only.
    static func raised(requestID: String) -> StreamEvent {
        failure(
            kind: "internal", message: "The server's script failed. Its log has the reason under the request's id.",
            requestID: requestID)
    }

    /// A failure of the server's own.
    static func failure(kind: String, message: String, requestID: String? = nil) -> StreamEvent {
        var members: JSONObject = ["kind": .string(kind), "message": .string(message), "retryable": false]
        members["request_id"] = requestID.map { .string($0) }
        return event("failure", members, isTerminal: true)
    }

    /// The answer to a client that wants to resume after an event that is no longer kept.
    static func lost(_ message: String) -> StreamEvent {
        event("lost", ["message": .string(message)], isTerminal: true)
    }

    /// An event of the script's own. A string becomes `{"content": value}`.
    /// - Parameter name: nil and "message" are the default event.
    /// - Throws: a name that clients cannot receive, or that is reserved for the server.
    static func custom(name: String?, _ value: JSONValue) throws(EventNameError) -> StreamEvent {
        if let name { try EventNameError.check(name) }
        let data =
            if case .string(let text) = value { content([UInt8](text.utf8).span) } else { JSONWriter.bytes(value) }
        return StreamEvent(name: name == "message" ? nil : name, data: data)
    }

    // MARK: Text

    private static func encode(_ batch: TextBatch, _ emit: (StreamEvent) -> Void) {
        let name = batch.kind == .reasoning ? "reasoning" : nil
        batch.forEachPiece { emit(StreamEvent(name: name, data: content($0))) }
    }

    /// `{"content": text}` of valid UTF-8.
    private static func content(_ text: Span<UInt8>) -> [UInt8] {
        var data: [UInt8] = []
        data.reserveCapacity(text.count + 16)
        data.append(contentsOf: "{\"content\":".utf8)
        JSONWriter.append(utf8: text, to: &data)
        data.append(UInt8(ascii: "}"))
        return data
    }

    // MARK: Members

    private static func event(_ name: String, _ members: JSONObject, isTerminal: Bool = false) -> StreamEvent {
        StreamEvent(name: name, data: JSONWriter.bytes(.object(members)), isTerminal: isTerminal)
    }

    private static func toolCall(_ call: ToolCall) -> JSONObject {
        ["id": .string(call.id), "name": .string(call.name), "arguments": call.arguments ?? [:]]
    }

    private static func error(_ failure: RequestFailure) -> JSONValue {
        var members: JSONObject = ["kind": .string(failure.kind.rawValue), "message": .string(failure.message)]
        members["status"] = failure.status.map { .int(Int64($0)) }
        return .object(members)
    }

    private static func finish(_ reply: Reply) -> JSONObject {
        var members: JSONObject = [
            "finish_reason": .string((reply.finishReason ?? .other).rawValue), "model": .string(reply.model),
            "provider": .string(reply.provider), "attempts": .int(Int64(reply.attempts)),
        ]
        if let counts = reply.usage {
            members["usage"] = .object(usage(counts))
            if let cost = counts.cost, cost.isFinite { members["cost"] = .double(cost) }
        }
        var timing = JSONObject()
        timing["first_token"] = reply.firstTokenTime.map(seconds)
        timing["total"] = seconds(reply.totalTime)
        members["timing"] = .object(timing)
        return members
    }

    /// Token counts. The input includes the tokens of the cache, and the output the reasoning, whatever the provider does.
    private static func usage(_ usage: Usage) -> JSONObject {
        var members = JSONObject()
        let (read, written) = (usage.readTokens, usage.writtenTokens)
        func add(_ name: String, _ count: Int?) { members[name] = count.map { .int(Int64($0)) } }
        add("input_tokens", read)
        add("output_tokens", written)
        add("reasoning_tokens", usage.reasoningTokens)
        add("cached_tokens", usage.cachedTokens)
        add("cache_write_tokens", usage.cacheWriteTokens)
        add("total_tokens", read.flatMap { read in written.map { WireNumber.sum(read, $0) } } ?? usage.totalTokens)
        members["estimated"] = .bool(usage.estimated)
        return members
    }

    /// Seconds to the millisecond; null if they are not a number.
    private static func seconds(_ value: Double) -> JSONValue {
        value.isFinite ? .double((value * 1_000).rounded() / 1_000) : .null
    }
}

/// A name that an event of a script may not have.
struct EventNameError: Error, Equatable {
    let message: String

    /// Maximum length of a name in bytes.
    private static let longestName = 100
    /// EventSource calls its own events "error" and "open". The server makes the others, and clients end at the last three.
    private static let reserved: Set<String> = ["error", "open", "start", "finish", "failure", "lost"]

    fileprivate static func check(_ name: String) throws(EventNameError) {
        guard !name.isEmpty else {
            throw EventNameError(message: "an event's name must not be empty: leave it out for the default event")
        }
        guard name.utf8.count <= longestName else {
            throw EventNameError(message: "an event's name must have at most \(longestName) bytes")
        }
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw EventNameError(message: "an event's name must not hold a line break or another control character")
        }
        guard !reserved.contains(name) else {
            throw EventNameError(message: "the event name \"\(name)\" is reserved: choose another")
        }
    }
}

extension TextBatch {
    /// Calls `body` with each piece, valid UTF-8. Pieces that divide a character are joined.
    func forEachPiece(_ body: (Span<UInt8>) -> Void) {
        guard isUTF8 else {
            for piece in self { body(piece.utf8.span) }
            return
        }
        withBytes { bytes, ends in
            var start = 0
            for index in ends.indices {
                let end = Int(ends[index])
                if end < bytes.count, bytes[end] & 0xC0 == 0x80 { continue }
                guard start < end else { continue }
                body(bytes.extracting(start..<end))
                start = end
            }
        }
    }
}
