// The requests of one script: start, end, wait. Submits commands to the broker and takes its events.

internal import Base
internal import Chat
internal import LuaVM

/// All requests of one script.
final class CallRegistry {
    private let vm: LuaVM
    private let broker: any RequestBroker
    private let scheduler: Scheduler
    /// Requests that are not over.
    private var calls = SequentialTable<Call>()
    private var nextID: UInt64 = 1
    /// Calls with something to deliver.
    private var queue: [Call] = []
    /// When calls have something to deliver by time alone.
    private var timers = TimerHeap<Call>()
    /// The engine's turns so far.
    private(set) var turn = 0
    private var nextSample = 0.0

    init(vm: LuaVM, broker: any RequestBroker, scheduler: Scheduler) {
        self.vm = vm
        self.broker = broker
        self.scheduler = scheduler
    }

    // MARK: Beginning

    /// Begins a request.
    /// - Parameter fault: the problem of data that cannot be sent: the request ends with that error, unsent.
    func start(
        _ spec: RequestSpec, fault: String?, mode: CallStateMachine.Mode, callbacks: CallCallbacks, coalesce: Double,
        price: TokenPrice?
    ) -> Call {
        let task = scheduler.current
        let machine = CallStateMachine(
            mode: mode, callbacks: callbacks.names, coalesce: coalesce, hasTotalTimeout: spec.timeouts.total != nil,
            hold: task?.scope?.outputHold)
        let call = Call(id: RequestID(nextID), callbacks: callbacks, machine: machine)
        nextID += 1
        calls[call.id.raw] = call
        call.scope = task?.scope
        call.scope?.calls[call.id] = call
        let budgets = call.scope?.budgets ?? []
        if let failure = refusal(of: spec, fault: fault, budgets: budgets) {
            add([.failed(failure)], to: call)
            enqueue(call)
            return call
        }
        var spec = spec
        spec.isInside = task?.isInside ?? false
        spec.price = price
        if !budgets.isEmpty {
            for budget in budgets { budget.calls[call.id] = call }
            call.meter = Meter(
                budgets, spec.chat, price: price, isFirstAsked: spec.cache.map { !$0.isRefreshed } ?? false)
            spec.wantsUsage = true
        }
        broker.submit(.start(call.id, spec))
        if mode == .stream, let task {
            task.openStreams += 1
            call.streamOwner = task
        }
        return call
    }

    /// Why a request is not sent.
    private func refusal(of spec: RequestSpec, fault: String?, budgets: [Budget]) -> RequestFailure? {
        if let fault { return RequestFailure(unsent: spec, .invalidRequest, fault) }
        return budgets.lazy.compactMap(\.exhaustion).first.map { RequestFailure(unsent: spec, .budget, $0) }
    }

    // MARK: Events

    /// Puts the call into the queue of those with something to deliver.
    func enqueue(_ call: Call) {
        guard !call.isQueued else { return }
        call.isQueued = true
        queue.append(call)
    }

    /// Calls have something to deliver.
    var hasQueued: Bool { !queue.isEmpty }

    /// The next time at which a call has something to deliver.
    var nextDeadline: Double? { timers.nextDeadline }

    /// Queues the calls that have something to deliver at `now`.
    func fireTimers(now: Double) {
        while let due = timers.popDue(now: now) { enqueue(due.payload) }
    }

    /// Queues the calls for which the engine has events, then empties the queue. A call counts as queued until its delivery
    /// begins.
    func takeQueue() -> [Call] {
        while let id = broker.nextReady() {
            if let call = calls[id.raw] {
                call.machine.ready()
                enqueue(call)
            } else {
                // Its end was delivered.
                _ = broker.take(id)
            }
        }
        guard !queue.isEmpty else { return [] }
        let batch = queue
        queue = []
        return batch
    }

    /// Fills an empty backlog from the engine.
    /// - Returns: whether the backlog has an event.
    func fill(_ call: Call) -> Bool {
        if !call.machine.backlog.isEmpty { return true }
        guard !call.machine.isPaused else { return false }
        let events = broker.take(call.id)
        add(events, to: call)
        if call.meter != nil { charge(call, events) }
        return !call.machine.backlog.isEmpty
    }

    private func add(_ events: [ChatEvent], to call: Call) {
        let events = call.deliversBatches ? TextJoiner.join(events) : events
        guard let opening = call.machine.backlog.append(events, clock: scheduler.clock.decisionTime) else { return }
        timers.push(call, at: opening)
    }

