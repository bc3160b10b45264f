// Bytes in a recording that may not be UTF-8.

import Chat
import JSON
import Testing

@Suite struct RecordedBytesTests {
    @Test func textIsAString() {
        #expect(RecordedBytes.json(Array("aé\n".utf8)) == "aé\n")
        #expect(RecordedBytes.json([]) == "")
    }

    @Test func otherBytesAreNumbersBetweenText() {
        #expect(RecordedBytes.json([0xFF, 0x61, 0x62, 0x80, 0x81, 0x63]) == [[255], "ab", [128, 129], "c"])
    }

    @Test(
        arguments: [
            [0xFF], [0x61, 0xC3], [0xC3, 0x61], [0xE2, 0x82, 0x61], [0xF0, 0x9F, 0x8C, 0x99, 0xF0, 0x9F],
            [0x00, 0xED, 0xA0, 0x80],
        ] as [[UInt8]])
    func comeBack(_ bytes: [UInt8]) {
        #expect(RecordedBytes.bytes(RecordedBytes.json(bytes)) == bytes)
    }

    @Test func anythingElseIsRefused() {
        #expect(RecordedBytes.bytes(3) == nil)
        #expect(RecordedBytes.bytes([[256]]) == nil)
        #expect(RecordedBytes.bytes([["a"]]) == nil)
    }
}
