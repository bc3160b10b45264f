// A Lua value that Swift keeps: an entry of the registry, freed when the last holder lets go.

internal import CLua
internal import CLuaShim

/// The entries that Swift holds in one state's registry. Shared by the state and its references, so that neither keeps
/// the other alive; a weak reference to the state would slow every retain of it.
@safe final class LuaRegistry {
    /// The state's main thread; nil once closed.
    private var raw: OpaquePointer?
    /// Entries given up while Lua may be running: a deinit comes at any moment. Freed at the next chance.
    private var discarded: [Int32] = []

    init(_ raw: OpaquePointer) { unsafe self.raw = raw }

    func close() { unsafe raw = nil }

    func discard(_ index: Int32) {
        guard unsafe raw != nil else { return }
        discarded.append(index)
        if discarded.count >= 64 { releaseDiscarded() }
    }

    func releaseDiscarded() {
        guard let raw = unsafe raw, !discarded.isEmpty else { return }
        for index in discarded { unsafe luaL_unref(raw, mr_registry_index(), index) }
        discarded.removeAll(keepingCapacity: true)
    }
}

/// Keeps one Lua value alive from Swift. Letting go late, even after the state is closed, is harmless.
///
/// `@unchecked Sendable`: errors carry references, and Swift wants errors Sendable. Every use, letting go included,
/// must still happen on the state's thread.
package final class LuaReference: @unchecked Sendable {
    let index: Int32
    private let registry: LuaRegistry

    /// Takes the value on top of the stack, which it pops.
    init(taking raw: OpaquePointer, vm: LuaVM) {
        registry = vm.registry
        registry.releaseDiscarded()
        unsafe index = luaL_ref(raw, mr_registry_index())
    }

    deinit { registry.discard(index) }
}
