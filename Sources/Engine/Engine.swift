// The reactor. One thread calls `submit`, `turn`, `nextReady` and `take`; nothing here locks, waits elsewhere or
// calls back. It knows requests and events; it must never learn of Lua.

internal import Dialects
internal import Glibc
internal import Transport

/// Runs requests. Commands go down with `submit`, time and bytes pass in `turn`, events come up with `nextReady` and
/// `take`. To be used on one thread: it holds handles of a C library that are bound to it, and is not Sendable.
public final class Engine {
    private let configuration: EngineConfiguration

    /// An engine with no request.
    /// - Throws: an `EngineError` if the operating system refuses the descriptors for waiting.
    public init(_ configuration: EngineConfiguration) throws(EngineError) {
        self.configuration = configuration
    }

    /// Queues a command; it is applied at the beginning of the next turn. Never fails: a command that makes no sense
    /// any more (its request has ended) is ignored, and a request that cannot start ends with `failed`.
    public func submit(_ command: EngineCommand) {}

    /// One round: commands, then bytes, then completions, then timers.
    /// - Parameter seconds: how long it may sleep if nothing is to be done; nil for as long as it takes. It does not
    ///   sleep while events wait to be taken, and wakes for its own timers and for `wakeHandle`.
    public func turn(waitingUpTo seconds: Double?) {}

    /// The next request with events to be taken, in turn; nil if there is none. A request is named once, and again
    /// after `take` has left something, or something new has come.
    public func nextReady() -> RequestID? { nil }

    /// Hands over up to `limit` waiting events of a request, oldest first. What has been taken counts as seen.
    public func take(_ id: RequestID, upTo limit: Int = .max) -> [EngineEvent] { [] }

    /// True if events of the request wait to be taken.
    public func hasPending(_ id: RequestID) -> Bool { false }

    /// How many requests have not handed over their last event.
    public var activeCount: Int { 0 }

    /// Monotonic seconds (CLOCK_MONOTONIC); the origin means nothing.
    public static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

@available(*, unavailable, message: "an engine belongs to one thread")
extension Engine: Sendable {}

/// Why an engine could not be made.
public struct EngineError: Error, Sendable {
    /// What happened.
    public var message: String
}
