// Objects that repeat each other but for some members' values.

import Testing
import Wire

@Suite struct JSONStencilTests {
    private static let members: [StaticString] = ["n", "t", "pad"]

    private func stencil(_ object: String) -> JSONStencil? {
        let reader = JSONReader()
        return JSONStencil([UInt8](object.utf8).span, open: Self.members, reader)
    }

    /// What a stencil reads: number and text.
    private func values(_ stencil: JSONStencil?, _ object: [UInt8]) -> [JSONValue]? {
        let reader = JSONReader()
        guard let values = stencil?.values(in: object.span, reader) else { return nil }
        let text = values.string(1, in: object.span, reader)
        return withExtendedLifetime(reader) { [values.integer(0).map { .int($0) } ?? .null, .string(text)] }
    }

    private static let around = #"{"id":"n","pad":"p","x":[{"n":7,"t":"q"}],"n": 3 ,"t":"now","y":null}"#

    private static func object(number: String, text: String, padding: String) -> [UInt8] {
        Array(#"{"id":"n","pad":"\#(padding)","x":[{"n":7,"t":"q"}],"n": \#(number) ,"t":"\#(text)","y":null}"#.utf8)
    }

    @Test(
        arguments: [
            "", "a", "longer than it was", "\"", "n", "月", "😀", "{}", ",", "\\n", "\\u0041", "\n", "\\\"", "\\\\", "\\",
            "\\x",
            "\\ud83d\\ude00", "\\ud83d", "\\u00",
        ],
        ["0", "3", "12345678901234567", "00", "-1", "1.5", "1e3", "", "x", "\"3\"", "1234567890123456789"])
    func readsWhatTheReaderReadsOrNothing(text: String, number: String) throws {
        let made = try #require(stencil(Self.around))
        let object = Self.object(number: number, text: text, padding: text)
        let whole = try? JSONReader.value(object)
        guard let read = values(made, object) else {
            // What it leaves to the reader: numbers of another form, and what is no JSON.
            let isPlain = Int64(number).map { $0 >= 0 && String($0) == number && number.count <= 18 } ?? false
            #expect(whole == nil || !isPlain)
            return
        }
        #expect(read == [whole?["n"] ?? .null, whole?["t"] ?? .null])
    }

    @Test(arguments: [
        #"{"id":"m","pad":"p","x":[{"n":7,"t":"q"}],"n": 3 ,"t":"now","y":null}"#,
        #"{"id":"n","pad":"p","x":[{"n":8,"t":"q"}],"n": 3 ,"t":"now","y":null}"#,
        #"{"id":"n","pad":"p","x":[{"n":7,"t":"q"}],"n":3,"t":"now","y":null}"#,
        #"{"id":"n","pad":"p","x":[{"n":7,"t":"q"}],"n": 3 ,"t":"now","y":null} "#,
        #"{"id":"n","pad":"p","x":[{"n":7,"t":"q"}],"n": 3 ,"t":"now","y":null,"t":"then"}"#,
        #"{"id":"n","pad":"p","x":[{"n":7,"t":"q"}],"n": 3 ,"t":"now","y":null"#, #"{"id":"n","pad":"p"#, "{", "",
    ]) func otherObjectsAreNotItsOwn(object: String) throws {
        let made = try #require(stencil(Self.around))
        #expect(values(made, Array(object.utf8)) == nil)
    }

    /// Whatever the values are, what the stencil reads is what the reader reads.
    @Test func everyCutAndEveryByteChanged() throws {
        let made = try #require(stencil(Self.around))
        let bytes = Array(Self.around.utf8)
        for index in bytes.indices {
            #expect(values(made, Array(bytes[..<index])) == nil)
            for byte in [0, 0x20, 0x22, 0x2E, 0x31, 0x5C, 0x7D, 0xFF] as [UInt8] {
                var changed = bytes
                changed[index] = byte
                guard let read = values(made, changed) else { continue }
                let whole = try JSONReader.value(changed)
                #expect(read == [whole["n"] ?? .null, whole["t"] ?? .null], "byte \(index) is \(byte)")
            }
        }
    }

    @Test func membersThatAreNotThereAreLeftOut() throws {
        let made = try #require(stencil(#"{"t":"a"}"#))
        #expect(values(made, Array(#"{"t":"bc"}"#.utf8)) == [.null, "bc"])
        #expect(values(made, Array(#"{"t":"bc","n":1}"#.utf8)) == nil)
    }

    @Test(arguments: [
        #"{"t":null}"#, #"{"t":["a"]}"#, #"{"n":-1}"#, #"{"n":1.5}"#, "{}", "[]", #""t""#, "",
        "{\"t\":",
        #"[{"t":"a"}]"#, #"{"x":{"t":"a"}}"#, #"{"t":"\#(String(repeating: "x", count: JSONStencil.longest))"}"#,
    ]) func whatMakesNone(object: String) {
        #expect(stencil(object) == nil)
    }

    @Test func aTextWithEscapesMakesOneToo() throws {
        let made = try #require(stencil(#"{"t":"a\n\"b"}"#))
        #expect(values(made, Array(#"{"t":"\u0041"}"#.utf8)) == [.null, "A"])
    }

    @Test func ofEqualMembersTheLastOneIsOpen() throws {
        let made = try #require(stencil(#"{"t":"a","t":"b"}"#))
        #expect(values(made, Array(#"{"t":"a","t":"c"}"#.utf8)) == [.null, "c"])
        #expect(values(made, Array(#"{"t":"c","t":"b"}"#.utf8)) == nil)
        let hidden = try #require(stencil(#"{"t":"a","x":"\"t\":\"b\"","y":{"t":"c"}}"#))
        #expect(values(hidden, Array(#"{"t":"d","x":"\"t\":\"b\"","y":{"t":"c"}}"#.utf8)) == [.null, "d"])
    }
}