    /// The engine has had a turn.
    func noteTurn() { turn += 1 }

    // MARK: Actions

    /// Ends a request from this side.
    func close(_ call: Call, _ reason: CallStateMachine.CloseReason) {
        let moment = CallStateMachine.Moment(turn: turn, deliveredPieces: vm.delivered)
        perform(call.machine.close(reason, at: moment), for: call)
    }

    func cancel(_ call: Call) { close(call, .cancelled) }

    func leave(_ call: Call) { close(call, .left) }

    func pause(_ call: Call) { perform(call.machine.pause(), for: call) }

    func resume(_ call: Call) { perform(call.machine.resume(), for: call) }

    /// Cancels a request that nobody can read any more. What the engine has left of it is taken first, so that an end that
    /// has come is not lost.
    private func closeUnread(_ call: Call) {
        guard call.machine.isOpen else { return close(call, .unread) }
        let events = call.machine.isPaused ? [] : broker.take(call.id)
        add(events, to: call)
        close(call, .unread)
        if call.meter != nil { charge(call, events) }
    }

    /// Does what the call's state machine has decided.
    func perform(_ actions: [CallStateMachine.Action], for call: Call) {
        for action in actions {
            switch action {
            case .stop(let undelivered): broker.submit(.stop(call.id, undelivered: undelivered))
            case .cancel(let undelivered): broker.submit(.cancel(call.id, undelivered: undelivered))
            case .pause: broker.submit(.pause(call.id))
            case .resume: broker.submit(.resume(call.id))
            case .occupied: broker.submit(.occupied(call.id))
            case .reading: broker.submit(.reading(call.id))
            case .interruptBatch: vm.stopDelivery()
            case .deliver: enqueue(call)
            case .deliverAt(let time): timers.push(call, at: time)
            case .noteOutput: call.scope?.noteOutput()
            }
        }
    }

    /// The script can no longer name the request. A stream then has no reader.
    func release(_ call: Call) {
        if call.machine.mode == .stream, call.machine.outcome == nil { closeUnread(call) }
    }

    // MARK: Waiting

    /// `call:wait()`, and the rest of `client:ask`.
    /// - Parameter owned: whether the request belongs to this wait alone.
    func wait(_ call: Call, owned: Bool, _ host: HostCall) throws(LuaError) -> HostOutcome {
        if let outcome = call.machine.outcome {
            call.unwatched?.isTaken = true
            if case .raised(let error) = outcome {
                scheduler.note(error)
                throw error
            }
            return .returned(Self.push(outcome, call.resultTable, to: host.stack))
        }
        guard call.task == nil || call.task !== scheduler.current else {
            throw .misuse("call:wait() inside a callback of the same request would wait for ever")
        }
        do throws(LuaError) {
            try scheduler.suspend(.call(call, owned: owned), host, action: owned ? "client:ask" : "call:wait")
        } catch {
            if owned { cancel(call) }
            throw error
        }
        if let task = scheduler.current { call.waiters.append(task) }
        return .waits
    }

    /// A task gave up its wait.
    func cancelWait(_ wait: ScriptTask.Wait, by task: ScriptTask) {
        switch wait {
        case .call(let call, let owned):
            call.waiters.removeAll { $0 === task }
            if owned { cancel(call) }
        case .event(let call):
            guard call.streamReader === task else { return }
            call.streamReader = nil
            call.machine.cancelPull()
        case .task(let other): other.waiters.removeAll { $0 === task }
        case .scope(let scope): scope.waiter = nil
        case .exchange(let exchange): exchange.cancelWait()
        case .server(let server): server.cancelWait()
        case .step(let step): step.cancelWait()
        case .nothing, .timer: break
        }
    }

    /// What a wait returns: the reply, or nil and the error.
    private static func push(
        _ outcome: CallStateMachine.Outcome, _ table: LuaReference?, to stack: LuaStack
    ) -> Int {
        var count = 1
        if case .failure = outcome {
            stack.pushNil()
            count = 2
        }
        if let table { stack.push(table) } else { stack.pushNil() }
        return count
    }

    // MARK: The end

