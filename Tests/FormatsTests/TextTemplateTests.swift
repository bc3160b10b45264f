// Documents that differ only in a few strings and numbers.

import Base
import JSON
import Support
import Testing

@testable import Formats

@Suite struct TextTemplateTests {
    private static let text = JSONPath("c", .first, "t")
    private static let open = TemplatePaths(
        counters: [JSONPath("n"), JSONPath("u", "n")], padding: [JSONPath("pad"), JSONPath("c", .first, "p")])

    private func template(
        _ document: String, text: JSONPath = text, open paths: TemplatePaths = open
    ) -> TextTemplate? {
        TextTemplate.Trial([UInt8](document.utf8).span, textAt: text, open: paths)?.template
    }

    /// What a template reads: text and counters.
    private func read(_ template: TextTemplate?, _ document: [UInt8]) -> [JSONValue]? {
        template?.read(document.span, TemplateCounters()).map { run in
            [.string((run.batch?.text ?? ""))] + (0..<2).map { run.counters[$0].map { .int($0) } ?? .null }
        }
    }

    /// What the reader finds in the same places.
    private func parsed(_ document: [UInt8]) -> [JSONValue]? {
        guard let whole = try? JSONReader.value(document) else { return nil }
        return [whole["c"]?.array?.first?["t"] ?? .null, whole["n"] ?? .null, whole["u"]?["n"] ?? .null]
    }

    private static let around =
        #"{"n":7,"pad":"p","c":[{"x":"t","t":"now","p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true]}"#

    private static func document(
        _ text: String, n: String = "7", u: String = "3", pad: String = "p", p: String = "-1.5"
    )
        -> [UInt8]
    {
        Array(
            #"{"n":\#(n),"pad":"\#(pad)","c":[{"x":"t","t":"\#(text)","p":\#(p)}],"u":{"n": \#(u) ,"t":"q"},"y":[null,true]}"#
                .utf8)
    }

    /// Contents of string literals, sound and unsound.
    private static let strings = [
        "a", "", "longer than it was", "eight 8!", "sixteen bytes 16", "\"", "n", "月", "😀", "e\u{301}", "{}", "}],",
        ",",
        ":", "null", "\\n", "\\u0041", "\n", "\\\"", "\\\\", "\\", "\\x", "\\ud83d\\ude00", "\\ud83d", "\\u00", "\\/",
        "\\b\\f\\n\\r\\t\\/\\\"\\\\", "\\u0000", "\\u007F\\u0080\\u07fF\\u0800\\uFFFF\\ud7ff\\uE000", "\\u004g",
        "\\u00:1", "\\u00@1",
        "\\u00`1", "\\U0041", "\\'", "\\N", "a\\", "\\u4e2d\\u6587 a\\n月", "\\udc00x",
        "1234567\\", "1234567\"", "1234567\u{1}", "\u{7f}\u{80}\u{2028}", "\",\"t\":\"x", "x\",\"p\":2,\"t\":\"y",
        String(repeating: "x", count: 5000),
    ]
    /// Numbers, and what looks like some.
    private static let numbers = [
        "0", "3", "-0", "-1", "12345678901234567", "123456789012345678", "1234567890123456789", "00", "01", "-01",
        "1.5",
        "-0.25", "1.", ".5", "-", "1e3", "1E+3", "1e-3", "1e", "1e+", "1e999", "-1e-999", "1.5.2", "1,2", "+1", "0x1",
        "",
        "x", "null", "\"3\"", "true", "99999999999999999999999", "1 2", "NaN",
    ]

    @Test(arguments: strings) func readsTheStringThatTheReaderReads(text: String) throws {
        let made = try #require(template(Self.around))
        let document = Self.document(text)
        let whole = parsed(document)
        // The empty text, what is no string, and escapes of half a character are left to the reader.
        let isPlain =
            whole?[0].string.map { !$0.isEmpty } ?? false && !text.contains("\\ud8") && !text.contains("\\udc")
        #expect(read(made, document) == (isPlain && !text.contains("\"t\"") ? whole : nil))
    }

