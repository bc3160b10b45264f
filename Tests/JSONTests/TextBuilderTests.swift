// Text that grows by pieces and by batches, and is cut at its end.

import Base
import JSON
import Support
import Testing

@Suite struct GrowingTextTests {
    private static let pieces = ["a", " the", "月", "😀", "é\n", "", String(repeating: "long 月 ", count: 700)]

    @Test(arguments: 0..<60) func growsAsAStringDoes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let batches = [1, 3, 60, 400].map { count in
            TextBatch(pieces: (0..<count).map { _ in Self.pieces.prefix(4).randomElement(using: &random)! })
        }
        var growing = TextBuilder()
        var whole = ""
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                let piece = Self.pieces.randomElement(using: &random)!
                growing.append(piece)
                whole += piece
            case 4..<7:
                let batch = batches.randomElement(using: &random)!
                growing.append(batch)
                whole += batch.text
            default:
                // Whole characters, as a reader that has not seen the last pieces leaves them.
                let dropped = String(whole.unicodeScalars.suffix(Int.random(in: 0...300, using: &random)))
                growing.removeLast(dropped.utf8.count)
                whole.unicodeScalars.removeLast(dropped.unicodeScalars.count)
            }
            #expect(growing.count == whole.utf8.count)
            #expect(growing.isEmpty == whole.isEmpty)
        }
        #expect(growing.text == whole)
        #expect(growing.bytes == Array(whole.utf8))
        #expect(growing.commonCount(with: whole.utf8.span) == whole.utf8.count)
        #expect(growing.commonCount(with: (whole + "x").utf8.span) == whole.utf8.count)
        let shorter = Array(whole.utf8.dropLast(whole.utf8.count / 3))
        #expect(growing.commonCount(with: shorter.span) == shorter.count)
        var other = Array(whole.utf8)
        if let index = other.indices.randomElement(using: &random) {
            other[index] ^= 1
            #expect(growing.commonCount(with: other.span) == index)
        }
    }

    @Test func takesAwayNoMoreThanThereIs() {
        var growing = TextBuilder("abc")
        growing.removeLast(-1)
        #expect(growing.text == "abc")
        growing.removeLast(7)
        #expect(growing.isEmpty && growing.text == "")
        growing.append("d")
        #expect(growing.text == "d")
    }
}
