// A request and its end in the form in which the store holds them.

internal import Base
internal import Chat
internal import HTTP
internal import JSON

/// What is written when a request begins.
struct RequestRecord: Sendable {
    /// The number that the broker gives it, unique in the store's process.
    var key: UInt64
    var run: UInt64
    var spec: RequestSpec
    /// Nil: the writer computes it.
    var place: Place?
    /// Seconds since 1970.
    var startedAt: Double
    /// Of one that a cache answered: the row of the answer.
    var source: Int64?

    /// Where a request is found again.
    struct Place: Hashable, Sendable {
        var digest: [UInt8]
        var ordinal: Int
    }

    /// Where the result of a step is found again.
    struct StepPlace: Hashable, Sendable {
        var name: String
        var ordinal: Int

        /// The checksum of the record.
        func seal(_ result: [UInt8], job: Int64) -> Int64 {
            var seal = RecordSeal(.step)
            seal.add(job)
            seal.add(name)
            seal.add(Int64(ordinal))
            seal.add(result)
            return seal.value
        }
    }
}

/// What is written when it has ended.
struct RequestEnd: Sendable {
    enum Result: Sendable {
        case reply(Reply)
        case failure(RequestFailure)
    }

    var result: Result
    /// Seconds since 1970.
    var time: Double
    /// Seconds from the start to the first output that was taken; nil without any.
    var firstOutput: Double?
    /// Rows of output.
    var rowCount: Int

    var state: State {
        switch result {
        case .reply(let reply): reply.finishReason == .cancelled ? .stopped : .finished
        case .failure(let failure): failure.kind == .cancelled ? .cancelled : .failed
        }
    }

    enum State: String, Sendable { case running, finished, stopped, failed, cancelled, cached }
}

extension RequestSpec {
    /// The text of the messages after the last one of the assistant: what is new in this request.
    var promptText: String {
        let last = chat.messages.lastIndex { $0["role"]?.string == "assistant" }.map { $0 + 1 } ?? 0
        var parts: [String] = []
        for message in chat.messages[last...] { Self.collect(message["content"] ?? .null, into: &parts) }
        return parts.joined(separator: "\n")
    }

    private static func collect(_ content: JSONValue, into parts: inout [String]) {
        switch content {
        case .string(let text): parts.append(text)
        case .array(let elements): for element in elements { collect(element["text"] ?? .null, into: &parts) }
        default: break
        }
    }
}

extension Usage {
    /// The cost in US dollars: as reported, or by the price of the tokens; nil if neither is known.
    func dollars(at price: TokenPrice?) -> Double? { cost ?? price.map { $0.dollars(self) } }
}
