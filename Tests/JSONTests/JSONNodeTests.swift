// Walking a parsed document without copying it.

import JSON
import Testing

@Suite struct JSONNodeTests {
    private static let chunk = Array(
        #"{"id":"x","n":null,"i":7,"d":2.0,"e":2.5,"t":true,"f":false,"a":[1,"two",[3]],"o":{"k":"v"},"big":1e30}"#.utf8
    )

    @Test func scalars() throws {
        let reader = JSONReader()
        let node = try reader.parse(Self.chunk.span)
        #expect(node.kind == .object && node.count == 10)
        #expect(node["id"]?.string == "x" && node["id"]?.int == nil && node["id"]?.double == nil)
        #expect(node["n"]?.isNull == true && node["n"]?.kind == .null)
        #expect(node["i"]?.kind == .int && node["i"]?.int == 7 && node["i"]?.double == 7 && node["i"]?.bool == nil)
        #expect(node["d"]?.kind == .double && node["d"]?.int == 2 && node["d"]?.double == 2)
        #expect(node["e"]?.int == nil && node["e"]?.double == 2.5)
        #expect(node["big"]?.int == nil && node["big"]?.double == 1e30)
        #expect(node["t"]?.bool == true && node["f"]?.bool == false && node["t"]?.string == nil)
        #expect(node["o"]?["k"]?.isString("v") == true)
        #expect(node["o"]?["k"]?.isString("vv") == false && node["o"]?["k"]?.isString("") == false)
        #expect(node["missing"]?.kind == nil && node["i"]?["x"]?.kind == nil && node["a"]?["x"]?.kind == nil)
        #expect(node["i"]?.count == 0 && node["i"]?.first?.kind == nil && node["o"]?.first?.kind == nil)
        #expect(node["n"]?.isString("n") == false)
    }

    @Test func walks() throws {
        let reader = JSONReader()
        let node = try reader.parse(Self.chunk.span)
        let array = try #require(node["a"])
        #expect(array.count == 3 && array.first?.int == 1)
        var elements: [JSONValue] = []
        array.forEachElement { elements.append($0.value) }
        #expect(elements == [1, "two", [3]])
        var names: [String] = []
        node.forEachMember { name, _ in names.append(name) }
        #expect(names == ["id", "n", "i", "d", "e", "t", "f", "a", "o", "big"])
        array.forEachMember { _, _ in Issue.record("an array has no members") }
        node.forEachElement { _ in Issue.record("an object has no elements") }
        #expect(try reader.parse(Array("[]".utf8).span).first?.kind == nil)
    }

