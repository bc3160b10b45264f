// Swift functions that Lua can call. A body returns results, throws a LuaError or waits; the C trampoline turns the last two
// into lua_error and lua_yieldk after every Swift frame has returned.

internal import CLua
internal import CLuaShim

/// The outcome of a host function.
package enum HostOutcome: Sendable {
    /// The topmost `count` values of the stack are the results.
    case returned(Int)
    /// The coroutine waits until it is resumed with the results. Only after ``HostCall/requireWait(_:)``.
    case waits
}

/// One call of a host function. Its stack holds the arguments from index 1 on.
package struct HostCall {
    package let stack: LuaStack
    package let argumentCount: Int

    /// Checks that the caller may wait here.
    /// - Parameter action: the function that has to wait, for the message: "client:ask".
    /// - Throws: ``LuaError`` that names what prevents it, such as a comparator called by `table.sort`.
    package func requireWait(_ action: String) throws(LuaError) {
        let machine = unsafe stack.vm.machine
        guard unsafe !mr_can_wait(machine, stack.raw) else { return }
        unsafe mr_push_wait_obstacle(machine, stack.raw)
        let obstacle = stack.string(at: -1) ?? "a C function"
        stack.pop(1)
        throw .misuse(
            "\(action) has to wait, and Lua cannot wait inside \(obstacle); call it outside and pass the result in")
    }

    /// True if a `__close` handler is among the callers.
    package var isInCleanup: Bool { unsafe mr_is_cleaning_up(stack.vm.machine, stack.raw) }
}

/// The body of a host function.
package typealias HostBody = (HostCall) throws(LuaError) -> HostOutcome

final class HostBox {
    unowned let vm: LuaVM
    let body: HostBody

    init(vm: LuaVM, body: @escaping HostBody) {
        self.vm = vm
        self.body = body
    }
}

extension LuaStack {
    /// Pushes a function that runs `body`. Lua keeps it until its last reference is collected.
    package func pushFunction(_ body: @escaping HostBody) {
        reserve(3)
        let box = unsafe Unmanaged.passRetained(HostBox(vm: vm, body: body))
        unsafe mr_push_host_function(raw, box.toOpaque())
    }
}

/// Called by the trampoline. No Lua call from here may raise: see scripts/lua-api-allow-list.txt.
func runHostBody(_ raw: OpaquePointer, _ context: UnsafeMutableRawPointer) -> Int32 {
    let box = unsafe Unmanaged<HostBox>.fromOpaque(context).takeUnretainedValue()
    let stack = unsafe LuaStack(raw, vm: box.vm)
    let call = HostCall(stack: stack, argumentCount: stack.top)
    do throws(LuaError) {
        switch try box.body(call) {
        case .returned(let count): return Int32(count)
        case .waits: return Int32(MR_WAIT)
        }
    } catch {
        stack.push(error: error)
        return Int32(MR_RAISE)
    }
}

func releaseHostBody(_ context: UnsafeMutableRawPointer) {
    unsafe Unmanaged<HostBox>.fromOpaque(context).release()
}
