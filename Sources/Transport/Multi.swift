// stub
internal import Glibc
public import Wire

/// All transfers of one thread.
public final class Multi {
    /// Ends a wait from any thread and from a signal handler.
    public let wakeHandle: WakeHandle
    /// Opens epoll and curl's multi handle.
    public init() throws(TransportError) { wakeHandle = try WakeHandle() }
    /// Begins a transfer; its first byte leaves in the next turn.
    public func start(_ request: HTTPRequest, options: TransferOptions, delegate: any TransferDelegate)
        throws(TransportError) -> Transfer
    { throw TransportError(.other, "not yet") }
    /// Ends a transfer at once: no delegate call afterwards.
    public func cancel(_ transfer: Transfer) {}
    /// Stops the flow of body bytes.
    public func pause(_ transfer: Transfer) {}
    /// Lets body bytes flow again, from the next turn on: the delegate is never called before this returns.
    public func resume(_ transfer: Transfer) {}
    /// Waits up to `seconds` (nil: for ever) for sockets, curl's timers or a wake; then runs what is ready and
    /// delivers ends.
    public func turn(waitingUpTo seconds: Double?) {}
    /// Transfers started and not yet ended or cancelled.
    public var activeCount: Int { 0 }
    /// Seconds of CLOCK_MONOTONIC.
    public static func now() -> Double { 0 }
}
@available(*, unavailable, message: "lives on one thread")
extension Multi: @unchecked Sendable {}
