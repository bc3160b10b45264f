// What a Lua test case expects, and the comparison with what came of its run.

import Moonrill

/// One thing that must come of a case.
struct LuaExpectation: Sendable {
    enum Kind: Sendable {
        /// The next line of output; "..." stands for any text.
        case output(String)
        /// The script fails with a message that holds the text; `isHere`: and begins with this line.
        case failure(String, isHere: Bool)
        /// "finished", "exit N" or "timeout".
        case ends(String)
        case requests(Int)
        /// Connections that the simulator saw closed before the end of a reply.
        case aborted(Int)
        /// Tasks and requests that failed while nobody waited for them.
        case unwatched(Int)
        /// A line of the log that holds the text.
        case log(String)
        /// Stock Lua prints the same.
        case stockLua
    }

    var kind: Kind
    /// Where it stands.
    var line: Int

    init(_ kind: Kind, line: Int) {
        self.kind = kind
        self.line = line
    }

    /// An expectation that is wrong wherever this one is right.
    var broken: LuaExpectation {
        let mark = "\u{2717}"
        let other: Kind =
            switch kind {
            case .output(let text): .output(text + mark)
            case .failure(let text, let isHere): .failure(text + mark, isHere: isHere)
            case .ends(let text): .ends(text == "finished" ? "timeout" : "finished")
            case .requests(let count): .requests(count + 1)
            case .aborted(let count): .aborted(count + 1)
            case .unwatched(let count): .unwatched(count + 1)
            case .log(let text): .log(text + mark)
            case .stockLua: .stockLua
            }
        return LuaExpectation(other, line: line)
    }
}

/// What came of a case.
struct LuaOutcome: Sendable {
    var ending: ScriptResult.Ending
    /// The lines printed, with a space where print puts a tab.
    var output: [String]
    var errorOutput = ""
    var log: [String] = []
    var requests = 0
    var aborted = 0
    var unwatched = 0
    /// The lines that stock Lua prints, if the case asks for them.
    var stockOutput: [String] = []
}

/// A difference between an expectation and an outcome.
struct LuaMismatch: Sendable, Equatable {
    var line: Int
    var message: String
}

extension LuaCase {
    /// The differences between what is expected and what came of a run; none if the case passes.
    func mismatches(_ outcome: LuaOutcome) -> [LuaMismatch] {
        outputMismatches(outcome) + endingMismatches(outcome) + logMismatches(outcome) + countMismatches(outcome)
    }

    /// The expectations whose change or absence the comparison does not notice. A test that cannot fail is none.
    func idleExpectations(_ outcome: LuaOutcome) -> [LuaExpectation] {
        expectations.indices.filter { index in
            if case .stockLua = expectations[index].kind {
                var changed = outcome
                changed.stockOutput.append("")
                return mismatches(changed).isEmpty
            }
            var changed = self
            changed.expectations[index] = expectations[index].broken
            return changed.mismatches(outcome).isEmpty
        }.map { expectations[$0] }
    }

    private func outputMismatches(_ outcome: LuaOutcome) -> [LuaMismatch] {
        var expected: [(text: String, line: Int)] = []
        for expectation in expectations {
            if case .output(let text) = expectation.kind { expected.append((text, expectation.line)) }
            if case .stockLua = expectation.kind {
                expected += outcome.stockOutput.map { ($0, expectation.line) }
            }
        }
        let whole = "; the output was:\n" + outcome.output.joined(separator: "\n")
        for (index, line) in expected.enumerated() {
            guard index < outcome.output.count else {
                return [
                    LuaMismatch(
                        line: line.line,
                        message: "expected the line \(line.text.debugDescription), and the output ended" + whole)
                ]
            }
            let actual = outcome.output[index]
            if !Self.matches(actual, line.text) {
                return [
                    LuaMismatch(
                        line: line.line,
                        message: "expected the line \(line.text.debugDescription), got \(actual.debugDescription)"
                            + whole)
                ]
            }
        }
        if outcome.output.count > expected.count {
            let extra = outcome.output[expected.count].debugDescription
            return [LuaMismatch(line: expected.last?.line ?? line, message: "unexpected output \(extra)" + whole)]
        }
        guard outcome.errorOutput.isEmpty else {
            return [LuaMismatch(line: line, message: "unexpected error output: \(outcome.errorOutput)")]
        }
        return []
    }

