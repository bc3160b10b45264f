// The Lua language as stock Lua has it: scripts in Language/ print the same under lua5.4 and under `moonrill run`. And
// what differs on purpose: no bytecode, nothing of the host's, where modules are found, C modules.

import Foundation
import Support
import Testing

@Suite struct LanguageTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private static let sources = MoonrillBinary.packageRoot + "/Tests/CommandTests/"

    private func write(_ path: String, _ text: String) throws {
        let file = folder.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private func run(
        _ lua: String, _ options: [String] = [], environment: [String: String] = [:]
    ) throws -> MoonrillBinary.Result {
        try write("script.lua", lua)
        return try MoonrillBinary.run(
            ["run"] + options + [folder.path + "/script.lua"], environment: environment)
    }

    /// Runs a program; its standard output and error in one.
    private func output(of program: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: MoonrillBinary.packageRoot)
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test(arguments: ["load", "debug", "packages", "ecosystem", "assertions"])
    func isStockLua(_ name: String) throws {
        let script = "Tests/CommandTests/Language/\(name).lua"
        let stock = try output(of: "lua5.4", [script])
        let result = try MoonrillBinary.run(["run", script])
        #expect(result.output == stock.text)
        #expect(result.errorOutput == "")
        #expect(stock.status == 0 && result.status == 0)
    }

    @Test(arguments: [
        "print(load(string.dump(function() end)))", "print(load(string.dump(function() end), 'x', 'b'))",
        "local f = io.open(arg[0] .. 'c', 'wb') f:write(string.dump(print and function() end)) f:close() print(loadfile(arg[0] .. 'c'))",
        "local f = io.open(arg[0] .. 'c', 'wb') f:write(string.dump(print and function() end)) f:close() print(pcall(dofile, arg[0] .. 'c'))",
        "local f = io.open(arg[0]:gsub('script', 'binary'), 'wb') f:write(string.dump(print and function() end)) f:close() print(pcall(require, 'binary'))",
        "local text = string.dump(function() end) print(load(function() local t = text text = nil return t end, 'x', 'b'))",
    ])
    func bytecodeIsRefused(_ lua: String) throws {
        let result = try run(lua)
        #expect(result.output.contains("bytecode is never loaded"), "\(result)")
    }

    /// Functions of the host and in C show no variables, and are not handed out by their level.
    @Test func debugShowsNothingOfTheHost() throws {
        let result = try run(
            """
            local llm = require "llm"
            for _, f in ipairs { llm.client, require, os.getenv, load, coroutine.wrap(print), package.searchers[2] } do
              for i = 1, 20 do assert(debug.getupvalue(f, i) == nil) end
            end
            local co = coroutine.create(function() llm.sleep(0.05) end)
            llm.spawn(coroutine.resume, co)
            llm.sleep(0)
            assert(debug.getinfo(co, 1, "S").short_src == "[llm]")
            for level = 0, 1 do
              assert(debug.getinfo(co, level, "f").func == nil)
              for i = -5, 20 do assert(debug.getlocal(co, level, i) == nil) end
            end
            local ok, why = pcall(debug.upvaluejoin, function() return llm end, 1, llm.client, 1)
            assert(not ok and why:find("belong to the host"), why)
            ok, why = pcall(debug.setupvalue, llm.client, 1, print)
            assert(not ok and why:find("belong to the host"), why)
            assert(debug.setupvalue(os.getenv, 1, print) == nil)
            for _, value in ipairs { "text", 1, print, io.stdout, true } do assert(not pcall(debug.setmetatable, value, {})) end
            for _, name in ipairs { "debug", "getregistry", "sethook", "setlocal", "setuservalue" } do
              assert(debug[name] == nil)
            end
            print("done")
            """)
        #expect(result.output == "done\n", "\(result)")
    }

    /// An error that Lua raises inside a chunk of the host, which has such a name, has the position of the script's line.
    @Test(arguments: [
        "print(pcall(function()\n inner(nil) end))", "print(pcall(function()\n inner(1, 2) end))",
        "print(xpcall(function()\n inner(nil) end, function(m) return m end))",
        "print(xpcall(function()\n inner(nil) end, debug.traceback))",
        "print(coroutine.resume(coroutine.create(function()\n inner(nil) end)))",
        "print(pcall(coroutine.wrap(function()\n inner(nil) end)))",
        "print(\npcall(coroutine.wrap(inner), nil))",
        "print(pcall(string.gsub, 'a', 'a', function()\n inner(nil) end))",
        "print(pcall(function() local x <close> = setmetatable({}, { __close = function()\n inner(nil) end }) end))",
        "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() inner(nil) end }) "
            + "coroutine.yield() end) coroutine.resume(co)\nprint(coroutine.close(co))",
        "print(pcall(function(t) return t:wait() end, llm.spawn(function()\n inner(nil) end)))",
        "\n inner(nil)", "llm.spawn(function()\n inner(nil) end)",
        "llm.client {}:ask('x', { on_token = function()\n inner(nil) end })",
    ])
    func errorsNameTheLineOfTheScript(_ lua: String) throws {
        let result = try run(
            "local llm = require 'llm' local inner = load("
                + "\"local t, n = ... if n then error('no ' .. n) end return t.x\", '=[llm.part]') " + lua, ["--mock"])
        let text = (result.output + result.errorOutput).split(separator: "\nstack traceback")[0]
        #expect(!text.contains("[llm"), "\(result)")
        #expect(text.contains("script.lua:2: "), "\(result)")
    }

    @Test func noMessageNamesAChunkOfTheHost() throws {
        let script = "Tests/CommandTests/Language/wrong_values.lua"
        let result = try MoonrillBinary.run(["run", "--mock", "--rate", "0", "--log-level", "error", script])
        let lines = result.output.split(separator: "\n")
        #expect(lines.last == "over\ttrue", "\(result)")
        #expect(!lines.contains { $0.contains("[llm") || $0.contains("[require") }, "\(result.output)")
    }

    /// A task that begins inside the host has no line of the script.
    @Test func errorsOfTheHostAlone() throws {
        let result = try run("require('llm').spawn(load('local t = nil + 1', '=[llm.part]'))")
        #expect(result.errorOutput.contains("for it: attempt to perform arithmetic on a nil value"), "\(result)")
    }

    @Test(arguments: [
        ("error({})", "(error object is a table value: {})"), ("error({ 1, 'two' })", "table value: [1,\"two\"])"),
        ("error({ code = 3, message = 'lost' })", "moonrill: lost (error object is a table value: {\"code\":3,"),
        ("error({ f = print, message = 'lost' })", "lost (error object is a table value with the fields f, message)"),
        ("local t = {} t.t = t error(t)", "with the fields t)"), ("error(true)", "(error object is a boolean value)"),
        ("error(print)", "(error object is a function value)"), ("error(nil)", "moonrill: nil"),
        ("error(42)", "moonrill: 42"),
        ("error(setmetatable({}, { __tostring = function() return 'own' end }))", "moonrill: own"),
        ("local t = {} for i = 1, 2000 do t[i] = 'long' end error(t)", "with 2000 fields, among them [1"),
        ("require('llm').spawn(function() error({ a = 1 }) end)", "table value: {\"a\":1})"),
    ])
    func errorValuesAreShown(_ lua: String, _ message: String) throws {
        let result = try run(lua)
        #expect(result.status == 1)
        #expect(result.errorOutput.contains(message), "\(result)")
    }

    // MARK: Where modules are found

    /// LUA_PATH is read as in stock Lua; what lies beside the script comes first.
    @Test(arguments: [
        (["LUA_PATH": "FOLDER/tree/?.lua"], "tree", false), (["LUA_PATH": "FOLDER/tree/?.lua;;"], "tree", true),
        (["LUA_PATH": ";;FOLDER/tree/?.lua"], "tree", true),
        (["LUA_PATH_5_4": "FOLDER/tree/?.lua", "LUA_PATH": "/x"], "tree", false),
        (["LUA_PATH": "/x"], "none", false), ([:], "none", true), (["HOME": "FOLDER/home"], "rock", true),
    ])
    func pathsAreRead(_ variables: [String: String], _ found: String, _ hasDefault: Bool) throws {
        try write("tree/module.lua", "return 'tree'")
        try write("home/.luarocks/share/lua/5.4/module.lua", "return 'rock'")
        let environment = variables.mapValues { $0.replacing("FOLDER", with: folder.path) }
        let result = try run(
            "local ok, m = pcall(require, 'module') print(ok and m or 'none') print(package.path:find('/usr/local/share/lua/5.4/?.lua', 1, true) ~= nil)",
            environment: environment)
        #expect(result.output == "\(found)\n\(hasDefault)\n", "\(result)")
        try write("module.lua", "return 'beside'")
        #expect(try run("print((require 'module'))", environment: environment).output == "beside\n")
    }

    @Test func nativeModulesAreTurnedOff() throws {
        let lua = """
            print((select(2, pcall(require, "cjson")):match("C modules are turned off")))
            print(package.loadlib("/lib/x.so", "f"))
            print(package.cpath, require "pl.List" { 1 })
            """
        let result = try run(lua, ["--no-native"])
        #expect(
            result.output == "C modules are turned off\nnil\tC modules are turned off\tabsent\n\t{1}\n", "\(result)")
    }

    /// A C module's callback cannot wait, and the error says why; the module finds itself by LUA_CPATH.
    @Test func waitsInsideCModules() throws {
        let flags = try output(of: "pkg-config", ["--cflags", "lua5.4"]).text.split { $0.isWhitespace }.map(String.init)
        let built = try output(
            of: "clang",
            flags + ["-shared", "-fPIC", "-o", folder.path + "/waits.so", Self.sources + "../CModules/waits.c"])
        try #require(built.status == 0, "\(built.text)")
        let result = try run(
            """
            local llm, waits = require "llm", require "waits"
            print(waits.call(function() return "called" end))
            print(pcall(function() return waits.call(function() llm.sleep(0.01) end) end))
            print(waits.resume(function() return "resumed" end))
            print(waits.resume(function() llm.sleep(0.01) end))
            print(waits.resume(function() coroutine.yield("yielded") end))
            llm.sleep(0.01)
            print(select(2, pcall(waits.call, error, { 1 }))[1])
            """, environment: ["LUA_CPATH": folder.path + "/?.so"])
        let lines = result.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 6, "\(result)")
        #expect(lines[0] == "called")
        #expect(
            lines[1].contains(
                "script.lua:3: llm.sleep has to wait, and Lua cannot wait inside a function called by 'call'"))
        #expect(lines[2] == "0\tresumed")
        #expect(lines[3].hasPrefix("2\t"))
        #expect(lines[3].contains("cannot wait inside a coroutine that a C module resumed"))
        #expect(lines[4] == "1\tyielded")
        #expect(lines[5] == "1")
    }
}
