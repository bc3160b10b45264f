// A Lua 5.4 state, safely held. It owns the memory, the registry, the loaded libraries and the kill switch; it knows
// no language model and no network. Script is its only caller.
//
// Every Lua function runs through LuaCoroutine.resume or LuaStack.call, both protected, so no Lua error ever leaves
// through a Swift frame.

internal import CLua
internal import CLuaShim

/// One Lua state. It lives on the thread that made it; nothing of it may cross to another.
///
/// - SeeAlso: Lua 5.4 Reference Manual, section 4.
@safe package final class LuaVM {
    let machine: OpaquePointer
    let registry: LuaRegistry
    let objects = LuaObjectTable()
    private var reasons: [UnsafeMutablePointer<CChar>] = unsafe []
    private(set) var isClosed = false
    /// Shows an error value that is a table without `__tostring`, the value at that index: for messages to people. Nil
    /// shows its address.
    package var describeErrorTable: ((LuaStack, Int) -> String?)?
    /// Kept until the state is closed: its streams hold them unretained.
    var outputs: [OutputBox] = []
    private var cancellation: LuaReference?

    /// Makes a state with the standard libraries that a script may use.
    /// - Parameter memoryLimit: bytes that scripts may hold; nil for no limit. Past it, the script (not the host)
    ///   meets Lua's "not enough memory".
    /// - Throws: ``LuaError`` when the system has no memory left.
    package init(memoryLimit: Int? = nil) throws(LuaError) {
        guard let machine = unsafe mr_vm_new(memoryLimit ?? 0, runHostBody, releaseHostBody) else {
            throw LuaError("not enough memory for a Lua state")
        }
        unsafe self.machine = machine
        registry = unsafe LuaRegistry(mr_vm_main(machine))
        unsafe mr_set_objects(machine, releaseObject, Unmanaged.passUnretained(objects).toOpaque())
        if unsafe mr_vm_open_libraries(machine) != LUA_OK {
            let message = stack.string(at: -1) ?? "cannot open the standard libraries"
            close()
            throw LuaError(message)
        }
    }

    /// Opens the library `package` and the stock `require`, which can load C modules.
    /// - Throws: ``LuaError`` when memory is out.
    package func openPackages() throws(LuaError) {
        guard unsafe mr_open_packages(machine) != LUA_OK else { return }
        throw stack.popError(traceback: "")
    }

    deinit { close() }

    /// Closes the state: finalizers run, host functions are released. Further use traps. Called by deinit too.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        registry.close()
        unsafe mr_vm_free(machine)
        objects.releaseAll()
        while let reason = unsafe reasons.popLast() { unsafe reason.deallocate() }
    }

    /// The host's own stack: for building values outside any script.
    package var stack: LuaStack { unsafe LuaStack(mr_vm_main(machine), vm: self) }

    /// Bytes that Lua holds now.
    package var memory: Int { unsafe mr_vm_memory(machine) }

    /// Lets the `nth` allocation that scripts make from now on fail; 0 for none. For tests of running out of memory.
    package func failAllocation(_ nth: Int) { unsafe mr_vm_fail_allocation(machine, nth) }

    /// Collects all garbage, finalizers included.
    package func collectGarbage() {
        registry.releaseDiscarded()
        _ = stack.protected { stack in
            stack.getGlobal("collectgarbage")
            return 0
        }
    }

    // MARK: Telling

    /// How many strings the ``LuaCoroutine/deliver(_:_:ends:_:)`` that runs, or the last one, has told, the one at hand
    /// among them.
    package var delivered: Int { unsafe mr_delivered(machine) }

    /// Lets the `tell` that runs tell no more.
    package func stopDelivery() { unsafe mr_stop_delivery(machine) }

    // MARK: Stopping

    /// Begins to stop the script in order. The error of ``setCancellation(_:)`` is raised in the coroutine that runs; the
    /// host, which is woken, cancels the others. `__close` handlers run for two seconds at most; then comes the kill.
    /// A pcall that catches the error meets it again at the next instruction.
    package func stop(_ reason: String) { unsafe mr_stop(machine, keep(reason)) }

    /// True once stopped or killed, by the host, the deadline, a signal or closed output.
    package var isStopping: Bool { Int(unsafe mr_phase(machine)) != Int(MR_RUNNING) }

    /// The host has cancelled all tasks: what is begun from now on is not stopped before its time is up.
    package func takeStop() { unsafe mr_take_stop(machine) }

    /// The error value that a stop raises.
    package func setCancellation(_ value: LuaReference) {
        cancellation = value
        unsafe mr_set_cancellation(machine, value.index)
    }

    /// The eventfd that ends the host's sleep when the script is stopped.
    package func setWake(descriptor: Int32) { unsafe mr_set_wake(machine, descriptor) }

    /// Makes every Lua instruction from now on raise `reason`; no pcall, handler or `__close` outlives it.
    package func kill(_ reason: String) { unsafe mr_kill(machine, keep(reason)) }

    /// True once killed, by ``kill(_:)`` or because a stop took too long.
    package var isKilled: Bool { unsafe mr_killed(machine) }

    /// Why the state was killed; nil when it was not.
    package var killReason: String? { isKilled ? stopReason : nil }

    /// Why the state was stopped or killed; nil when it was not.
    package var stopReason: String? {
        guard isStopping, let reason = unsafe mr_kill_reason(machine) else { return nil }
        return unsafe String(cString: reason)
    }

    /// Takes a stop or a kill back, so that the state can run the next script.
    package func unkill() { unsafe mr_unkill(machine) }

    /// Stops the running script after `seconds`. Costs nothing until then. Must be called on the thread that runs Lua.
    /// - Throws: ``LuaError`` when the system has no timer left.
    package func startDeadline(seconds: Double, reason: String) throws(LuaError) {
        let error = unsafe mr_deadline_start(machine, seconds, keep(reason))
        guard error == 0 else { throw LuaError("cannot set the time limit: system error \(error)") }
    }

    /// Disarms the deadline.
    package func stopDeadline() { unsafe mr_deadline_stop(machine) }

    /// Lets signals stop the running script; a second signal ends the process at once. For the one state that a process
    /// runs in its foreground, on the thread that runs it.
    package func catchSignals(_ signals: [Int32]) {
        for signal in signals { unsafe mr_catch_signal(machine, signal) }
    }

    /// The signal that stopped the script; 0 if none did.
    package var caughtSignal: Int { Int(unsafe mr_caught_signal(machine)) }

    private func keep(_ reason: String) -> UnsafeMutablePointer<CChar> {
        let bytes = Array(reason.utf8CString)
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        unsafe copy.initialize(from: bytes, count: bytes.count)
        unsafe reasons.append(copy)
        return unsafe copy
    }
}

// A lua_State and everything hanging from it belong to one thread.
@available(*, unavailable)
extension LuaVM: Sendable {}
