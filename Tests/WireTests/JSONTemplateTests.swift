// Documents that repeat each other but for one string.

import Foundation
import Testing
import Wire

@Suite struct JSONTemplateTests {
    /// A template of `document` with the member "t" left open.
    private func template(_ document: String, text: String) -> JSONTemplate? {
        let reader = JSONReader()
        return JSONTemplate([UInt8](document.utf8).span, text: text) { changed, text in
            (try? reader.parse(changed))?["t"]?.string == text
        }
    }

    private func string(_ template: JSONTemplate?, _ document: [UInt8]) -> String? {
        let reader = JSONReader()
        let text = template?.string(in: document.span, reader)
        return withExtendedLifetime(reader) { text }
    }

    @Test(arguments: [
        "a", "longer than it was", " ", ",", ":", "}", "]", "{\"", "null", "t", "\\n", "\\\"", "\\\\", "a\\tb\\u0041",
        "\\ud83d\\ude00", "\\ud83d", "月", "😀", "é", "e\u{301}", "\u{7f}", "\u{2028}", "{}", "[1]", "\\/",
        String(repeating: "x", count: 5000),
    ]) func readsWhatTheReaderReads(literal: String) throws {
        let made = try #require(template(#"{"id":"x","t":"now","n":[1,2]}"#, text: "now"))
        let document = Array(#"{"id":"x","t":"\#(literal)","n":[1,2]}"#.utf8)
        guard let whole = try? JSONReader.value(document) else {
            #expect(string(made, document) == nil)
            return
        }
        #expect(string(made, document) == whole["t"]?.string)
    }

    @Test(arguments: [[0xFF], [0xE6, 0x9C], [0x61, 0xC3, 0x62], [0xED, 0xA0, 0x80], [0xC3, 0x5C, 0x6E] as [UInt8]])
    func bytesThatAreNoTextAreMendedAlike(bytes: [UInt8]) throws {
        let made = try #require(template(#"{"t":"now"}"#, text: "now"))
        let document = Array(#"{"t":""#.utf8) + bytes + Array(#""}"#.utf8)
        #expect(string(made, document) == (try JSONReader.value(document))["t"]?.string)
    }

    @Test(arguments: [
        #"{"id":"y","t":"b"}"#, #"{"id":"x","t":"b"}}"#, #"{"id":"x","t":"b"]"#, #"{"id":"x","t":"b" "#,
        #"{"id":"x","t":"b"#, #"{"id":"x""#,
        "",
        #"{"id":"x","t":"b","t":"c"}"#, #"{"id":"x","t":"b\"}"#, #"{"id":"x","t":null}"#, #"{"id":"x","t":""}"#,
        "{\"id\":\"x\",\"t\":\"\n\"}",
    ]) func otherDocumentsAreNotItsOwn(document: String) throws {
        let made = try #require(template(#"{"id":"x","t":"a"}"#, text: "a"))
        #expect(string(made, Array(document.utf8)) == nil)
    }

    /// White space among the brackets at the end says nothing; elsewhere it makes another document.
    @Test(
        arguments: [
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b"}}"#, "b"), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b "}    }"#, "b "),
            (#"{"d":{"t":"a"}  }"#, #"{"d":{"t":"b"}}"#, "b"),
            (#"{"d":{"t":"a"} } "#, "{\"d\":{\"t\":\"}\" \n}\t}", "}"),
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"\n"} }"#, "\n"), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":""} }"#, nil),
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b}} "#, nil), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b"}"#, nil),
            (#"{"d":{"t":"a"}}"#, #"{"d": {"t":"b"}}"#, nil),
            (#"{"d":{"t":"a"},"e":1}"#, #"{"d":{"t":"b"} ,"e":1}"#, nil),
        ] as [(String, String, String?)]) func padding(document: String, other: String, text: String?) throws
    {
        let reader = JSONReader()
        let made = try #require(
            JSONTemplate(Array(document.utf8).span, text: "a") { changed, text in
                (try? reader.parse(changed))?["d"]?["t"]?.string == text
            })
        #expect(string(made, Array(other.utf8)) == text)
    }

    /// The text stands in several places, between strings too: the one that is read counts.
    @Test(arguments: [
        (#"{"a":"x","t":"x","z":"x"}"#, "x"), (#"{"t":"x","x":"x"}"#, "x"), (#"{"t":":","u":":"}"#, ":"),
        (#"{"t":",","u":","}"#, ","), (#"{"t":"t"}"#, "t"), (#"{"u":"\"x\"","t":"x"}"#, "x"),
        (#"{"t":"0","t":"x"}"#, "x"),
    ]) func findsThePlaceThatIsRead(document: String, text: String) throws {
        let made = try #require(template(document, text: text))
        let place = try #require(document.range(of: "\"t\":\"\(text)\"", options: .backwards))
        let other = document.replacingCharacters(in: place, with: "\"t\":\"other\"")
        #expect(string(made, Array(other.utf8)) == "other")
        #expect(string(made, Array(document.utf8)) == text)
    }

    @Test(arguments: [
        (#"{"t":"\u0061"}"#, "a"), (#"{"t":"a","b":"a\n"}"#, "a\n"), (#"{"t":""}"#, ""), (#"{"u":"a"}"#, "a"),
        (#"{"t":"a","1":"a","2":"a","3":"a","4":"a"}"#, "a"),
        (#"{"t":"a","long":"\#(String(repeating: "x", count: JSONTemplate.longest))"}"#, "a"),
    ]) func noTemplate(document: String, text: String) {
        #expect(template(document, text: text) == nil)
    }
}