    /// A request has ended: those who wait for it go on.
    /// - Parameter unseen: the failure to report if nobody waits.
    func complete(_ call: Call, _ outcome: CallStateMachine.Outcome, unseen: CallStateMachine.UnobservedFailure?) {
        calls[call.id.raw] = nil
        call.streamOwner?.openStreams -= 1
        call.streamOwner = nil
        if let scope = call.scope {
            call.scope = nil
            scope.calls[call.id] = nil
            for budget in call.meter?.budgets ?? [] { budget.calls[call.id] = nil }
            scheduler.settle(scope)
        }
        call.task?.owner = nil
        let isAwaited = wakeWaiters(of: call, outcome)
        if !isAwaited, let unseen { report(unseen, of: call) }
    }

    /// - Returns: whether anybody waited.
    private func wakeWaiters(of call: Call, _ outcome: CallStateMachine.Outcome) -> Bool {
        let waiters = call.waiters
        call.waiters = []
        for waiter in waiters {
            guard case .call = waiter.wait else { continue }
            if case .raised(let error) = outcome {
                scheduler.wake(waiter, .raise(error))
            } else {
                scheduler.wake(waiter, .values { [table = call.resultTable] in Self.push(outcome, table, to: $0) })
            }
        }
        guard let streamReader = call.streamReader else { return !waiters.isEmpty }
        call.streamReader = nil
        if case .reply = outcome {
            scheduler.wake(
                streamReader,
                .values { stack in
                    stack.pushNil()
                    return 1
                })
        } else {
            scheduler.wake(streamReader, .raise(call.raisedError(outcome)))
        }
        return true
    }

    private func report(_ unseen: CallStateMachine.UnobservedFailure, of call: Call) {
        guard !scheduler.isExiting else { return }
        let (what, error) =
            switch unseen {
            case .callback(let error): ("a callback failed and nobody waited for its request", error)
            case .stream(let display): ("a stream failed and nobody read it", LuaError(display))
            case .background(let display):
                ("a request in the background failed and nobody waited for it", LuaError(display))
            }
        call.unwatched = scheduler.unwatched.add(what, error, now: scheduler.clock.decisionTime())
    }

    /// Cancels every request, and the callbacks that wait, but for those of a shielded block.
    func cancelAll() {
        for call in calls.values.sorted(by: { $0.id.raw < $1.id.raw }) where call.scope?.isShielded != true {
            cancelWithCallback(call)
        }
    }

    /// Cancels the request, and a callback of it that waits: that would delay the request's end.
    func cancelWithCallback(_ call: Call) {
        cancel(call)
        if let task = call.task, call.machine.callback == .waiting { scheduler.cancel(task) }
    }

    /// Cancels the requests that only the script could continue, once all its tasks are over.
    func cancelUnreachable() {
        for call in calls.values.sorted(by: { $0.id.raw < $1.id.raw })
        where call.machine.mode == .stream || call.machine.isPaused { closeUnread(call) }
    }

    /// Breaks the reference cycles between requests that were not finished and their tasks. Nothing runs after this.
    func breakCycles() {
        for call in calls.values {
            call.task?.breakCycles()
            call.scope = nil
            call.waiters = []
            call.streamReader = nil
            call.streamOwner = nil
        }
        calls.removeAll()
        queue = []
    }

    // MARK: Questions of the loop

    /// All requests are over.
    var isEmpty: Bool { calls.isEmpty }

    /// A request goes on without the script doing anything.
    var canProgress: Bool { calls.contains { $0.machine.canProgress } }

    /// The callback that waits in the oldest request where one does.
    var firstWaitingCallback: ScriptTask? {
        calls.values.filter { $0.machine.callback == .waiting && $0.task?.state == .waiting }
            .min { $0.id.raw < $1.id.raw }?.task
    }

    /// Requests run and none of them has had output.
    var isWaitingForOutput: Bool {
        !calls.isEmpty && !calls.contains { $0.machine.hasOutput }
    }

    // MARK: Places at the limits

    /// Seconds between two looks for requests that keep places at the limits while they wait for the script.
    static var sampleInterval: Double { 0.1 }

    /// Frees places at the limits while requests stand in line. What stands in line may be what a callback or a loop waits
    /// for: a request that waited for its script at two looks gives up its place.
    func freePlaces(now: Double) {
        guard broker.hasRequestsInLine, now >= nextSample else { return }
        nextSample = now + Self.sampleInterval
        for call in calls.values { perform(call.machine.sampleScriptWait(), for: call) }
    }
}
