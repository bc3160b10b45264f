// Reading JSON: values, numbers at the edges of their types, what is mended and what is refused, the life of a node.

import JSON
import Testing

@Suite struct JSONReaderTests {
    @Test(
        arguments: [
            ("null", .null), ("true", .bool(true)), (" false ", .bool(false)), ("0", .int(0)), ("-1", .int(-1)),
            ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .double(9223372036854775808)),
            ("18446744073709551615", .double(0x1p64)),
            ("1.0", .double(1)), ("-0.0", .double(-0.0)), ("5e-324", .double(.leastNonzeroMagnitude)),
            ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)), ("1E2", .double(100)),
            (#""""#, .string("")), (#""a\u0000b""#, .string("a\0b")),
            (#""\ud83d\ude00\/\b\f\n\r\t\\\"""#, "😀/\u{8}\u{c}\n\r\t\\\""),
            ("[]", .array([])), ("{}", .object([:])), ("[1,[2,[]],{}]", [1, [2, []], [:]]),
            (#"{"b":1,"a":{"c":[null]}}"#, ["b": 1, "a": ["c": [nil]]]),
        ] as [(String, JSONValue)])
    func values(text: String, expected: JSONValue) throws {
        #expect(try JSONReader.value(text) == expected)
    }

    @Test(
        arguments: [
            // Integers beyond 64 bits, and floats beyond a double.
            ("18446744073709551616", .double(18446744073709551616)),
            ("[-9223372036854775809]", [.double(-0x1p63)]),
            ("1" + String(repeating: "0", count: 400), .double(.greatestFiniteMagnitude)),
            ("1e400", .double(.greatestFiniteMagnitude)), ("[-1e400, 2]", [.double(-.greatestFiniteMagnitude), 2]),
            // Words of JavaScript and Python.
            (#"{"a": NaN, "b": -Infinity, "c": [Infinity]}"#, ["a": nil, "b": nil, "c": [nil]]),
            // Byte order marks.
            ("\u{FEFF}{\"a\":1}", ["a": 1]), ("{\"a\":1}\u{FEFF}", ["a": 1]), ("\u{FEFF} [ 1 ] \u{FEFF}\n", [1]),
            // Lone surrogates.
            (#""\ud83d""#, "\u{FFFD}"), (#""a\udc00b""#, "a\u{FFFD}b"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
            (#""\ud83dx""#, "\u{FFFD}x"), (#""\ud83d\n""#, "\u{FFFD}\n"),
            (#""\udead\ud800\u0041""#, "\u{FFFD}\u{FFFD}A"),
            (#"{"\ud800": "\\ud800"}"#, ["\u{FFFD}": "\\ud800"]),
            // Everything at once, with strings that look like what is mended.
            (
                #"["NaN", NaN, "1e999", 1e999, "\ud800", {}, [], true, false, null, -0.5e-3, -12]"#,
                [
                    "NaN", nil, "1e999", .double(.greatestFiniteMagnitude), "\u{FFFD}", [:], [], true, false, nil,
                    -0.0005, -12,
                ]
            ),
        ] as [(String, JSONValue)])
    func mended(text: String, expected: JSONValue) throws {
        #expect(try JSONReader.value(text) == expected)
    }

    @Test(
        arguments: [
            ([0x61, 0x80, 0x62], "a\u{FFFD}b"), ([0xC0, 0xAF], "\u{FFFD}\u{FFFD}"),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xE2, 0x82], "\u{FFFD}"),
            ([0xE2, 0x82, 0x5C, 0x6E], "\u{FFFD}\n"), ([0xF0, 0x9F, 0x98], "\u{FFFD}"),
            ([0xF5, 0xFF], "\u{FFFD}\u{FFFD}"), ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ] as [([UInt8], String)])
    func invalidUTF8(bytes: [UInt8], expected: String) throws {
        #expect(try JSONReader.value([0x22] + bytes + [0x22]) == .string(expected))
        // A broken sequence just before the quote or the backslash swallows neither.
        #expect(try JSONReader.value([0x5B, 0x22] + bytes + Array("\", 1]".utf8)) == [.string(expected), 1])
    }

    @Test(
        arguments: [
            ("", nil), ("  ", 2), ("{", 1), ("[1,]", 3), (#"{"a" 1}"#, 5), (#"{"a":1,}"#, 7), ("{1:2}", 1), ("1 2", 2),
            ("[1 2]", 3), (#"{"a":1]"#, 6), ("[1}", 2), ("tru", 0), ("nulll", 4), ("nan", 0), ("01", 0), ("-", 0),
            ("1.", 0), (".5", 0), ("1e", 0), ("+1", 0), (#""a"#, 2), (#""\x""#, 1), (#""\u12g4""#, 1), ("\"\n\"", 1),
            (#""\"#, 1), ("'a'", 0), ("[DONE]", 1), ("<html>", 0), ("\u{E9}", 0), ("[1]]", 3),
        ] as [(String, Int?)])
    func refused(text: String, offset: Int?) {
        let error = #expect(throws: JSONError.self) { try JSONReader.value(text) }
        #expect(error?.offset == (text.isEmpty ? 0 : offset))
        #expect(error?.message.isEmpty == false)
    }

    @Test func lastDuplicateWins() throws {
        let reader = JSONReader()
        let node = try reader.parse(Array("{\"a\":1,\"b\":2,\"a\":3,\"\u{E9}\":4,\"e\u{301}\":5}".utf8).span)
        #expect(node["a"]?.int == 3)
        #expect(node.pick(JSONKeys("b", "a"))[1]?.int == 3)
        #expect(node.count == 5)
        let object = try #require(node.value.object)
        #expect(object.members.map { Array($0.key.utf8) } == ["a", "b", "\u{E9}", "e\u{301}"].map { Array($0.utf8) })
        #expect(object["a"] == 3)
    }

    @Test func staleNodesReadAsNull() throws {
        let reader = JSONReader()
        let old = try reader.parse(Array(#"{"a":"x"}"#.utf8).span)
        let inner = try #require(old["a"])
        #expect(inner.string == "x")
        _ = try reader.parse([0x31].span)
        #expect(old.isNull && inner.isNull && inner.string == nil && old["a"]?.kind == nil && old.value == .null)

        // A reader that is gone hands its slot on; nodes it left behind still read as null.
        func orphan() throws -> JSONNode { try JSONReader().parse(Array("[1]".utf8).span) }
        let left = try orphan()
        let other = JSONReader()
        let fresh = try other.parse(Array("[2]".utf8).span)
        #expect(left.isNull && left.first?.kind == nil)
        #expect(fresh.first?.int == 2)
    }
}
