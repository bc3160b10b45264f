// Host primitives for tasks and time.

internal import Base
internal import LuaVM

extension ScriptRuntime {
    func setTaskFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        let scheduler = self.scheduler
        stack.set("spawn") { call throws(LuaError) in
            let task = scheduler.makeTask(.spawned)
            call.stack.move(call.argumentCount, to: task.coroutine.stack)
            scheduler.begin(task, arguments: call.argumentCount - 1)
            call.stack.push(task, as: handles.task)
            return .returned(1)
        }
        stack.set("task_wait") { call throws(LuaError) in
            guard let task = call.stack.object(at: 1, as: handles.task) else { throw .misuse("the task is gone") }
            if task.isOver {
                let outcome = scheduler.outcome(of: task)
                if case .failure(let error) = outcome { scheduler.note(error) }
                return .returned(try outcome.get()(call.stack))
            }
            guard task !== scheduler.current else { throw .misuse("a task cannot wait for itself") }
            try scheduler.suspend(.task(task), call, action: "task:wait")
            if let waiter = scheduler.current { task.waiters.append(waiter) }
            return .waits
        }
        stack.set("task_cancel") { call throws(LuaError) in
            if let task = call.stack.object(at: 1, as: handles.task) {
                guard task !== scheduler.current else { throw .misuse("a task cannot cancel itself; return instead") }
                scheduler.cancel(task)
            }
            return .returned(0)
        }
        stack.set("task_status") { call throws(LuaError) in
            call.stack.push(call.stack.object(at: 1, as: handles.task)?.state.rawValue ?? "done")
            return .returned(1)
        }
        stack.set("sleep") { call throws(LuaError) in
            try scheduler.suspend(.timer, call, action: "llm.sleep")
            scheduler.setTimer(at: scheduler.clock.now() + (call.stack.double(at: 1) ?? 0))
            return .waits
        }
        stack.set("now") { call throws(LuaError) in
            call.stack.push(scheduler.clock.now())
            return .returned(1)
        }
        stack.set("time") { call throws(LuaError) in
            call.stack.push(scheduler.clock.unixTime())
            return .returned(1)
        }
    }
}
