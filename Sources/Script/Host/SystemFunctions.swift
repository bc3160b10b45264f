// Host primitives for log, providers, environment, exit and module paths.

internal import Base
internal import Chat
internal import Glibc
internal import JSON
internal import LuaVM
internal import Providers

extension ScriptRuntime {
    func setSystemFunctions(_ stack: LuaStack) {
        stack.set("version", configuration.version)
        stack.set("is_line_buffered", configuration.isLineBuffered)
        let folder = configuration.directory ?? "."
        stack.set("module_path", "\(folder)/?.lua;\(folder)/?/init.lua")
        stack.set("allows_native_modules", configuration.allowsNativeModules)
        stack.set("records_costs", configuration.recordsCosts)
        stack.pushLoadedModules()
        stack.setField("loaded", of: -2)
        stack.set("log") { [configuration] call throws(LuaError) in
            let level: LogLevel =
                switch call.stack.string(at: 1) {
                case "trace": .trace
                case "debug": .debug
                case "warning": .warning
                case "error": .error
                default: .info
                }
            configuration.log(level, call.stack.string(at: 2) ?? "")
            return .returned(0)
        }
        stack.set("providers") { [unowned self] call throws(LuaError) in
            pushProviders(call.stack)
            return .returned(1)
        }
        stack.set("define_provider") { [unowned self] call throws(LuaError) in
            let definition = try coder.value(at: 1, of: call.stack, place: "llm.provider").object ?? [:]
            let known = definition["name"]?.string.flatMap(providers.named)
            let preset: Provider
            do throws(APIError) {
                preset = try Provider(definition, over: known)
            } catch {
                throw .misuse(error.message)
            }
            providers.define(preset)
            preset.keyVariable.map(hideVariable)
            return .returned(0)
        }
    }

    private func pushProviders(_ stack: LuaStack) {
        stack.pushTable(array: providers.all.count)
        for (index, preset) in providers.all.enumerated() {
            stack.pushTable(fields: 8)
            stack.set("name", preset.name)
            stack.set("title", preset.title)
            stack.set("dialect", preset.dialect)
            stack.pushTable(array: preset.endpoints.count)
            for (place, endpoint) in preset.endpoints.enumerated() {
                stack.push(endpoint.dialect)
                stack.setElement(place + 1, of: -2)
            }
            stack.setField("dialects", of: -2)
            stack.set("base_url", preset.baseURL.isEmpty ? nil : preset.baseURL)
            stack.set("key_env", preset.keyVariable)
            stack.set("model", preset.model)
            stack.set("has_key", preset.keyVariable.map(showsKey) ?? true)
            stack.setElement(index + 1, of: -2)
        }
        stack.setMetatable(coder.arrayMark, of: -1)
    }

    /// Replaces `os.getenv`, which hides keys, and `os.exit`, which lets the host shut down.
    func replaceSystemCalls(_ stack: LuaStack) {
        stack.getGlobal("os")
        stack.set("getenv") { [unowned self] call throws(LuaError) in
            guard let name = call.stack.string(at: 1) else { throw .misuse("os.getenv takes the name of a variable") }
            if !isHidden(name), let value = variable(name) {
                call.stack.push(value)
            } else {
                call.stack.pushNil()
            }
            return .returned(1)
        }
        stack.set("exit") { [unowned self] call throws(LuaError) in
            let code =
                switch call.stack.type(at: 1) {
                case .boolean: call.stack.bool(at: 1) == true ? 0 : 1
                case .number: (call.stack.int(at: 1) ?? 1) & 0xFF
                default: 0
                }
            // The first stop determines the exit status.
            if !vm.isStopping { exitCode = code }
            scheduler.isExiting = true
            guard call.stack.bool(at: 2) == true, let task = scheduler.current else {
                vm.kill("exit")
                throw LuaError("exit")
            }
            // `close` is true: all tasks are unwound, as at a signal. The stop is raised at the next instruction; in a shielded
            // block or a `__close` handler, which a stop does not interrupt, the error here is raised instead.
            vm.stop("exit")
            guard task.shieldDepth > 0 || call.isInCleanup else { return .returned(0) }
            throw scheduler.cancellation()
        }
        stack.pop(1)
    }
}
