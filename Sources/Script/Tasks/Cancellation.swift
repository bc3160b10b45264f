// Cancelling tasks and stopping the script: where a cancelled task may still wait, and for how long.

internal import Chat
internal import Engine
internal import LuaVM

extension Scheduler {
    /// Seconds that the waits of a cancelled task's `__close` handlers may take in all.
    static var cleanupSeconds: Double { 5 }
    /// How often a task may catch its cancellation and wait again.
    static var swallowLimit: Int { 100 }

    /// Marks the task, and its coroutine, so that an error raised in it begins its cleanup.
    func mark(_ task: ScriptTask) {
        task.isCancelled = true
        task.coroutine.isCancelled = true
    }

    /// The script is being stopped: the running task learns of it at its next wait, before the host has cancelled all.
    func noteStop() {
        guard vm.isStopping, !isStopped, let current, !current.isCancelled else { return }
        mark(current)
    }

    /// The script is being stopped: cancels all tasks that there are. Those begun by `__close` handlers go on.
    func stopAll() {
        isStopped = true
        vm.takeStop()
        cancelAll()
    }

    /// Lets a cancelled task wait inside its `__close` handlers while its time for that lasts. Anywhere else it has
    /// swallowed its cancellation, which is raised again, and in the end the task is given up.
    func admitCleanup(_ task: ScriptTask, _ call: HostCall) throws(LuaError) {
        if call.isInCleanup {
            let now = Engine.now()
            let limit = task.cleanupLimit ?? now + Self.cleanupSeconds
            task.cleanupLimit = limit
            if now < limit {
                task.isShielded = true
                return
            }
        }
        task.swallowCount += 1
        guard task.swallowCount > Self.swallowLimit else { throw cancellation() }
        task.isGivenUp = true
        warn(
            "a task caught its cancellation \(Self.swallowLimit) times and was ended; "
                + "let the error pass, or protect what must be done with llm.shield"
                + (LuaError("", traceback: task.coroutine.traceback()).place.map { " (at \($0))" } ?? ""))
    }

    /// llm.shield: while its depth is above 0, cancelling the task interrupts no wait of it.
    func shield(_ task: ScriptTask, by depth: Int) {
        task.shieldDepth += depth
        task.coroutine.isShielded = task.shieldDepth > 0
    }

    func isCancellation(_ error: LuaError) -> Bool {
        guard let value = error.value else { return false }
        let stack = vm.stack
        stack.push(value)
        defer { stack.pop(1) }
        guard stack.type(at: -1) == .table else { return false }
        return stack.field("kind", of: stack.top) { $0.string(at: -1) } == ErrorKind.cancelled.rawValue
    }
}
