// What a recorded run, and a run against a record, get instead of the outside: environment, input, clocks, seeds, modules.

internal import Base
internal import Chat
internal import Glibc
internal import JSON
internal import LuaVM

extension ScriptRuntime {
    /// The value of an environment variable, for `os.getenv`.
    func variable(_ name: String) -> String? {
        guard let tape = configuration.tape else { return configuration.environment(name) }
        if let recorded = tape.recorded("os.getenv", [.string(name)]) { return recorded.string }
        let value = configuration.environment(name)
        tape.record("os.getenv", [.string(name)], result: value.map(JSONValue.string) ?? .null)
        return value
    }

    /// Whether the variable of that name holds a key, as scripts see it.
    func showsKey(_ name: String) -> Bool {
        guard let tape = configuration.tape else { return configuration.hasKey(name) }
        if let recorded = tape.recorded("has_key", [.string(name)])?.bool { return recorded }
        let value = configuration.hasKey(name)
        tape.record("has_key", [.string(name)], result: .bool(value))
        return value
    }

    /// The functions over which tape.lua and require.lua are written. None without a tape.
    func setTapeFunctions(_ stack: LuaStack) {
        guard let tape = configuration.tape else { return }
        stack.set("has_tape", true)
        // reading(clock) -> seconds
        stack.set("reading") { call throws(LuaError) in
            call.stack.push(tape.reading(call.stack.string(at: 1).flatMap(TapeClock.init) ?? .monotonic))
            return .returned(1)
        }
        // seeds() -> two integers
        stack.set("seeds") { call throws(LuaError) in
            let seeds = Self.seeds(tape)
            call.stack.push(seeds.0)
            call.stack.push(seeds.1)
            return .returned(2)
        }
        // recorded(name, ...) -> true and the recorded result of that call, or false
        stack.set("recorded") { [coder] call throws(LuaError) in
            guard let (name, arguments) = Self.outsideCall(call, from: 2, coder),
                let result = tape.recorded(name, arguments)
            else {
                call.stack.push(false)
                return .returned(1)
            }
            call.stack.push(true)
            if result.isNull { call.stack.pushNil() } else { coder.push(result, to: call.stack) }
            return .returned(2)
        }
        // record(name, result, ...): the result of that call
        stack.set("record") { [coder] call throws(LuaError) in
            guard let (name, arguments) = Self.outsideCall(call, from: 3, coder) else { return .returned(0) }
            do throws(LuaCoder.Problem) {
                let result = try coder.encoded(at: 2, of: call.stack, place: name)
                tape.record(name, arguments, result: result)
            } catch {
                throw .misuse("\(name): the result cannot be recorded: \(error.description)")
            }
            return .returned(0)
        }
        setModuleFunctions(stack, tape)
    }

    private func setModuleFunctions(_ stack: LuaStack, _ tape: any ScriptTape) {
        let prefersRecord = configuration.prefersRecordedModules
        // recorded_module(name, is_missing) -> path, source; nil if the record does not have it, or its file goes first
        stack.set("recorded_module") { call throws(LuaError) in
            let isMissing = call.stack.bool(at: 2) ?? false
            guard prefersRecord || isMissing,
                let module = tape.recorded("require", [.string(call.stack.string(at: 1) ?? "")]),
                let path = module["path"]?.string, let source = module["source"].flatMap(RecordedBytes.bytes)
            else {
                call.stack.pushNil()
                return .returned(1)
            }
            call.stack.push(path)
            call.stack.push(bytes: source)
            return .returned(2)
        }
        // record_module(name, path) -> source | nil, message: reads the file, and records it
        stack.set("record_module") { call throws(LuaError) in
            let (name, path) = (call.stack.string(at: 1) ?? "", call.stack.string(at: 2) ?? "")
            do throws(WholeFile.Problem) {
                let source = try WholeFile.read(path)
                tape.record(
                    "require", [.string(name)], result: ["path": .string(path), "source": RecordedBytes.json(source)])
                call.stack.push(bytes: source)
                return .returned(1)
            } catch {
                call.stack.pushNil()
                call.stack.push("cannot open \(path): \(error.reason)")
                return .returned(2)
            }
        }
        // compile(source, path) -> function | nil, message
        stack.set("compile") { call throws(LuaError) in
            let (source, path) = (call.stack.bytes(at: 1) ?? [], call.stack.string(at: 2) ?? "")
            do throws(LuaError) {
                try call.stack.load(source, name: "@" + path)
                return .returned(1)
            } catch {
                call.stack.pushNil()
                call.stack.push(error.message)
                return .returned(2)
            }
        }
    }

    /// The name and arguments of a call to the outside; nil if an argument cannot be JSON, so that the call fails by itself.
    private static func outsideCall(
        _ call: HostCall, from first: Int, _ coder: LuaCoder
    ) -> (name: String, arguments: [JSONValue])? {
        let name = call.stack.string(at: 1) ?? ""
        var arguments: [JSONValue] = []
        for index in first..<max(first, call.argumentCount + 1) {
            // The call itself reports a wrong argument.
            guard let argument = try? coder.encoded(at: index, of: call.stack, place: name) else { return nil }
            arguments.append(argument)
        }
        return (name, arguments)
    }

    private static func seeds(_ tape: any ScriptTape) -> (Int, Int) {
        if let recorded = tape.recorded("math.randomseed", [])?.array, recorded.count == 2,
            let first = recorded[0].int, let second = recorded[1].int
        {
            return (Int(first), Int(second))
        }
        let (first, second) = (Int64.random(in: .min ... .max), Int64.random(in: .min ... .max))
        tape.record("math.randomseed", [], result: [.int(first), .int(second)])
        return (Int(first), Int(second))
    }

    /// Opens what stands for the outside, before the other modules.
    func openTape(_ host: LuaReference) throws(LuaError) {
        guard let tape = configuration.tape else { return }
        try vm.setInput { [unowned self] count in
            // The prompt of a question must be seen.
            vm.flushOutput()
            return tape.input(upTo: count, Self.readInput)
        }
        try runEmbedded(PackageResources.tape_lua, "=[tape]", host, results: 0)
    }

    /// Bytes of standard input; nil for an error.
    private static func readInput(upTo count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = read(STDIN_FILENO, &bytes, count)
        return got < 0 ? nil : Array(bytes.prefix(got))
    }
}
