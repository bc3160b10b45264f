// Raw access to tables: no metamethods, so nothing here runs script code or raises.

internal import CLua
internal import CLuaShim

extension LuaStack {
    private func checkedTable(_ index: Int) -> Int32 {
        let position = checked(index)
        precondition(type(at: Int(position)) == .table, "the value at stack index \(index) is no table")
        return position
    }

    /// Pushes `table[key]`. [-0, +1]
    @discardableResult
    package func getField(_ key: StaticString, of table: Int) -> LuaType {
        let type = unsafe mr_get_field(raw, Int32(table), key.cString)
        precondition(type != MR_NO_TABLE, "no table at stack index \(table), or no space on the stack")
        return LuaType(rawValue: type) ?? .none
    }

    /// Pushes `table[index]`. [-0, +1]
    @discardableResult
    package func getElement(_ index: Int, of table: Int) -> LuaType {
        reserve(1)
        return unsafe LuaType(rawValue: lua_rawgeti(raw, checkedTable(table), Int64(index))) ?? .none
    }

    /// Sets `table[key]` to the value on top. [-1, +0]
    package func setField(_ key: StaticString, of table: Int) {
        let isSet = unsafe mr_set_field(raw, Int32(table), key.cString)
        precondition(isSet, "no table at stack index \(table), or no space on the stack")
    }

    /// Sets `table[key]` to the value on top. [-1, +0]
    package func setField(named key: String, of table: Int) {
        let position = checkedTable(table)
        push(key)
        unsafe lua_rotate(raw, -2, 1)
        unsafe lua_rawset(raw, position)
    }

    /// Sets `table[index]` to the value on top. [-1, +0]
    package func setElement(_ index: Int, of table: Int) {
        let position = checkedTable(table)
        precondition(top >= 2, "no value to set")
        unsafe lua_rawseti(raw, position, Int64(index))
    }

    /// The border of the table's array part: `#t` without `__len`.
    package func length(of table: Int) -> Int { unsafe Int(lua_rawlen(raw, checkedTable(table))) }

    /// Calls `body` for each member, with the key at -2 and the value at -1. `body` must leave the stack unchanged and must
    /// not add keys to the table.
    package func forEachMember<E: Error>(of table: Int, _ body: () throws(E) -> Void) throws(E) {
        let position = checkedTable(table)
        reserve(3)
        unsafe lua_pushnil(raw)
        while unsafe lua_next(raw, position) != 0 {
            do throws(E) { try body() } catch {
                pop(2)
                throw error
            }
            pop(1)
        }
    }

    /// Sets the metatable of a table.
    package func setMetatable(_ reference: LuaReference, of table: Int) {
        let position = checkedTable(table)
        push(reference)
        _ = unsafe lua_setmetatable(raw, position)
    }

    /// True if the value at `index` has any metatable.
    package func hasMetatable(at index: Int) -> Bool {
        reserve(1)
        guard unsafe lua_getmetatable(raw, checked(index)) != 0 else { return false }
        pop(1)
        return true
    }

    /// True if the value at `index` is a table with this metatable.
    package func hasMetatable(_ reference: LuaReference, at index: Int) -> Bool {
        guard type(at: index) == .table else { return false }
        reserve(2)
        guard unsafe lua_getmetatable(raw, checked(index)) != 0 else { return false }
        push(reference)
        defer { pop(2) }
        return areSame(-1, -2)
    }

    /// The field `__name` of the metatable of the value at `index`, if it is a string.
    package func metatableName(at index: Int) -> String? {
        reserve(3)
        guard unsafe lua_getmetatable(raw, checked(index)) != 0 else { return nil }
        defer { pop(2) }
        return getField("__name", of: -1) == .string ? string(at: -1) : nil
    }

    /// True if the value at `index` has a metatable with this field.
    func hasMetafield(_ name: StaticString, at index: Int) -> Bool {
        reserve(2)
        guard unsafe lua_getmetatable(raw, checked(index)) != 0 else { return false }
        defer { pop(2) }
        return getField(name, of: -1) != .nil
    }

    /// Pushes the global `name`. [-0, +1]
    @discardableResult
    package func getGlobal(_ name: StaticString) -> LuaType {
        reserve(2)
        // The globals table is index 2 of the registry (LUA_RIDX_GLOBALS); read raw, so no __index runs.
        unsafe lua_rawgeti(raw, mr_registry_index(), Int64(LUA_RIDX_GLOBALS))
        let type = getField(name, of: -1)
        unsafe lua_rotate(raw, -2, -1)
        pop(1)
        return type
    }

    /// Sets the global `name` to the value on top. [-1, +0]
    package func setGlobal(_ name: StaticString) {
        reserve(2)
        unsafe lua_rawgeti(raw, mr_registry_index(), Int64(LUA_RIDX_GLOBALS))
        unsafe lua_rotate(raw, -2, 1)
        setField(name, of: -2)
        pop(1)
    }
}

extension LuaStack {
    /// Pushes the table of loaded modules, `package.loaded` (LUA_LOADED_TABLE). [-0, +1]
    package func pushLoadedModules() {
        reserve(3)
        unsafe lua_pushvalue(raw, mr_registry_index())
        getField("_LOADED", of: -1)
        unsafe lua_rotate(raw, -2, -1)
        pop(1)
    }

    /// Moves the topmost `count` values to another stack of the same state. [-count, +0]
    package func move(_ count: Int, to other: LuaStack) {
        precondition(count <= top && other.vm === vm, "only values that are there move, and only within their state")
        other.reserve(count)
        unsafe lua_xmove(raw, other.raw, Int32(count))
    }
}
