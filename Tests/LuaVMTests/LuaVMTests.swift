// The embedding: what Lua code may do to the host (nothing), and what survives waiting, raising, killing.

import Testing

@testable import LuaVM

/// A state, and one coroutine to run test scripts in.
struct VMHarness {
    let vm: LuaVM
    let coroutine: LuaCoroutine

    init(memoryLimit: Int? = nil) throws {
        vm = try LuaVM(memoryLimit: memoryLimit)
        coroutine = LuaCoroutine(vm)
    }

    /// Runs Lua text as a task of its own; the display form of its results.
    func run(_ source: String) -> String {
        do throws(LuaError) {
            try coroutine.stack.load(Array(source.utf8), name: "@test.lua")
        } catch {
            return "load error: " + error.message
        }
        return describe(coroutine.resume(arguments: 0))
    }

    func describe(_ outcome: LuaCoroutine.Outcome) -> String {
        switch outcome {
        case .waits: return "waits"
        case .failed(let error): return "error: " + error.message
        case .returned(let count):
            defer { coroutine.clear() }
            guard count > 0 else { return "" }
            return (1...count).map { coroutine.stack.display(at: $0) }.joined(separator: " ")
        }
    }

    func define(_ name: StaticString, _ body: @escaping HostBody) {
        vm.stack.pushFunction(body)
        vm.stack.setGlobal(name)
    }
}

@Suite struct LuaVMTests {
    @Test(arguments: [
        ("return 1 + 1, 'é', nil, 2.5, true", "2 é nil 2.5 true"),
        ("#!/usr/bin/env moonrill\nreturn debug.getinfo(1, 'l').currentline", "2"),
        ("error('no')", "error: test.lua:1: no"),
        ("error({1})", "error: table: "),
        ("error(setmetatable({}, {__tostring = function() return 'own' end}))", "error: own"),
        ("error(setmetatable({}, {__tostring = function() error('x') end}))", "error: (error object is a table value)"),
        ("return x x", "load error: test.lua:1: <eof> expected near 'x'"),
        ("return load('\\27Lua')", "nil attempt to load a binary chunk (mode is 't')"),
        ("return debug.sethook, debug.getregistry, package, string.dump ~= nil", "nil nil nil true"),
        (
            "local ok, e = pcall(string.rep) return ok, e",
            "false bad argument #1 to 'string.rep' (string expected, got no value)"
        ),
        ("return select('#', table.unpack({}, 1, 3))", "3"),
    ])
    func runs(source: String, expected: String) throws {
        let bench = try VMHarness()
        #expect(bench.run(source).hasPrefix(expected))
    }

    @Test func hostFunctionsReturnRaiseAndKeepTheirState() throws {
        let bench = try VMHarness()
        var calls = 0
        bench.define("twice") { call throws(LuaError) in
            calls += 1
            guard let number = call.stack.int(at: 1) else { throw .misuse("a number is wanted") }
            call.stack.push(number * 2)
            return .returned(1)
        }
        #expect(bench.run("return twice(21)") == "42")
        #expect(bench.run("return select(2, pcall(twice, 'x'))") == "test.lua:1: a number is wanted")
        #expect(bench.run("local x = 1\ntwice('x')") == "error: test.lua:2: a number is wanted")
        #expect(calls == 3)
    }

    @Test func releasesHostFunctionsWithTheState() throws {
        final class Token {}
        weak var seen: Token?
        do {
            let bench = try VMHarness()
            let token = Token()
            seen = token
            bench.define("f") { _ throws(LuaError) in
                _ = token
                return .returned(0)
            }
            bench.vm.close()
        }
        #expect(seen == nil)
    }

