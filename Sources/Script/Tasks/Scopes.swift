// Entering and leaving scopes. Leaving cancels what was begun inside and waits until it is over, even if the task that
// leaves is cancelled.

internal import LuaVM

extension Scheduler {
    /// Puts the task into a new scope.
    func enter(_ task: ScriptTask, budget: Budget?, outputHold: OutputHold?) -> TaskScope {
        let scope = TaskScope(outer: task.scope)
        scope.budget = budget
        if let outputHold { scope.outputHold = outputHold }
        task.scope = scope
        return scope
    }

    /// The partial result of the outermost combinator that has one: the scope's own, or of a scope inside it.
    func partial(of scope: TaskScope) -> LuaReference? {
        if let partial = scope.partial { return partial }
        for id in scope.tasks.keys.sorted() {
            var inner: [TaskScope] = []
            var next = scope.tasks[id]?.scope
            while let here = next, here !== scope {
                inner.append(here)
                next = here.outer
            }
            for scope in inner.reversed() {
                if let found = partial(of: scope) { return found }
            }
        }
        return nil
    }

    /// Notes that a new task belongs to `scope`.
    func join(_ scope: TaskScope?, _ task: ScriptTask) {
        guard let scope else { return }
        task.home = scope
        task.scope = scope
        scope.tasks[task.id] = task
    }

    /// Notes that a task is over.
    func leave(_ task: ScriptTask) {
        guard let scope = task.home else { return }
        task.home = nil
        scope.tasks[task.id] = nil
        if task.isBranch {
            if scope.isLeft { task.unwatched?.isTaken = true } else { scope.finished.append(task) }
        }
        settle(scope)
    }

    /// Wakes the task that waits for the scope, if its wait is over.
    func settle(_ scope: TaskScope) {
        guard let waiter = scope.waiter, case .scope(let awaited) = waiter.wait, awaited === scope else { return }
        if scope.isLeft {
            guard scope.isEmpty else { return }
            wake(waiter, .values { _ in 0 })
        } else {
            guard !scope.finished.isEmpty else { return }
            let id = scope.finished.removeFirst().id
            wake(waiter) { $0.push(id) }
        }
        scope.waiter = nil
    }

    private func wake(_ waiter: ScriptTask, _ push: @escaping (LuaStack) -> Void) {
        wake(
            waiter,
            .values { stack in
                push(stack)
                return 1
            })
    }

    /// Begins to leave a scope: results of its branches are discarded, its tasks cancelled in the order in which they began.
    func beginLeaving(_ scope: TaskScope) {
        scope.isLeft = true
        for task in scope.finished { task.unwatched?.isTaken = true }
        scope.finished = []
        cancelMembers(of: scope)
    }

    private func cancelMembers(of scope: TaskScope) {
        for id in scope.tasks.keys.sorted() { if let task = scope.tasks[id] { cancel(task) } }
    }

    /// Notes that an error passes through a combinator. It keeps the traceback of the place where it was raised, and gets
    /// a line that names the step.
    func trace(_ error: LuaError, step: String) {
        guard let task = current, !task.isCancelled else { return }
        var noted = task.received.flatMap { isSame(error, $0) ? $0 : nil } ?? error
        if noted.traceback.isEmpty { noted.traceback = task.coroutine.traceback() }
        noted.traceback += "\nin \(step)"
        task.received = noted
    }
}
