// Host primitives for steps that a job records, and for files of JSON lines. Made when their parts are loaded.

internal import Base
internal import Chat
internal import JSON
internal import LuaVM

extension ScriptRuntime {
    func setJournalFunctions(_ stack: LuaStack) {
        // steps() -> { begin, finish, abandon }: what journal.lua is written over
        stack.set("steps") { [unowned self] call throws(LuaError) in
            guard dispatcher != nil else { throw .misuse("llm.step runs in scripts, not while the host starts") }
            let steps = JournalSteps(
                configuration.steps, vm: vm, scheduler: scheduler, coder: coder,
                failure: { [unowned self] in journalFailure($0) })
            self.steps = steps
            Self.push(steps, to: call.stack)
            return .returned(1)
        }
        // rows() -> { open, next, writer, write, has, close }: what jsonl.lua is written over
        stack.set("rows") { [unowned self] call throws(LuaError) in
            let rows = RowFunctions(
                vm: vm, coder: coder, warn: { [configuration] in configuration.log(.warning, $0) },
                failure: { [unowned self] in journalFailure($0) })
            rows.push(to: call.stack)
            return .returned(1)
        }
    }

    private static func push(_ steps: JournalSteps, to stack: LuaStack) {
        stack.pushTable(fields: 3)
        // begin(name) -> step; or nil and the recorded results
        stack.set("begin") { [unowned steps] call throws(LuaError) in
            try steps.begin(name: call.stack.string(at: 1) ?? "", call)
        }
        // finish(step, ...) -> the results as recorded
        stack.set("finish") { [unowned steps] call throws(LuaError) in try steps.finish(call) }
        // abandon(step): it has failed, unless it is over.
        stack.set("abandon") { [unowned steps] call throws(LuaError) in
            steps.abandon(call)
            return .returned(0)
        }
    }

    /// The error of kind "journal" with that message, as a table.
    func journalFailure(_ message: String) -> LuaError {
        guard let errorMetatable else { return LuaError(message) }
        let stack = vm.stack
        stack.pushTable(fields: 3)
        stack.set("kind", ErrorKind.journal.rawValue)
        stack.set("message", message)
        stack.set("retryable", false)
        stack.setMetatable(errorMetatable, of: -1)
        return LuaError(message, value: stack.popReference())
    }
}