    /// Each place in which a script may wait: what is around the wait must survive it.
    @Test(arguments: [
        "return wait()",
        "local ok, v = pcall(wait) return v",
        "return select(2, xpcall(wait, function(e) return 'handled ' .. e end))",
        "return coroutine.wrap(function() return wait() end)()",
        "local co = coroutine.create(function() local a = wait() coroutine.yield(a) end) return select(2, coroutine.resume(co))",
        "return coroutine.wrap(function() return coroutine.wrap(function() return wait() end)() end)()",
        "return setmetatable({}, {__index = function() return wait() end}).x",
        "return setmetatable({}, {__add = function() return wait() end}) + 1",
        "for v in function(_, c) if not c then return wait() end end do return v end",
        "local v do local x <close> = setmetatable({}, {__close = function() v = wait() end}) end return v",
        "return load('return wait()')()",
    ])
    func waitsAnywhere(source: String) throws {
        let bench = try VMHarness()
        bench.define("wait") { call throws(LuaError) in
            try call.requireWait("wait")
            return .waits
        }
        #expect(bench.run(source) == "waits")
        bench.coroutine.stack.push("woken")
        #expect(bench.describe(bench.coroutine.resume(arguments: 1)) == "woken")
        #expect(bench.run(source) == "waits")
        let raised = bench.describe(bench.coroutine.resume(raising: LuaError("stopped")))
        #expect(raised.contains("stopped"))
    }

    @Test(arguments: [
        ("table.sort({1, 2, 3}, function() wait() end)", "a function called by 'sort'"),
        ("string.gsub('a', 'a', function() wait() end)", "a function called by 'gsub'"),
        ("tostring(setmetatable({}, {__tostring = function() wait() end}))", "tostring"),
        ("table.sort({1, 2}, coroutine.wrap(function() wait() end))", "cannot wait inside"),
        ("table.sort({1, 2}, function() coroutine.wrap(function() wait() end)() end)", "cannot wait inside"),
    ])
    func namesWhatCannotWait(source: String, cause: String) throws {
        let bench = try VMHarness()
        bench.define("wait") { call throws(LuaError) in
            try call.requireWait("wait")
            return .waits
        }
        let result = bench.run(source)
        #expect(result.hasPrefix("error: ") && result.contains(cause), "\(result)")
        #expect(bench.run("return 'alive'") == "alive")
    }

