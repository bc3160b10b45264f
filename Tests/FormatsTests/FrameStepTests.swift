// The same reading of frames where their parts begin, end and break off anywhere in the steps in which bytes are looked at.

import Base
import HTTP
import JSON
import Testing

@testable import Formats

@Suite struct FrameStepTests {
    /// Lines of JSON, held against the first of them: how many behind it are taken, and their texts. What is behind each
    /// line is the next one, and behind the last one nothing.
    private func read(
        _ lines: [[UInt8]], text: JSONPath = JSONPath("t"), _ paths: TemplatePaths = TemplatePaths()
    ) throws -> [String] {
        let first = lines[0]
        let made = TextTemplate.Trial(first.span, textAt: text, open: paths)
        let trial = try #require(made)
        // In memory of its own, so that the sanitizers see a byte read behind it.
        let chunk = Array(lines.map { $0 + [0x0A] }.joined())
        let template = trial.template
        let shape = FrameShape(after: [0x0A], limit: 1 << 20)
        guard let run = template.read(chunk.span, from: first.count + 1, shape, trial.counters) else { return [] }
        let texts = Array(try #require(run.batch))
        #expect(run.end == lines.prefix(texts.count + 1).reduce(0) { $0 + $1.count + 1 })
        return texts
    }

    private static let padding = TemplatePaths(padding: [JSONPath("n")])

    /// A number that nobody reads is passed over where, and only where, it is one.
    @Test(arguments: [
        "0", "-0", "7", "-7", "10", "123456789012345", "1234567890123456", "12345678901234567", "-123456789012345",
        "1.5", "-0.5", "0.0", "0.1234567890123", "0.12345678901234", "0.123456789012345", "12345678901234.5",
        "123456789012345.5", "1234567890123456.5", "1e5", "1E+5", "1.25e-07", "-1.1920929e-07", "12345678901234e5",
        "1.234567890123e5", "1.2345678901234e5", "1.23456789012345e5",
        "-", "01", "-01", "00", "1.", "-1.", ".5", "-.5", "1e", "1e+", "1.e5", "1.5.5", "--1", "+1", "1-", "0x1", "",
        "123456789012345.", "1234567890123456.", "123456789012345e", "1 2", "null",
    ]) func numbers(_ number: String) throws {
        for text in ["a", "a text that is longer than a step"] {
            // With a short ending, with a long one, and at the end of all bytes.
            for ending in ["", ",\"x\":0", ",\"x\":\"as long as a step\""] {
                let line = { (number: String) in Array("{\"t\":\"\(text)\",\"n\":\(number)\(ending)}".utf8) }
                let isNumber = (try? JSONReader.value(line(number)))?["n"]?.double != nil
                for behind in 0...2 {
                    let lines = [line("1"), line(number)] + Array(repeating: line("2"), count: behind)
                    #expect(try read(lines, Self.padding).count == (isNumber ? behind + 1 : 0))
                }
            }
        }
    }

    /// Texts of every length, an escape or a long character at every place, and one of another byte.
    @Test(arguments: ["\\n", "\\\"", "\\\\", "\\u00e9", "\\u6708", "é", "月", "😀"])
    func texts(_ special: String) throws {
        for length in 0...40 {
            let lines = (0...length).map { place in
                let (head, tail) = (String(repeating: "h", count: place), String(repeating: "t", count: length - place))
                return Array("{\"t\":\"\(head)\(special)\(tail)\"}".utf8)
            }
            let expected = try lines.map { try #require(try JSONReader.value($0)["t"]?.string) }
            let first = Array("{\"t\":\"first\"}".utf8)
            #expect(try read([first] + lines) == expected)
            // An escape that is none, or a control character, ends the run at that very frame.
            for wrong in ["\\x", "\\ud83d", "\u{1}"] {
                let at = length / 2
                let text = String(repeating: "h", count: at) + wrong + String(repeating: "t", count: length - at)
                let lines = [first, lines[0], Array("{\"t\":\"\(text)\"}".utf8), lines[0]]
                #expect(try read(lines).count == 1)
            }
        }
    }

    /// Blanks behind the closing quote and behind each bracket, more and fewer than a step, and tabs among them.
    @Test(arguments: ["", " ", "  \t", String(repeating: " ", count: 15), String(repeating: " ", count: 16)])
    func padding(_ other: String) throws {
        let text = JSONPath("a", "b", "t")
        let first = Array("{\"a\":{\"b\":{\"t\":\"x\"}}}".utf8)
        for count in 0...40 {
            let blanks = String(repeating: " ", count: count)
            for place in 0...3 {
                let ends = ["\"", "}", "}", "}"].enumerated().map { $1 + ($0 == place ? blanks + other : "") }.joined()
                let line = Array("{\"a\":{\"b\":{\"t\":\"y\(ends)".utf8)
                #expect(try read([first, line], text: text) == ["y"])
                #expect(try read([first, line, line, first], text: text) == ["y", "y", "x"])
                // Before the quote they belong to the text.
                let inside = Array("{\"a\":{\"b\":{\"t\":\"y\(blanks)\"}}}".utf8)
                #expect(try read([first, inside, line], text: text) == ["y" + blanks, "y"])
                let broken = line.dropLast() + Array(" ]".utf8)
                #expect(try read([first, line, Array(broken)], text: text) == ["y"])
            }
        }
    }

    /// The chunk ends after every byte: frames that are whole are taken, and no byte behind is looked at.
    @Test func everyEnd() throws {
        let first = Array("{\"t\":\"first\",\"n\":-1.5,\"s\":\"id\"}\n".utf8)
        let others = [
            "{\"t\":\"a\",\"n\":0,\"s\":\"\"}\n",
            "{\"t\":\"long enough for a step \\u6708\",\"n\":12345.678,\"s\":\"x\"}\n",
            "{\"t\":\"c\",\"n\":1e5,\"s\":\"another one\"   }  \n", "{\"t\":\"d\",\"n\":7,\"s\":\"\\\"\"}\n",
        ].map { Array($0.utf8) }
        let paths = TemplatePaths(padding: [JSONPath("n"), JSONPath("s")])
        let document = Array(first.dropLast())
        let made = TextTemplate.Trial(document.span, textAt: JSONPath("t"), open: paths)
        let trial = try #require(made)
        let template = trial.template
        let shape = FrameShape(after: [0x0A], limit: 1 << 20)
        let whole = first + others.joined()
        for length in first.count...whole.count {
            let chunk = Array(whole[..<length])
            let run = template.read(chunk.span, from: first.count, shape, trial.counters)
            var expected = (count: 0, end: first.count)
            for other in others {
                guard expected.end + other.count <= length else { break }
                expected = (expected.count + 1, expected.end + other.count)
            }
            #expect(run?.batch?.count ?? 0 == expected.count)
            #expect(run?.end ?? first.count == expected.end)
        }
    }
}
