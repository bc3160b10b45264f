// The engine's interface to the transport. `CurlTransport` implements it for the network, tests with bytes of their own.

internal import HTTP

/// Carries attempts. Calls `Attempt.receive` and `Attempt.ended` from inside `turn` or `resume`.
protocol AttemptTransport: AnyObject {
    /// Begins a transfer.
    func start(_ request: HTTPRequest, _ route: TransferRoute, for attempt: Attempt) throws(TransferRefusal)
        -> TransferHandle
    /// Ends a transfer and closes its connection. The attempt gets no further call.
    func cancel(_ transfer: TransferHandle)
    /// Stops reading its body until `resume`.
    func pause(_ transfer: TransferHandle)
    /// Continues reading.
    func resume(_ transfer: TransferHandle)
    /// Waits for sockets, at most `seconds` (nil for no bound), and moves bytes.
    func turn(waitingUpTo seconds: Double?)
}

/// How a transfer reaches its server.
struct TransferRoute: Sendable, Equatable {
    /// The connect timeout in seconds.
    var connectTimeout: Double
    /// Whether a new connection is required.
    var isFresh = false
    /// Whether no proxy is used.
    var isDirect = false
}

/// The number of a transfer.
struct TransferHandle: Hashable, Sendable { var raw: UInt64 }

/// Why a transfer could not begin.
enum TransferRefusal: Error {
    /// The process has no file descriptor left.
    case noDescriptors
    case fault(AttemptError)
}

/// How a transfer ended.
enum TransferEnding: Sendable, Equatable {
    /// The body is complete by HTTP framing, or by a clean close without framing.
    case complete
    /// The response broke off, before or after its head.
    case cut(how: String)
    /// No file descriptor was left for its socket.
    case noDescriptors
    /// A proxy answered CONNECT with this head; nothing was sent.
    case refusedByProxy(HTTPResponseHead, String)
    /// Any other failure.
    case failed(AttemptError)
}

/// What happens to a transfer after body bytes, which have been taken: it goes on, pauses, or stops.
enum BodyStep: Sendable, Equatable { case go, hold, stop }
