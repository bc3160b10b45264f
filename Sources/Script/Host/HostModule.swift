// The table of host functions for the embedded Lua modules. Scripts cannot reach it.

internal import Base
internal import Chat
internal import LuaVM
internal import Providers

extension ScriptRuntime {
    /// Opens the environment of a script: output, globals, `require`, `llm`, `host`, `arg`.
    func open() throws(LuaError) {
        try vm.setOutput(
            standard: { [unowned self] bytes in
                configuration.tape?.noteOutput(bytes)
                return write(bytes, to: configuration.output)
            },
            error: { [unowned self] bytes in write(bytes, to: configuration.errorOutput) })
        providers.all.compactMap(\.keyVariable).forEach(hideVariable)
        let stack = vm.stack
        let handles = HostHandles(vm) { [unowned self] call in dispatcher?.registry.release(call) }
        stack.pushTable(fields: 72)
        setOptions(stack)
        setTaskFunctions(stack, handles)
        setScopeFunctions(stack, handles)
        setBudgetFunctions(stack, handles)
        setSchemaFunctions(stack)
        setJSONReaders(stack, handles)
        setCallFunctions(stack, handles)
        setValueFunctions(stack)
        setServerFunctions(stack, handles)
        setSystemFunctions(stack)
        setFileFunctions(stack)
        setJournalFunctions(stack)
        setTapeFunctions(stack)
        // part(name) -> the chunk of a module that is loaded on first use.
        stack.set("part") { call throws(LuaError) in
            let name = call.stack.string(at: 1) ?? ""
            guard let source = Self.part(name) else { throw .misuse("llm has no part '\(name)'") }
            try call.stack.load(source, name: "=[llm.\(name)]")
            return .returned(1)
        }
        let host = stack.popReference()
        replaceSystemCalls(stack)
        try vm.openPackages()
        try openTape(host)
        vm.describeErrorTable = { [coder] in ErrorTable.description(at: $1, of: $0, coder) }
        try runEmbedded(PackageResources.require_lua, "=[require]", host, results: 0)
        try runEmbedded(PackageResources.llm_lua, "=[llm]", host, results: 1)
        setLoaded("llm", stack)
        openCalls()
        setRegisteredFunctions(stack)
        setArguments(stack)
    }

    // A switch, so that only the requested module is copied out of the binary.
    private static func part(_ name: String) -> [UInt8]? {
        switch name {
        case "budget": PackageResources.budget_lua
        case "cache": PackageResources.cache_lua
        case "chat": PackageResources.chat_lua
        case "flow": PackageResources.flow_lua
        case "images": PackageResources.images_lua
        case "journal": PackageResources.journal_lua
        case "jsonl": PackageResources.jsonl_lua
        case "limit": PackageResources.limit_lua
        case "parallel": PackageResources.parallel_lua
        case "prices": PackageResources.prices_lua
        case "prompt": PackageResources.prompt_lua
        case "schema": PackageResources.schema_lua
        case "scope": PackageResources.scope_lua
        case "serve": PackageResources.serve_lua
        case "step": PackageResources.step_lua
        case "structured": PackageResources.structured_lua
        case "tools": PackageResources.tools_lua
        case "usage": PackageResources.usage_lua
        default: nil
        }
    }

    private func write(_ bytes: [UInt8], to sink: OutputSink) -> Bool {
        configuration.indicator?(nil)
        if sink(bytes) { return true }
        isOutputClosed = true
        return false
    }

    func runEmbedded(
        _ source: [UInt8], _ name: String, _ host: LuaReference, results: Int
    ) throws(LuaError) {
        let stack = vm.stack
        try stack.load(source, name: name)
        stack.push(host)
        try stack.call(arguments: 1, results: results)
    }

    private func openCalls() {
        guard let replyMetatable, let errorMetatable else { return }
        let tables = ReplyTables(coder: coder, replyMetatable: replyMetatable, errorMetatable: errorMetatable)
        let registry = CallRegistry(vm: vm, broker: broker, scheduler: scheduler)
        let dispatcher = CallDispatcher(
            vm: vm, registry: registry, scheduler: scheduler, tables: tables,
            notices: CallDispatcher.Notices(retry: configuration.retryNotice, wait: configuration.waitNotice))
        self.dispatcher = dispatcher
        scheduler.onCancelWait = { [unowned registry] in registry.cancelWait($0, by: $1) }
        scheduler.onCallback = { [unowned dispatcher] in dispatcher.callbackEnded($0, $1) }
        scheduler.cancellation = { [unowned self] in cancellation(tables) }
        scheduler.returnedError = { [unowned self] in returnedError($0, tables) }
        scheduler.warn = { [configuration] in configuration.log(.warning, $0) }
        if let value = cancellation(tables).value { vm.setCancellation(value) }
    }

    private func cancellation(_ tables: ReplyTables) -> LuaError {
        let stack = vm.stack
        stack.pushTable(fields: 4)
        stack.set("kind", ErrorKind.cancelled.rawValue)
        stack.set("message", "the task was cancelled")
        stack.set("retryable", false)
        stack.setMetatable(tables.errorMetatable, of: -1)
        return LuaError("the task was cancelled", value: stack.popReference())
    }

    private func returnedError(_ results: [LuaReference], _ tables: ReplyTables) -> LuaError? {
        let stack = vm.stack
        let top = stack.top
        defer { stack.setTop(top) }
        stack.push(results[0])
        stack.push(results[1])
        guard stack.isNil(at: -2), stack.hasMetatable(tables.errorMetatable, at: -1) else { return nil }
        return LuaError(stack.display(at: -1), value: results[1])
    }

    /// Sets `package.loaded[name]` to the value on top. [-1, +0]
    private func setLoaded(_ name: String, _ stack: LuaStack) {
        stack.getGlobal("package")
        stack.getField("loaded", of: -1)
        stack.pushCopy(of: -3)
        stack.setField(named: name, of: -2)
        stack.pop(3)
    }

    private func setRegisteredFunctions(_ stack: LuaStack) {
        stack.pushTable(fields: functions.count)
        for function in functions {
            stack.pushFunction(function.body)
            stack.setField(named: function.name, of: -2)
        }
        setLoaded("host", stack)
    }

    private func setArguments(_ stack: LuaStack) {
        stack.pushTable(array: configuration.arguments.count, fields: 1)
        stack.push(configuration.argumentZero ?? configuration.name)
        stack.setElement(0, of: -2)
        for (index, argument) in configuration.arguments.enumerated() {
            stack.push(argument)
            stack.setElement(index + 1, of: -2)
        }
        stack.setGlobal("arg")
    }
}

extension LuaStack {
    /// Sets a field of the table on top to a host function. [-0, +0]
    func set(_ name: StaticString, _ body: @escaping HostBody) {
        pushFunction(body)
        setField(name, of: -2)
    }
}
