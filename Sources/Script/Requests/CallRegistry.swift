// Requests between the script and the engine: begun, waited for, stopped. Delivering their events is Delivery's part.
// Down go commands, up come events; nothing else passes.

internal import Base
internal import Chat
internal import Engine
internal import LuaVM

/// All requests of one script.
final class CallRegistry {
    let vm: LuaVM
    let engine: Engine
    let scheduler: Scheduler
    let tables: ReplyTables
    /// Requests that are not over.
    var calls: [RequestID: Call] = [:]
    private var nextID: UInt64 = 1
    /// Calls with something to deliver.
    var queue: [Call] = []
    /// Counts the rounds of delivery; a turn of the engine follows each.
    var round = 0
    /// When gathered tokens are due.
    var gathering = TimerHeap<Call>()
    private var nextLook = 0.0
    /// Requests that are not over.
    private(set) var liveCount = 0
    /// Takes a line for the log.
    var warn: (String) -> Void = { _ in }
    /// Called with the error and the delay when a request without `on_retry` will be tried again.
    var retryNotice: ((String, Double) -> Void)?
    /// Called with the reason and the seconds of a wait at the rate limiter when a request has no `on_wait`.
    var waitNotice: ((String, Double) -> Void)?

    init(vm: LuaVM, engine: Engine, scheduler: Scheduler, tables: ReplyTables) {
        self.vm = vm
        self.engine = engine
        self.scheduler = scheduler
        self.tables = tables
    }

    // MARK: From the script

    /// - Parameter fault: the problem of data that cannot be sent: the request ends with that error, unsent.
    func start(
        _ spec: RequestSpec, fault: String?, mode: Call.Mode, callbacks: Call.Callbacks, coalesce: Double,
        price: Meter.Price?
    ) -> Call {
        let id = RequestID(nextID)
        nextID += 1
        let call = Call(id: id, mode: mode, callbacks: callbacks, coalesce: coalesce)
        call.hasTotalTimeout = spec.timeouts.total != nil
        calls[id] = call
        liveCount += 1
        if let scope = scheduler.current?.scope {
            call.scope = scope
            scope.calls[id] = call
            call.holdBack = scope.holdBack
            guard fault != nil || meter(call, scope.budgets, spec, price) else { return call }
        }
        if let fault {
            call.pending = [.failed(RequestFailure(unsent: spec, .invalidRequest, fault))]
            enqueue(call)
            return call
        }
        var spec = spec
        spec.isInside = scheduler.current?.isInside ?? false
        if call.meter != nil { spec.wantsUsage = true }
        engine.submit(.start(id, spec))
        if mode == .stream, let task = scheduler.current {
            task.openStreams += 1
            call.streamOwner = task
        }
        return call
    }

