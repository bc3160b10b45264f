// A Lua value that Swift keeps: an entry of the registry, freed when the last holder lets go.

internal import CLua
internal import CLuaShim

/// Keeps one Lua value alive from Swift. Letting go late, even after the state is closed, is harmless.
///
/// `@unchecked Sendable`: errors carry references, and Swift wants errors Sendable. Every use, letting go included,
/// must still happen on the state's thread.
public final class LuaReference: @unchecked Sendable {
    let index: Int32
    private weak var vm: LuaVM?

    /// Takes the value on top of the stack, which it pops.
    init(taking raw: OpaquePointer, vm: LuaVM) {
        vm.releaseDiscarded()
        unsafe index = luaL_ref(raw, mr_registry_index())
        self.vm = vm
    }

    deinit { vm?.discard(index) }
}
