// The user's configuration file: Lua that defines providers and does nothing else. It runs in a state of its own, before
// any script, without network, files, environment or modules: whoever edits it can break a name, not a machine.

internal import Chat
internal import JSON
internal import LuaVM
package import Providers

/// Runs configuration files.
package enum ConfigurationScript {
    /// Seconds that one may take; it only builds tables.
    private static let timeLimit = 2.0
    private static let chunkName = "config.lua"
    /// Bytes that one may hold.
    private static let memoryLimit = 32 << 20
    /// What a script of the standard libraries could reach the outside with.
    private static let withheld: [StaticString] = [
        "io", "os", "package", "require", "dofile", "loadfile", "debug",
    ]

    /// What a configuration says.
    package struct Result: Sendable {
        /// The providers that it defines, in order; a later one of the same name replaces an earlier one.
        package var providers: [Provider]
        /// The value of the global `log`: whether requests are recorded; nil without one.
        package var log: Bool?
    }

    /// Runs a configuration.
    /// - Parameters:
    ///   - source: the file's Lua text.
    ///   - name: its path, for messages.
    /// - Throws: ``ScriptFailure`` with "file:line:" where Lua gives it.
    package static func run(source: [UInt8], name: String) throws(ScriptFailure) -> Result {
        do throws(LuaError) {
            let vm = try LuaVM(memoryLimit: memoryLimit)
            defer { vm.close() }
            let defined = Defined()
            open(vm, defined)
            try vm.stack.load(source, name: "@" + chunkName)
            try vm.startDeadline(seconds: timeLimit, reason: "did not end within \(timeLimit) s")
            defer { vm.stopDeadline() }
            _ = try vm.stack.call(arguments: 0, results: 0)
            return Result(providers: defined.presets, log: try log(vm))
        } catch {
            // Lua shortens long names of chunks; so the chunk has a short one, and the message the path.
            let hasPosition = error.message.hasPrefix(chunkName + ":")
            let problem = hasPosition ? String(error.message.dropFirst(chunkName.count)) : ": \(error.message)"
            throw ScriptFailure(message: name + problem, traceback: "")
        }
    }

    private static func log(_ vm: LuaVM) throws(LuaError) -> Bool? {
        let stack = vm.stack
        let type = stack.getGlobal("log")
        defer { stack.pop(1) }
        switch type {
        case .nil: return nil
        case .boolean: return stack.bool(at: -1)
        default: throw .misuse("log takes true or false, not a \(type.name)")
        }
    }

    private final class Defined {
        var presets: [Provider] = []
        var table = ProviderTable()
    }

    /// Takes away what reaches outside, and gives `llm` (as a global and by `require`) with `provider` alone.
    private static func open(_ vm: LuaVM, _ defined: Defined) {
        let stack = vm.stack
        for name in withheld {
            stack.pushNil()
            stack.setGlobal(name)
        }
        let coder = LuaCoder.make(in: vm)
        stack.pushTable(fields: 1)
        stack.set("provider") { call throws(LuaError) in
            let value = try coder.value(at: 1, of: call.stack, place: "llm.provider")
            guard let definition = value.object else { throw .misuse("llm.provider takes a table") }
            do throws(APIError) {
                let known = definition["name"]?.string.flatMap(defined.table.named)
                let preset = try Provider(definition, over: known)
                defined.table.define(preset)
                defined.presets.removeAll { $0.name == preset.name }
                defined.presets.append(preset)
            } catch {
                throw .misuse(error.message)
            }
            return .returned(0)
        }
        let module = stack.popReference()
        stack.push(module)
        stack.setGlobal("llm")
        stack.pushFunction { call throws(LuaError) in
            guard call.stack.string(at: 1) == "llm" else {
                throw .misuse("the configuration file can require \"llm\" and nothing else")
            }
            call.stack.push(module)
            return .returned(1)
        }
        stack.setGlobal("require")
    }
}
