// The stack of one coroutine: reading and pushing Lua values. Access is raw (no metamethods), indices are checked, and a push
// cannot raise because the memory cap applies only while a script runs.
//
// Stack effects are written [-popped, +pushed], as in the manual of Lua.

internal import CLua
internal import CLuaShim

/// The type of a Lua value.
package enum LuaType: Int32, Sendable {
    case none = -1
    case `nil`, boolean, lightUserdata, number, string, table, function, userdata, thread

    /// Lua's name for it: "number".
    package var name: String {
        switch self {
        case .none: "no value"
        case .nil: "nil"
        case .boolean: "boolean"
        case .number: "number"
        case .string: "string"
        case .table: "table"
        case .function: "function"
        case .lightUserdata, .userdata: "userdata"
        case .thread: "thread"
        }
    }
}

/// The stack of one coroutine. Valid as long as the coroutine.
@safe package struct LuaStack {
    let raw: OpaquePointer
    private unowned(unsafe) let owner: LuaVM

    /// The state of the stack. Not retained: users of a stack hold its state, and a retain would cost more than a push.
    package var vm: LuaVM { unsafe owner }

    init(_ raw: OpaquePointer, vm: LuaVM) {
        unsafe self.raw = raw
        unsafe owner = vm
    }

    /// The number of values on the stack.
    package var top: Int { unsafe Int(lua_gettop(raw)) }

    /// Drops the topmost `count` values. [-count, +0]
    package func pop(_ count: Int) {
        precondition(count <= top, "pop of more than the stack holds")
        unsafe lua_settop(raw, Int32(-count - 1))
    }

    /// Cuts the stack to `count` values, or fills it with nil.
    package func setTop(_ count: Int) {
        reserve(count)
        unsafe lua_settop(raw, Int32(count))
    }

    /// Makes room for `count` more values.
    package func reserve(_ count: Int) {
        precondition(unsafe lua_checkstack(raw, Int32(count)) != 0, "the Lua stack cannot grow")
    }

    /// The index counted from the bottom.
    package func absolute(_ index: Int) -> Int { index > 0 ? index : top + 1 + index }

    func checked(_ index: Int) -> Int32 {
        let top = top
        let position = index > 0 ? index : top + 1 + index
        precondition(position >= 1 && position <= top, "no value at stack index \(index)")
        return Int32(position)
    }

    // MARK: Reading [-0, +0]

    /// The type of the value at `index`; `.none` past the top.
    package func type(at index: Int) -> LuaType {
        let top = top
        let position = index > 0 ? index : top + 1 + index
        guard position >= 1, position <= top else { return .none }
        return unsafe LuaType(rawValue: lua_type(raw, Int32(position))) ?? .none
    }

    /// True for nil, and past the top.
    package func isNil(at index: Int) -> Bool {
        let type = type(at: index)
        return type == .nil || type == .none
    }

    /// The string at `index`, invalid UTF-8 repaired; nil for other types (a number is not converted).
    package func string(at index: Int) -> String? {
        unsafe withBytes(at: index) { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of the string at `index`; nil for other types.
    package func bytes(at index: Int) -> [UInt8]? { unsafe withBytes(at: index) { unsafe Array($0) } }

    /// The string at `index`; nil for another type, and for bytes that are not UTF-8.
    package func validString(at index: Int) -> String? {
        unsafe withBytes(at: index) { bytes in
            do throws(UTF8.ValidationError) {
                return String(copying: try UTF8Span(validating: bytes.span))
            } catch {
                return nil
            }
        } ?? nil
    }

    private func withBytes<R>(at index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R? {
        guard type(at: index) == .string else { return nil }
        var length = 0
        guard let start = unsafe lua_tolstring(raw, checked(index), &length) else { return nil }
        return unsafe start.withMemoryRebound(to: UInt8.self, capacity: length) {
            unsafe body(UnsafeBufferPointer(start: $0, count: length))
        }
    }

    /// The number at `index` if its value is an integer.
    package func int(at index: Int) -> Int? {
        guard type(at: index) == .number else { return nil }
        var exact: Int32 = 0
        let value = unsafe lua_tointegerx(raw, checked(index), &exact)
        return exact != 0 ? Int(value) : nil
    }

    /// The number at `index`.
    package func double(at index: Int) -> Double? {
        guard type(at: index) == .number else { return nil }
        return unsafe lua_tonumberx(raw, checked(index), nil)
    }

    /// True if the number at `index` is an integer.
    package func isInteger(at index: Int) -> Bool {
        guard type(at: index) == .number else { return false }
        return unsafe lua_isinteger(raw, checked(index)) != 0
    }

    /// The boolean at `index`; nil for other types.
    package func bool(at index: Int) -> Bool? {
        guard type(at: index) == .boolean else { return nil }
        return unsafe lua_toboolean(raw, checked(index)) != 0
    }

    /// True if both values are the same (primitive equality).
    package func areSame(_ a: Int, _ b: Int) -> Bool { unsafe lua_rawequal(raw, checked(a), checked(b)) != 0 }

    /// The number of declared parameters of the function at `index`; nil if variadic, 0 for a C function.
    package func parameterCount(at index: Int) -> Int? {
        guard type(at: index) == .function else { return nil }
        reserve(1)
        let count = unsafe mr_parameter_count(raw, checked(index))
        return count < 0 ? nil : Int(count)
    }

    /// `tostring` of the value at `index`, with errors of `__tostring` caught.
    package func display(at index: Int) -> String {
        reserve(4)
        let position = checked(index)
        unsafe mr_push_display(vm.machine, raw, position)
        defer { pop(1) }
        return string(at: -1) ?? "?"
    }

    /// "script.lua:12: " of the script's line that called the running host function, or "".
    package func position() -> String {
        reserve(2)
        unsafe mr_push_where(raw)
        defer { pop(1) }
        return string(at: -1) ?? ""
    }

    // MARK: Pushing [-0, +1]

    /// Pushes nil.
    package func pushNil() {
        reserve(1)
        unsafe lua_pushnil(raw)
    }

    /// Pushes a boolean.
    package func push(_ value: Bool) {
        reserve(1)
        unsafe lua_pushboolean(raw, value ? 1 : 0)
    }

    /// Pushes an integer.
    package func push(_ value: Int) {
        reserve(1)
        unsafe lua_pushinteger(raw, Int64(value))
    }

    /// Pushes a float.
    package func push(_ value: Double) {
        reserve(1)
        unsafe lua_pushnumber(raw, value)
    }

    /// Pushes a string's UTF-8.
    package func push(_ value: String) {
        reserve(1)
        var value = value
        value.withUTF8 { bytes in
            unsafe push(raw: UnsafeRawBufferPointer(bytes))
        }
    }

    /// Pushes bytes as a Lua string.
    package func push(bytes: [UInt8]) {
        reserve(1)
        unsafe bytes.withUnsafeBytes { unsafe push(raw: $0) }
    }

    private func push(raw bytes: UnsafeRawBufferPointer) {
        // An empty Swift buffer may have no address; Lua needs one even for "".
        guard bytes.count > 0, let start = bytes.baseAddress else {
            _ = unsafe lua_pushstring(raw, "")
            return
        }
        _ = unsafe lua_pushlstring(raw, start.assumingMemoryBound(to: CChar.self), bytes.count)
    }

    /// Pushes a constant string. Lua caches it by its address and does not hash it again.
    package func push(constant: StaticString) {
        reserve(1)
        _ = unsafe lua_pushstring(raw, constant.cString)
    }

    /// Pushes a copy of the value at `index`.
    package func pushCopy(of index: Int) {
        reserve(1)
        unsafe lua_pushvalue(raw, checked(index))
    }

    /// Pushes the value that `reference` keeps.
    package func push(_ reference: LuaReference) {
        reserve(1)
        unsafe lua_rawgeti(raw, mr_registry_index(), Int64(reference.index))
    }

    /// Pushes a new table with space for `array` elements and `fields` members.
    package func pushTable(array: Int = 0, fields: Int = 0) {
        reserve(1)
        unsafe lua_createtable(raw, Int32(clamping: array), Int32(clamping: fields))
    }

    /// Pushes the value of an error, or its message, with the position of the script if the error wants it.
    package func push(error: LuaError) {
        if let value = error.value {
            push(value)
        } else {
            push(error.wantsPosition ? position() + error.text : error.text)
        }
    }

    /// Pops the value on top into a reference. [-1, +0]
    package func popReference() -> LuaReference {
        precondition(top >= 1, "no value to keep")
        return unsafe LuaReference(taking: raw, vm: vm)
    }

    /// Keeps the value at `index` alive. [-0, +0]
    package func reference(to index: Int) -> LuaReference {
        pushCopy(of: index)
        return popReference()
    }
}

// A stack belongs to a one-thread state.
@available(*, unavailable)
extension LuaStack: Sendable {}

extension StaticString {
    /// The bytes of a string literal, which end with NUL.
    @unsafe var cString: UnsafePointer<CChar> {
        precondition(hasPointerRepresentation, "a constant of Lua is a string literal")
        return unsafe UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
