// Runs every file of Tests/Lua. Tests/Lua/README.md describes the files.

import Foundation
import Testing

@Suite struct LuaTests {
    /// Every case of every file.
    static let cases: [LuaCase] = files.flatMap { path in
        guard let data = FileManager.default.contents(atPath: LuaCase.folder + "/" + path) else {
            return [LuaCase(path: path, name: "the file can be read", line: 1, problem: "the file cannot be read")]
        }
        return LuaFileReader.cases(path: path, text: String(decoding: data, as: UTF8.self))
    }

    private static let files: [String] = {
        let all = FileManager.default.enumerator(atPath: LuaCase.folder)?.compactMap { $0 as? String } ?? []
        return all.filter { $0.hasSuffix(".lua") && !$0.hasPrefix(LuaCase.modules + "/") }.sorted()
    }()

    @Test(arguments: cases) func script(_ test: LuaCase) throws {
        guard test.problem == nil else {
            test.record(LuaMismatch(line: test.line, message: test.problem ?? ""))
            return
        }
        let outcome = try test.run()
        let mismatches = test.mismatches(outcome)
        mismatches.forEach(test.record)
        guard mismatches.isEmpty else { return }
        for expectation in test.idleExpectations(outcome) {
            test.record(LuaMismatch(line: expectation.line, message: "this expectation cannot fail"))
        }
    }

    /// A folder that is not found would make every test pass.
    @Test func thereAreCases() { #expect(Self.cases.count > 300) }
}

extension LuaCase: CustomTestStringConvertible {
    var testDescription: String { "\(path): \(name)" }

    /// Records a difference at its line of the Lua file.
    fileprivate func record(_ mismatch: LuaMismatch) {
        let place = SourceLocation(
            fileID: "LuaTests/\(chunkName)", filePath: Self.folder + "/" + path, line: mismatch.line, column: 1)
        Issue.record("\(path):\(mismatch.line): \(mismatch.message)", sourceLocation: place)
    }
}
