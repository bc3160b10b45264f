// Delivers events to callbacks, or to the loop over a stream, in order; text in batches. A callback that waits delays the
// events behind it, and back-pressure then pauses the socket.

internal import Base
internal import Chat
internal import LuaVM

/// Delivers the events of all requests of one script.
final class CallDispatcher {
    private let vm: LuaVM
    let registry: CallRegistry
    private let scheduler: Scheduler
    private let tables: ReplyTables
    private let notices: Notices

    /// What takes the notices that no callback takes.
    struct Notices {
        /// Called with the error and the delay (seconds) of a retry.
        var retry: ((String, Double) -> Void)?
        /// Called with the reason and the length (seconds) of a wait at the rate limiter.
        var wait: ((String, Double) -> Void)?
    }

    /// Coroutines of callbacks that did not wait, for the callbacks of any request.
    private var idleTasks: [ScriptTask] = []
    /// Callbacks nest: a stream that is read in a callback has callbacks of its own.
    private static let keptTasks = 8

    /// Called with the last event of each request.
    var onResult: (ChatEvent) -> Void = { _ in }

    /// Maximum pieces of text and other events of one request before others get their turn.
    private static let maxPiecesPerTurn = 256

    init(vm: LuaVM, registry: CallRegistry, scheduler: Scheduler, tables: ReplyTables, notices: Notices) {
        self.vm = vm
        self.registry = registry
        self.scheduler = scheduler
        self.tables = tables
        self.notices = notices
    }

    /// Delivers a share of every call that has something.
    func deliverAll() {
        for call in registry.takeQueue() {
            call.isQueued = false
            deliver(call)
        }
    }

    private func deliver(_ call: Call) {
        var share = Self.maxPiecesPerTurn
        while true {
            switch call.machine.next(turn: registry.turn) {
            case .nothing: return
            case .later: return registry.enqueue(call)
            case .step(let step): perform(step, call)
            case .finish(let outcome, let unseen): registry.complete(call, outcome, unseen: unseen)
            case .event:
                guard share > 0 else { return registry.enqueue(call) }
                if let sink = call.sink, sink.isBlocked, call.machine.isOpen { return }
                guard registry.fill(call) else { return flushIfDue(call) }
                if call.relaysBatches, call.machine.isOpen, let batch = relayText(call) {
                    share -= batch
                    continue
                }
                if call.deliversBatches, call.machine.isOpen {
                    let count = deliverText(call, upTo: share)
                    share -= count
                    if count > 0 { continue }
                }
                receive(call)
                share -= 1
            }
        }
    }

    private func receive(_ call: Call) {
        guard let event = call.machine.backlog.popFirst() else { return }
        registry.perform(call.machine.receive(event, clock: scheduler.clock.decisionTime), for: call)
    }

    private func flushIfDue(_ call: Call) {
        if call.machine.flushIfDue(clock: scheduler.clock.decisionTime) { registry.enqueue(call) }
    }

    // MARK: Loops

    /// The iterator's next event; nil past the end.
    func pull(_ call: Call, _ host: HostCall) throws(LuaError) -> HostOutcome {
        registry.perform(call.machine.resumeReading(), for: call)
        if call.machine.canPullAtOnce, pullAtOnce(call, host.stack) { return .returned(1) }
        if let outcome = call.machine.outcome {
            call.unwatched?.isTaken = true
            if case .reply = outcome {
                host.stack.pushNil()
                return .returned(1)
            }
            let error = call.raisedError(outcome)
            scheduler.note(error)
            throw error
        }
        try scheduler.suspend(.event(call), host, action: "client:stream")
        call.streamReader = scheduler.current
        registry.perform(call.machine.pull(), for: call)
        return .waits
    }

