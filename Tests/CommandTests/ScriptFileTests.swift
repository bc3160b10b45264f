// Scripts in files: how they are found and started, their arguments, what they read, and how a broken one is shown.

import Foundation
import Support
import Testing

@Suite struct ScriptFileTests {
    /// Runs `moonrill run OPTIONS FILE ARGUMENTS` on a file of that text, in a folder of its own with `others` beside.
    private func run(
        _ text: String, options: [String] = [], arguments: [String] = [], stdin: String? = nil,
        others: [String: String] = [:]
    ) throws -> (result: MoonrillBinary.Result, path: String) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in others {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }
        let file = folder.appendingPathComponent("script.lua")
        try Data(text.utf8).write(to: file)
        let result = try MoonrillBinary.run(
            ["run"] + options + [file.path] + arguments, stdin: stdin.map { Array($0.utf8) })
        return (result, file.path)
    }

    /// Everything behind the script is the script's, options too; `arg` and `...` hold it as they do in lua.
    @Test(arguments: [
        ([], []), (["one", "two words", "", "é 中"], []), (["--mock", "-x", "--help", "--"], []), (["a"], ["--mock"]),
        (["a"], ["--"]),
    ])
    func argumentsReachTheScript(arguments: [String], options: [String]) throws {
        let (result, path) = try run(
            "print(arg[0]) print(#arg, select('#', ...)) for i, a in ipairs(arg) do print(a, a == select(i, ...)) end",
            options: options, arguments: arguments)
        #expect(result.status == 0)
        let lines = [path, "\(arguments.count)\t\(arguments.count)"] + arguments.map { "\($0)\ttrue" }
        #expect(result.output == lines.joined(separator: "\n") + "\n")
    }

    @Test(arguments: [
        ("", ""), ("print('a')\r\nprint('b')", "a\nb\n"), ("\u{FEFF}print('mark')", "mark\n"),
        ("print(io.read('n', 'l', 'a'))", "1\t 2\t3\n4\n"), ("print(require('near').name)", "near\n"),
        ("#!/no/such/interpreter\nprint('skipped')", "skipped\n"), ("# a comment\nprint(2)", "2\n"),
    ])
    func runs(text: String, output: String) throws {
        let (result, _) = try run(text, stdin: "1 2\n3\n4", others: ["near.lua": "return { name = ... }"])
        #expect(result.status == 0)
        #expect(result.output == output)
        #expect(result.errorOutput == "")
    }

    /// What is wrong, in which file and line, and where in the line.
    @Test(arguments: [
        ("local a = 1\nlocal b = = 2\n", ":2: unexpected symbol near '='\n  2 | local b = = 2\n                ^\n"),
        ("if true then", ":1: 'end' expected near <eof>\n  1 | if true then\n                  ^\n"),
        ("#!/usr/bin/moonrill\nprint('é' 5)\n", ":2: ')' expected near '5'\n  2 | print('é' 5)\n                ^\n"),
    ])
    func syntaxErrorsShowThePlace(text: String, message: String) throws {
        let (result, path) = try run(text)
        #expect(result.status == 1)
        #expect(result.output == "")
        #expect(shortened(result.errorOutput, path) == "moonrill: script.lua\(message)")
    }

    @Test func anErrorNamesTheFileAndTheWayToIt() throws {
        let (result, path) = try run("local function f()\n  error('broken')\nend\nf()\n")
        #expect(result.status == 1)
        #expect(
            shortened(result.errorOutput, path) == """
                moonrill: script.lua:2: broken
                stack traceback:
                \t[C]: in function 'error'
                \tscript.lua:2: in local 'f'
                \tscript.lua:4: in main chunk

                """)
    }

    /// Lua shows no more than the last 59 bytes of a long path, after "...".
    private func shortened(_ text: String, _ path: String) -> String {
        let shown = path.utf8.count < 60 ? path : "..." + String(decoding: path.utf8.suffix(56), as: UTF8.self)
        return text.replacingOccurrences(of: shown, with: "script.lua")
    }

    @Test func aFolderIsNoScript() throws {
        let folder = FileManager.default.temporaryDirectory.path
        let result = try MoonrillBinary.run(["run", folder])
        #expect(result.status == 66)
        #expect(result.errorOutput == "moonrill: cannot read \(folder): Is a directory\n")
    }

    /// A file with a `#!` line and the right to run is a command.
    @Test func aScriptStartsItself() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("greet").path
        let script = "#!/usr/bin/env -S \(MoonrillBinary.path) run --mock\nprint(arg[0], ...)\nos.exit(3)\n"
        try Data(script.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
        let result = try MoonrillBinary.run(shell: "'\(file)' --timeout 'two words'")
        #expect(result.status == 3)
        #expect(result.output == "\(file)\t--timeout\ttwo words\n")
        #expect(result.errorOutput == "")
    }
}
