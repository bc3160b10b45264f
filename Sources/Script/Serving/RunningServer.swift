// The server of one script on the script's side: requests become tasks, and streams of requests to providers become
// responses.

internal import Chat
internal import LuaVM

/// A request to the server while its handler runs.
final class ServedExchange {
    let id: ExchangeID
    /// The model that was asked; nil for a route.
    let model: String?
    /// Runs the handler.
    fileprivate(set) var task: ScriptTask?
    /// The client does not read as fast as the response grows.
    fileprivate(set) var isCongested = false
    /// The stream that is the response.
    fileprivate var relayed: Call?
    /// The price of the stream's model, where it is known.
    private var price: TokenPrice?
    private unowned let server: RunningServer
    /// Bytes that the handler has sent since the client was last known to have read all.
    private var unreadBytes = 0
    /// The handler's task while it waits for its client.
    fileprivate var writer: ScriptTask?
    /// Its handler has returned, or was cancelled.
    fileprivate var isOver = false

    /// Bytes that a handler may be ahead of its client.
    private static let maxUnreadBytes = 64 << 10

    fileprivate init(_ request: ServedRequest, _ server: RunningServer) {
        id = request.id
        model = request.chat?.model
        self.server = server
    }

    /// Sends a command to the server.
    func submit(_ command: ServerCommand) { server.broker.submit(command) }

    /// Sends what the handler has written, and lets the running task wait if its client does not read as fast.
    /// - Parameter bytes: about how many it has.
    func write(_ command: ServerCommand, bytes: Int, _ host: HostCall, action: String) throws(LuaError) -> HostOutcome {
        guard !isOver else { return .returned(0) }
        submit(command)
        unreadBytes += bytes
        guard unreadBytes > Self.maxUnreadBytes || isCongested else { return .returned(0) }
        try server.suspend(.exchange(self), host, action: action)
        submit(.sync(id))
        return .waits
    }

    /// The client has read what was sent.
    fileprivate func drained() -> ScriptTask? {
        isCongested = false
        unreadBytes = 0
        defer { writer = nil }
        return writer
    }

    /// The handler's task gave up its wait.
    func cancelWait() { writer = nil }

    /// Lets a stream be the response, and the running task wait for its end.
    func relay(
        _ call: Call, price: TokenPrice?, by dispatcher: CallDispatcher, _ host: HostCall
    ) throws(LuaError) -> HostOutcome {
        relayed = call
        self.price = price
        return try dispatcher.relay(call, to: self, host)
    }
}

extension ServedExchange: CallSink {
    var isBlocked: Bool { isCongested }

    func take(_ event: ChatEvent) {
        switch event {
        // The server has heartbeats of its own.
        case .heartbeat, .chunk: return
        case .finish(var reply):
            reply.addCost(price)
            submit(.events(id, [.finish(reply)]))
        default: submit(.events(id, [event]))
        }
    }
}

/// The server that a script has started. It is running until ``ServerEvent/stopped``.
final class RunningServer {
    /// Seconds that a script has to come back to its server after the drain. Then it is stopped.
    static let endingSeconds = 1.5

    let broker: any ServerBroker
    private let scheduler: Scheduler
    private let handles: HostHandles
    private let registry: CallRegistry
    /// Makes the table of a request.
    private let table: ServedRequestTable
    /// `function(exchange, handler, request)` of serve.lua, the body of each handler's task.
    private let dispatch: LuaReference
    /// The scope in which the script called `llm.serve`; its tasks end with it.
    private let scope: TaskScope?
    private var exchanges: [ExchangeID: ServedExchange] = [:]
    /// The task in `llm.serve`.
    private var waiter: ScriptTask?
    private(set) var isStopped = false

    init(
        _ broker: any ServerBroker, scheduler: Scheduler, registry: CallRegistry, handles: HostHandles,
        table: ServedRequestTable, dispatch: LuaReference
    ) {
        self.broker = broker
        self.scheduler = scheduler
        self.registry = registry
        self.handles = handles
        self.table = table
        self.dispatch = dispatch
        scope = scheduler.current?.scope
    }

    /// Takes what the server has reported.
    func takeEvents() {
        for event in broker.take() {
            switch event {
            case .request(let request): begin(request)
            case .gone(let id): cancel(id)
            case .congested(let id): exchanges[id]?.isCongested = true
            case .drained(let id): resume(id)
            case .stopAsked: broker.stop()
            case .stopped: end()
            }
        }
    }

    private func begin(_ request: ServedRequest) {
        let exchange = ServedExchange(request, self)
        exchanges[request.id] = exchange
        let task = scheduler.makeTask(.spawned)
        scheduler.join(scope, task)
        exchange.task = task
        let stack = task.coroutine.stack
        stack.push(dispatch)
        stack.push(exchange, as: handles.exchange)
        stack.push(request.handler + 1)
        table.push(request, to: stack)
        scheduler.begin(task, arguments: 3)
    }

    private func cancel(_ id: ExchangeID) {
        guard let exchange = exchanges.removeValue(forKey: id), let task = exchange.task else { return }
        exchange.isOver = true
        scheduler.cancel(task)
    }

    private func resume(_ id: ExchangeID) {
        guard let exchange = exchanges[id] else { return }
        if let writer = exchange.drained() { scheduler.wake(writer, .values { _ in 0 }) }
        if let call = exchange.relayed { registry.enqueue(call) }
    }

    /// Suspends the running task, which writes to an exchange.
    fileprivate func suspend(_ wait: ScriptTask.Wait, _ host: HostCall, action: String) throws(LuaError) {
        try scheduler.suspend(wait, host, action: action)
        if case .exchange(let exchange) = wait { exchange.writer = scheduler.current }
    }

    /// The handler of an exchange has returned.
    func ended(_ exchange: ServedExchange) {
        exchange.relayed = nil
        exchange.isOver = true
        exchanges[exchange.id] = nil
    }

    /// Lets the running task wait until the server has stopped.
    func wait(_ host: HostCall) throws(LuaError) -> HostOutcome {
        if isStopped { return .returned(0) }
        do throws(LuaError) {
            try scheduler.suspend(.server(self), host, action: "llm.serve")
        } catch {
            broker.stop()
            throw error
        }
        waiter = scheduler.current
        return .waits
    }

    /// The task in `llm.serve` was cancelled: the server ends with it.
    func cancelWait() {
        waiter = nil
        broker.stop()
        broker.stop()
    }

    private func end() {
        isStopped = true
        for exchange in exchanges.values { if let task = exchange.task { scheduler.cancel(task) } }
        exchanges = [:]
        if let waiter { scheduler.wake(waiter, .values { _ in 0 }) }
        waiter = nil
    }
}