    /// Pushes the table of the next event for the loop that asks.
    /// - Returns: false if no event has come, or only a failure.
    private func pullAtOnce(_ call: Call, _ stack: LuaStack) -> Bool {
        _ = call.machine.pull()
        while registry.fill(call) {
            receive(call)
            var hasYielded = false
            while case .step(let step) = call.machine.nextStep() {
                if case .hand(let event, let phase) = step {
                    tables.push(event, phase: phase, to: stack)
                    hasYielded = true
                } else {
                    perform(step, call)
                }
            }
            if call.machine.isEnding, case .finish(let outcome, let unseen) = call.machine.next(turn: registry.turn) {
                registry.complete(call, outcome, unseen: unseen)
                return hasYielded
            }
            if hasYielded { return true }
        }
        call.machine.cancelPull()
        return false
    }

    /// Gives the rest of a stream to a sink and lets the running task wait for its end.
    /// - Returns: as ``CallRegistry/wait(_:owned:_:)``.
    func relay(_ call: Call, to sink: any CallSink, _ host: HostCall) throws(LuaError) -> HostOutcome {
        call.sink = sink
        if call.machine.outcome != nil, let last = call.lastEvent {
            sink.take(last)
        } else {
            registry.perform(call.machine.resumeReading(), for: call)
            registry.perform(call.machine.pull(), for: call)
        }
        return try registry.wait(call, owned: true, host)
    }

    // MARK: Text

    /// Delivers text to its callbacks for as long as nothing else comes between, in one resume of their coroutine. Nearly
    /// every event of a stream goes this way.
    /// - Returns: how many pieces that were.
    private func deliverText(_ call: Call, upTo limit: Int) -> Int {
        guard call.machine.backlog.beginsWithBatch else { return 0 }
        let task = task(of: call)
        var count = 0
        let reaction = scheduler.runCallbacks(task) {
            while count < limit, let (batch, range) = call.machine.backlog.firstBatch {
                let part = range.lowerBound..<min(range.upperBound, range.lowerBound + limit - count)
                let (reaction, delivered, mayContinue) = deliver(batch, part, to: call, in: task)
                count += delivered
                guard case .continues = reaction, mayContinue else { return reaction }
            }
            return .continues
        }
        switch reaction {
        case .continues: release(task, of: call)
        case .stops:
            release(task, of: call)
            registry.close(call, .stopped)
        case .waits: call.machine.callbackWaits()
        case .failed(let error): fail(call, error)
        }
        return count
    }

    /// Passes the text batch that is next to the sink.
    /// - Returns: how many pieces it had; nil if something else is next.
    private func relayText(_ call: Call) -> Int? {
        guard let (batch, range) = call.machine.backlog.firstBatch else { return nil }
        registry.perform(call.machine.noteText(), for: call)
        call.sink?.take(
            .text(
                range.lowerBound == 0
                    ? batch : TextBatch(pieces: Array(batch.suffix(from: range.lowerBound)), batch.kind)))
        call.machine.backlog.advance(by: range.count)
        return range.count
    }

    private func deliver(
        _ batch: TextBatch, _ range: Range<Int>, to call: Call, in task: ScriptTask
    ) -> (LuaCoroutine.Reaction, delivered: Int, mayContinue: Bool) {
        registry.perform(call.machine.noteText(), for: call)
        guard let callback = call.callbacks[CallbackName(batch.kind)] else {
            call.machine.backlog.advance(by: range.count)
            return (.continues, range.count, true)
        }
        call.machine.batchBegins()
        let reaction = batch.withBytes { task.coroutine.deliver(callback.reference, $0, ends: $1, range) }
        let delivered = min(vm.delivered, range.count)
        return (reaction, delivered, call.machine.batchEnded(deliveredPieces: delivered))
    }

    // MARK: Steps

    private func perform(_ step: CallStateMachine.Step, _ call: Call) {
        switch step {
        case .notice(.retry(let info)): notices.retry?(info.error.display, info.delay)
        case .notice(.wait(let info)): notices.wait?(info.reason, info.seconds)
        case .notice, .attemptFailed: break
        case .result(let event):
            call.resultTable = resultTable(of: event)
            onResult(event)
            guard call.machine.mode == .stream else { return }
            call.lastEvent = event
            // A failure is no event of the loop.
            if case .failed = event { call.sink?.take(event) }
        case .callback(let name, let event, let phase): runCallback(name, event, phase, call)
        case .hand(let event, let phase):
            if let sink = call.sink {
                sink.take(event)
                return registry.perform(call.machine.pull(), for: call)
            }
            guard let streamReader = call.streamReader else { return }
            call.streamReader = nil
            scheduler.wake(
                streamReader,
                .values { [tables] stack in
                    tables.push(event, phase: phase, to: stack)
                    return 1
                })
        }
    }

