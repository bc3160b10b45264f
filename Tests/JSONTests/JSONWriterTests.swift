// Writing JSON: exact text, and random documents that must come back equal.

import JSON
import Support
import Testing

@Suite struct JSONWriterTests {
    @Test(
        arguments: [
            (.null, "null"), (true, "true"), (false, "false"), (0, "0"), (.int(.min), "-9223372036854775808"),
            (.int(.max), "9223372036854775807"), (.double(1), "1.0"), (.double(-0.0), "-0.0"), (.double(0.1), "0.1"),
            (.double(1e16), "1e+16"), (.double(.leastNonzeroMagnitude), "5e-324"), (.double(.nan), "null"),
            (.double(.infinity), "null"), (.double(-.infinity), "null"), ("", #""""#),
            ("a\"b\\c/", #""a\"b\\c/""#),
            (
                "\u{0}\u{1}\u{8}\u{9}\u{A}\u{B}\u{C}\u{D}\u{E}\u{1A}\u{1F}\u{7F}",
                "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u000e\\u001a\\u001f\u{7F}\""
            ),
            ("é\u{2028}\u{2029}😀", "\"é\u{2028}\u{2029}😀\""), ([], "[]"), ([:], "{}"), ([1, [], [:]], "[1,[],{}]"),
            (["b": 1, "a\n": ["x": nil]], #"{"b":1,"a\n":{"x":null}}"#),
        ] as [(JSONValue, String)])
    func text(value: JSONValue, expected: String) {
        #expect(sameBytes(JSONWriter.text(value), expected))
        var out = Array("x".utf8)
        JSONWriter.append(value, to: &out)
        #expect(out == Array("x".utf8) + Array(expected.utf8))
    }

    @Test func pretty() {
        let value: JSONValue = ["a": [1, ["b": nil]], "c": [], "d": [:]]
        let expected = """
            {
              "a": [
                1,
                {
                  "b": null
                }
              ],
              "c": [],
              "d": {}
            }
            """
        #expect(JSONWriter.text(value, pretty: true) == expected)
    }

    @Test(arguments: 0..<40)
    func randomDocuments(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<25 {
            let value = document(depth: 5, &random)
            for pretty in [false, true] {
                let bytes = JSONWriter.bytes(value, pretty: pretty)
                let back = try JSONReader.value(bytes)
                #expect(back == value)
                // Equality takes -0.0 for 0.0 and NFC for NFD; the bytes do not.
                #expect(JSONWriter.bytes(back, pretty: pretty) == bytes)
                // What needs no repair comes through it unchanged in meaning: a lone surrogate in front forces it.
                let forced = try JSONReader.value(Array(#"["\ud800","#.utf8) + bytes + [0x5D])
                #expect(JSONWriter.bytes(forced) == JSONWriter.bytes(["\u{FFFD}", value]))
            }
        }
    }

    @Test func randomDoubles() throws {
        var random = SeededGenerator(seed: 64)
        for _ in 0..<20_000 {
            let double = Double(bitPattern: random.next())
            guard double.isFinite else { continue }
            let text = JSONWriter.text(.double(double))
            let back = try #require(JSONReader.value(text).double, "\(text)")
            #expect(back.bitPattern == double.bitPattern, "\(text)")
        }
    }

    @Test func deepNesting() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
        }
        let value = try JSONReader.value(nested(1024))
        #expect(JSONWriter.text(value) == nested(1024))
        for depth in [1025, 100_000] {
            let error = #expect(throws: JSONError.self) { try JSONReader.value(nested(depth)) }
            #expect(error?.offset == 1024)
            #expect(error?.message.contains("1024") == true)
        }
        let objects = String(repeating: "{\"a\":", count: 1025) + "1" + String(repeating: "}", count: 1025)
        #expect(throws: JSONError.self) { try JSONReader.value(objects) }
    }

    @Test func bigStringsAndBigDocuments() throws {
        let big = String(repeating: "long \"text\" é 😀\n", count: 100_000)
        let bytes = JSONWriter.bytes(["a": .string(big), "b": 1])
        let reader = JSONReader()
        let node = try reader.parse(bytes.span)
        #expect(node["a"]?.string == big)
        #expect(node["b"]?.int == 1)
        // The same reader goes back to small ones.
        for number in 0..<3 { #expect(try reader.parse(Array("[\(number)]".utf8).span).first?.int == Int64(number)) }
        let numbers = JSONValue.array((0..<200_000).map { .int($0) })
        #expect(try reader.parse(JSONWriter.bytes(numbers).span).value == numbers)
    }

    private func document(depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth == 0 ? 7 : 10), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .int(Int64.random(in: -100...100, using: &random))
        case 3: return .int(Int64(bitPattern: random.next()))
        case 4:
            let double = Double(bitPattern: random.next())
            return .double(double.isFinite ? double : -0.0)
        case 5, 6: return .string(string(&random))
        case 7:
            return .array((0..<Int.random(in: 0...4, using: &random)).map { _ in document(depth: depth - 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                object[string(&random)] = document(depth: depth - 1, &random)
            }
            return .object(object)
        }
    }

    private func string(_ random: inout SeededGenerator) -> String {
        let pieces = [
            "a", "data", "\"", "\\", "/", "\n", "\r\n", "\0", "\u{1F}", "é", "e\u{301}", "日", "😀", "\u{2028}",
            "\u{FEFF}", "\\u0041", " ",
        ]
        return (0..<Int.random(in: 0...6, using: &random)).compactMap { _ in pieces.randomElement(using: &random) }
            .joined()
    }
}
