// Each example runs through the real binary against the offline provider, and says what its header promises.

import Formats
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
        // A failure in the middle of the reasoning does not leave the terminal dim, nor the message on its line.
        Example(
            name: "poem", options: ["--fault", "stall@3000:0.3,error-frame@20"], status: 1,
            output: ["\u{1B}[2m", "\u{1B}[0m\n"], errorOutput: ["moonrill: mock: overloaded"]),
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
        Example(
            name: "retry", options: ["--fault", "stall@13500:0.3,eof@14000x1"],
            output: ["attempt 1: ", "(truncated)", "-- once more, from the beginning --\n", "attempts: 2"]),
        Example(name: "stop_early", output: [".", "\n-- stopped: cancelled\n"]),
        Example(
            name: "side_by_side", arguments: ["Why is the sky blue?"],
            output: ["== moonrill-reasoner\n", "first token after", "== moonrill-chat\n", "== moonrill-r1\n"]),
        Example(name: "pull", output: ["\n-- stop after "]),
        Example(name: "chat", stdin: "hi\n\nand now?\n", output: ["> ", "> > ", "(Turn 2)", "\n4 messages\n"]),
        Example(
            name: "raw_chunks",
            output: [
                "< {\"id\":", "  = start\n", "reasoning_content", "  = reasoning \"", "  = token \"", "< [DONE]",
                "  = finish\n",
            ]),
        Example(name: "tools", output: ["tool: weather {\"city\":", "\"celsius\":21"]),
        Example(name: "extract", output: [", ", " in all\n"]),
        Example(name: "search_files", output: ["searching for ", "nothing found"]),
        Example(
            name: "search_files", arguments: ["Use search for moon", "README.md"], output: ["searching for ", "\n"]),
        Example(
            name: "debate",
            output: [
                "[pro, round 1]", "[con, round 1]", "[pro, round 2]", "[con, round 2]", "The winner: ", ", because ",
            ]),
        Example(name: "summarize", arguments: ["ARCHITECTURE.md"], output: [" parts", "\n\n"]),
        Example(name: "translate", output: ["draft: ", "editor: ", "draft: ", "editor: ", "final: "]),
        Example(name: "vote", output: ["Yes", "\n5 x yes\n"]),
        Example(name: "router", output: ["to the expert for shipping\n", "\n"]),
        Example(name: "compare", output: ["1. ", " s\n2. ", " s\n3. ", " s\n"]),
        Example(
            name: "compare", options: ["--fault", "401"],
            output: ["openai: auth (401)", "anthropic: auth (401)", "gemini: auth"]),
        Example(name: "image", output: ["\n"]),
        Example(name: "image", arguments: ["README.md"], status: 1, output: [], errorOutput: ["README.md is no image"]),
        Example(name: "json_answer", output: [" (", "), ", " people\n  "]),
    ]

    /// The scripts of `dialects` that ask for something that a dialect lacks.
    private static let inexpressible = ["tgi": ["tools", "image"]]
    private static let withoutReasoning: Set = ["tgi"]

    /// The same scripts in every dialect: nothing but the option changes. Those of a dialect that cannot say what the
    /// script asks for end with an error that names it, and no request.
    static let dialects: [Example] = FormatCatalog.names.flatMap { dialect in
        let options = ["--mock", "--dialect", dialect, "-m", "moonrill-reasoner"]
        let cannot = inexpressible[dialect] ?? []
        let dimmed = withoutReasoning.contains(dialect) ? [] : ["\u{1B}[2m", "\u{1B}[0m\n\n"]
        return [
            Example(
                name: "poem", options: options,
                output: dimmed + [": ", " tokens in, ", " out ("]),
            Example(name: "tools", options: options, output: ["tool: weather {\"city\":", "\"celsius\":21"]),
            Example(name: "image", options: options, output: ["\n"]),
            Example(name: "json_answer", options: options, output: [" (", "), ", " people\n  "]),
        ].map { example in
            guard cannot.contains(example.name) else { return example }
            return Example(name: example.name, options: options, status: 1, output: [], errorOutput: [dialect])
        }
    }
}

@Suite struct ExampleTests {
    @Test(arguments: Example.all + Example.dialects)
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
