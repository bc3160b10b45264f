// Events -> callbacks, or the task that pulls. The only place where the script sees a stream. One event at a time, in
// order; a callback that waits holds the events behind it, and so, in the end, the socket.
// Length: the loop and what it calls for each event share private state; cut apart, all of it would be open to the module.

internal import Base
internal import Chat
internal import Engine
internal import LuaVM

extension CallRegistry {
    /// How many events of one request are delivered before others get their turn.
    static var fairShare: Int { 256 }

    /// Puts the call on the list of those to be delivered.
    func enqueue(_ call: Call) {
        guard !call.isQueued else { return }
        call.isQueued = true
        queue.append(call)
    }

    /// Delivers a share of every call that has something.
    func deliverAll() {
        round += 1
        while let id = engine.nextReady() {
            if let call = calls[id] {
                // The engine keeps a paused request back, unless its total time has run out.
                if call.isPaused {
                    call.isPaused = false
                    call.isOutOfTime = true
                }
                enqueue(call)
            } else {
                // Its handle is gone and its end was shown: nobody is left to read.
                _ = engine.take(id)
            }
        }
        let batch = queue
        queue.removeAll(keepingCapacity: true)
        for call in batch {
            call.isQueued = false
            deliver(call)
        }
    }

    private func deliver(_ call: Call) {
        var budget = Self.fairShare
        while !call.isBusy, !call.isPaused || call.isClosing, call.result == nil {
            if let step = call.steps.first {
                // An event for the loop waits for the loop to ask; one that is handed to nobody is lost.
                if case .hand = step, call.puller == nil { return }
                perform(call.steps.removeFirst(), call)
                continue
            }
            guard call.mode != .stream || call.puller != nil || call.isClosing else { return }
            guard budget > 0, call.closedInRound != round else { return enqueue(call) }
            guard hasNext(call) else { return flushIfDue(call) }
            if call.tellsText, !call.isClosing {
                let delivered = deliver(call, upTo: budget)
                budget -= delivered
                if delivered > 0 { continue }
            }
            guard let event = nextEvent(of: call) else { return flushIfDue(call) }
            budget -= 1
            show(event, call)
        }
    }

    /// The next event that was taken from the engine, or can be.
    func nextEvent(of call: Call) -> ChatEvent? {
        guard hasNext(call) else { return nil }
        defer { call.next += 1 }
        return call.pending[call.next]
    }

    private func hasNext(_ call: Call) -> Bool {
        if call.next < call.pending.count { return true }
        guard !call.isPaused else { return false }
        // All of them: the engine then hands over its array, and the budget still limits what is shown in a turn.
        call.pending = engine.take(call.id)
        if !call.tellsText { call.pending = call.pending.byPiece }
        call.next = 0
        call.piecesShown = 0
        if call.meter != nil { charge(call) }
        if call.holdBack != nil { hold(call) }
        return call.next < call.pending.count
    }

    /// Takes what the engine has left of a request that is about to be cancelled, so that its end, where it has come, is
    /// not lost.
    func takeRest(of call: Call) {
        let left = call.pending[call.next...]
        let shown = call.piecesShown
        call.pending = []
        call.next = 0
        _ = hasNext(call)
        call.pending = left + call.pending
        call.piecesShown = shown
    }

    // MARK: Text

    /// Tells text to its callbacks for as long as nothing else comes between. Nearly every event of a stream goes this
    /// way: what is done here is done for each.
    /// - Returns: how many pieces that were.
    private func deliver(_ call: Call, upTo limit: Int) -> Int {
        let task = task(of: call)
        if call.failedAttempt != nil { call.failedAttempt = nil }
        var delivered = 0
        let reaction = scheduler.runCallbacks(task) {
            while delivered < limit, call.next < call.pending.count {
                guard case .text(let batch) = call.pending[call.next] else { return .continues }
                let reaction = deliver(call, batch, upTo: limit - delivered, in: task)
                delivered += call.lastDelivered
                // The callback may have ended the request, or paused it.
                guard case .continues = reaction, !call.isClosing, !call.isPaused else { return reaction }
            }
            return .continues
        }
        switch reaction {
        case .continues: break
        case .stops: stop(call)
        case .waits: call.isBusy = true
        case .failed(let error): fail(call, error)
        }
        return delivered
    }

    private func deliver(
        _ call: Call, _ batch: TextBatch, upTo limit: Int, in task: ScriptTask
    ) -> LuaCoroutine.Reaction {
        if !call.hasOutput { noteOutput(call) }
        let range = call.piecesShown..<min(batch.count, call.piecesShown + limit)
        var reaction = LuaCoroutine.Reaction.continues
        call.lastDelivered = range.count
        if let callback = call.callbacks.text(batch.kind) {
            call.isDelivering = true
            reaction = batch.withBytes { task.coroutine.deliver(callback.function, $0, ends: $1, range) }
            call.isDelivering = false
            call.lastDelivered = min(vm.delivered, range.count)
        }
        // A request that was ended has nothing pending but its end.
        guard !call.isClosing else { return reaction }
        call.piecesShown += call.lastDelivered
        if call.piecesShown == batch.count {
            call.piecesShown = 0
            call.next += 1
        }
        return reaction
    }

