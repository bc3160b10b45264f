// One array as a body: elements, cuts, bounds.

import Base
import HTTP
import Testing

@Suite struct JSONArrayParserTests {
    private func elements(
        _ bytes: [UInt8], cuts: [Int], limit: Int = 1 << 20
    ) throws -> (elements: [String], isOver: Bool) {
        var parser = JSONArrayParser(maxElementBytes: limit)
        var elements: [String] = []
        var start = 0
        for end in cuts + [bytes.count] {
            try parser.feed(bytes[start..<end].span) { (element) throws(Never) in
                elements.append(String(decoding: element))
            }
            start = end
        }
        return (elements, parser.isOver)
    }

    @Test(
        arguments: [
            ("[]", [], true), ("", [], false), (" [ ] ", [], true), ("[{}]", ["{}"], true),
            ("[{\"a\":1},\r\n{\"b\":[2,{}]}\n]", ["{\"a\":1}", "{\"b\":[2,{}]}"], true),
            ("[{\"a\":\"}]\\\"{\"},[\"]\"]]", ["{\"a\":\"}]\\\"{\"}", "[\"]\"]"], true),
            ("[\"a\\\\\",\"b,]\"]", ["\"a\\\\\"", "\"b,]\""], true),
            ("[1, null ,tru]", ["1", "null", "tru"], true), ("[{\"a\":1},{\"b\":", ["{\"a\":1}"], false),
            ("[{}]{}[{}]", ["{}"], true), ("[\n{\"月\":\"é😀\"}\n,\n{}\n]\n", ["{\"月\":\"é😀\"}", "{}"], true),
        ] as [(String, [String], Bool)])
    func everyCut(text: String, expected: [String], isOver: Bool) throws {
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let found = try elements(bytes, cuts: [first, second])
                #expect(found == (expected, isOver), "cut at \(first), \(second)")
            }
        }
        #expect(try elements(bytes, cuts: Array(0...bytes.count)) == (expected, isOver))
    }

    @Test func bounds() throws {
        let bytes = Array("[{\"a\":1},{\"a\":12}]".utf8)
        for cut in 0...bytes.count {
            let error = #expect(throws: FramingError<Never>.self) { try elements(bytes, cuts: [cut], limit: 7) }
            #expect(error == .tooLong(FrameTooLong(limit: 7, position: 9)))
            #expect(try elements(bytes, cuts: [cut], limit: 8).elements == ["{\"a\":1}", "{\"a\":12}"])
        }
    }

    private struct Stop: Error, Equatable {}

    private func stopped(_ pieces: [String]) throws {
        var parser = JSONArrayParser()
        for piece in pieces {
            try parser.feed(Array(piece.utf8).span) { (_) throws(Stop) in throw Stop() }
        }
    }

    @Test(arguments: [["[{}]"], ["[", "{}]"], ["[{", "}]"], ["[1", "]"]])
    func consumerErrorsComeThrough(pieces: [String]) {
        let error = #expect(throws: FramingError<Stop>.self) { try stopped(pieces) }
        #expect(error == .consumer(Stop()))
    }
}
