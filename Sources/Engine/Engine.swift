// The reactor. All calls are made on one thread; nothing here locks.

internal import Base
internal import Chat
internal import DequeModule
internal import Glibc
package import Transport

/// Runs the requests of its clients. Clients submit commands and take events; the owner of the thread calls `turn`. Not
/// Sendable: its handles of a C library are bound to one thread.
package final class Engine: Reactor {
    let configuration: EngineConfiguration
    let transport: any AttemptTransport
    /// Wakes a sleeping `turn`. May be called on any thread, also after the engine is gone.
    package var waker: @Sendable () -> Void {
        let handle = wakeHandle
        return { handle.wake() }
    }

    /// The eventfd behind `wakeHandle`. Valid as long as the engine.
    package var wakeDescriptor: Int32 { wakeHandle.descriptor }

    /// Wakes a sleeping `turn` from another thread or a signal handler.
    package let wakeHandle: WakeHandle
    let context: AttemptContext
    private var commands: [(client: ClientState, command: RequestCommand)] = []
    /// Number of start commands in `commands`.
    private var submittedStarts = 0
    private var clients = SequentialTable<ClientState>()
    private var lastClient = 0
    /// Clients that are gone and whose requests have not been ended yet.
    private var detachedClients: [ClientState] = []
    /// Number of requests of all clients whose last event has not been taken.
    var requestCount = 0
    /// Requests whose next attempt may begin, in order.
    var queue = Deque<Request>()
    /// Attempts with a complete reply that are read to the end of the body for the sake of the connection, with their
    /// deadlines.
    var draining = Deque<(attempt: Attempt, until: Double)>()
    var timers = TimerHeap<RequestKey>()
    /// Rate limiters by provider and name, and those with requests in line.
    var limiters: [String: RateLimiter] = [:]
    var limitersWithQueue: [RateLimiter] = []
    /// The provider's limiter of the request before, with what it is for: most requests need no look-up.
    var lastLimiter: (baseURL: String, keyVariable: String?, model: String, limiter: RateLimiter)?
    /// Running transfers, including those that drain.
    var transferCount = 0
    /// The current maximum: below `maxTransfers` after the system has run out of descriptors.
    var transferLimit: Int
    let maxTransfers: Int

    /// An engine that carries its attempts through `transport`.
    init(_ configuration: EngineConfiguration, transport: any AttemptTransport, wakeHandle: WakeHandle) {
        self.configuration = configuration
        self.transport = transport
        self.wakeHandle = wakeHandle
        context = AttemptContext(
            clock: configuration.clock, unixTime: configuration.unixTime, observer: configuration.observer)
        maxTransfers = max(1, configuration.maxTransfers ?? Self.defaultTransferLimit())
        transferLimit = maxTransfers
    }

    /// Breaks the cycles between requests, attempts and clients, and those of the lists in `context`.
    deinit {
        for client in clients.values + detachedClients {
            for request in client.requests.values { request.attempt?.detach() }
            client.requests.removeAll()
        }
        context.needingAttention = []
        context.requestsRead = []
        for limiter in limiters.values { limiter.dropLine() }
    }

    // MARK: Clients

    /// A new client. The engine lives as long as it has clients.
    package func attach() -> EngineClient {
        lastClient += 1
        let state = ClientState(number: lastClient)
        clients[UInt64(state.number)] = state
        return EngineClient(of: self, state)
    }

    /// Ends the requests of a client that is gone, at the beginning of the next turn: transfers are not touched outside one.
    func detach(_ client: ClientState) {
        client.detach()
        clients[UInt64(client.number)] = nil
        detachedClients.append(client)
    }

    /// Queues a command; it is applied at the beginning of the next turn.
    func submit(_ command: RequestCommand, from client: ClientState) {
        if case .start = command { submittedStarts += 1 }
        commands.append((client, command))
    }

    /// One round: commands, then bytes, then completions, then timers.
    /// - Parameter seconds: how long it may sleep if nothing is to be done; nil for no bound. It does not sleep while events
    ///   wait to be taken, and wakes for its own timers and for `wakeHandle`.
    package func turn(waitingUpTo seconds: Double?) {
        if !commands.isEmpty {
            // Not with its capacity: a burst of starts would keep the space of all its specs.
            let pending = commands
            commands = []
            submittedStarts = 0
            for (client, command) in pending { apply(command, of: client) }
        }
        let gone = detachedClients
        detachedClients.removeAll()
        for client in gone { endRequests(of: client) }
        startQueued()
        transport.turn(waitingUpTo: waitTimeout(seconds))
        settle()
        fireTimers()
        startQueued()
    }

    /// How long the wait for sockets may last, in seconds; nil for no bound.
    private func waitTimeout(_ seconds: Double?) -> Double? {
        if !context.needingAttention.isEmpty || !context.requestsRead.isEmpty || !commands.isEmpty
            || !detachedClients.isEmpty || canStart
        {
            return 0
        }
        if clients.contains(where: \.hasReady) { return 0 }
        let next = min(
            timers.nextDeadline ?? .infinity, draining.first?.until ?? .infinity, limiterDeadline ?? .infinity)
        guard next < .infinity else { return seconds }
        let left = max(0, next - configuration.clock())
        return seconds.map { min($0, left) } ?? left
    }

    // MARK: Events up

    /// Removes and returns the waiting events of a request; see ``RequestBroker/take(_:)``.
    func take(_ id: RequestID, of client: ClientState) -> [ChatEvent] {
        guard let request = client.requests[id.raw], request.hasEvents else { return [] }
        let wasHeld = request.isHeld
        let events = request.take()
        if events.last?.isTerminal == true { forget(request) }
        if wasHeld != request.isHeld { updateHold(request) }
        client.list(request)
        return events
    }

    /// Number of submitted requests whose last event has not been taken.
    package var activeCount: Int { requestCount + submittedStarts }

    /// The request of a timer; nil if it is over.
    func request(_ key: RequestKey) -> Request? { clients[UInt64(key.client)]?.requests[key.id.raw] }

    /// Removes a request whose last event was taken, or whose client is gone.
    func forget(_ request: Request) {
        request.client.requests[request.id.raw] = nil
        requestCount -= 1
    }

    /// Puts the request on its client's list of those to be read, if it has something.
    func list(_ request: Request) { request.client.list(request) }

    /// 10,000, or the limit on open files minus a reserve of 64.
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
