// Each example runs through the real binary against the offline provider, and says what its header promises.

import Foundation
import Support
import Testing

/// One run of an example.
struct Example: Sendable, CustomTestStringConvertible {
    var name: String
    var options: [String] = ["--mock"]
    var arguments: [String] = []
    var stdin: String?
    var status: Int32 = 0
    /// What its output must contain, in this order.
    var output: [String]
    var errorOutput: [String] = []

    var testDescription: String { name + " " + options.joined(separator: " ") }

    static let all: [Example] = [
        Example(
            name: "poem", output: ["\u{1B}[2m", "\u{1B}[0m\n\n", "moonrill-reasoner: ", " tokens in, ", "reasoning)"]),
        Example(name: "joke", output: ["\n(stop)\n"]),
        Example(
            name: "joke", options: ["--fault", "401"], status: 1, output: [],
            errorOutput: ["no joke today: mock: auth (401)", "check the key"]),
        Example(
            name: "joke", options: ["--fault", "eof@900"], status: 1, output: [],
            errorOutput: ["truncated", "what had arrived: "]),
        Example(
            name: "retry", options: ["--fault", "429:2@0"],
            output: ["attempt 1: ", "(rate_limit)", "attempt 2: ", "attempts: 3"]),
        Example(name: "stop_early", output: [".", "\n-- stopped: cancelled\n"]),
        Example(
            name: "side_by_side", arguments: ["Why is the sky blue?"],
            output: ["== moonrill-reasoner\n", "first token after", "== moonrill-chat\n", "== moonrill-r1\n"]),
        Example(name: "pull", output: ["\n-- stop after "]),
        Example(name: "chat", stdin: "hi\nand now?\n", output: ["> ", "> ", "(Turn 2)", "\n4 messages\n"]),
        Example(
            name: "raw_chunks",
            output: [
                "< {\"id\":", "  = start\n", "reasoning_content", "  = reasoning \"", "  = token \"", "< [DONE]",
                "  = finish\n",
            ]),
        Example(name: "tools", output: ["tool: weather {\"city\":", "\"celsius\":21"]),
    ]
}

@Suite struct ExampleTests {
    @Test(arguments: Example.all)
    func runs(_ example: Example) throws {
        let result = try MoonrillBinary.run(
            ["run"] + example.options + ["--rate", "0", "examples/\(example.name).lua"] + example.arguments,
            stdin: example.stdin.map { Array($0.utf8) })
        #expect(result.status == example.status, "\(result.errorOutput)")
        expect(result.output, contains: example.output)
        expect(result.errorOutput, contains: example.errorOutput)
        if example.errorOutput.isEmpty { #expect(result.errorOutput == "") }
    }

    private func expect(_ text: String, contains pieces: [String]) {
        var rest = text[...]
        for piece in pieces {
            guard let range = rest.range(of: piece) else {
                Issue.record("no \(piece.debugDescription) in what is left: \(rest.debugDescription)")
                return
            }
            rest = rest[range.upperBound...]
        }
    }

    @Test func everyExampleIsRun() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: MoonrillBinary.packageRoot + "/examples")
        let scripts = files.filter { $0.hasSuffix(".lua") }.map { String($0.dropLast(4)) }
        #expect(Set(scripts) == Set(Example.all.map(\.name)))
        for script in scripts {
            let text = try String(
                contentsOfFile: MoonrillBinary.packageRoot + "/examples/\(script).lua", encoding: .utf8)
            #expect(text.hasPrefix("-- ") && text.contains("moonrill run"), "\(script).lua has no header")
        }
    }
}

/// types/llm.lua tells editors what llm.lua takes: each option and callback of the one is in the other.
@Suite struct AnnotationTests {
    @Test func namesAgree() throws {
        let root = MoonrillBinary.packageRoot
        let module = try String(contentsOfFile: root + "/Sources/Scripting/Lua/llm.lua", encoding: .utf8)
        let annotations = try String(contentsOfFile: root + "/types/llm.lua", encoding: .utf8)
        let tables = ["CALLBACKS", "SAMPLING", "SHARED", "TIMEOUT", "RETRY"]
        for table in tables {
            let start = try #require(module.range(of: "local \(table) = {"))
            let end = try #require(module.range(of: "}", range: start.upperBound..<module.endIndex))
            let body = String(module[start.upperBound..<end.lowerBound])
            let names = body.split(separator: ",").compactMap { pair in
                pair.split(separator: "=").first?.trimmingCharacters(in: .whitespacesAndNewlines)
            }.filter { !$0.isEmpty }
            #expect(names.count >= 4, "\(table) was not read")
            for name in names {
                #expect(annotations.contains("---@field \(name)?"), "\(table): \(name) has no annotation")
            }
        }
        for method in module.matches(of: /function (?:call_methods|Client|task_methods|llm)[:.](\w+)\(/) {
            #expect(
                annotations.contains(":\(method.output.1)(") || annotations.contains(".\(method.output.1)("),
                "\(method.output.1)")
        }
    }
}
