// JSON while it is being written: generated documents at every prefix and every cut, and what models put around them.

import JSON
import JSONSchema
import Testing

/// Numbers of one's own, so that a failure comes again.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

@Suite struct PartialJSONTests {
    private static func document(_ random: inout Seeded, _ depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth < 4 ? 9 : 6), using: &random) {
        case 0: .null
        case 1: .bool(Bool.random(using: &random))
        case 2: .int(Int64.random(in: -1_000...1_000_000_000_000, using: &random))
        case 3: .double(Double.random(in: -1e6...1e6, using: &random))
        case 4, 5: .string(["", "moon", "月の光", "a\"\\\n\u{1}b", "😀é", "}{]["].randomElement(using: &random) ?? "")
        case 6, 7: .object(object(&random, depth))
        default: .array((0..<Int.random(in: 0...3, using: &random)).map { _ in document(&random, depth + 1) })
        }
    }

    private static func object(_ random: inout Seeded, _ depth: Int) -> JSONObject {
        var object: JSONObject = [:]
        for name in ["a", "键", "x y"].prefix(Int.random(in: 0...3, using: &random)) {
            object[name] = document(&random, depth + 1)
        }
        return object
    }

    private static let documents: [String] = {
        var random = Seeded(state: 42)
        return (0..<200).map { _ in JSONWriter.text(.object(object(&random, 0).with(document(&random, 0)))) }
    }()

    private func events(_ pieces: [String]) throws -> [IncrementalJSONReader.Closed] {
        var reader = IncrementalJSONReader()
        var events: [IncrementalJSONReader.Closed] = []
        for piece in pieces { try reader.feed(piece) { events.append($0) } }
        return events
    }

    @Test func everyCutGivesTheSameEvents() throws {
        for document in Self.documents {
            let whole = try events([document])
            #expect(whole.last == .init(path: [], value: try JSONReader.value(document)))
            #expect(try events(document.unicodeScalars.map { String($0) }) == whole)
            let scalars = Array(document.unicodeScalars)
            for cut in 1..<scalars.count {
                let pieces = [scalars[..<cut], scalars[cut...]].map { String(String.UnicodeScalarView($0)) }
                #expect(try events(pieces) == whole)
            }
        }
    }

    @Test func valuesCloseFromInsideOut() throws {
        let found = try events([#"{"people":[{"name":"Ann","age":7}],"n":1}"#])
        #expect(
            found.map(\.path) == [
                [.member("people"), .element(0), .member("name")], [.member("people"), .element(0), .member("age")],
                [.member("people"), .element(0)], [.member("people")], [.member("n")], [],
            ])
        #expect(found.map(\.value).prefix(2) == ["Ann", 7])
    }

    @Test(arguments: [
        "```json\n{\"a\":1}\n```", "Here it is: {\"a\":1}. Anything else?", "{\"a\":1}", "\n\n  {\"a\" : 1 } {\"b\":2}",
        "See [the list], or {name}: {\"a\":1}", "{ {\"a\":1}", "[]? No: [ ... {\"a\":1}", "As in [1], {\"a\":1}",
    ]) func whatStandsAroundIsPassedOver(text: String) throws {
        var reader = IncrementalJSONReader(root: "object")
        try reader.feed(text) { _ in }
        #expect(reader.value == ["a": 1])
    }

    @Test(arguments: [
        (#"{"a":"\ud83d\ude00\ud83d"}"#, "😀\u{FFFD}"), (#"{"a":"\u00e9\/\b"}"#, "é/\u{8}"),
        (#"{"a":"\ude00x"}"#, "\u{FFFD}x"), (#"{"a":"\ud83d\n"}"#, "\u{FFFD}\n"),
    ]) func escapes(text: String, value: String) throws {
        var reader = IncrementalJSONReader()
        try reader.feed(text) { _ in }
        #expect(reader.value?["a"]?.string == value)
    }

    @Test(arguments: [
        ("{\"a\" 1", "a colon is missing (byte 5)"),
        ("[1 2", "a comma is missing (byte 3)"), ("[1,,", "a value is missing (byte 3)"),
        ("[01,", "01 is no JSON value"),
        ("[tru,", "tru is no JSON value"), ("[1}", "a bracket closes what it did not open"), ("[\"\\x", "an escape"),
        ("[\"\\u12g", "an escape is not four"), ("[\"\u{1}", "a control character"), ("{\"a\":1,}", "a member's name"),
        (String(repeating: "[", count: 300), "nested more than 256"),
    ]) func problems(text: String, says: String) throws {
        let problem = #expect(throws: IncrementalJSONReader.Problem.self) { try events([text]) }
        #expect(
            problem?.description.hasPrefix(says) == true || problem?.description.contains(says) == true,
            "\(problem as Any)")
    }
}

extension JSONObject {
    fileprivate func with(_ value: JSONValue) -> JSONObject {
        var object = self
        object["last"] = value
        return object
    }
}
