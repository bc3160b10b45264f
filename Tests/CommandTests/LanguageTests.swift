// Where modules are found, C modules, and how the command shows error values. Tests/Lua/language has the language itself.

import Foundation
import Support
import Testing

@Suite struct LanguageTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

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
            flags + [
                "-shared", "-fPIC", "-o", folder.path + "/waits.so",
                MoonrillBinary.packageRoot + "/Tests/CModules/waits.c",
            ])
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
