// Reads a Lua test file into its cases. Tests/Lua/README.md describes the form.

import Foundation

/// One script of a test file, with what it is run with and what must come of it.
struct LuaCase: Sendable {
    /// The file, from Tests/Lua.
    var path: String
    var name: String
    /// Where the case begins.
    var line: Int
    /// The text of the script. Lines of other cases are empty, so that line numbers are those of the file.
    var source = ""
    var settings = LuaSettings()
    var expectations: [LuaExpectation] = []
    /// Why the case cannot be run.
    var problem: String?

    /// The name of the script in messages.
    var chunkName: String { path.split(separator: "/").last.map(String.init) ?? path }
}

/// A test file cannot be read as one.
struct LuaFileError: Error {
    var line: Int
    var message: String
}

/// The directives of a test file: comments whose dashes are followed by a sign.
private enum Sign: Character {
    case name = "#"
    case setting = ":"
    case output = ">"
    case failure = "!"
    case mark = "@"
}

private struct Directive {
    var sign: Sign
    var text: String
    var line: Int
    /// Whether it stands behind code.
    var isTrailing: Bool
}

private struct Line {
    var number: Int
    var text: Substring
    var hasCode: Bool
    var directives: [Directive]
}

/// Reads the text of a test file.
struct LuaFileReader {
    private let path: String
    private let lines: [Line]

    /// All cases of a file. A file that cannot be read gives one case that says why.
    static func cases(path: String, text: String) -> [LuaCase] {
        do {
            return try LuaFileReader(path: path, text: text).cases()
        } catch let error as LuaFileError {
            return [LuaCase(path: path, name: "the file can be read", line: error.line, problem: error.message)]
        } catch {
            return [LuaCase(path: path, name: "the file can be read", line: 1, problem: "\(error)")]
        }
    }

    private init(path: String, text: String) throws {
        self.path = path
        lines = try text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
            try Self.line($0.offset + 1, $0.element)
        }
    }

    /// A sign counts where a space or the end of the line follows it.
    private static func line(_ number: Int, _ text: Substring) throws -> Line {
        let pattern = /--([^\s\w"'\[\-])(?:\ |$)/
        let starts = text.matches(of: pattern)
        let code = text[..<(starts.first?.range.lowerBound ?? text.endIndex)].trimmingCharacters(in: .whitespaces)
        let hasCode = !code.isEmpty && !code.hasPrefix("--")
        var directives: [Directive] = []
        for (index, start) in starts.enumerated() {
            guard let character = start.output.1.first, let sign = Sign(rawValue: character) else {
                throw LuaFileError(line: number, message: "unknown directive --\(start.output.1)")
            }
            let end = index + 1 < starts.count ? starts[index + 1].range.lowerBound : text.endIndex
            var rest = text[start.range.upperBound..<end]
            while rest.last?.isWhitespace == true { rest.removeLast() }
            directives.append(Directive(sign: sign, text: String(rest), line: number, isTrailing: hasCode))
        }
        return Line(number: number, text: text, hasCode: hasCode, directives: directives)
    }

    private func cases() throws -> [LuaCase] {
        let starts = lines.indices.filter { lines[$0].directives.contains { $0.sign == .name } }
        guard let first = starts.first else {
            let name = String(path.dropLast(".lua".count).split(separator: "/").last ?? "").replacing("_", with: " ")
            return try cases(name: name, setup: [], body: lines)
        }
        let setup = Array(lines[..<first])
        for directive in setup.flatMap(\.directives) where directive.sign == .output || directive.sign == .failure {
            throw LuaFileError(line: directive.line, message: "an expectation stands before the first case")
        }
        return try starts.enumerated().flatMap { index, start in
            let end = index + 1 < starts.count ? starts[index + 1] : lines.count
            return try cases(name: lines[start].directives[0].text, setup: setup, body: Array(lines[start..<end]))
        }
    }

    /// The scripts of one case: one, or one for each line of code.
    private func cases(name: String, setup: [Line], body: [Line]) throws -> [LuaCase] {
        let marks = try self.marks(setup + body)
        let head = Array(body.prefix { !$0.hasCode })
        var common = LuaCase(path: path, name: name, line: body[0].number)
        try read(setup + head, marks, into: &common)
        guard common.settings.isEachLine else {
            var whole = LuaCase(path: path, name: name, line: body[0].number, source: source(setup + body))
            try read(setup + body, marks, into: &whole)
            return [try checked(whole)]
        }
        var cases: [LuaCase] = []
        var rest = body[head.count...]
        while let code = rest.first {
            let after = rest.dropFirst().prefix { !$0.hasCode }
            rest = rest.dropFirst(1 + after.count)
            var test = LuaCase(
                path: path, name: "\(name), line \(code.number)", line: code.number, source: source(setup + [code]))
            let here = marks.merging(["here": "\(common.chunkName):\(code.number)"]) { $1 }
            try read(setup + head + [code] + after, here, into: &test)
            cases.append(try checked(test))
        }
        return cases
    }

    /// The lines that marks name, as FILE:LINE.
    private func marks(_ lines: [Line]) throws -> [String: String] {
        let file = LuaCase(path: path, name: "", line: 0).chunkName
        var marks: [String: String] = [:]
        for directive in lines.flatMap(\.directives) where directive.sign == .mark {
            guard marks.updateValue("\(file):\(directive.line)", forKey: directive.text) == nil else {
                throw LuaFileError(line: directive.line, message: "the mark \(directive.text) stands twice")
            }
        }
        return marks
    }

    /// Takes the settings and expectations of lines.
    private func read(_ lines: [Line], _ marks: [String: String], into test: inout LuaCase) throws {
        for directive in lines.flatMap(\.directives) {
            let here = ["here": "\(test.chunkName):\(directive.line)"]
            let text = Self.resolved(directive.text, here.merging(marks) { $1 })
            switch directive.sign {
            case .name, .mark: break
            case .setting:
                guard !directive.isTrailing else {
                    throw LuaFileError(line: directive.line, message: "a setting stands behind code")
                }
                test.expectations += try test.settings.read(text, line: directive.line)
            case .output: test.expectations.append(LuaExpectation(.output(text), line: directive.line))
            case .failure:
                let kind = LuaExpectation.Kind.failure(text, isHere: directive.isTrailing)
                test.expectations.append(LuaExpectation(kind, line: directive.line))
            }
        }
    }

    /// Marks replaced by the lines that they name, and `\s` at the end by a space.
    private static func resolved(_ text: String, _ marks: [String: String]) -> String {
        let text = text.replacing(/@(\w+)/) { marks[String($0.output.1)] ?? String($0.output.0) }
        return text.hasSuffix("\\s") ? text.dropLast(2) + " " : text
    }

    private func source(_ kept: [Line]) -> String {
        var all = [Substring](repeating: "", count: kept.last?.number ?? 0)
        for line in kept { all[line.number - 1] = line.text }
        return all.joined(separator: "\n") + "\n"
    }

    private func checked(_ test: LuaCase) throws -> LuaCase {
        guard !test.expectations.isEmpty else {
            throw LuaFileError(line: test.line, message: "the case \"\(test.name)\" has no expectation")
        }
        return test
    }
}
