// Options and statistics of the simulator: plain values.

package import HTTP

/// How the simulator listens and answers.
package struct SimulatorOptions: Sendable {
    /// The address to listen on. Other machines can connect unless it is loopback; no key is required.
    package var host = "127.0.0.1"
    /// The TCP port; 0 lets the kernel choose.
    package var port = 0
    /// Deltas a second of each stream. 0 sends as fast as the client reads.
    package var rate = 60.0
    /// Makes each reply this many short deltas ("tok1 tok2 ...") instead of a text that fits the prompt.
    package var deltas: DeltaCount?
    /// Requests a second, with a burst of one second's worth; the rest gets 429. Nil for no limit.
    package var limit: Double?
    /// Whether responses have rate limit headers.
    package var tellsLimit = true
    /// The faults of replies.
    package var faults = FaultPlan()
    /// Recorded replies that are given in place of generated ones.
    package var recorded: RecordedAnswers?
    /// The seed of generated replies. The same seed and request give the same bytes.
    package var seed: UInt64 = 0
    /// Called on the server's thread for each request before it is answered. It must not block.
    package var onRequest: (@Sendable (ObservedRequest) -> Void)?

    /// Loopback, a port chosen by the kernel, 60 deltas a second, no faults.
    package init() {}
}

/// The number of deltas of a synthetic reply.
package enum DeltaCount: Sendable, Equatable {
    case exactly(Int)
    /// The stream ends only when the client disconnects.
    case endless

    /// "inf", or a number up to 1,000,000,000; nil for anything else.
    package init?(_ text: String) {
        if text == "inf" {
            self = .endless
        } else if let count = Int(text), (0...1_000_000_000).contains(count) {
            self = .exactly(count)
        } else {
            return nil
        }
    }
}

/// A request as the simulator received it.
package struct ObservedRequest: Sendable, Equatable {
    /// The method in capitals.
    package var method: String
    /// The request target with its query: "/v1/chat/completions".
    package var path: String
    /// The header fields in the order received.
    package var headers: HTTPHeaders
    /// The body's bytes.
    package var body: [UInt8]
    /// When its last byte was read: seconds of CLOCK_MONOTONIC.
    package var time: Double
}

/// Counters of the simulator.
package struct SimulatorStatistics: Sendable, Equatable {
    /// Complete requests, of any path.
    package var requests = 0
    /// Replies being sent now.
    package var open = 0
    /// The largest value of `open` so far.
    package var openPeak = 0
    /// Replies sent to their end, those that a fault ended included.
    package var finished = 0
    /// Replies whose client disconnected before their end.
    package var aborted = 0
    /// Stream events written (role, delta, finish, usage and `[DONE]` each count as one).
    package var events = 0
    /// Requests by path, without the query. Paths beyond the first 100 are counted under "other".
    package var paths: [String: Int] = [:]
    /// Connections accepted.
    package var connections = 0
    /// Connections open now.
    package var openConnections = 0
    /// When the last 10,000 connections were closed by either side: seconds of CLOCK_MONOTONIC.
    package var connectionsClosed: [Double] = []
}

/// Why the simulator could not start.
package enum SimulatorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another program listens on this port.
    case portInUse(host: String, port: Int)
    /// The system's reason why this address cannot be listened on.
    case cannotListen(host: String, port: Int, reason: String)
    /// The recording cannot be read; the message names it.
    case badRecording(String)
    /// An option has an invalid value.
    case badOption(name: String, reason: String)

    /// The problem, and how to fix it.
    package var description: String {
        switch self {
        case .portInUse(let host, let port):
            "port \(port) on \(host) is in use by another program; choose another, or 0 for a free one"
        case .cannotListen(let host, let port, let reason):
            "cannot listen on \(host) port \(port): \(reason)"
        case .badRecording(let message): message
        case .badOption(let name, let reason):
            "the mock's option \(name) \(reason)"
        }
    }
}
