// Runs tasks, one at a time, in the order in which they became ready. Requests belong to CallRegistry.

internal import Base
internal import LuaVM

/// The coroutine scheduler.
final class Scheduler {
    let vm: LuaVM
    let clock: ScriptClock
    /// The task whose Lua code is running now.
    private(set) var current: ScriptTask?
    /// The main task and spawned ones that are not over, by id.
    private var tasks = SequentialTable<ScriptTask>()
    private var ready: [ScriptTask] = []
    private var timers = TimerHeap<Timer>()
    /// Whether the first timer may be one of an earlier wait.
    private var mayHaveStaleTimer = false
    private var nextID = 1
    /// Number of tasks that are not over, callbacks apart.
    private(set) var aliveCount = 0
    /// ``stopAll()`` has run.
    var isStopped = false
    /// A task was cancelled by a stop before ``stopAll()``.
    var hasSeenStop = false
    /// The script has called `os.exit`. What that ends is no failure.
    var isExiting = false
    /// Failures that nobody waited for.
    var unwatched = UnwatchedFailures()
    /// Takes a line for the log.
    var warn: (String) -> Void = { _ in }
    /// Called when a task's wait is cancelled, with what it waited for.
    var onCancelWait: (ScriptTask.Wait, ScriptTask) -> Void = { _, _ in }

    init(vm: LuaVM, clock: ScriptClock) {
        self.vm = vm
        self.clock = clock
    }

    /// A time at which a wait ends.
    private struct Timer {
        let task: ScriptTask
        /// The wait that it was set for.
        let number: Int
        /// Ends the cleanup time of a cancelled task instead of the wait.
        var endsCleanup = false
    }

    // MARK: Making

    /// A new task. Push its function and arguments on its coroutine's stack, then call ``begin(_:arguments:)``.
    func makeTask(_ kind: ScriptTask.Kind) -> ScriptTask {
        let task = ScriptTask(id: nextID, kind: kind, vm: vm)
        nextID += 1
        task.isBegunInside = kind == .spawned && current?.isInside == true
        if kind != .callback {
            tasks[UInt64(task.id)] = task
            aliveCount += 1
            join(current?.scope, task)
        }
        return task
    }

    /// Makes a new task ready to run.
    func begin(_ task: ScriptTask, arguments: Int) { enqueue(task, .begin(arguments: arguments)) }

    // MARK: Waiting

    /// Suspends the running task. Its host function returns `.waits` next.
    /// - Throws: ``LuaError`` if the task was cancelled, or cannot wait here.
    func suspend(
        _ wait: ScriptTask.Wait, _ call: HostCall, action: String, isShielded: Bool = false
    ) throws(LuaError) {
        guard let task = current else { throw .misuse("\(action) has to wait, and nothing runs that could") }
        try call.requireWait(action)
        noteStop()
        task.isShielded = isShielded || task.shieldDepth > 0
        let isCleanup = task.isCancelled && !task.isShielded
        if isCleanup { try admitCleanup(task, call) }
        task.state = .waiting
        task.wait = wait
        task.waitNumber += 1
        if isCleanup, let limit = task.cleanupLimit {
            timers.push(Timer(task: task, number: task.waitNumber, endsCleanup: true), at: limit)
        }
    }

    /// Wakes the running task, once suspended, at `deadline` (monotonic seconds).
    func setTimer(at deadline: Double) {
        guard let task = current else { return }
        timers.push(Timer(task: task, number: task.waitNumber), at: deadline)
    }

    /// Makes a waiting task ready.
    func wake(_ task: ScriptTask, _ resumption: ScriptTask.Resumption) {
        guard task.state == .waiting else { return }
        enqueue(task, resumption)
    }

    private func enqueue(_ task: ScriptTask, _ resumption: ScriptTask.Resumption) {
        if task.state == .waiting { mayHaveStaleTimer = true }
        task.state = .ready
        task.wait = .nothing
        task.resumption = resumption
        ready.append(task)
    }

    /// Raises "cancelled" in the task's wait, and in every wait after it.
    func cancel(_ task: ScriptTask) {
        guard !task.isOver, !task.isCancelled else { return }
        mark(task)
        guard task.state == .waiting, !task.isShielded else { return }
        let wait = task.wait
        wake(task, .raise(cancellation()))
        onCancelWait(wait, task)
    }

