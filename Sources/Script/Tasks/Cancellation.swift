// Cancelling tasks and stopping the script. A cancelled task may still wait in its `__close` handlers, for a limited time.

internal import Base
internal import Chat
internal import LuaVM

extension Scheduler {
    /// Seconds for all waits of a cancelled task's `__close` handlers.
    static var cleanupSeconds: Double { 5 }
    /// Number of times that a task may catch its cancellation and wait again.
    static var swallowLimit: Int { 100 }

    /// Marks the task, and its coroutine, so that an error raised in it begins its cleanup.
    func mark(_ task: ScriptTask) {
        task.isCancelled = true
        task.coroutine.isCancelled = true
    }

    /// Cancels the running task at its next wait if the script is being stopped and ``stopAll()`` has not run yet.
    func noteStop() {
        guard vm.isStopping, !isStopped, let current, !current.isCancelled else { return }
        hasSeenStop = true
        mark(current)
    }

    /// Cancels all tasks because the script is being stopped. Tasks begun later, by `__close` handlers, run.
    func stopAll() {
        isStopped = true
        vm.takeStop()
        cancelAll()
    }

    /// Lets a cancelled task wait inside its `__close` handlers until their time is over. Elsewhere the task has caught
    /// its cancellation: it is raised again, and after ``swallowLimit`` times the task is ended.
    func admitCleanup(_ task: ScriptTask, _ call: HostCall) throws(LuaError) {
        if call.isInCleanup {
            let now = clock.decisionTime()
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

    /// llm.shield. While the depth is above 0, a cancellation interrupts no wait of the task.
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