    private func resultTable(of event: ChatEvent) -> LuaReference? {
        switch event {
        case .finish(let reply): tables.push(reply, to: vm.stack)
        case .failed(let failure): tables.push(failure, to: vm.stack)
        default: return nil
        }
        return vm.stack.popReference()
    }

    // MARK: Callbacks

    /// The coroutine of the call's callbacks.
    private func task(of call: Call) -> ScriptTask {
        if let task = call.task { return task }
        let task = idleTasks.popLast() ?? scheduler.makeTask(.callback)
        call.task = task
        task.owner = call
        task.scope = call.scope
        return task
    }

    /// Takes the coroutine back, so that thousands of streams share one. A callback that waits keeps it for its request.
    private func release(_ task: ScriptTask, of call: Call) {
        guard task.isReusable, idleTasks.count < Self.keptTasks else { return }
        task.owner = nil
        task.scope = nil
        call.task = nil
        idleTasks.append(task)
    }

    private func runCallback(_ name: CallbackName, _ event: ChatEvent, _ phase: String?, _ call: Call) {
        guard let callback = call.callbacks[name] else { return }
        let task = task(of: call)
        let stack = task.coroutine.stack
        stack.push(callback.reference)
        push(event, phase, for: name, of: call, to: stack)
        var count = 1
        if callback.wantsEvent {
            tables.push(event, phase: phase, to: stack)
            count = 2
        }
        handle(scheduler.run(task, arguments: count), of: call)
    }

    /// Pushes the argument of a callback.
    private func push(
        _ event: ChatEvent, _ phase: String?, for name: CallbackName, of call: Call, to stack: LuaStack
    ) {
        switch (name, event) {
        case (.event, _): tables.push(event, phase: phase, to: stack)
        case (_, .text(let batch)): stack.push(batch.text)
        case (_, .chunk(let raw)): stack.push(raw)
        case (_, .toolCall(let tool)): tables.push(tool, to: stack)
        case (_, .usage(let usage)): tables.push(usage, to: stack)
        case (_, .retry(let info)): tables.push(info, to: stack)
        case (_, .wait(let info)): tables.push(info, to: stack)
        case (_, .reset(let info)): tables.push(info, to: stack)
        default: if let table = call.resultTable { stack.push(table) } else { stack.pushNil() }
        }
    }

    private func handle(_ outcome: LuaCoroutine.Outcome, of call: Call) {
        switch outcome {
        case .returned(let count):
            guard let stack = call.task?.coroutine.stack else { return }
            let isStop = count > 0 && stack.bool(at: -count) == false
            call.task?.coroutine.clear()
            if let task = call.task { release(task, of: call) }
            if isStop { registry.close(call, .stopped) }
        case .waits: call.machine.callbackWaits()
        case .failed(let error): fail(call, error)
        }
    }

    /// A callback that waited has ended.
    func callbackEnded(_ task: ScriptTask, _ outcome: LuaCoroutine.Outcome) {
        guard let call = task.owner, call.machine.callback == .waiting else { return }
        registry.perform(call.machine.callbackEnded(), for: call)
        handle(outcome, of: call)
    }

    /// A callback raised: the request ends, and the error goes to those who wait for it.
    private func fail(_ call: Call, _ error: LuaError) {
        // A callback that was cancelled with its scope has not failed.
        guard call.task?.isCancelled != true else { return }
        var raised = call.task.map { scheduler.traced(error, of: $0) } ?? error
        // No traceback of those who wait shows the callback.
        raised.carriesTraceback = true
        registry.close(call, .raised(raised))
    }
}
