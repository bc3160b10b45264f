// Reasoning in tags is parted from the text wherever the stream is cut, and nothing else is touched.

import Testing

@testable import Engine

@Suite struct ThinkTagTests {
    private static func split(_ pieces: [String]) -> (text: String, reasoning: String) {
        var splitter = ThinkTagSplitter()
        var text = ""
        var reasoning = ""
        let parts = pieces.filter { !$0.isEmpty }.map { splitter.push($0) }
        for piece in parts + [splitter.finish()] {
            for part in piece {
                switch part {
                case .text(let piece):
                    #expect(!piece.isEmpty)
                    text += piece
                case .reasoning(let piece):
                    #expect(!piece.isEmpty)
                    reasoning += piece
                }
            }
        }
        return (text, reasoning)
    }

    static let cases: [(whole: String, text: String, reasoning: String)] = [
        ("<think>\nbecause 月\n</think>\n\nso 月", "so 月", "because 月"),
        ("\n<think>a</think>b", "b", "a"),
        ("<think>\n\n</think>\n\nb", "b", ""),
        ("<think>a < b </thin k> c</think>d", "d", "a < b </thin k> c"),
        ("<think>a</think>b <think>c</think>", "b <think>c</think>", "a"),
        ("<think>never closed", "", "never closed"),
        ("<think>cut in its end</thi", "", "cut in its end</thi"),
        ("plain", "plain", ""), ("", "", ""), ("  \n", "  \n", ""), (" lead", " lead", ""),
        ("<thinks>x", "<thinks>x", ""), ("<thin", "<thin", ""), ("a <think>b</think>", "a <think>b</think>", ""),
        ("<b>bold</b>", "<b>bold</b>", ""), ("<think>", "", ""), ("<think>a</think>", "", "a"),
        ("<think>a  \n  b</think>c", "c", "a  \n  b"),
    ]

    @Test(arguments: cases.indices) func atEverySplit(index: Int) {
        let expected = Self.cases[index]
        let characters = Array(expected.whole.unicodeScalars).map { String($0) }
        #expect(Self.split([expected.whole]) == (expected.text, expected.reasoning))
        #expect(Self.split(characters) == (expected.text, expected.reasoning))
        for cut in 0...characters.count {
            let pieces = [characters[..<cut].joined(), characters[cut...].joined()]
            #expect(Self.split(pieces) == (expected.text, expected.reasoning), "cut at \(cut)")
            for second in cut...characters.count {
                let pieces = [
                    characters[..<cut].joined(), characters[cut..<second].joined(), characters[second...].joined(),
                ]
                #expect(Self.split(pieces) == (expected.text, expected.reasoning), "cut at \(cut), \(second)")
            }
        }
    }

    /// Text is handed on as soon as it can be no tag.
    @Test func holdsNoLongerThanItMust() {
        var splitter = ThinkTagSplitter()
        #expect(splitter.push("<thi").isEmpty)
        #expect(splitter.push("rd").isEmpty == false)
        #expect(splitter.isDone)
        var thinking = ThinkTagSplitter()
        #expect(thinking.push("<think>ab <") == [.reasoning("ab")])
        #expect(thinking.push("c") == [.reasoning(" <c")])
    }

    @Test func reasoningOfItsOwnTurnsItOff() {
        var splitter = ThinkTagSplitter()
        #expect(splitter.push("<thi") == [])
        #expect(splitter.reasoningCameApart() == [.text("<thi")])
        #expect(splitter.push("<think>x") == [.text("<think>x")])
    }
}
