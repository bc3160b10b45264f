// What a caller sets and what it gets back from the offline provider: plain values, no sockets.

package import HTTP

/// How the offline provider listens and answers.
package struct SimulatorOptions: Sendable {
    /// The address to listen on. Anything but loopback lets other machines in: the provider asks for no key.
    package var host = "127.0.0.1"
    /// The TCP port; 0 lets the kernel choose.
    package var port = 0
    /// Deltas a second for each stream. 0 sends as fast as the client reads.
    package var rate = 60.0
    /// Makes each reply this many short deltas ("tok1 tok2 ...") instead of a text that fits the prompt.
    package var deltas: DeltaCount?
    /// Requests a second that are answered, of one second's worth at once; the rest gets 429. Nil for no limit.
    package var limit: Double?
    /// Whether answers say in their headers what is left of the limit.
    package var tellsLimit = true
    /// The faults to show.
    package var faults = FaultPlan()
    /// Changes every choice the provider makes. The same seed and request give the same bytes.
    package var seed: UInt64 = 0
    /// Called on the server's thread for each whole request, before it is answered. It must not block.
    package var onRequest: (@Sendable (ObservedRequest) -> Void)?

    /// Loopback, a port of the kernel's choice, 60 deltas a second, no faults.
    package init() {}
}

/// How many deltas a synthetic reply has.
package enum DeltaCount: Sendable, Equatable {
    case exactly(Int)
    /// The stream ends only when the client goes away.
    case endless

    /// Reads "inf", or a number up to a thousand million; nil for anything else.
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

/// A request as the offline provider received it.
package struct ObservedRequest: Sendable, Equatable {
    /// The method, in capitals.
    package var method: String
    /// The request target, query included: "/v1/chat/completions".
    package var path: String
    /// The header fields, in order of arrival.
    package var headers: HTTPHeaders
    /// The body's bytes.
    package var body: [UInt8]
    /// When its last byte was read: seconds of CLOCK_MONOTONIC.
    package var time: Double
}

/// What the offline provider has seen so far.
package struct SimulatorStatistics: Sendable, Equatable {
    /// Requests received whole, of any path.
    package var requests = 0
    /// Replies being sent at this moment.
    package var open = 0
    /// The most replies that were ever open together.
    package var openPeak = 0
    /// Replies sent to their end, faults of the plan included.
    package var finished = 0
    /// Replies that the client left before their end.
    package var aborted = 0
    /// Stream events written (role, delta, finish, usage and `[DONE]` each count as one).
    package var events = 0
    /// Requests by path, without the query. Paths beyond the first 100 are counted under "other".
    package var paths: [String: Int] = [:]
    /// Connections accepted.
    package var connections = 0
    /// Connections open at this moment.
    package var openConnections = 0
    /// When connections closed, by either side: seconds of CLOCK_MONOTONIC, the last 10,000.
    package var connectionsClosed: [Double] = []
}

/// Why the offline provider could not start.
package enum SimulatorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another program listens on the port.
    case portInUse(host: String, port: Int)
    /// The address cannot be listened on, with the system's reason.
    case cannotListen(host: String, port: Int, reason: String)
    /// An option has a value that means nothing.
    case badOption(name: String, reason: String)

    /// What happened and the way out, for people.
    package var description: String {
        switch self {
        case .portInUse(let host, let port):
            "port \(port) on \(host) is in use by another program; choose another, or 0 for a free one"
        case .cannotListen(let host, let port, let reason):
            "cannot listen on \(host) port \(port): \(reason)"
        case .badOption(let name, let reason):
            "the mock's option \(name) \(reason)"
        }
    }
}
