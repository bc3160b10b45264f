// Loads Lua text and calls Lua functions, always protected.

internal import CLua
internal import CLuaShim

extension LuaStack {
    /// Compiles Lua text and pushes the function. [-0, +1]
    /// - Parameters:
    ///   - source: Lua text; binary chunks are refused. A first line that begins with `#` is skipped.
    ///   - name: "@path" for a file, "=name" for anything else (see `lua_load`).
    /// - Throws: ``LuaError`` with Lua's message ("file:line: ...").
    package func load(_ source: [UInt8], name: String) throws(LuaError) {
        reserve(1)
        var source = source
        if source.starts(with: [0xEF, 0xBB, 0xBF]) { source.removeFirst(3) }
        // The line itself stays empty, so that line numbers are right.
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
    /// The function cannot wait. The memory cap, a stop and a kill apply to it.
    /// - Returns: the number of results on the stack.
    /// - Throws: ``LuaError`` with the error value popped.
    @discardableResult
    package func call(arguments: Int, results: Int? = nil) throws(LuaError) -> Int {
        precondition(top > arguments, "no function below the arguments")
        let base = top - arguments - 1
        reserve(Int(LUA_MINSTACK))
        let status = unsafe mr_call(vm.machine, raw, Int32(arguments), results.map(Int32.init) ?? LUA_MULTRET, 0)
        guard status == LUA_OK else { throw popError(traceback: "") }
        return top - base
    }

    /// Pops the error value on top as a Swift error. [-1, +0]
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

    /// The message for an error value that is not a string. Booleans and functions as in lua.c.
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
