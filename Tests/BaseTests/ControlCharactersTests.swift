// Control characters made visible, in whole messages and in streams cut anywhere.

import Base
import Testing

@Suite struct ControlCharactersTests {
    static let cases: [(text: String, kept: String, escaped: String)] = [
        ("plain é 中 🌕\ttab", "plain é 中 🌕\ttab", "plain é 中 🌕\ttab"),
        ("a\u{1B}[2Jb", "a\\x1b[2Jb", "a\\x1b[2Jb"),
        ("bell\u{7}del\u{7F}nul\0", "bell\\x07del\\x7fnul\\x00", "bell\\x07del\\x7fnul\\x00"),
        // C1: CSI and OSC as single characters, which xterm obeys in UTF-8 too.
        ("\u{9B}2J\u{9D}0;t\u{80}\u{9F}", "\\x9b2J\\x9d0;t\\x80\\x9f", "\\x9b2J\\x9d0;t\\x80\\x9f"),
        ("no-break\u{A0}\u{BF}", "no-break\u{A0}\u{BF}", "no-break\u{A0}\u{BF}"),
        ("a\r\nb", "a\\r\nb", "a\\r\\nb"), ("a\nmoonrill: b", "a\nmoonrill: b", "a\\nmoonrill: b"),
        ("\u{202E}abc\u{2066}", "\\u{202e}abc\\u{2066}", "\\u{202e}abc\\u{2066}"),
        ("a\u{2028}b", "a\u{2028}b", "a\\u{2028}b"), ("", "", ""),
    ]

    @Test(arguments: cases) func messages(text: String, kept: String, escaped: String) {
        #expect(ControlCharacters.escaped(text, lines: .kept) == kept)
        #expect(ControlCharacters.escaped(text, lines: .escaped) == escaped)
        #expect(!ControlCharacters.escaped("x: " + text, lines: .indented).contains("\nmoonrill"))
    }

    /// A stream gives the same wherever it is cut; what reorders text stays, because Hebrew and Arabic need it.
    @Test(arguments: cases) func streams(text: String, kept: String, escaped: String) {
        let bytes = Array(text.utf8)
        var whole = ControlCharacters()
        let expected = whole.escape(bytes)
        if !text.unicodeScalars.contains(where: { $0.value > 0x2000 && $0.value < 0x2070 }) {
            #expect(String(decoding: expected, as: UTF8.self) == kept)
        }
        for cut in 0...bytes.count {
            var escaper = ControlCharacters()
            let result = escaper.escape(bytes[..<cut]) + escaper.escape(bytes[cut...])
            #expect(result == expected)
        }
    }

    /// C1 as single bytes, which a terminal that is not in UTF-8 obeys; the same bytes inside a character stay.
    @Test func bytesThatAreNoUTF8() {
        var escaper = ControlCharacters()
        #expect(escaper.escape([0x41, 0x9B, 0x32, 0x4A]) == Array("A\\x9b2J".utf8))
        #expect(escaper.escape([0xE2, 0x9B, 0x84]) == [0xE2, 0x9B, 0x84])
        #expect(escaper.escape([0xE2, 0x41, 0x9B]) == [0xE2, 0x41] + Array("\\x9b".utf8))
        #expect(escaper.escape([0xC2]) + escaper.escape([0x41]) == [0xC2, 0x41])
    }
}