    @Test func aWaitingCoroutineCannotBeResumedByTheScript() throws {
        let bench = try VMHarness()
        let other = LuaCoroutine(bench.vm)
        bench.define("wait") { call throws(LuaError) in
            try call.requireWait("wait")
            return .waits
        }
        #expect(bench.run("co = coroutine.create(wait) return coroutine.resume(co)") == "waits")
        try other.stack.load(Array("return coroutine.resume(co)".utf8), name: "=other")
        guard case .returned(2) = other.resume(arguments: 0) else { return #expect(Bool(false)) }
        #expect(other.stack.bool(at: 1) == false)
        #expect(other.stack.string(at: 2)?.contains("waits for") == true)
        bench.coroutine.stack.push(7)
        #expect(bench.describe(bench.coroutine.resume(arguments: 1)) == "true 7")
    }

    @Test func yieldingFromATaskIsAnError() throws {
        let bench = try VMHarness()
        #expect(bench.run("coroutine.yield(1)").contains("outside a coroutine"))
        #expect(bench.run("return coroutine.wrap(function() coroutine.yield(1) end)()") == "1")
    }

    /// Nothing that a script can wrap around an endless loop keeps it alive past its time.
    @Test(arguments: [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "xpcall(function() while true do end end, function() while true do end end)",
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
        "local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end",
        "while true do local co = coroutine.create(function() while true do end end) coroutine.resume(co) end",
        "string.gsub(string.rep('a', 100), 'a', function() while true do end end)",
        "local function f() return f() end f()",
        "table.sort({3, 2, 1}, function() while true do end end)",
    ])
    func deadlineStops(source: String) throws {
        let bench = try VMHarness()
        try bench.vm.startDeadline(seconds: 0.02, reason: "out of time")
        let result = bench.run(source)
        #expect(result.contains("out of time"))
        bench.vm.stopDeadline()
    }

    @Test func memoryCapIsTheScriptsErrorAndTheHostGoesOn() throws {
        let bench = try VMHarness(memoryLimit: 2 << 20)
        #expect(bench.run("local t = {} for i = 1, 1e8 do t[i] = 'x' .. i end") == "error: not enough memory")
        #expect(bench.run("return pcall(string.rep, 'x', 1 << 24)") == "false not enough memory")
        #expect(bench.run("return 'alive'") == "alive")
        #expect(bench.vm.memory < 3 << 20)
    }

    /// Blocks of every size, grown, shrunk, dropped and taken again, more than the pool has room for.
    @Test func memoryKeepsWhatWasPutThereAndIsGivenBack() throws {
        let source = """
            local function fill(sizes, step)
                local kept = {}
                for i = 1, sizes do
                    local size = (i * step) % 700
                    local letter = string.char(97 + i % 26)
                    local list = {}
                    for n = 1, size % 40 do list[n] = i + n end
                    for n = size % 40, size % 13, -1 do list[n] = nil end
                    kept[i] = { text = letter:rep(size) .. i, size = size, list = list, [size] = i }
                end
                for i = 1, sizes do
                    local size = (i * step) % 700
                    local one = kept[i]
                    assert(one.size == size and one[size] == i)
                    assert(one.text == string.char(97 + i % 26):rep(size) .. i)
                    for n = 1, math.min(size % 40, size % 13 - 1) do assert(one.list[n] == i + n) end
                    if i % 3 == 0 then kept[i] = nil end
                end
                return kept
            end
            for _, step in ipairs { 1, 7, 333 } do fill(20000, step) end
            collectgarbage()
            return "kept"
            """
        let bench = try VMHarness(memoryLimit: 64 << 20)
        #expect(bench.run("collectgarbage() return ''").isEmpty)
        let before = bench.vm.memory
        #expect(bench.run(source) == "kept")
        #expect(bench.run("collectgarbage() collectgarbage() return ''").isEmpty)
        // Lua itself keeps a larger table of strings, and the coroutine a larger stack.
        #expect(bench.vm.memory < before + (64 << 10))
    }

    @Test func everyFailedAllocationIsACleanError() throws {
        let source = """
            local t = {}
            for i = 1, 20 do t[i] = { name = 'n' .. i, f = function() return i end } end
            local co = coroutine.wrap(function(a) for i = 1, 5 do a = coroutine.yield(a .. i) end end)
            co('x') co('y')
            local ok, e = pcall(error, { code = 1 })
            local s = wait()
            return #table.concat({ 'a', 'b', s }) + (type(e) == 'table' and e.code or 1)
            """
        var failures = 0
        for nth in 1...400 {
            let bench = try VMHarness()
            bench.define("wait") { call throws(LuaError) in
                try call.requireWait("wait")
                return .waits
            }
            bench.vm.failAllocation(nth)
            var result = bench.run(source)
            if result == "waits" {
                bench.coroutine.stack.push("c")
                result = bench.describe(bench.coroutine.resume(arguments: 1))
            }
            #expect(result == "4" || result.contains("not enough memory"), "allocation \(nth): \(result)")
            if result != "4" { failures += 1 }
            bench.vm.failAllocation(0)
            #expect(bench.run("return 'alive'") == "alive")
        }
        #expect(failures > 50)
    }

    @Test func referencesOutliveTheState() throws {
        var reference: LuaReference?
        do {
            let vm = try LuaVM()
            vm.stack.push("kept")
            reference = vm.stack.popReference()
            let kept = try #require(reference)
            vm.stack.push(kept)
            #expect(vm.stack.string(at: -1) == "kept")
        }
        reference = nil
    }

    @Test func tablesAreReadWithoutMetamethods() throws {
        let bench = try VMHarness()
        var seen = ""
        bench.define("look") { call throws(LuaError) in
            call.stack.getField("missing", of: 1)
            seen = call.stack.type(at: -1).name
            return .returned(0)
        }
        #expect(bench.run("look(setmetatable({}, {__index = function() error('ran') end}))") == "")
        #expect(seen == "nil")
    }

    @Test(arguments: [("function(a, b) end", 2), ("function() end", 0), ("function(...) end", -1), ("print", 0)])
    func countsParameters(function: String, expected: Int) throws {
        let bench = try VMHarness()
        var seen: Int?
        bench.define("look") { call throws(LuaError) in
            seen = call.stack.parameterCount(at: 1) ?? -1
            return .returned(0)
        }
        #expect(bench.run("look(\(function))") == "")
        #expect(seen == expected)
    }
}
