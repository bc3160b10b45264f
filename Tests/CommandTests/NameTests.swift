// Names that cannot be looked up. The command runs in a network of its own, whose only name server does what
// Support/Servers/names.py says; where the system grants no such network there is nothing to be seen, and no test.

import Foundation
import Support
import Testing

/// The way into a network of one's own.
private let isolated = [
    "/usr/bin/unshare", "--map-root-user", "--mount", "--net", "/usr/bin/python3",
    MoonrillBinary.packageRoot + "/Tests/Support/Servers/names.py",
]

private let canIsolate: Bool = {
    guard isolated.allSatisfy({ !$0.hasPrefix("/usr/bin") || access($0, X_OK) == 0 }) else { return false }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: isolated[0])
    process.arguments = isolated.dropFirst() + ["/bin/true"]
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
}()

@Suite(.serialized, .enabled(if: canIsolate, "the system grants no network of one's own (unshare), or has no python3"))
struct NameTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var host: String
        /// The line that the script prints.
        var prints: String
        /// What the error must say.
        var says: [String] = []
        /// The connect timeout, in seconds.
        var connect = 0.3
        /// How long it may take, in seconds.
        var seconds: ClosedRange<Double>
        /// Whether the name must be asked for again and again.
        var expectsRetries: Bool { ["hiccup.test", "broken.test", "silent.test"].contains(host) }
    }

    static let cases = [
        Case(
            testDescription: "a name that does not exist fails at once", host: "nowhere.test",
            prints: "network nil attempts 1 retryable false", says: ["nowhere.test", "has no address"], seconds: 0...3),
        Case(
            testDescription: "a name without an address fails at once", host: "textonly.test",
            prints: "network nil attempts 1 retryable false", says: ["textonly.test", "has no address"], seconds: 0...3),
        Case(
            testDescription: "a name server that fails for a moment is asked again", host: "hiccup.test",
            prints: "reply found", seconds: 0.5...8),
        Case(
            testDescription: "a name server that goes on failing ends it after all tries", host: "broken.test",
            prints: "network nil attempts 9 retryable true", says: ["broken.test", "name server"], seconds: 0...8),
        Case(
            testDescription: "a silent name server meets the connect timeout, each time", host: "silent.test",
            prints: "timeout connect attempts 9 retryable true", says: ["silent.test", "0.3 s"],
            seconds: 2.6...12),
        Case(
            testDescription: "IPv6 that is refused costs nothing", host: "both.test:81", prints: "reply found",
            connect: 10, seconds: 0...2),
        // Curl gives the first address 0.2 s before it tries the other; the rest is leave for a busy machine.
        Case(
            testDescription: "IPv6 whose packets are dropped costs a fifth of a second", host: "both.test",
            prints: "reply found", connect: 10, seconds: 0.15...2),
    ]

    @Test(arguments: cases) func lookup(_ test: Case) throws {
        // The other client shows that one failure spoils nothing for those after it.
        let script = """
            local llm = require "llm"
            local before = llm.now()
            local client = llm.client { base_url = "http://\(test.host)/v1", model = "m" }
            local reply, err = client:ask("hi", {
              retry = { max = 8, base = 0.3, cap = 0.3 }, timeout = { connect = \(test.connect) } })
            print(llm.now() - before)
            if reply then print("reply " .. reply.text)
            else print(err.kind .. " " .. tostring(err.phase) .. " attempts " .. err.attempts
              .. " retryable " .. tostring(err.retryable)) end
            print(err and err.message)
            print(assert(llm.client { base_url = "http://localhost/v1", model = "m" }:ask("hi")).text)
            """
        let result = try MoonrillBinary.start(["run", "-"], within: isolated, stdin: Array(script.utf8)).wait()
        let lines = result.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 4, "\(result)")
        #expect(lines[1] == test.prints, "\(result)")
        for word in test.says { #expect(lines[2].contains(word)) }
        #expect(test.seconds.contains(try #require(Double(lines[0]))), "took \(lines[0]) s")
        #expect(lines[3] == "found")
        // The name was really asked for, and a name that does not exist no oftener than it takes to be sure.
        let asked = try #require(result.errorOutput.firstMatch(of: /'\w+\.test': (\d+)/)?.1).description
        let count = try #require(Int(asked))
        #expect(count >= (test.expectsRetries ? 5 : 1) && (test.expectsRetries || count <= 4), "\(result)")
    }
}
