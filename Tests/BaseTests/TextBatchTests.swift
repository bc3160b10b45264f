// Batches of one and of many pieces behave alike.

import Base
import Support
import Testing

@Suite struct TextBatchTests {
    private static let texts = [["a"], ["one ", "two", "月😀"], ["", "x", ""], Array(repeating: "long 月 ", count: 300)]

    /// The pieces in one buffer, also where there is only one.
    private static func buffered(_ pieces: [String], _ kind: TextBatch.Kind = .text) -> TextBatch {
        let ends = pieces.indices.map { UInt32(pieces[...$0].joined().utf8.count) }
        return TextBatch(bytes: Array(pieces.joined().utf8), ends: ends, kind)
    }

    @Test(arguments: texts, [TextBatch.Kind.text, .reasoning])
    func pieces(pieces: [String], kind: TextBatch.Kind) {
        for batch in [TextBatch(pieces: pieces, kind), Self.buffered(pieces, kind)] {
            #expect(Array(batch) == pieces)
            #expect(batch.count == pieces.count)
            #expect(batch.text == pieces.joined())
            #expect(batch.kind == kind)
            #expect(batch.utf8Count == pieces.joined().utf8.count)
            for index in 0...pieces.count {
                #expect(batch.utf8Count(from: index) == pieces[index...].joined().utf8.count)
            }
            let ends = batch.withBytes { bytes, ends in
                #expect(String(decoding: bytes) == pieces.joined())
                return ends.indices.map { Int(ends[$0]) }
            }
            #expect(ends == pieces.indices.map { pieces[...$0].joined().utf8.count })
        }
    }

    @Test(arguments: texts) func equalHoweverThePiecesAreHeld(pieces: [String]) {
        let batch = TextBatch(pieces: pieces)
        #expect(batch == Self.buffered(pieces))
        #expect(batch.hashValue == Self.buffered(pieces).hashValue)
        #expect(batch != TextBatch(pieces: pieces, .reasoning))
        #expect(batch != TextBatch(pieces: pieces + ["x"]))
        #expect(pieces.count == 1 || batch != TextBatch(pieces.joined()))
    }

    /// Every event with a batch is as small as one with a String.
    @Test func isSmall() { #expect(MemoryLayout<TextBatch>.size <= 17) }
}
