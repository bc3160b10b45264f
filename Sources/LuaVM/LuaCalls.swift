// Running Lua, always protected: load a chunk, call a function, resume a coroutine.

internal import CLua
internal import CLuaShim

extension LuaStack {
    /// Compiles Lua text and pushes the function. [-0, +1]
    /// - Parameters:
    ///   - source: Lua text; binary chunks are refused. A first line that begins with `#` is skipped.
    ///   - name: "@path" for a file, "=name" for anything else (see `lua_load`).
    /// - Throws: ``LuaError`` with Lua's message ("file:line: ...").
    package func load(_ source: [UInt8], name: String) throws(LuaError) {
        reserve(1)
        var source = source
        if source.starts(with: [0xEF, 0xBB, 0xBF]) { source.removeFirst(3) }
        // The line itself stays empty, so that line numbers are right.
        if source.first == UInt8(ascii: "#") {
            source.replaceSubrange(0..<(source.firstIndex(of: 10) ?? source.count), with: [])
        }
        let status = unsafe source.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe luaL_loadbufferx(raw, start, bytes.count, name, "t")
        }
        guard status != LUA_OK else { return }
        let error = LuaError(display(at: -1))
        pop(1)
        throw error
    }

    /// Calls the function below its `arguments` values. [-(arguments + 1), +results]
    ///
    /// The function cannot wait. The memory cap, a stop and a kill apply to it.
    /// - Returns: the number of results on the stack.
    /// - Throws: ``LuaError`` with the error value popped.
    @discardableResult
    package func call(arguments: Int, results: Int? = nil) throws(LuaError) -> Int {
        precondition(top > arguments, "no function below the arguments")
        let base = top - arguments - 1
        reserve(LUA_MINSTACK.int)
        let status = unsafe mr_call(vm.machine, raw, Int32(arguments), results.map(Int32.init) ?? LUA_MULTRET, 0)
        guard status == LUA_OK else { throw popError(traceback: "") }
        return top - base
    }

    /// Pops the error value on top as a Swift error. [-1, +0]
    func popError(traceback: String) -> LuaError {
        if let reason = vm.killReason {
            pop(1)
            return LuaError(reason, traceback: traceback)
        }
        if type(at: -1) == .string {
            let message = string(at: -1) ?? ""
            pop(1)
            return LuaError(message, traceback: traceback)
        }
        let message = errorMessage(at: -1)
        return LuaError(message, value: popReference(), traceback: traceback)
    }

    /// The message for an error value that is not a string. Booleans and functions as in lua.c.
    private func errorMessage(at index: Int) -> String {
        switch type(at: index) {
        case .nil, .number, .userdata: display(at: index)
        case .table:
            hasMetafield("__tostring", at: index)
                ? display(at: index) : vm.describeErrorTable?(self, top + index + 1) ?? display(at: index)
        case let type: "(error object is a \(type.name) value)"
        }
    }
}

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

    private let keeper: LuaReference
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
        keeper = main.popReference()
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
        main.reserve(LUA_MINSTACK.int)
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

extension Int32 {
    fileprivate var int: Int { Int(self) }
}
