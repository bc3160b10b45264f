// The reactor. One thread calls `submit`, `turn`, `nextReady` and `take`; nothing here locks, waits elsewhere or
// calls back. It knows requests and events; it must never learn of Lua.

package import Chat
internal import Glibc
package import Transport

/// Runs requests. Commands go down with `submit`, time and bytes pass in `turn`, events come up with `nextReady` and
/// `take`. To be used on one thread: it holds handles of a C library that are bound to it, and is not Sendable.
package final class Engine {
    let configuration: EngineConfiguration
    let port: any Transport
    /// Wakes a sleeping `turn`; may be called on any thread, also after the engine is gone.
    package var waker: @Sendable () -> Void {
        let handle = wakeHandle
        return { handle.wake() }
    }

    /// The eventfd behind `wakeHandle`, for a C signal handler that writes the number 1 to it. Valid while the engine is.
    package var wakeDescriptor: Int32 { wakeHandle.descriptor }

    /// Wakes a sleeping `turn` from another thread or a signal handler.
    package let wakeHandle: WakeHandle
    let context: AttemptContext
    private var commands: [RequestCommand] = []
    /// How many of them begin a request.
    private var submittedStarts = 0
    var requests: [RequestID: Request] = [:]
    /// Requests with something to take, in turn.
    private var ready = FIFO<Request>()
    /// Requests whose next attempt may begin, in turn.
    var queue = FIFO<Request>()
    /// Attempts whose reply is done and whose connection may be saved, with the time their patience ends.
    var draining = FIFO<(attempt: Attempt, until: Double)>()
    var timers = TimerHeap<RequestID>()
    /// Gates by what passes them, and those with requests in line.
    var gates: [String: RateLimiter] = [:]
    var waitingGates: [RateLimiter] = []
    /// Transfers under way, drained ones included.
    var transferCount = 0
    /// How many there may be now: fewer than `maxTransfers` after the system has run out of descriptors.
    var transferLimit: Int
    let maxTransfers: Int

    /// An engine that carries its attempts through `port`.
    init(_ configuration: EngineConfiguration, port: any Transport, wakeHandle: WakeHandle) {
        self.configuration = configuration
        self.port = port
        self.wakeHandle = wakeHandle
        context = AttemptContext(
            clock: configuration.clock, unixTime: configuration.unixTime, observer: configuration.observer)
        maxTransfers = max(1, configuration.maxTransfers ?? Self.defaultTransferLimit())
        transferLimit = maxTransfers
    }

    /// Requests that have not ended hold their attempts, and these hold them; so do attempts and the list of those to
    /// attend.
    deinit {
        for request in requests.values { request.attempt?.detach() }
        context.toAttend = []
        context.touched = []
        for gate in gates.values { gate.dropLine() }
    }

    /// Queues a command; it is applied at the beginning of the next turn. Never fails: a command that makes no sense
    /// any more (its request has ended) is ignored, and a request that cannot start ends with `failed`.
    package func submit(_ command: RequestCommand) {
        if case .start = command { submittedStarts += 1 }
        commands.append(command)
    }

    /// One round: commands, then bytes, then completions, then timers.
    /// - Parameter seconds: how long it may sleep if nothing is to be done; nil for as long as it takes. It does not
    ///   sleep while events wait to be taken, and wakes for its own timers and for `wakeHandle`.
    package func turn(waitingUpTo seconds: Double?) {
        let pending = commands
        commands.removeAll(keepingCapacity: true)
        submittedStarts = 0
        for command in pending { apply(command) }
        startQueued()
        port.turn(waitingUpTo: patience(seconds))
        settle()
        fireTimers()
        startQueued()
    }

    /// How long the wait for sockets may last, in seconds; nil for no bound.
    private func patience(_ seconds: Double?) -> Double? {
        while let request = ready.first, !request.isTakeable { dropFirstReady() }
        if !ready.isEmpty || !context.toAttend.isEmpty || !context.touched.isEmpty || !commands.isEmpty { return 0 }
        guard let next = [timers.nextDeadline, draining.first?.until, gateDeadline].compactMap({ $0 }).min() else {
            return seconds
        }
        let left = max(0, next - configuration.clock())
        return seconds.map { min($0, left) } ?? left
    }

    // MARK: Events up

    /// The next request with events to be taken, in turn; nil if there is none. A request is named once, and again
    /// after `take` has left something, or something new has come.
    package func nextReady() -> RequestID? {
        while let request = ready.first {
            dropFirstReady()
            if request.isTakeable { return request.id }
        }
        return nil
    }

    /// Hands over the waiting events of a request, oldest first. What has been taken counts as seen, but for what a later
    /// `stop` or `cancel` names as undelivered. `finish` and `failed` come alone, in a last call after all else has been
    /// taken: until then the request can still be stopped.
    package func take(_ id: RequestID) -> [ChatEvent] {
        guard let request = requests[id], request.isTakeable else { return [] }
        let wasHeld = request.isHeld
        let events = request.take()
        if events.last?.isTerminal == true { requests[id] = nil }
        if wasHeld != request.isHeld { updateHold(request) }
        list(request)
        return events
    }

    /// True if events of the request wait to be taken.
    package func hasPending(_ id: RequestID) -> Bool { requests[id]?.isTakeable ?? false }

    /// How many requests have been submitted and have not handed over their last event.
    package var activeCount: Int { requests.count + submittedStarts }

    private func dropFirstReady() { ready.popFirst()?.isListed = false }

    /// Puts the request on the list of those to be read, if it has something.
    func list(_ request: Request) {
        guard !request.isListed, request.isTakeable else { return }
        request.isListed = true
        ready.append(request)
    }

    /// Monotonic seconds (CLOCK_MONOTONIC); the origin means nothing.
    package static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// 10,000, or what the limit on open files leaves after a reserve for everything else.
    private static func defaultTransferLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
        return max(16, min(10_000, Int(clamping: limit.rlim_cur) - 64))
    }
}

@available(*, unavailable, message: "an engine belongs to one thread: its handles are bound to it")
extension Engine: Sendable {}

/// Why an engine could not be made.
package struct EngineError: Error, Sendable {
    /// What happened.
    package var message: String
}