    private func noteOutput(_ call: Call) {
        call.hasOutput = true
        call.scope?.noteOutput()
    }

    // MARK: One event

    private func show(_ event: ChatEvent, _ call: Call) {
        if case .phase(let name) = event {
            // What was gathered belongs to the phase before.
            call.steps += flushed(call)
            call.phase = name
            return
        }
        note(event, call)
        guard !call.isClosing || event.isTerminal else { return }
        if case .text(let batch) = event, call.coalesce == 0, call.mode != .stream, call.callbacks.event == nil {
            if let callback = call.callbacks.text(batch.kind) { return run(callback, batch.text, event, call) }
            return
        }
        if call.coalesce > 0 {
            if gather(event, call) { return }
            call.steps = flushed(call)
        }
        call.steps += steps(for: event, call)
    }

    func note(_ event: ChatEvent, _ call: Call) {
        if call.failedAttempt != nil { call.failedAttempt = nil }
        switch event {
        case .text, .toolCall:
            if !call.hasOutput { noteOutput(call) }
        case .retry: call.isRetrying = true
        case .start: call.isRetrying = false
        default: break
        }
    }

    private func steps(for event: ChatEvent, _ call: Call) -> [Call.Step] {
        var steps: [Call.Step] = []
        let (tables, phase) = (self.tables, call.phase)
        func add(_ callback: Call.Callback?, _ push: @escaping (LuaStack) -> Void) {
            guard let callback else { return }
            steps.append(
                .callback(callback) { stack in
                    push(stack)
                    guard callback.wantsEvent else { return 1 }
                    tables.push(event, phase: phase, to: stack)
                    return 2
                })
        }
        func addEvent() {
            guard let callback = call.callbacks.event else { return }
            steps.append(
                .callback(callback) { stack in
                    tables.push(event, phase: phase, to: stack)
                    return 1
                })
        }
        if let failure = event.failedAttempt { steps.append(.attemptFailed(failure)) }
        switch event {
        case .text(let batch): add(call.callbacks.text(batch.kind)) { $0.push(batch.text) }
        case .toolCall(let tool): add(call.callbacks.toolCall) { tables.push(tool, to: $0) }
        case .usage(let usage): add(call.callbacks.usage) { tables.push(usage, to: $0) }
        case .retry(let info) where call.callbacks.retry != nil: add(call.callbacks.retry) { tables.push(info, to: $0) }
        case .retry(let info): retryNotice?(info.error.display, info.delay)
        case .wait(let info) where call.callbacks.wait != nil: add(call.callbacks.wait) { tables.push(info, to: $0) }
        case .wait(let info): waitNotice?(info.reason, info.seconds)
        case .reset(let info): add(call.callbacks.reset) { tables.push(info, to: $0) }
        case .chunk(let raw):
            add(call.callbacks.chunk) { $0.push(raw) }
            return steps
        case .start, .heartbeat, .native, .phase: break
        case .finish, .failed: return ending(event, call)
        }
        addEvent()
        if call.mode == .stream { steps.append(.hand(event, phase: phase)) }
        return steps
    }

    /// The last steps: on_event, then on_finish or on_error, then whoever waits.
    private func ending(_ event: ChatEvent, _ call: Call) -> [Call.Step] {
        guard let result = finished(event, call) else { return [] }
        call.isEnding = true
        var steps: [Call.Step] = []
        let tables = self.tables
        if let callback = call.callbacks.event, call.raised == nil {
            steps.append(
                .callback(callback) { stack in
                    tables.push(event, to: stack)
                    return 1
                })
        }
        switch result {
        case .reply(let reply):
            if let callback = call.callbacks.finish {
                steps.append(
                    .callback(callback) { stack in
                        stack.push(reply)
                        return 1
                    })
            }
            if call.mode == .stream { steps.append(.hand(event, phase: nil)) }
        case .failure(let failure, _):
            if let callback = call.callbacks.error {
                steps.append(
                    .callback(callback) { stack in
                        stack.push(failure)
                        return 1
                    })
            }
        case .raised: break
        }
        steps.append(.finish(result))
        return steps
    }

    /// The result that a terminal event brings; nil for others.
    func finished(_ event: ChatEvent, _ call: Call) -> Call.Result? {
        let stack = vm.stack
        if event.isTerminal, let refused = call.refusedAttempt {
            tables.push(refused, to: stack)
            return .failure(stack.popReference(), display: refused.display)
        }
        switch event {
        case .finish(let reply):
            tables.push(reply, to: stack)
            return .reply(stack.popReference())
        case .failed(let failure):
            let failure = call.overspent.map { $0.error(failure) } ?? failure
            tables.push(failure, to: stack)
            return .failure(stack.popReference(), display: failure.display)
        default: return nil
        }
    }

    // MARK: Running callbacks