    @Test(arguments: numbers) func readsTheCountThatTheReaderReads(number: String) throws {
        let made = try #require(template(Self.around))
        let document = Self.document("a", n: number)
        let isPlain = Int64(number).map { $0 >= 0 && String($0) == number && number.count <= 18 } ?? false
        #expect(read(made, document) == (isPlain ? parsed(document) : nil))
    }

    /// Nobody reads what is passed over, and yet it must be what the reader takes, or there is no document.
    @Test(arguments: strings, numbers) func passesOverWhatTheReaderTakes(string: String, number: String) throws {
        let made = try #require(template(Self.around))
        let document = Self.document("a", pad: string, p: number)
        if let read = read(made, document) { #expect(read == parsed(document)) }
    }

    @Test(arguments: ["-0", "12345678901234567890", "1.5", "-0.25", "1e3", "1E+3", "1.25e-3", "0"])
    func passesOverEveryNumber(number: String) throws {
        let made = try #require(template(Self.around))
        #expect(read(made, Self.document("a", pad: "\\u0041\\n", p: number)) == ["a", 7, 3])
    }

    @Test(arguments: [[0xFF], [0xE6, 0x9C], [0x61, 0xC3, 0x62], [0xED, 0xA0, 0x80], [0xC3, 0x5C, 0x6E] as [UInt8]])
    func brokenBytesAreRepairedAlike(bytes: [UInt8]) throws {
        let made = try #require(template(Self.around))
        let text = Array(#"{"n":7,"pad":""#.utf8) + bytes + Array(#"","c":[{"x":"t","t":""#.utf8) + bytes
        let document = text + Array(#"","p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true]}"#.utf8)
        let whole = try #require(parsed(document))
        #expect(read(made, document) == whole)
    }

    @Test(arguments: [
        #"{"n":7,"pad":"p","c":[{"x":"u","t":"now","p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true]}"#,
        #"{"n":7,"pad":"p","c":[{"x":"t","t":"now","p":-1.5}],"u":{"n":3 ,"t":"q"},"y":[null,true]}"#,
        #"{"n":7,"pad":"p","c":[{"x":"t","t":"now","p":-1.5}],"u":{"n": 3 ,"t":"r"},"y":[null,true]}"#,
        #"{"n":7,"pad":"p","c":[{"x":"t","t":"now","p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true]} "#,
        #"{"n":7,"pad":"p","c":[{"x":"t","t":"now","p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true],"n":8}"#,
        #"{"n":7,"pad":"p","c":[{"x":"t","t":"now","t":"then","p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true]}"#,
        #"{"n":7,"pad":"p","c":[{"x":"t","t":null,"p":-1.5}],"u":{"n": 3 ,"t":"q"},"y":[null,true]}"#,
        #"{"n":7,"pad":"p"#, "{", "",
    ]) func otherDocumentsAreNotItsOwn(document: String) throws {
        let made = try #require(template(Self.around))
        #expect(read(made, Array(document.utf8)) == nil)
    }

    /// Whatever a document is made of: what the template reads is what the reader reads.
    @Test func everyCutAndEveryByteChanged() throws {
        let made = try #require(template(Self.around))
        let bytes = Array(Self.around.utf8)
        for index in bytes.indices {
            #expect(read(made, Array(bytes[..<index])) == nil)
            for byte in [0, 0x20, 0x22, 0x2C, 0x2E, 0x31, 0x5C, 0x65, 0x7D, 0xFF] as [UInt8] {
                var changed = bytes
                changed[index] = byte
                guard let read = read(made, changed) else { continue }
                #expect(read == parsed(changed), "byte \(index) is \(byte)")
            }
        }
    }

    @Test(arguments: 0..<40) func randomFillings(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let made = try #require(template(Self.around))
        for _ in 0..<200 {
            func string() -> String {
                (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    Self.strings.dropLast().randomElement(using: &random)!
                }
                .joined()
            }
            func number() -> String {
                Bool.random(using: &random) ? "\(random.next() % 1000)" : Self.numbers.randomElement(using: &random)!
            }
            let document = Self.document(string(), n: number(), u: number(), pad: string(), p: number())
            if let read = read(made, document) { #expect(read == parsed(document)) }
        }
    }

    /// White space among the brackets at the end says nothing; elsewhere it makes another document.
    @Test(
        arguments: [
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b"}}"#, "b"), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b "}    }"#, "b "),
            (#"{"d":{"t":"a"}  }"#, #"{"d":{"t":"b"}}"#, "b"),
            (#"{"d":{"t":"a"} } "#, "{\"d\":{\"t\":\"}\" \n}\t}", "}"),
            (#"{"d":{"t":"a"}}"#, #" {"d":{"t":"b"}}"#, nil),
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"\n"} }"#, "\n"), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":""} }"#, nil),
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b}} "#, nil), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b"}"#, nil),
            (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b"}}}"#, nil), (#"{"d":{"t":"a"}}"#, #"{"d":{"t":"b"}} ]"#, nil),
            (#"{"d":{"t":"a"}}"#, #"{"d": {"t":"b"}}"#, nil),
            (#"{"d":{"t":"a"},"e":1}"#, #"{"d":{"t":"b"} ,"e":1}"#, nil),
            (#"{"d":{"t":"a"},"e":1}"#, #"{"d":{"t":"b"},"e":1 }"#, nil),
        ] as [(String, String, String?)]) func padding(document: String, other: String, text: String?) throws
    {
        let made = try #require(template(document, text: JSONPath("d", "t"), open: TemplatePaths()))
        #expect(read(made, Array(other.utf8))?.first == text.map { .string($0) })
    }

    /// Names and texts like them stand elsewhere too: the member that is read counts.
    @Test(arguments: [
        (#"{"a":"x","t":"x","z":"x"}"#, #"{"a":"x","t":"#, #","z":"x"}"#), (#"{"t":"t"}"#, #"{"t":"#, "}"),
        (#"{"x":{"t":"a"},"t":"b"}"#, #"{"x":{"t":"a"},"t":"#, "}"),
        (#"{"t":"a","t":"b"}"#, #"{"t":"a","t":"#, "}"),
        (#"{"t":"a","x":"\"t\":\"b\"","y":{"t":"c"}}"#, #"{"t":"#, #","x":"\"t\":\"b\"","y":{"t":"c"}}"#),
        (
            #"{ "y" : [ { "t" : 1 } , "t" ] , "t" : "a\n\"" , "z" : -1e3 }"#,
            #"{ "y" : [ { "t" : 1 } , "t" ] , "t" : "#, #" , "z" : -1e3 }"#
        ),
    ]) func findsThePlaceThatIsRead(document: String, before: String, behind: String) throws {
        let made = try #require(template(document, text: JSONPath("t"), open: TemplatePaths()))
        #expect(read(made, Array((before + "\"other\"" + behind).utf8))?.first == "other")
        #expect(read(made, Array(document.utf8))?.first == (try JSONReader.value(document))["t"])
    }

    @Test func whatIsNotThereIsLeftOut() throws {
        let made = try #require(template(#"{"c":[{"t":"a"}]}"#))
        #expect(read(made, Array(#"{"c":[{"t":"bc"}]}"#.utf8)) == ["bc", .null, .null])
        #expect(read(made, Array(#"{"c":[{"t":"bc"}],"n":1}"#.utf8)) == nil)
        let null = try #require(template(#"{"c":[{"t":"a"}],"pad":null}"#))
        #expect(read(null, Array(#"{"c":[{"t":"b"}],"pad":null}"#.utf8)) == ["b", .null, .null])
        #expect(read(null, Array(#"{"c":[{"t":"b"}],"pad":"x"}"#.utf8)) == nil)
    }

    @Test(arguments: [
        "{}", "[]", #""t""#, "", #"{"c":"#, #"{"c":[{"t":null}]}"#, #"{"c":[{"t":1}]}"#, #"{"c":[]}"#,
        #"{"c":{"t":"a"}}"#, #"[{"c":[{"t":"a"}]}]"#, #"{"c":[{"p":1},{"t":"a"}]}"#, #"{"c":[{"t":"a"}],"n":-1}"#,
        #"{"c":[{"t":"a"}],"n":"1"}"#, #"{"c":[{"t":"a"}],"n":1.5}"#,
        #"{"c":[{"t":"\#(String(repeating: "x", count: TextTemplate.maxDocumentBytes))"}]}"#,
    ]) func whatMakesNone(document: String) { #expect(template(document) == nil) }
}