    /// Raises `error` in the task's wait.
    func interrupt(_ task: ScriptTask, _ error: LuaError) {
        guard task.state == .waiting else { return }
        let wait = task.wait
        wake(task, .raise(error))
        onCancelWait(wait, task)
    }

    /// Breaks the reference cycles of tasks that wait for each other. Nothing runs after this.
    func breakCycles() {
        for task in tasks.values { task.breakCycles() }
        tasks.removeAll()
        ready = []
    }

    /// The oldest task that waits.
    var firstWaiting: ScriptTask? {
        tasks.values.filter { $0.state == .waiting && $0.kind != .callback }.min { $0.id < $1.id }
    }

    /// Cancels every task that is not over, except in shielded blocks.
    func cancelAll() {
        for id in tasks.values.map(\.id).sorted() {
            guard let task = tasks[UInt64(id)], task.home?.isShielded != true else { continue }
            cancel(task)
        }
    }

    /// Makes the error that a cancelled wait raises. Set by the runtime, which has its metatable.
    var cancellation: () -> LuaError = { LuaError("cancelled") }
    /// The error of a request in the results nil, error. Set by the runtime, which has its metatable.
    var returnedError: ([LuaReference]) -> LuaError? = { _ in nil }

    // MARK: Running

    /// True when a task can run.
    var hasReady: Bool { !ready.isEmpty }
    /// When the next timer is due.
    var nextDeadline: Double? {
        if mayHaveStaleTimer {
            while let next = timers.next, isStale(next.payload) { _ = timers.popDue(now: .infinity) }
            mayHaveStaleTimer = false
        }
        return timers.nextDeadline
    }

    private func isStale(_ timer: Timer) -> Bool {
        timer.task.state != .waiting || timer.task.waitNumber != timer.number
    }

    /// Wakes the tasks whose timers are due.
    func fireTimers(now: Double) {
        while let due = timers.popDue(now: now) {
            mayHaveStaleTimer = true
            if isStale(due.payload) { continue }
            if due.payload.endsCleanup {
                interrupt(due.payload.task, cancellation())
            } else {
                wake(due.payload.task, .values { _ in 0 })
            }
        }
    }

    /// Runs each task that is ready now, once.
    func runReady() {
        let batch = ready
        ready.removeAll(keepingCapacity: true)
        for task in batch where task.state == .ready { resume(task) }
    }

    private func resume(_ task: ScriptTask) {
        guard let resumption = task.resumption else { return }
        task.resumption = nil
        // A task that was cancelled before its first run does not run.
        if case .begin = resumption, task.isCancelled { return over(task, .failed(cancellation())) }
        switch resumption {
        case .begin(let arguments): _ = run(task, arguments: arguments)
        case .values(let push):
            let count = push(task.coroutine.stack)
            settle(task, running(task) { task.coroutine.resume(arguments: count) })
        case .giveUp:
            task.coroutine.reset()
            over(task, .failed(cancellation()))
        case .raise(let error):
            note(error, raisedIn: task)
            settle(task, running(task) { task.coroutine.resume(raising: error) })
        }
    }

    /// Runs a task from its beginning, with `arguments` values on its stack, until it waits or is over. `onCallback` is
    /// called only for callbacks that waited.
    func run(_ task: ScriptTask, arguments: Int) -> LuaCoroutine.Outcome {
        let outcome = running(task) { task.coroutine.resume(arguments: arguments) }
        if task.kind == .callback, task.state == .running, !outcome.isWait {
            task.state = .done
        } else {
            settle(task, outcome)
        }
        return outcome
    }

    /// Runs `body`, which runs callbacks in an idle task one after the other, up to the first that waits or raises.
    func runCallbacks(_ task: ScriptTask, _ body: () -> LuaCoroutine.Reaction) -> LuaCoroutine.Reaction {
        let reaction = running(task, body)
        if case .waits = reaction { settle(task, .waits) } else { task.state = .done }
        return reaction
    }

    private func running<Ending>(_ task: ScriptTask, _ body: () -> Ending) -> Ending {
        let outer = current
        current = task
        task.state = .running
        defer { current = outer }
        let ending = body()
        // The hook of a stop may have cancelled it.
        if task.coroutine.isCancelled { task.isCancelled = true }
        return ending
    }

