// Text that grows by pieces and by runs, and is cut at its end.

import Base
import JSON
import Support
import Testing

@Suite struct GrowingTextTests {
    private static let pieces = ["a", " the", "月", "😀", "é\n", "", String(repeating: "long 月 ", count: 700)]

    /// A run of that many pieces, as a scan of lines gives it.
    private static func run(_ texts: [String]) throws -> TextBatch {
        let reader = JSONReader()
        let first = Array(#"{"t":"x"}"#.utf8)
        let made = JSONTemplate(first.span, open: JSONTemplate.Gaps(text: JSONPath("t")), reader)
        let template = try #require(made)
        let lines = (["x"] + texts).map { #"{"t":"\#($0)"}"# + "\n" }.joined()
        let place = FramePlace(frame: 0..<first.count + 1, payload: 0..<first.count, limit: 1 << 20)
        return template.read(Array(lines.utf8).span, behind: place, reader).run
    }

    @Test(arguments: 0..<60) func growsAsAStringDoes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let runs = try [1, 3, 60, 400].map { count in
            try Self.run((0..<count).map { _ in Self.pieces.prefix(4).randomElement(using: &random)! })
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
                let run = runs.randomElement(using: &random)!
                growing.append(run)
                whole += run.text
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
