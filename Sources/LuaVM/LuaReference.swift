// Lua values that Swift keeps: registry entries, freed with their last reference.

internal import CLua
internal import CLuaShim

/// Frees registry entries of one state. Shared by the state and its references, so that neither keeps the other alive; a weak
/// reference to the state would slow every retain of it.
@safe final class LuaRegistry {
    /// The state's main thread; nil once closed.
    private var raw: OpaquePointer?
    /// Entries to free. A deinit may run at any moment, also while Lua runs, so they are freed later.
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

/// Keeps one Lua value alive. It may be released after the state was closed.
///
/// `@unchecked Sendable`, because errors hold references and must be Sendable. It must be used and released on the thread of
/// the state.
package final class LuaReference: @unchecked Sendable {
    let index: Int32
    private let registry: LuaRegistry

    /// Pops the value on top of the stack.
    init(taking raw: OpaquePointer, vm: LuaVM) {
        registry = vm.registry
        registry.releaseDiscarded()
        unsafe index = luaL_ref(raw, mr_registry_index())
    }

    deinit { registry.discard(index) }
}
