// Where a JSON text that comes in pieces ends.

import JSON
import Testing

@Suite struct JSONBoundaryTests {
    private static let whole = [
        #"{}"#, #" {"a":1} "#, #"{"a":"}"}"#, #"{"a":"\"}"}"#, #"{"a":[{"b":"]"},[]],"c":"\\"}"#, #"[1,{"a":2}]"#,
    ]

    @Test(arguments: whole) func endsWithItsLastBracket(text: String) {
        let bytes = [UInt8](text.utf8)
        let end = bytes.lastIndex { $0 == UInt8(ascii: "}") || $0 == UInt8(ascii: "]") } ?? 0
        var boundary = JSONBoundary()
        for (place, byte) in bytes.enumerated() {
            boundary.append(CollectionOfOne(byte))
            #expect(boundary.isWhole == (place >= end))
            #expect(boundary.isInside == (place < end && !boundary.isBlank))
        }
        #expect(boundary.isExact)
        #expect(boundary == JSONBoundary(bytes))
    }

    @Test func moreBehindTheEnd() {
        let boundary = JSONBoundary("{}{}".utf8)
        #expect(boundary.isWhole && !boundary.isExact)
        #expect(!JSONBoundary("{} 1".utf8).isExact)
        #expect(JSONBoundary("{}}".utf8).isWhole)
    }

    @Test(arguments: [
        ("", true), ("{", false), (#"{"a""#, false), (#"{"a":"#, true), (#"{"a": "#, true), (#"{"a":["#, true),
        (#"{"a":[1,"#, true), (#"{"a":"x"#, true), (#"{"a":1"#, false), (#"{"a":1}"#, false), ("null", false),
    ]) func whereAnObjectMayBegin(text: String, may: Bool) {
        #expect(JSONBoundary(text.utf8).mayBeginObject == may)
    }

    @Test(arguments: ["", "  ", "null", "word \"quoted", "12"]) func textWithoutBrackets(text: String) {
        let boundary = JSONBoundary(text.utf8)
        #expect(!boundary.isWhole && !boundary.isInside)
    }
}