    private func settle(_ task: ScriptTask, _ outcome: LuaCoroutine.Outcome) {
        switch outcome {
        case .waits:
            // The host function has suspended it. If not, nothing wakes it.
            if task.state == .running { task.state = .waiting }
            if task.isGivenUp {
                let wait = task.wait
                wake(task, .giveUp)
                onCancelWait(wait, task)
            }
        default: over(task, outcome)
        }
    }

    private func over(_ task: ScriptTask, _ outcome: LuaCoroutine.Outcome) {
        if task.kind == .callback {
            task.state = .done
            return onCallback(task, outcome)
        }
        switch outcome {
        case .returned(let count):
            task.state = .done
            task.results = (0..<count).map { _ in task.coroutine.stack.popReference() }.reversed()
            note(returnedFailureOf: task)
        case .failed(let error):
            task.state = task.isCancelled ? .cancelled : .failed
            task.error = traced(error, of: task)
            note(failureOf: task)
        case .waits: return
        }
        aliveCount -= 1
        tasks[UInt64(task.id)] = nil
        leave(task)
        let waiters = task.waiters
        task.waiters = []
        for waiter in waiters { wake(waiter, outcome: task) }
    }

    /// Logs the failure of a task that raised, unless a task waits for it now or shortly after.
    private func note(failureOf task: ScriptTask) {
        guard let error = task.error, !isExiting else { return }
        if task.isCancelled {
            guard !isCancellation(error) else { return }
            warn("the cleanup of a cancelled task failed: \(error.inOneLine)")
        } else {
            noteUnwatched(error, of: task)
        }
    }

    /// A task that returns nil and the error of a request has failed like one that raised.
    private func note(returnedFailureOf task: ScriptTask) {
        guard !task.isCancelled, task.results.count >= 2, let error = returnedError(task.results),
            !isCancellation(error)
        else { return }
        noteUnwatched(error, of: task)
    }

    private func noteUnwatched(_ error: LuaError, of task: ScriptTask) {
        guard task.kind == .spawned, !task.isBranch, task.waiters.isEmpty else { return }
        task.unwatched = unwatched.add(
            "a task failed and nobody waited for it", error, now: clock.decisionTime())
    }

    // MARK: Errors across coroutines

    /// Notes that the error of another coroutine is raised in `task`, by default the running one.
    func note(_ error: LuaError, raisedIn task: ScriptTask? = nil) {
        guard !error.traceback.isEmpty else { return }
        (task ?? current)?.received = error
    }

    /// The error that ended `task`. An error of another coroutine that passed through unchanged keeps its message and
    /// traceback, and gets one line with the place of the wait.
    func traced(_ error: LuaError, of task: ScriptTask) -> LuaError {
        guard var received = task.received, isSame(error, received) else { return error }
        if let place = error.place { received.traceback += "\nwaited for at \(place)" }
        return received
    }

    func isSame(_ error: LuaError, _ other: LuaError) -> Bool {
        guard let value = error.value, let otherValue = other.value else {
            return error.value == nil && other.value == nil && error.message == other.text
        }
        let stack = vm.stack
        stack.push(value)
        stack.push(otherValue)
        defer { stack.pop(2) }
        return stack.areSame(-1, -2)
    }

    /// Called when a callback that had waited has ended.
    var onCallback: (ScriptTask, LuaCoroutine.Outcome) -> Void = { _, _ in }

    private func wake(_ waiter: ScriptTask, outcome task: ScriptTask) {
        switch self.outcome(of: task) {
        case .success(let push): wake(waiter, .values(push))
        case .failure(let error): wake(waiter, .raise(error))
        }
    }

    /// The outcome of `task:wait()` for a task that is over: its results, or its error. A cancelled task gives nil and
    /// the error, because a cancellation is no defect of the script.
    func outcome(of task: ScriptTask) -> Result<(LuaStack) -> Int, LuaError> {
        task.unwatched?.isTaken = true
        if let error = task.error {
            guard task.state == .cancelled else { return .failure(error) }
            let cancelled = cancellation()
            return .success { stack in
                stack.pushNil()
                stack.push(error: cancelled)
                return 2
            }
        }
        let results = task.results
        return .success { stack in
            for result in results { stack.push(result) }
            return results.count
        }
    }
}