    @Test func walksStopAtAnError() throws {
        struct Stop: Error {}
        let reader = JSONReader()
        let node = try reader.parse(Array("[1,2,3]".utf8).span)
        var seen = 0
        #expect(throws: Stop.self) {
            try node.forEachElement { (_) throws(Stop) in
                seen += 1
                if seen == 2 { throw Stop() }
            }
        }
        #expect(seen == 2)
    }

    @Test func picks() throws {
        let keys = JSONKeys("o", "missing", "id", "i", "", "n")
        let reader = JSONReader()
        let picked = try reader.parse(Self.chunk.span).pick(keys)
        #expect(picked[0]?.kind == .object && picked[1]?.kind == nil && picked[2]?.isString("x") == true)
        #expect(picked[3]?.int == 7 && picked[4]?.kind == nil && picked[5]?.kind == .null)
        #expect(
            picked[6]?.kind == nil && picked[-1]?.kind == nil && picked[16]?.kind == nil && picked[.max]?.kind == nil)
        let array = try reader.parse(Array("[1]".utf8).span)
        #expect(array.pick(keys)[0]?.kind == nil)
        #expect(try reader.parse(Array(#"{"":1,"\u006f":2}"#.utf8).span).pick(keys)[4]?.int == 1)
        #expect(try reader.parse(Array(#"{"":1,"\u006f":2}"#.utf8).span).pick(keys)[0]?.int == 2)
    }

    /// Strings are copied without validation, so the parser must never produce invalid UTF-8.
    @Test func stringsOfAnyEscapesAreUTF8() throws {
        let units = [0, 0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF]
        let escapes = units.map { "\\u" + String($0 + 0x10000, radix: 16).dropFirst() } + ["z", "\\n"]
        let reader = JSONReader()
        for first in escapes {
            for second in escapes {
                let node = try reader.parse(Array("[\"\(first)\(second)\"]".utf8).span)
                let bytes = Array(try #require(node.first?.string).utf8)
                #expect(String(validating: bytes, as: UTF8.self) != nil, "\(first)\(second)")
            }
        }
    }

    @Test func picksAmongAlikeNames() throws {
        let keys = JSONKeys(
            "reasonin", "reasoning", "reasoning_conte", "reasoning_content", "reasoning_details", "reasoning_content_of"
        )
        let text =
            #"{"reasoning_Content":0,"reasoning_cOntent":0,"reasonin":1,"reasoning":2,"reasoning_conte":3,"#
            + #""reasoning_content":4,"reasoning_details":5,"reasoning_content_of":6,"reasoning_content_if":0}"#
        let reader = JSONReader()
        let picked = try reader.parse(Array(text.utf8).span).pick(keys)
        #expect((0..<6).map { picked[$0]?.int } == [1, 2, 3, 4, 5, 6])
    }

    @Test func nullsAreNoValues() throws {
        let keys = JSONKeys("a", "b", "c", "d")
        let reader = JSONReader()
        let picked = try reader.parse(Array(#"{"a":null,"b":0,"c":1,"c":null,"x":[1]}"#.utf8).span).pick(keys)
        #expect(picked.hasValue(2) && picked.hasValue(0b1111))
        #expect(!picked.hasValue(1) && !picked.hasValue(4) && !picked.hasValue(8) && !picked.hasValue(0b1101))
        #expect(!picked.hasValue(1 << 16) && picked.hasOthers)
        #expect(try reader.parse(Array(#"{"a":null,"a":2}"#.utf8).span).pick(keys).hasValue(1))
        #expect(try !reader.parse(Array("[1]".utf8).span).pick(keys).hasValue(.max))
    }

    @Test func elements() throws {
        let reader = JSONReader()
        func elements(of text: String) throws -> [JSONValue] {
            var elements = try reader.parse(Array(text.utf8).span).elements
            var found: [JSONValue] = []
            while let element = elements.next() { found.append(element.value) }
            return found
        }
        #expect(try elements(of: #"[1,"two",[3,[4]],{"a":5}]"#) == [1, "two", [3, [4]], ["a": 5]])
        #expect(try elements(of: "[]").isEmpty && elements(of: #"{"a":[1]}"#).isEmpty && elements(of: "7").isEmpty)
    }

    @Test func sixteenKeys() throws {
        let keys = JSONKeys("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p")
        let text = "{" + "ponmlkjihgfedcba".map { "\"\($0)\":\"\($0)\"" }.joined(separator: ",") + "}"
        let reader = JSONReader()
        let picked = try reader.parse(Array(text.utf8).span).pick(keys)
        for (index, name) in "abcdefghijklmnop".enumerated() { #expect(picked[index]?.string == String(name)) }
    }

    /// Arrays and objects under names that were not looked for, empty ones aside.
    @Test(arguments: [
        (#"{"a":{"x":1},"b":[1],"c":[],"d":{},"e":"s","f":{"y":[2]},"g":[[]]}"#, ["b", "f", "g"]),
        (#"{"a":1,"citations":["u"]}"#, ["citations"]), (#"{"a":[1],"a":[2]}"#, []),
        (#"{"b":[1],"b":[2]}"#, ["b", "b"]),
        (#"{}"#, []), (#"[[1]]"#, []), (#"{"zz":{"a":{"b":1}}}"#, ["zz"]), (#"{"b":1,"c":"x","d":null}"#, []),
    ]) func others(text: String, names: [String]) throws {
        let keys = JSONKeys("a", "long_name_that_is_absent")
        let reader = JSONReader()
        let node = try reader.parse(Array(text.utf8).span)
        var found: [String] = []
        node.forEachOther(than: keys) { name, value in
            found.append(name.string ?? "")
            #expect(value.count > 0)
        }
        #expect(found == names)
        #expect(node.pick(keys).hasOthers == !names.isEmpty)
        #expect((node.pick(keys)[0] != nil) == text.hasPrefix(#"{"a""#))
    }

    @Test(arguments: [
        ("null", false), (#""""#, false), ("[]", false), ("{}", false), (#"{"a":null,"b":["",{"c":[]}]}"#, false),
        ("0", true), ("false", true), (#""x""#, true), (#"{"a":null,"b":["",{"c":[0.5]}]}"#, true),
        (#"[[],"x"]"#, true),
    ]) func whatSaysAnything(text: String, says: Bool) throws {
        let reader = JSONReader()
        #expect(try reader.parse(Array(text.utf8).span).isFilled == says)
    }

    @Test func manyDuplicatesAreLinear() throws {
        var text = "{"
        for index in 0..<60_000 { text += "\"k\(index % 30_000)\":\(index)," }
        text += "\"last\":true}"
        let object = try #require(try JSONReader.value(text).object)
        #expect(object.count == 30_001)
        let first = try #require(object.members.first)
        #expect(first.key == "k0" && first.value == 30_000)
        #expect(object.members.last?.key == "last")
    }
}