    /// Whether a line fits a text in which "..." stands for any text.
    static func matches(_ line: String, _ pattern: String) -> Bool {
        let parts = pattern.split(separator: "...", omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return line == pattern }
        guard line.hasPrefix(first) else { return false }
        var rest = line.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(last)
    }

    private func endingMismatches(_ outcome: LuaOutcome) -> [LuaMismatch] {
        let failures = expectations.compactMap { expectation in
            if case .failure(let text, let isHere) = expectation.kind {
                (text: text, place: isHere ? "\(chunkName):\(expectation.line): " : "", line: expectation.line)
            } else {
                nil
            }
        }
        guard case .failed(let message, let traceback) = outcome.ending else {
            if let failure = failures.first {
                return [
                    LuaMismatch(
                        line: failure.line, message: "expected a failure, and the script ended as \(outcome.ending)")
                ]
            }
            let ends = expectations.compactMap { expectation in
                if case .ends(let text) = expectation.kind { (text: text, line: expectation.line) } else { nil }
            }
            for end in ends.isEmpty ? [(text: "finished", line: line)] : ends where end.text != outcome.endingName {
                return [
                    LuaMismatch(
                        line: end.line, message: "expected \"\(end.text)\", and the script ended as \(outcome.ending)")
                ]
            }
            return []
        }
        let text = (message + "\n" + traceback).replacing("\t", with: " ")
        let whole = "; the failure was:\n" + text
        guard !failures.isEmpty else { return [LuaMismatch(line: line, message: "unexpected failure" + whole)] }
        if settings.isWholeFailure {
            let lines = text.split(separator: "\n").map { String($0.drop { $0 == " " }) }
            return lines == failures.map(\.text)
                ? []
                : [LuaMismatch(line: failures[0].line, message: "another message or traceback is expected" + whole)]
        }
        return failures.filter { failure in
            !text.contains(failure.text) || !message.hasPrefix(failure.place)
        }.map { LuaMismatch(line: $0.line, message: "expected a failure with \"\($0.place)...\($0.text)\"" + whole) }
    }

    /// Each expected line stands in the log as often as it is expected; no other warning or error does.
    private func logMismatches(_ outcome: LuaOutcome) -> [LuaMismatch] {
        let expected = expectations.compactMap { expectation in
            if case .log(let text) = expectation.kind { (text: text, line: expectation.line) } else { nil }
        }
        let whole = "; the log was:\n" + outcome.log.joined(separator: "\n")
        var mismatches = expected.filter { entry in
            outcome.log.count { $0.contains(entry.text) } != expected.count { $0.text == entry.text }
        }.map { LuaMismatch(line: $0.line, message: "expected \"\($0.text)\" in the log once" + whole) }
        if settings.ignoresWarnings { return mismatches }
        for entry in outcome.log where entry.hasPrefix("warning: ") || entry.hasPrefix("error: ") {
            if !expected.contains(where: { entry.contains($0.text) }) {
                mismatches.append(LuaMismatch(line: line, message: "unexpected in the log: \(entry)"))
            }
        }
        return mismatches
    }

    private func countMismatches(_ outcome: LuaOutcome) -> [LuaMismatch] {
        expectations.compactMap { expectation in
            let (name, expected, actual): (String, Int, Int)
            switch expectation.kind {
            case .requests(let count): (name, expected, actual) = ("requests", count, outcome.requests)
            case .aborted(let count): (name, expected, actual) = ("aborted connections", count, outcome.aborted)
            case .unwatched(let count): (name, expected, actual) = ("unwatched failures", count, outcome.unwatched)
            default: return nil
            }
            return expected == actual
                ? nil : LuaMismatch(line: expectation.line, message: "expected \(expected) \(name), got \(actual)")
        }
    }
}

extension LuaOutcome {
    /// How the run ended, as `ends` names it.
    fileprivate var endingName: String {
        switch ending {
        case .finished: "finished"
        case .exited(let code): "exit \(code)"
        case .timedOut: "timeout"
        default: "\(ending)"
        }
    }
}
