// Repair of bytes that are not UTF-8: the replaced bytes are counted, and what is replaced follows Unicode.

import Base
import Testing

@Suite struct UTF8RepairTests {
    /// Bytes, the repaired text, bytes replaced, offset of the first. The maximal subparts are those of the Unicode
    /// Standard, tables 3-8 to 3-11.
    private static let cases: [([UInt8], String, Int, Int?)] = [
        ([], "", 0, nil),
        (Array("月 😀 plain text of some length".utf8), "月 😀 plain text of some length", 0, nil),
        (Array("caf".utf8) + [0xE9], "caf\u{FFFD}", 1, 3),
        (
            Array("caf".utf8) + [0xE9] + Array(" au lait, sixteen or more".utf8),
            "caf\u{FFFD} au lait, sixteen or more", 1, 3
        ),
        ([0xE6, 0x9C], "\u{FFFD}", 2, 0),
        ([0xF0, 0x9F, 0x98, 0x41], "\u{FFFD}A", 3, 0),
        ([0xC0, 0xAF, 0xE0, 0x80, 0xBF, 0xF0, 0x81, 0x82, 0x41], String(repeating: "\u{FFFD}", count: 8) + "A", 8, 0),
        ([0xED, 0xA0, 0x80, 0xED, 0xBF, 0xBF, 0xED, 0xAF, 0x41], String(repeating: "\u{FFFD}", count: 8) + "A", 8, 0),
        (
            [0xF4, 0x91, 0x92, 0x93, 0xFF, 0x41, 0x80, 0xBF, 0x42],
            "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}A\u{FFFD}\u{FFFD}B", 7, 0
        ),
        ([0xE1, 0x80, 0xE2, 0xF0, 0x91, 0x92, 0xF1, 0xBF, 0x41], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}A", 8, 0),
    ]

    @Test(arguments: cases)
    func repairs(_ bytes: [UInt8], _ text: String, _ replaced: Int, _ first: Int?) {
        let repair = UTF8Repair(bytes)
        #expect(repair.text.unicodeScalars.elementsEqual(text.unicodeScalars))
        #expect(repair.replacedBytes == replaced)
        #expect(repair.firstInvalidOffset == first)
    }
}
