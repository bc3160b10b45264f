// Bytes as text: what Wire's fast way makes of them is what the standard library makes of them, byte for byte.

import Base
import Testing

@Suite struct TextTests {
    /// Texts and what is none, each between texts of several lengths: the way taken depends on the length.
    private static let pieces: [[UInt8]] = [
        [], Array("a".utf8), Array("é".utf8), Array("月".utf8), Array("😀".utf8), [0x00], [0x7F],
        // Beyond ASCII in the last byte of a word; cut, overlong, surrogate, too high, a continuation alone.
        Array("sevenby".utf8) + [0x80], [0xC3], [0xC0, 0xAF], [0xE6, 0x9C], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
        [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xFF],
    ]

    @Test(arguments: pieces) func agreesWithTheStandardLibrary(_ piece: [UInt8]) {
        for before in [0, 1, 7, 8, 9, 14, 15, 16, 17, 31, 64] {
            for after in [0, 1, 8, 15, 40] {
                for filler in ["x", "é", "月"] {
                    let bytes =
                        Array(String(repeating: filler, count: before).utf8) + piece
                        + Array(String(repeating: "y", count: after).utf8)
                    let text = String(decoding: bytes.span)
                    #expect(Array(text.utf8) == Array(String(decoding: bytes, as: UTF8.self).utf8))
                }
            }
        }
    }

    @Test func agreesOnRandomBytes() {
        var chance = SystemRandomNumberGenerator()
        let alphabet: [UInt8] = [0x20, 0x41, 0x7F, 0x80, 0x9C, 0xA0, 0xC3, 0xE0, 0xE6, 0xED, 0xF0, 0xF4, 0xFF]
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...48, using: &chance)).map { _ in alphabet.randomElement(using: &chance)!
            }
            #expect(
                Array(String(decoding: bytes.span).utf8) == Array(String(decoding: bytes, as: UTF8.self).utf8),
                "\(bytes)")
        }
    }

    /// A string made this way is equal to, and hashed as, any other of the same characters.
    @Test(arguments: [
        "plain ASCII of some length", "caf\u{E9} and more than fifteen", "cafe\u{301} and more than fifteen",
    ])
    func isAString(_ text: String) {
        let made = String(decoding: Array(text.utf8).span)
        #expect(made == text)
        #expect(made.hashValue == text.hashValue)
        #expect(made == "café and more than fifteen" || text.hasPrefix("plain"))
    }
}