    private func perform(_ step: Call.Step, _ call: Call) {
        switch step {
        case .attemptFailed(let failure): call.failedAttempt = failure
        case .callback(let callback, let push):
            let task = task(of: call)
            task.coroutine.stack.push(callback.function)
            handle(scheduler.run(task, arguments: push(task.coroutine.stack)), call)
        case .hand(let event, let phase):
            guard let puller = call.puller else { return }
            call.puller = nil
            let tables = self.tables
            scheduler.wake(
                puller,
                .values { stack in
                    tables.push(event, phase: phase, to: stack)
                    return 1
                })
        case .finish(let result):
            // A callback's error reaches whoever waits in place of the result that the engine gave.
            complete(call, call.raised.map { .raised($0) } ?? result)
        }
    }

    private func run(_ callback: Call.Callback, _ text: String, _ event: ChatEvent, _ call: Call) {
        let task = task(of: call)
        let stack = task.coroutine.stack
        stack.push(callback.function)
        stack.push(text)
        if callback.wantsEvent { tables.push(event, phase: call.phase, to: stack) }
        handle(scheduler.run(task, arguments: callback.wantsEvent ? 2 : 1), call)
    }

    private func task(of call: Call) -> ScriptTask {
        if let task = call.task { return task }
        let task = scheduler.makeTask(.callback)
        call.task = task
        task.owner = call
        task.scope = call.scope
        return task
    }

    private func handle(_ outcome: LuaCoroutine.Outcome, _ call: Call) {
        switch outcome {
        case .returned(let count):
            guard let task = call.task else { return }
            let saysStop = count > 0 && task.coroutine.stack.bool(at: -count) == false
            task.coroutine.clear()
            if saysStop { stop(call) }
        case .waits:
            call.isBusy = true
        case .failed(let error):
            fail(call, error)
        }
    }

    /// A callback that waited is over.
    func callbackOver(_ task: ScriptTask, _ outcome: LuaCoroutine.Outcome) {
        guard let call = task.owner, call.isBusy else { return }
        call.isBusy = false
        readOn(call)
        handle(outcome, call)
        enqueue(call)
    }

    /// A callback raised: the request ends, and the error goes to whoever waits for it.
    private func fail(_ call: Call, _ error: LuaError) {
        // One that was cancelled with its scope has said nothing about the request.
        guard call.raised == nil, call.task?.isCancelled != true else { return }
        var raised = call.task.map { scheduler.traced(error, of: $0) } ?? error
        // Whoever waits stands elsewhere: no traceback of theirs shows the callback.
        raised.carriesTraceback = true
        call.raised = raised
        // In on_finish or on_error the request is over already; only the way to the waiters is left.
        guard !call.isClosing, !call.steps.contains(where: { if case .finish = $0 { true } else { false } }) else {
            return
        }
        cancel(call)
    }

    // MARK: Gathering

    private func gather(_ event: ChatEvent, _ call: Call) -> Bool {
        let text: String
        let isReasoning: Bool
        switch event {
        case .text(let batch): (text, isReasoning) = (batch.text, batch.kind == .reasoning)
        case .chunk, .heartbeat, .native:
            // These do not part the text; they are shown at once.
            call.steps += steps(for: event, call)
            return true
        default: return false
        }
        if !call.gathered.isEmpty, call.gathered.isReasoning != isReasoning { call.steps = flushed(call) }
        if call.gathered.isEmpty {
            call.gathered.isReasoning = isReasoning
            call.gathered.due = Engine.now() + call.coalesce
            gathering.push(call, at: call.gathered.due)
        }
        call.gathered.text += text
        return true
    }

    private func flushed(_ call: Call) -> [Call.Step] {
        guard !call.gathered.isEmpty else { return [] }
        let event = ChatEvent.text(
            TextBatch(call.gathered.text, call.gathered.isReasoning ? .reasoning : .text))
        call.gathered = Call.Gathered()
        return steps(for: event, call)
    }

    private func flushIfDue(_ call: Call) {
        guard !call.gathered.isEmpty, call.gathered.due <= Engine.now() else { return }
        call.steps += flushed(call)
        enqueue(call)
    }

    /// Puts the calls whose gathered tokens are due on the list.
    func fireGathering(now: Double) {
        while let due = gathering.popDue(now: now) { enqueue(due.payload) }
    }
}

extension [ChatEvent] {
    /// The same events, each piece of text in one of its own.
    fileprivate var byPiece: [ChatEvent] {
        let isApart = allSatisfy { event in
            if case .text(let batch) = event { batch.count == 1 } else { true }
        }
        guard !isApart else { return self }
        return flatMap { event in
            guard case .text(let batch) = event else { return [event] }
            return batch.map { .text(TextBatch($0, batch.kind)) }
        }
    }
}

extension ChatEvent {
    /// The error of the attempt that this event says has failed.
    var failedAttempt: RequestFailure? {
        switch self {
        case .retry(let info): info.error
        case .reset(let info): info.error
        default: nil
        }
    }
}
