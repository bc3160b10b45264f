// The engine's side of the door to the transport: what it asks for, and how it hears of an end. One conformer wraps the
// real transport; tests have another, whose bytes and clock they hold in their hands.

internal import HTTP

/// Carries attempts. Calls `Attempt.receive` and `Attempt.ended` from inside `turn`, or from inside `resume`.
protocol Transport: AnyObject {
    /// Begins a transfer.
    func start(_ request: HTTPRequest, _ route: TransferRoute, for attempt: Attempt) throws(TransferRefusal)
        -> TransferHandle
    /// Ends a transfer and closes its connection. The attempt hears nothing more.
    func cancel(_ transfer: TransferHandle)
    /// Reads no more of its body until `resume`.
    func pause(_ transfer: TransferHandle)
    /// Reads on.
    func resume(_ transfer: TransferHandle)
    /// Waits for sockets, at most so many seconds (nil: for as long as it takes), and moves bytes.
    func turn(waitingUpTo seconds: Double?)
}

/// How a transfer is to reach its server.
struct TransferRoute: Sendable, Equatable {
    /// Seconds until the connection must stand.
    var connectTimeout: Double
    /// Not over a connection kept from an earlier transfer.
    var isFresh = false
    /// Past every proxy.
    var isDirect = false
}

/// A transfer's name.
struct TransferHandle: Hashable, Sendable { var raw: UInt64 }

/// Why a transfer did not begin.
enum TransferRefusal: Error {
    /// The process has no descriptor left: later, when another transfer has ended.
    case noDescriptors
    case fault(AttemptError)
}

/// How a transfer ended.
enum TransferEnding: Sendable, Equatable {
    /// As HTTP says it should, or by a clean close where the response had no framing.
    case complete
    /// The response broke off, before or behind its head.
    case cut(how: String)
    /// There is no descriptor left for its socket.
    case noDescriptors
    /// A proxy answered CONNECT with that head, and so nothing was sent.
    case refusedByProxy(HTTPResponseHead, String)
    /// Anything else.
    case failed(AttemptError)
}

/// What is to happen to a transfer after a piece of its response.
enum BodyStep: Sendable, Equatable { case go, hold, stop }
