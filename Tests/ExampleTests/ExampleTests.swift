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
        Example(name: "night_job", output: ["10 of 10 rows in /", ".answers\n"]),
        Example(
            name: "night_job", options: ["--fault", "401"], status: 1, output: ["0 of 10 rows"],
            errorOutput: ["row 1: ", "401"]),
        Example(name: "experiment", output: ["plain ", " words, 0 of 5 replies", "strict "]),
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

/// A request to an example that serves.
struct ServedExample: Sendable, CustomTestStringConvertible {
    var name: String
    /// The path of a GET request.
    var path: String
    /// What the response must contain, in this order.
    var output: [String]

    var testDescription: String { "\(name) \(path)" }

    static let all: [ServedExample] = [
        ServedExample(name: "serve_stream", path: "/", output: ["text/html", "new EventSource(\"/stream?"]),
        ServedExample(
            name: "serve_stream", path: "/stream?prompt=hi",
            output: ["text/event-stream", "event: start", "data: {\"content\":", "event: finish"]),
        ServedExample(name: "serve_page", path: "/", output: ["text/html", "<title>Draft and edit</title>"]),
        ServedExample(
            name: "serve_page", path: "/stream?prompt=hi",
            output: ["\"model\":\"editor\"", "event: reasoning", "data: {\"content\":", "event: finish"]),
        ServedExample(name: "serve_model", path: "/v1/models", output: ["\"weather\"", "\"plain\"", "\"summary\""]),
        ServedExample(
            name: "serve_model", path: "/stream?model=weather&prompt=The+weather+in+Paris",
            output: ["data: {\"content\":\"Paris", "event: finish"]),
        ServedExample(
            name: "serve_model", path: "/stream?model=summary&prompt=The+moon",
            output: ["\"model\":\"summary\"", "data: {\"content\":", "event: finish"]),
    ]

    /// Starts the server ($0), sends the request, prints the response, and ends the server with SIGTERM. Its status is
    /// then 143.
    var shell: String {
        """
        coproc SERVER { exec "$0" serve --mock --rate 0 --port 0 --log-level error examples/\(name).lua; }
        server=$SERVER_PID
        read -r url <&"${SERVER[0]}" || exit 1
        port=${url##*:}
        exec 3<>"/dev/tcp/127.0.0.1/${port%/}" || exit 1
        printf 'GET %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' '\(path)' >&3
        cat <&3
        kill "$server"
        wait "$server"
        """
    }
}

@Suite struct ExampleTests {
    @Test(arguments: ServedExample.all)
    func serves(_ example: ServedExample) throws {
        let result = try MoonrillBinary.run(shell: example.shell)
        #expect(result.status == 143, "\(result.errorOutput)")
        expect(result.output, contains: example.output)
        #expect(result.errorOutput == "")
    }

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
        let served = Set(ServedExample.all.map(\.name))
        #expect(Set(scripts) == Set(Example.all.map(\.name)).union(served))
        for script in scripts {
            let text = try String(
                contentsOfFile: MoonrillBinary.packageRoot + "/examples/\(script).lua", encoding: .utf8)
            let command = served.contains(script) ? "moonrill serve" : "moonrill run"
            #expect(text.hasPrefix("-- ") && text.contains(command), "\(script).lua has no header")
        }
    }
}
