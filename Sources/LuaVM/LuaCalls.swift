// Running Lua: chunks loaded, functions called, coroutines resumed. All protected.

internal import CLua
internal import CLuaShim

extension LuaStack {
    /// Compiles Lua text and pushes it as a function. [-0, +1]
    /// - Parameters:
    ///   - source: Lua text; binary chunks are refused. A first line that begins with `#` is skipped.
    ///   - name: "@path" for a file, "=name" for anything else (see `lua_load`).
    /// - Throws: ``LuaError`` with Lua's message ("file:line: ...").
    package func load(_ source: [UInt8], name: String) throws(LuaError) {
        reserve(1)
        var source = source
        if source.starts(with: [0xEF, 0xBB, 0xBF]) { source.removeFirst(3) }
        // Only the text of a `#` line goes, so that line numbers stay.
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
    /// The function cannot wait. Its Lua code is subject to the memory cap and the kill switch.
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

    /// Runs `body`, then calls the function and the arguments that it left on the stack, dropping results and errors.
    func protected(_ body: (LuaStack) -> Int) -> Bool {
        let base = top
        let arguments = body(self)
        defer { setTop(base) }
        do throws(LuaError) {
            try call(arguments: arguments, results: 0)
            return true
        } catch {
            return false
        }
    }

    /// The error value on top as a Swift error. [-1, +0]
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

    /// What a person reads of an error value that is no string. Booleans and functions as in lua.c.
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

/// A coroutine that the host runs: a task's own, or one in which callbacks run one after the other.
package final class LuaCoroutine {
    /// How a run ended.
    package enum Outcome {
        /// It returned; this many results are on its stack until ``clear()``.
        case returned(Int)
        /// It waits for the host.
        case waits
        /// It raised.
        case failed(LuaError)

        /// True for `waits`.
        package var isWait: Bool { if case .waits = self { true } else { false } }
    }

    /// What a callback that was told a text said to it.
    package enum Reaction {
        /// It returned anything but `false`, and is over.
        case continues
        /// It returned `false`, and is over.
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
        // lua_newthread never returns NULL: running out of memory is the allocator's matter.
        let raw = unsafe lua_newthread(main.raw) ?? main.raw
        unsafe stack = LuaStack(raw, vm: vm)
        keeper = main.popReference()
    }

    /// Runs or goes on with what the stack holds: a function with `arguments` above it at the beginning, the wait's
    /// results afterwards.
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

    /// Runs `function` with strings, one after the other and each from its beginning, on a coroutine that runs nothing.
    /// What ``resume(arguments:)`` and ``clear()`` would do for each, in one step across the border: this is done for
    /// every piece of text. It ends with the last string, with the first whose call does not simply return, and where
    /// ``LuaVM/stopDelivery()`` is called; ``LuaVM/told`` counts on the way.
    /// - Parameters:
    ///   - bytes: the strings, one behind the other.
    ///   - ends: where each of them ends.
    ///   - range: which of them are told.
    package func deliver(
        _ function: LuaReference, _ bytes: Span<UInt8>, ends: Span<UInt32>, _ range: Range<Int>
    ) -> Reaction {
        if isDead { return .failed(LuaError(stack.vm.killReason ?? "the coroutine was stopped")) }
        precondition(range.upperBound <= ends.count, "fewer strings than are to be told")
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

    /// The same with one string.
    package func deliver(_ function: LuaReference, _ text: String) -> Reaction {
        let end: [1 of UInt32] = [UInt32(clamping: text.utf8.count)]
        return deliver(function, text.utf8.span, ends: end.span, 0..<1)
    }

    /// The error that ended the run, which it clears away.
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

    /// Its flags (`MR_CANCELLED` and others) while it does not run; the state holds them while it does.
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

    /// Its task was cancelled: from now on an error that is raised in it begins its cleanup.
    package var isCancelled: Bool {
        get { flag(Int(MR_CANCELLED)) }
        set { setFlag(Int(MR_CANCELLED), newValue) }
    }

    /// A stop does not interrupt what runs in it.
    package var isShielded: Bool {
        get { flag(Int(MR_SHIELDED)) }
        set { setFlag(Int(MR_SHIELDED), newValue) }
    }

    /// An error is on its way out of it: what runs is a `__close` handler, until a pcall catches the error.
    package var isUnwinding: Bool {
        get { flag(Int(MR_UNWINDING)) }
        set { setFlag(Int(MR_UNWINDING), newValue) }
    }

    /// Goes on with what the stack holds by raising `error` where the coroutine waits.
    package func resume(raising error: LuaError) -> Outcome {
        stack.reserve(2)
        unsafe mr_push_raise_mark(stack.raw)
        stack.push(error: error)
        return resume(arguments: 2)
    }

    /// True once a kill ended it in the middle: it can run nothing more.
    package private(set) var isDead = false

    /// Drops the results of the last run, so that the coroutine can run the next function.
    package func clear() { if !isDead { stack.setTop(0) } }

    /// Lua's traceback of the coroutine as it stands.
    package func traceback() -> String {
        let main = stack.vm.stack
        main.reserve(LUA_MINSTACK.int)
        unsafe mr_push_traceback(main.raw, stack.raw, 0)
        defer { main.pop(1) }
        return main.string(at: -1) ?? ""
    }

    /// Ends what the coroutine was doing: its to-be-closed variables are closed, errors in them dropped with it.
    package func reset() {
        isDead = stack.vm.isKilled
        unsafe mr_reset(stack.vm.machine, stack.raw)
    }
}

extension Int32 {
    fileprivate var int: Int { Int(self) }
}