    /// `call:wait()`, and the rest of `client:ask`.
    func wait(_ call: Call, owned: Bool, _ host: HostCall) throws(LuaError) -> HostOutcome {
        if let result = call.result {
            call.unwatched?.isTaken = true
            return .returned(try push(result, to: host.stack))
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

    private func push(_ result: Call.Result, to stack: LuaStack) throws(LuaError) -> Int {
        switch result {
        case .reply(let reply):
            stack.push(reply)
            return 1
        case .failure(let failure, _):
            stack.pushNil()
            stack.push(failure)
            return 2
        case .raised(let error):
            scheduler.note(error)
            throw error
        }
    }

    /// The iterator's next event; nil past the end.
    func pull(_ call: Call, _ host: HostCall) throws(LuaError) -> HostOutcome {
        readOn(call)
        while call.canBePulledAtOnce, let event = nextEvent(of: call) {
            if case .phase(let name) = event {
                call.phase = name
                continue
            }
            if let result = finished(event, call) { return try end(call, result, event, host.stack) }
            note(event, call)
            call.failedAttempt = event.failedAttempt
            tables.push(event, phase: call.phase, to: host.stack)
            return .returned(1)
        }
        if let result = call.result {
            call.unwatched?.isTaken = true
            if case .reply = result {
                host.stack.pushNil()
                return .returned(1)
            }
            let failure = failure(result)
            scheduler.note(failure)
            throw failure
        }
        try scheduler.suspend(.event(call), host, action: "client:stream")
        call.puller = scheduler.current
        enqueue(call)
        return .waits
    }

    private func end(
        _ call: Call, _ result: Call.Result, _ event: ChatEvent, _ stack: LuaStack
    ) throws(LuaError) -> HostOutcome {
        complete(call, result)
        guard case .finish = event else { throw failure(result) }
        tables.push(event, to: stack)
        return .returned(1)
    }

    /// A failed request as the error that the loop over its stream raises.
    func failure(_ result: Call.Result) -> LuaError {
        switch result {
        case .raised(let error): error
        case .failure(let table, let display): LuaError(display, value: table)
        case .reply: LuaError("the stream is over")
        }
    }

    func cancel(_ call: Call) {
        guard call.result == nil, !call.isClosing, !call.isEnding else { return }
        engine.submit(.cancel(call.id, undelivered: close(call)))
    }

    /// Ends the request as a success with what was delivered; as a failure where the script was delivered last that an attempt
    /// has failed, and wants no other.
    func stop(_ call: Call) {
        guard call.result == nil, !call.isClosing, !call.isEnding else { return }
        if call.failedAttempt != nil { return refuse(call) }
        engine.submit(.stop(call.id, undelivered: close(call)))
    }

    /// Ends the request with the error of the attempt that failed last.
    private func refuse(_ call: Call) {
        call.refusedAttempt = call.failedAttempt
        engine.submit(.cancel(call.id, undelivered: close(call)))
    }

    /// The loop over its events was left.
    func leave(_ call: Call) {
        guard call.result == nil, !call.isClosing, !call.isEnding else { return }
        if call.mode == .stream, call.failedAttempt != nil { refuse(call) } else { cancel(call) }
    }

    private func close(_ call: Call) -> Undelivered {
        giveUpHold(call)
        call.isClosing = true
        call.closedInRound = round
        var undelivered = undelivered(of: call)
        if !call.gathered.isEmpty {
            let bytes = call.gathered.text.utf8.count
            if call.gathered.isReasoning { undelivered.reasoningBytes += bytes } else { undelivered.textBytes += bytes }
            call.gathered = Call.Gathered()
        }
        // The end may be among what was taken already: then the engine has forgotten the request.
        let end = call.pending.last.flatMap { $0.isTerminal ? $0 : nil }
        call.pending = end.map { [$0] } ?? []
        call.next = 0
        call.piecesShown = 0
        call.steps = []
        if call.isPaused {
            call.isPaused = false
            engine.submit(.resume(call.id))
        }
        enqueue(call)
        return undelivered
    }

    /// What was taken from the engine and not shown.
    private func undelivered(of call: Call) -> Undelivered {
        let delivered = call.isDelivering ? vm.delivered : 0
        if call.isDelivering { vm.stopDelivery() }
        guard call.next < call.pending.count, case .text(let batch) = call.pending[call.next] else {
            return Undelivered(call.pending[call.next...])
        }
        var undelivered = Undelivered()
        undelivered.count(batch, from: call.piecesShown + delivered)
        for event in call.pending[(call.next + 1)...] { undelivered.count(event) }
        return undelivered
    }

    func pause(_ call: Call) {
        guard call.result == nil, !call.isPaused, !call.isClosing, !call.isOutOfTime else { return }
        call.isPaused = true
        if call.isDelivering { vm.stopDelivery() }
        engine.submit(.pause(call.id))
    }

    func resume(_ call: Call) {
        guard call.isPaused else { return }
        call.isPaused = false
        engine.submit(.resume(call.id))
        enqueue(call)
    }

    /// The script can no longer name the request. A stream then has no reader.
    func release(_ call: Call) {
        if call.result == nil, call.mode == .stream { strand(call) }
    }

    /// A task gave up its wait.
    func cancelWait(_ wait: ScriptTask.Wait, by task: ScriptTask) {
        switch wait {
        case .call(let call, let owned):
            call.waiters.removeAll { $0 === task }
            if owned { cancel(call) }
        case .event(let call): if call.puller === task { call.puller = nil }
        case .task(let other): other.waiters.removeAll { $0 === task }
        case .scope(let scope): scope.waiter = nil
        case .nothing, .timer: break
        }
    }

    // MARK: Places at the limits

    /// Seconds between two looks for requests that keep their places from others while they wait for the script.
    static var lookInterval: Double { 0.1 }

    /// Requests stand in line while others may wait for their own callback or loop, which may wait for those in line:
    /// a request that was seen so twice gives up its place. Short waits in a callback (a typewriter's) do not count.
    func freePlaces(now: Double) {
        guard engine.hasRequestsInLine, now >= nextLook else { return }
        nextLook = now + Self.lookInterval
        for call in calls.values where call.waitsForScript && !call.isOccupied {
            if call.activitySeen == call.activity {
                call.isOccupied = true
                engine.submit(.occupied(call.id))
            }
            call.activitySeen = call.activity
        }
    }

    /// The script has come back to the request.
    func readOn(_ call: Call) {
        call.activity += 1
        guard call.isOccupied else { return }
        call.isOccupied = false
        engine.submit(.reading(call.id))
    }

    // MARK: The end

    /// Cancels every request, and the callbacks that wait, but for those of a shielded block.
    func cancelAll() {
        for call in calls.values.sorted(by: { $0.id.raw < $1.id.raw }) where call.scope?.isShielded != true {
            cancel(call)
            if let task = call.task, call.isBusy { scheduler.cancel(task) }
        }
    }

    /// Parts requests that were not finished from their tasks, so that both can be freed. Nothing runs after this.
    func breakCycles() {
        for call in calls.values {
            call.task?.breakCycles()
            call.scope = nil
            call.waiters = []
            call.puller = nil
            call.streamOwner = nil
        }
        calls = [:]
        queue = []
    }

    /// Streams that can never go on, because the script is over but for them.
    func cancelStranded() {
        for call in calls.values where call.mode == .stream || call.isPaused { strand(call) }
    }

    /// Requests that can go on without the script doing anything.
    var canProgress: Bool {
        calls.values.contains { call in
            let isHeld = (call.isPaused && !call.hasTotalTimeout) || (call.mode == .stream && call.puller == nil)
            return call.result == nil && !call.isBusy && (call.isClosing || !isHeld)
        }
    }

    /// The callback that waits in the oldest request where one does.
    var firstWaitingCallback: ScriptTask? {
        calls.values.filter { $0.isBusy && $0.task?.state == .waiting }.min { $0.id.raw < $1.id.raw }?.task
    }

    /// True while somebody has seen nothing of a running request.
    var isWaitingForOutput: Bool { liveCount > 0 && !calls.values.contains { $0.hasOutput && $0.result == nil } }

    /// How `call:wait()` goes on with a result.
    private func resumption(_ result: Call.Result) -> ScriptTask.Resumption {
        switch result {
        case .raised(let error): .raise(error)
        case .reply(let reply):
            .values { stack in
                stack.push(reply)
                return 1
            }
        case .failure(let failure, _):
            .values { stack in
                stack.pushNil()
                stack.push(failure)
                return 2
            }
        }
    }

    /// Ends a call on the script's side: its waiters go on.
    func complete(_ call: Call, _ result: Call.Result) {
        guard call.result == nil else { return }
        call.result = result
        liveCount -= 1
        call.streamOwner?.openStreams -= 1
        call.streamOwner = nil
        if let scope = call.scope {
            call.scope = nil
            scope.calls[call.id] = nil
            for budget in call.meter?.budgets ?? [] { budget.calls[call.id] = nil }
            scheduler.settle(scope)
        }
        call.task?.owner = nil
        let waiters = call.waiters
        call.waiters = []
        for waiter in waiters {
            guard case .call = waiter.wait else { continue }
            scheduler.wake(waiter, resumption(result))
        }
        if let puller = call.puller {
            call.puller = nil
            if case .reply = result {
                scheduler.wake(
                    puller,
                    .values { stack in
                        stack.pushNil()
                        return 1
                    })
            } else {
                scheduler.wake(puller, .raise(failure(result)))
            }
        } else if waiters.isEmpty {
            reportUnseen(call, result)
        }
        calls[call.id] = nil
    }
}
