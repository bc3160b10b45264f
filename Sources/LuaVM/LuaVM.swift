// A Lua 5.4 state: libraries, memory cap, deadline, stop and kill. Independent of language models and network.
//
// Lua functions run through LuaCoroutine and LuaStack.call only, both protected, so no Lua error crosses a Swift frame.

internal import CLua
internal import CLuaShim

/// One Lua state. It belongs to the thread that made it.
///
/// - SeeAlso: Lua 5.4 Reference Manual, section 4.
@safe package final class LuaVM {
    let machine: OpaquePointer
    let registry: LuaRegistry
    let objects = LuaObjectTable()
    private var reasons: [UnsafeMutablePointer<CChar>] = unsafe []
    private(set) var isClosed = false
    /// The message for an error value that is a table without `__tostring`, at that index. Nil: its address.
    package var describeErrorTable: ((LuaStack, Int) -> String?)?
    /// Kept until the state is closed, because its streams hold them unretained.
    var outputs: [OutputBox] = []
    var input: InputBox?
    private var cancellation: LuaReference?

    /// Makes a state with the standard libraries of scripts.
    /// - Parameter memoryLimit: bytes that scripts may hold; nil for no limit. Above it, scripts (not the host) get Lua's
    ///   error "not enough memory".
    /// - Throws: ``LuaError`` if the system is out of memory.
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

    /// Opens `package` and the stock `require`, which can load C modules.
    /// - Throws: ``LuaError`` if memory is out.
    package func openPackages() throws(LuaError) {
        guard unsafe mr_open_packages(machine) != LUA_OK else { return }
        throw stack.popError(traceback: "")
    }

    deinit { close() }

    /// Closes the state: finalizers run, host functions and objects are released. Later use traps. Called by deinit.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        registry.close()
        unsafe mr_vm_free(machine)
        objects.releaseAll()
        while let reason = unsafe reasons.popLast() { unsafe reason.deallocate() }
    }

    /// The main stack, for building values outside a script.
    package var stack: LuaStack { unsafe LuaStack(mr_vm_main(machine), vm: self) }

    /// Bytes that Lua holds now.
    package var memory: Int { unsafe mr_vm_memory(machine) }

    /// Makes the `nth` allocation of scripts from now on fail; 0 for none. For tests.
    package func failAllocation(_ nth: Int) { unsafe mr_vm_fail_allocation(machine, nth) }

    // MARK: Delivery

    /// The number of strings that the running or last ``LuaCoroutine/deliver(_:_:ends:_:)`` has delivered, the current one
    /// included.
    package var delivered: Int { unsafe mr_delivered(machine) }

    /// Makes the running `deliver` stop after the current string.
    package func stopDelivery() { unsafe mr_stop_delivery(machine) }

    // MARK: Stopping

    /// Stops the script. The error of ``setCancellation(_:)`` is raised in the running coroutine, again after each pcall that
    /// catches it; the host is woken and cancels the others. `__close` handlers run for at most two seconds; then the state
    /// is killed.
    package func stop(_ reason: String) { unsafe mr_stop(machine, keep(reason)) }

    /// True once stopped or killed: by the host, the deadline, a signal or closed output.
    package var isStopping: Bool { Int(unsafe mr_phase(machine)) != Int(MR_RUNNING) }

    /// True once Lua code, or ``takeStop()``, has noticed the stop.
    package var hasNoticedStop: Bool {
        let phase = Int(unsafe mr_phase(machine))
        return phase != Int(MR_RUNNING) && phase != Int(MR_STOP_REQUESTED)
    }

    /// Notes that the host has cancelled all tasks: tasks that begin from now on run until the kill.
    package func takeStop() { unsafe mr_take_stop(machine) }

    /// Sets the error value that a stop raises.
    package func setCancellation(_ value: LuaReference) {
        cancellation = value
        unsafe mr_set_cancellation(machine, value.index)
    }

    /// Sets the eventfd that wakes the host when the script is stopped.
    package func setWake(descriptor: Int32) { unsafe mr_set_wake(machine, descriptor) }

    /// Makes every Lua instruction from now on raise `reason`. No pcall, message handler or `__close` runs after it.
    package func kill(_ reason: String) { unsafe mr_kill(machine, keep(reason)) }

    /// True once killed: by ``kill(_:)``, or because a stop took too long.
    package var isKilled: Bool { unsafe mr_killed(machine) }

    /// The reason of the kill; nil without one.
    package var killReason: String? { isKilled ? stopReason : nil }

    /// The reason of the stop or kill; nil without one.
    package var stopReason: String? {
        guard isStopping, let reason = unsafe mr_kill_reason(machine) else { return nil }
        return unsafe String(cString: reason)
    }

    /// Stops the script after `seconds`. Call it on the thread that runs Lua.
    /// - Throws: ``LuaError`` if the system has no timer.
    package func startDeadline(seconds: Double, reason: String) throws(LuaError) {
        let error = unsafe mr_deadline_start(machine, seconds, keep(reason))
        guard error == 0 else { throw LuaError("cannot set the time limit: system error \(error)") }
    }

    /// Disarms the deadline.
    package func stopDeadline() { unsafe mr_deadline_stop(machine) }

    /// Makes signals stop the script; a second signal ends the process at once. For the one foreground state of a process,
    /// called on the thread that runs it.
    package func catchSignals(_ signals: [Int32]) {
        for signal in signals { unsafe mr_catch_signal(machine, signal) }
    }

    /// Makes the first signal only wake the host: a server ends its work before the script is stopped. The script is stopped
    /// after that many seconds, or by a second signal.
    /// - Parameter seconds: nil ends this.
    package func setGraceful(_ seconds: Double?) { unsafe mr_set_graceful(machine, seconds ?? -1) }

    /// Whether a signal has asked for a graceful end.
    package var isAskedToEnd: Bool { unsafe mr_graceful_signal(machine) != 0 }

    /// Stops the script because of that signal. Without effect if none came.
    package func finishGracefully() { unsafe mr_finish_graceful(machine) }

    /// Whether SIGHUP has come since the last call, of those that ``catchSignals(_:)`` was given.
    package func takeReload() -> Bool { unsafe mr_take_reload(machine) }

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

// A lua_State belongs to one thread.
@available(*, unavailable)
extension LuaVM: Sendable {}
