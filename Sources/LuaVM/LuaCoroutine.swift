// Runs Lua code in coroutines: tasks, and the callbacks of requests.

internal import CLua
internal import CLuaShim

/// A coroutine that the host runs: that of a task, or one in which callbacks run in turn.
package final class LuaCoroutine {
    /// How a run ended.
    package enum Outcome {
        /// It returned this many results, which stay on its stack until ``clear()``.
        case returned(Int)
        /// It waits for the host.
        case waits
        /// It raised.
        case failed(LuaError)

        /// True for `waits`.
        package var isWait: Bool { if case .waits = self { true } else { false } }
    }

    /// The outcome of a callback.
    package enum Reaction {
        /// It returned, not with `false`.
        case continues
        /// It returned `false`.
        case stops
        /// It waits for the host.
        case waits
        /// It raised.
        case failed(LuaError)
    }

    private let threadReference: LuaReference
    /// Keeps the state alive for `stack`.
    private let vm: LuaVM
    /// The coroutine's stack. Push a function and its arguments, then ``resume(arguments:)``.
    package let stack: LuaStack

    /// A new coroutine of `vm`.
    package init(_ vm: LuaVM) {
        self.vm = vm
        let main = vm.stack
        main.reserve(1)
        // lua_newthread never returns NULL: the allocator handles the lack of memory.
        let raw = unsafe lua_newthread(main.raw) ?? main.raw
        unsafe stack = LuaStack(raw, vm: vm)
        threadReference = main.popReference()
    }

    /// Starts or continues the coroutine. The stack holds the function and `arguments` values at the start, the results of
    /// the wait later.
    package func resume(arguments: Int) -> Outcome {
        if isDead { return .failed(LuaError(stack.vm.killReason ?? "the coroutine was stopped")) }
        var results: Int32 = 0
        isRunning = true
        let status = unsafe mr_resume(stack.vm.machine, stack.raw, Int32(arguments), &results, &storedFlags)
        isRunning = false
        switch status {
        case LUA_OK: return .returned(Int(results))
        case LUA_YIELD: return .waits
        default: return .failed(failure())
        }
    }

    /// Calls `function` with each string of a batch, in one resume of a coroutine that runs nothing. Ends after the last
    /// string, after ``LuaVM/stopDelivery()``, or with a call that returns `false`, waits or raises. ``LuaVM/delivered`` counts
    /// the strings.
    /// - Parameters:
    ///   - bytes: the concatenated strings.
    ///   - ends: the end offset of each string.
    ///   - range: the strings to deliver.
    package func deliver(
        _ function: LuaReference, _ bytes: Span<UInt8>, ends: Span<UInt32>, _ range: Range<Int>
    ) -> Reaction {
        if isDead { return .failed(LuaError(stack.vm.killReason ?? "the coroutine was stopped")) }
        precondition(range.upperBound <= ends.count, "the range exceeds the strings of the batch")
        var stops = false
        var flags = storedFlags
        isRunning = true
        let status = unsafe bytes.withUnsafeBufferPointer { bytes in
            let start = unsafe UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            return unsafe ends.withUnsafeBufferPointer { ends in
                unsafe mr_deliver_batch(
                    stack.vm.machine, stack.raw, function.index, start, ends.baseAddress, range.lowerBound,
                    range.upperBound, &stops, &flags)
            }
        }
        isRunning = false
        storedFlags = flags
        switch status {
        case LUA_OK: return stops ? .stops : .continues
        case LUA_YIELD: return .waits
        default: return .failed(failure())
        }
    }

    /// Takes the error that ended the run and resets the coroutine.
    private func failure() -> LuaError {
        let main = stack.vm.stack
        main.reserve(2)
        unsafe mr_push_noted_traceback(stack.vm.machine, stack.raw)
        let traceback = main.string(at: -1) ?? ""
        main.pop(1)
        let error = stack.popError(traceback: traceback)
        reset()
        return error
    }

    // MARK: Cancellation

    /// Its flags (`MR_CANCELLED` and others) while it does not run. While it runs, the state holds them.
    private var storedFlags: Int32 = 0
    private var isRunning = false

    private func flag(_ flag: Int) -> Bool {
        Int(isRunning ? unsafe mr_flags(stack.vm.machine) : storedFlags) & flag != 0
    }

    private func setFlag(_ flag: Int, _ value: Bool) {
        let old = isRunning ? unsafe mr_flags(stack.vm.machine) : storedFlags
        let new = value ? old | Int32(flag) : old & ~Int32(flag)
        if isRunning { unsafe mr_set_flags(stack.vm.machine, new) } else { storedFlags = new }
    }

    /// The task was cancelled: the next error that is raised in it begins its cleanup.
    package var isCancelled: Bool {
        get { flag(Int(MR_CANCELLED)) }
        set { setFlag(Int(MR_CANCELLED), newValue) }
    }

    /// A stop does not interrupt it.
    package var isShielded: Bool {
        get { flag(Int(MR_SHIELDED)) }
        set { setFlag(Int(MR_SHIELDED), newValue) }
    }

    /// An error unwinds it: `__close` handlers run, until a pcall catches the error.
    package var isUnwinding: Bool {
        get { flag(Int(MR_UNWINDING)) }
        set { setFlag(Int(MR_UNWINDING), newValue) }
    }

    /// Continues the coroutine by raising `error` at its wait.
    package func resume(raising error: LuaError) -> Outcome {
        stack.reserve(2)
        unsafe mr_push_raise_mark(stack.raw)
        stack.push(error: error)
        return resume(arguments: 2)
    }

    /// True once a kill ended it during a run. It cannot run again.
    package private(set) var isDead = false

    /// Drops the results of the last run, so that the coroutine can run the next function.
    package func clear() { if !isDead { stack.setTop(0) } }

    /// Lua's traceback of the coroutine.
    package func traceback() -> String {
        let main = stack.vm.stack
        main.reserve(Int(LUA_MINSTACK))
        unsafe mr_push_traceback(main.raw, stack.raw, 0)
        defer { main.pop(1) }
        return main.string(at: -1) ?? ""
    }

    /// Ends the run: to-be-closed variables are closed, and errors in them are dropped.
    package func reset() {
        isDead = stack.vm.isKilled
        unsafe mr_reset(stack.vm.machine, stack.raw)
    }
}
