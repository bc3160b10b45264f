// What a client of an engine, or of another broker, asks of it.

package import Base

/// The number of a request. The client chooses it; no two live requests of one client may share it.
package struct RequestID: Hashable, Sendable {
    /// The number.
    package var raw: UInt64

    /// The request of that number.
    package init(_ raw: UInt64) { self.raw = raw }
}

/// A command of a client. Commands are applied in order at the beginning of the next turn.
package enum RequestCommand: Hashable, Sendable {
    /// Begin a request.
    case start(RequestID, RequestSpec)
    /// End it as a success with finish reason `cancelled`. Events not yet taken are dropped. The reply holds what was taken,
    /// without what the client reports as undelivered.
    case stop(RequestID, undelivered: Undelivered = Undelivered())
    /// End it as a failure of kind `cancelled`. Waiting events are dropped as for `stop`.
    case cancel(RequestID, undelivered: Undelivered = Undelivered())
    /// Pause it: the socket is not read, no event is delivered, and `first`, `idle` and `stall` stand still.
    case pause(RequestID)
    /// Resume it.
    case resume(RequestID)
    /// The client waits for something else before it reads on. Until `reading` the request does not count as concurrent at
    /// the rate limiter, as while it is paused: the client may wait for another request.
    case occupied(RequestID)
    /// The client reads on.
    case reading(RequestID)

    /// The request that it is for.
    package var id: RequestID {
        switch self {
        case .start(let id, _), .stop(let id, _), .cancel(let id, _), .pause(let id), .resume(let id),
            .occupied(let id), .reading(let id):
            id
        }
    }
}

/// Output that a client has taken and not delivered. `reply.text` must not contain it.
package struct Undelivered: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case textBytes = "text_bytes"
        case reasoningBytes = "reasoning_bytes"
        case spansReset = "spans_reset"
    }

    /// UTF-8 bytes of text.
    package var textBytes = 0
    /// UTF-8 bytes of reasoning.
    package var reasoningBytes = 0
    /// Whether it includes a `reset`. What was delivered then belongs to the reply before the reset, and so do the counts.
    package var spansReset = false

    /// Nothing: all that was taken was delivered.
    package init() {}

    /// The output in `events`, the tail of those taken last.
    package init(_ events: some Sequence<ChatEvent>) {
        for event in events { count(event) }
    }

    /// Adds the output of an event.
    package mutating func count(_ event: ChatEvent) {
        guard !spansReset else { return }
        switch event {
        case .reset: spansReset = true
        case .text(let batch): count(batch, from: 0)
        default: break
        }
    }

    /// Adds the pieces of a batch from that one on.
    package mutating func count(_ batch: TextBatch, from index: Int) {
        guard !spansReset else { return }
        switch batch.kind {
        case .text: textBytes += batch.utf8Count(from: index)
        case .reasoning: reasoningBytes += batch.utf8Count(from: index)
        }
    }
}
