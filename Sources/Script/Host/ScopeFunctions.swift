// Host primitives for scopes, used by flow.lua and others for structured concurrency.

internal import Base
internal import Chat
internal import LuaVM

extension ScriptRuntime {
    func setScopeFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        let scheduler = self.scheduler
        /// The open scope at index 1.
        func openScope(_ call: HostCall) -> TaskScope? {
            call.stack.object(at: 1, as: handles.scope).flatMap { $0.isLeft ? nil : $0 }
        }
        // scope_enter(budget, characters, seconds) -> scope: tasks and requests that the running task begins belong to it.
        stack.set("scope_enter") { call throws(LuaError) in
            guard let task = scheduler.current else { throw .misuse("a flow runs in scripts, not at the host's start") }
            let stack = call.stack
            let hold = stack.int(at: 2).map { OutputHold(characters: $0, seconds: stack.double(at: 3) ?? .infinity) }
            let budget = stack.object(at: 1, as: handles.budget)
            stack.push(scheduler.enter(task, budget: budget, outputHold: hold), as: handles.scope)
            return .returned(1)
        }
        // shield(number): the running task enters (1) or leaves (-1) a block that a cancellation does not interrupt. The
        // current scope belongs to the block and keeps its members when the script is stopped.
        stack.set("shield") { call throws(LuaError) in
            guard let task = scheduler.current else {
                throw .misuse("llm.shield runs in scripts, not at the host's start")
            }
            let depth = call.stack.int(at: 1) ?? 0
            scheduler.shield(task, by: depth)
            if depth > 0 { task.scope?.isShielded = true }
            return .returned(0)
        }
        // scope_leave(scope): cancels its members and waits for their end, also in a cancelled task.
        stack.set("scope_leave") { [unowned self] call throws(LuaError) in
            guard let scope = openScope(call) else { return .returned(0) }
            if let task = scheduler.current { task.scope = scope.outer }
            return try end(scope, call)
        }
        // scope_next(scope, seconds) -> number | nil: the next branch that is over; nil when the time is up.
        stack.set("scope_next") { call throws(LuaError) in
            guard let scope = openScope(call) else { throw .misuse("the scope is gone") }
            if !scope.finished.isEmpty {
                call.stack.push(scope.finished.removeFirst().id)
                return .returned(1)
            }
            try scheduler.suspend(.scope(scope), call, action: "a flow")
            scope.waiter = scheduler.current
            if let seconds = call.stack.double(at: 2) { scheduler.setTimer(at: scheduler.clock.now() + seconds) }
            return .waits
        }
        // scope_has_output(scope) -> whether a request inside has received text
        stack.set("scope_has_output") { call throws(LuaError) in
            call.stack.push(openScope(call)?.hasOutput ?? false)
            return .returned(1)
        }
        // scope_partial(scope, value): sets the partial result. scope_partial(scope) -> that of it, or of an inner scope
        stack.set("scope_partial") { call throws(LuaError) in
            guard let scope = openScope(call) else { return .returned(0) }
            if call.argumentCount > 1 {
                scope.partial = call.stack.reference(to: 2)
                return .returned(0)
            }
            guard let partial = scheduler.partial(of: scope) else { return .returned(0) }
            call.stack.push(partial)
            return .returned(1)
        }
        // branch(body, ...) -> task, number: a task whose number scope_next returns when it is over.
        stack.set("branch") { call throws(LuaError) in
            let task = scheduler.makeTask(.spawned)
            task.isBranch = true
            call.stack.move(call.argumentCount, to: task.coroutine.stack)
            scheduler.begin(task, arguments: call.argumentCount - 1)
            call.stack.push(task, as: handles.task)
            call.stack.push(task.id)
            return .returned(2)
        }
        // traceback() -> the traceback of the running task, for message handlers
        stack.set("traceback") { call throws(LuaError) in
            call.stack.push(scheduler.current?.coroutine.traceback() ?? "")
            return .returned(1)
        }
        // trace(error, step): for message handlers; see Scheduler.trace.
        stack.set("trace") { call throws(LuaError) in
            // The combinator raises the error again; a cancelled task cleans up before and after that.
            if let task = scheduler.current, task.isCancelled { task.coroutine.isUnwinding = true }
            let text = call.stack.string(at: 1)
            let error =
                text.map { LuaError($0) } ?? LuaError(call.stack.display(at: 1), value: call.stack.reference(to: 1))
            scheduler.trace(error, step: call.stack.string(at: 2) ?? "llm.flow")
            return .returned(0)
        }
    }

    private func end(_ scope: TaskScope, _ call: HostCall) throws(LuaError) -> HostOutcome {
        scheduler.beginLeaving(scope)
        for id in scope.calls.keys.sorted(by: { $0.raw < $1.raw }) {
            guard let request = scope.calls[id] else { continue }
            dispatcher?.registry.cancelWithCallback(request)
        }
        guard !scope.isEmpty else { return .returned(0) }
        try scheduler.suspend(.scope(scope), call, action: "a flow", isShielded: true)
        scope.waiter = scheduler.current
        return .waits
    }
}
