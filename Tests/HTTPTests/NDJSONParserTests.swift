// Newline-delimited JSON: lines, cuts, the last line, bounds.

import Base
import HTTP
import Testing

@Suite struct NDJSONParserTests {
    private func lines(_ bytes: [UInt8], cuts: [Int], limit: Int = 1 << 20, finish: Bool = true) throws -> [String] {
        var parser = NDJSONParser(maxLineBytes: limit)
        var lines: [String] = []
        var start = 0
        for end in cuts + [bytes.count] {
            try parser.feed(bytes[start..<end].span) { (line) throws(Never) in lines.append(String(decoding: line)) }
            start = end
        }
        if finish { try parser.finish { (line) throws(Never) in lines.append(String(decoding: line)) } }
        return lines
    }

    @Test(
        arguments: [
            ("", []), ("\n\n", []), ("{\"a\":1}\n{\"b\":2}\n", ["{\"a\":1}", "{\"b\":2}"]),
            ("{}\r\n{}\r\n", ["{}", "{}"]),
            ("{}", ["{}"]), ("{}\n{\"cut\":", ["{}", "{\"cut\":"]), (" \t\r\n{}\n \n", ["{}"]),
            ("\n\n1\n\n2", ["1", "2"]),
            ("\"\u{2028}é\"\n", ["\"\u{2028}é\""]), ("1\r2\n", ["1\r2"]),
        ])
    func everyCut(text: String, expected: [String]) throws {
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count { #expect(try lines(bytes, cuts: [first, second]) == expected) }
        }
        #expect(try lines(bytes, cuts: Array(0...bytes.count)) == expected)
    }

    @Test func lastLineWaitsForFinish() throws {
        #expect(try lines(Array("1\n2".utf8), cuts: [], finish: false) == ["1"])
    }

    @Test func bounds() throws {
        let bytes = Array("12345678\n123456789\n".utf8)
        for cut in 0...bytes.count {
            let error = #expect(throws: FramingError<Never>.self) { try lines(bytes, cuts: [cut], limit: 8) }
            #expect(error == .tooLong(FrameTooLong(limit: 8, position: 9)))
            #expect(try lines(bytes, cuts: [cut], limit: 9) == ["12345678", "123456789"])
        }
    }

    @Test func consumerErrorsComeThrough() {
        struct Stop: Error, Equatable {}
        var parser = NDJSONParser()
        let error = #expect(throws: FramingError<Stop>.self) {
            try parser.feed(Array("1\n".utf8).span) { (_) throws(Stop) in throw Stop() }
        }
        #expect(error == .consumer(Stop()))
    }
}
