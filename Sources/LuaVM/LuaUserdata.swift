// Userdata that stand for Swift objects: one metatable for each type, released by the garbage collector.

internal import CLua
internal import CLuaShim

/// A type of userdata: the Swift class of its objects, and its metatable in one state.
///
/// Lua code can keep a value of it, compare it and close it (`local x <close>`); its fields and its metatable are closed to
/// scripts.
package final class LuaUserdataType<Object: AnyObject> {
    fileprivate let metatable: LuaReference
    fileprivate let onRelease: (AnyObject) -> Void

    /// Makes the type in `vm`.
    /// - Parameters:
    ///   - name: `__name`, which `tostring` and error messages show.
    ///   - onRelease: called once for each value when Lua has collected or closed it. It runs inside the garbage collector,
    ///     so it must not call Lua, and it may run while the state closes.
    package init(_ vm: LuaVM, name: String, onRelease: @escaping (Object) -> Void = { _ in }) {
        let stack = vm.stack
        stack.reserve(4)
        unsafe mr_push_object_type(stack.raw, name)
        metatable = stack.popReference()
        self.onRelease = { object in
            if let object = object as? Object { onRelease(object) }
        }
    }
}

extension LuaStack {
    /// Pushes a userdata that stands for `object`. [-0, +1]
    ///
    /// Two pushes of one object make two values, each of which holds it until released.
    package func push<Object>(_ object: Object, as type: LuaUserdataType<Object>) {
        reserve(2)
        let slot = vm.objects.insert(object, onRelease: type.onRelease)
        unsafe mr_push_object(raw, type.metatable.index, slot)
    }

    /// The object of the userdata at `index`; nil for another type of value, and once it was released. [-0, +0]
    package func object<Object>(at index: Int, as type: LuaUserdataType<Object>) -> Object? {
        let position = absolute(index)
        guard position >= 1, position <= top else { return nil }
        reserve(2)
        let slot = unsafe mr_object_at(raw, Int32(position), type.metatable.index)
        return slot == 0 ? nil : vm.objects[slot] as? Object
    }
}

/// The objects that userdata of one state stand for, by slot. It outlives the state, so that objects whose finalizer Lua
/// could not run are released too.
final class LuaObjectTable {
    private struct Entry {
        let object: AnyObject
        let onRelease: (AnyObject) -> Void
    }

    /// Slot 0 stays empty: it marks a released userdata.
    private var entries: [Entry?] = [nil]
    private var free: [Int] = []

    /// How many objects are held.
    var count: Int { entries.count - 1 - free.count }

    subscript(slot: Int) -> AnyObject? { entries.indices.contains(slot) ? entries[slot]?.object : nil }

    func insert(_ object: AnyObject, onRelease: @escaping (AnyObject) -> Void) -> Int {
        let entry = Entry(object: object, onRelease: onRelease)
        guard let slot = free.popLast() else {
            entries.append(entry)
            return entries.count - 1
        }
        entries[slot] = entry
        return slot
    }

    func release(_ slot: Int) {
        guard entries.indices.contains(slot), let entry = entries[slot] else { return }
        // The object goes when this function returns: its deinit may come back to this table.
        entries[slot] = nil
        free.append(slot)
        entry.onRelease(entry.object)
    }

    /// Releases what the state left behind. Called once the state is freed.
    func releaseAll() {
        for slot in entries.indices { release(slot) }
    }
}

/// Called by the collector, in any place where Lua allocates.
func releaseObject(_ context: UnsafeMutableRawPointer, _ slot: Int) {
    unsafe Unmanaged<LuaObjectTable>.fromOpaque(context).takeUnretainedValue().release(slot)
}
