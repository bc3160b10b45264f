// The form of Lua test files: what is read, what is refused, and which differences are found.

import Moonrill
import Testing

@Suite struct LuaFileTests {
    private static func read(_ text: String) -> [LuaCase] { LuaFileReader.cases(path: "folder/a.lua", text: text) }

    private static func only(_ text: String) throws -> LuaCase {
        let cases = read(text)
        try #require(cases.count == 1 && cases[0].problem == nil, "\(cases)")
        return cases[0]
    }

    @Test(arguments: [
        ("print(1) --? 1", 1, "unknown directive --?"), ("--: fault = 429\n--> 1", 1, "unknown setting \"fault\""),
        ("--: rate\n--> 1", 1, "a setting is written key = value, not \"rate\""),
        ("--: rate = fast\n--> 1", 1, "\"fast\" is no number"),
        ("--: native = yes\n--> 1", 1, "\"yes\" is not true or false"),
        ("--: env = NAME\n--> 1", 1, "\"NAME\" is not NAME=value"),
        ("--: provider = mistral\n--> 1", 1, "provider is none or absent"),
        ("print(1) --: rate = 1\n--> 1", 1, "a setting stands behind code"),
        ("--> 1\n--# a\n--> 1", 1, "an expectation stands before the first case"),
        ("x() --@ a\ny() --@ a\n--> 1", 2, "the mark a stands twice"),
        ("--# a\n--> 1\n--# b\nprint(1)", 3, "the case \"b\" has no expectation"),
        ("--# a\n--: each_line = true\nf()\n--> 1\ng()", 5, "the case \"a, line 5\" has no expectation"),
        ("print(1)", 1, "the case \"a\" has no expectation"),
    ]) func refusedFiles(text: String, line: Int, message: String) {
        let cases = Self.read(text)
        #expect(cases.map(\.problem) == [message] && cases.first?.line == line, "\(cases)")
    }

    /// A case has the setup and its own lines, at their own line numbers.
    @Test func linesKeepTheirNumbers() {
        let cases = Self.read("local a\n--# one\nf()\n--> 1\n--# two\n\ng()\n--> 2\n")
        #expect(cases.map(\.name) == ["one", "two"])
        #expect(cases.map(\.source) == ["local a\n--# one\nf()\n--> 1\n", "local a\n\n\n\n--# two\n\ng()\n--> 2\n\n"])
        #expect(cases.map(\.chunkName) == ["a.lua", "a.lua"])
    }

    @Test func eachLineIsAScript() {
        let cases = Self.read(
            "s()\n--# a\n--: each_line = true\n--: rate = 5\n--> 0\nf()\n--> 1\n-- note\ng() --! @here\n")
        #expect(cases.map(\.name) == ["a, line 6", "a, line 9"])
        #expect(cases.map(\.source) == ["s()\n\n\n\n\nf()\n", "s()\n\n\n\n\n\n\n\ng() --! @here\n"])
        #expect(cases.map(\.settings.rate) == [5, 5])
        #expect(cases.map(\.expectations.count) == [2, 2])
        let failed = LuaOutcome(ending: .failed(message: "a.lua:9: a.lua:9", traceback: ""), output: ["0"])
        #expect(cases[1].mismatches(failed) == [])
    }

    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("abc", "a...", true), ("abc", "...c", true), ("abc", "a...c", true),
        ("ac", "a...c", true), ("abcd", "a...b...d", true), ("acbd", "a...b...c...d", false), ("abc", "...", true),
        ("abc", "x...", false), ("a", "a...a", false), ("", "", true), ("a...", "a...", true),
    ]) func wildcards(line: String, pattern: String, fits: Bool) {
        #expect(LuaCase.matches(line, pattern) == fits)
    }

    private static let finished = LuaOutcome(ending: .finished, output: ["1", "2"])

    @Test func whatIsExpectedIsNoDifference() throws {
        let test = try Self.only("print(1) --> 1\nprint(2)\n--> 2\n--: requests = 0\n--: ends = finished")
        #expect(test.mismatches(Self.finished) == [])
        #expect(test.idleExpectations(Self.finished).isEmpty)
    }

    /// Each kind of expectation: a file, an outcome that does not fit, and the line that the difference names.
    @Test(arguments: [
        ("--> 1\n--> 3", finished, 2), ("--> 1\n--> 2\n--> 3", finished, 3), ("--> 1", finished, 1),
        ("--> 1\n--> 2\nx() --! no", finished, 3), ("--> 1\n--> 2\n--: ends = exit 1", finished, 3),
        ("--> 1\n--> 2\n--: requests = 1", finished, 3), ("--> 1\n--> 2\n--: aborted = 1", finished, 3),
        ("--> 1\n--> 2\n--: unwatched = 1", finished, 3), ("--> 1\n--> 2\n--: log = x", finished, 3),
        ("\n--: ends = finished", failed("a.lua:2: no"), 1), ("\nx() --! yes", failed("a.lua:2: no"), 2),
        ("\nx() --! no", failed("a.lua:3: no"), 2), ("\n--! yes", failed("a.lua:2: no"), 2),
        ("--: whole_error = true\n--! no", failed("no more"), 2),
        ("--: ends = finished", LuaOutcome(ending: .exited(0), output: []), 1),
        ("--: ends = finished", LuaOutcome(ending: .finished, output: [], errorOutput: "x"), 1),
        ("--: ends = finished", LuaOutcome(ending: .finished, output: [], log: ["warning: x"]), 1),
        ("--: log = x", LuaOutcome(ending: .finished, output: [], log: ["info: x", "info: x"]), 1),
        ("--: as = lua5.4", LuaOutcome(ending: .finished, output: ["1"], stockOutput: ["2"]), 1),
    ]) func differences(text: String, outcome: LuaOutcome, line: Int) throws {
        #expect(try Self.only(text).mismatches(outcome).map(\.line) == [line])
    }

    private static func failed(_ message: String) -> LuaOutcome {
        LuaOutcome(ending: .failed(message: message, traceback: ""), output: [])
    }

    /// An expectation that any run meets is found.
    @Test func idleExpectations() throws {
        var test = try Self.only("--> 1\n--> 2")
        test.expectations.append(LuaExpectation(.output("..."), line: 3))
        test.expectations.removeAll { if case .output("1") = $0.kind { true } else { false } }
        let outcome = LuaOutcome(ending: .finished, output: ["2", "\u{2717}"])
        #expect(test.mismatches(outcome) == [])
        #expect(test.idleExpectations(outcome).map(\.line) == [3])
    }

    @Test func marksStandForPositions() throws {
        let test = try Self.only("x() --@ there\nprint(y) --> @there: no @other\n--! @there")
        let outcome = LuaOutcome(ending: .failed(message: "a.lua:1: x", traceback: ""), output: ["a.lua:1: no @other"])
        #expect(test.mismatches(outcome) == [])
    }

    @Test func outputLines() {
        #expect(LuaCase.lines("a\tb\n\nc\n") == ["a b", "", "c"])
        #expect(LuaCase.lines("a") == ["a"] && LuaCase.lines("") == [])
    }
}
