// Reasoning in tags is separated from text wherever the stream is cut; other text is not changed.

import Base
import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct ThinkTagTests {
    private static func split(_ pieces: [String], isOpen: Bool = false) -> (text: String, reasoning: String) {
        var splitter = ThinkTagSplitter(isOpen: isOpen)
        var text = ""
        var reasoning = ""
        let parts = pieces.filter { !$0.isEmpty }.map { splitter.push($0) }
        for piece in parts + [splitter.finish()] {
            for part in piece {
                #expect(!part.text.isEmpty)
                if part.kind == .text { text += part.text } else { reasoning += part.text }
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

    /// Replies that begin inside the reasoning.
    static let openCases: [(whole: String, text: String, reasoning: String)] = [
        ("because 月\n</think>\n\nso 月", "so 月", "because 月"),
        // The model repeats the tag of its prompt.
        ("<think>\nbecause\n</think>\n\nso", "so", "because"), (" \n<think>a</think>b", "b", "a"),
        ("\n</think>b", "b", ""), ("</think>\n\nb", "b", ""), ("</think>", "", ""), ("a</think>", "", "a"),
        ("a < b </thin k> c</think>d", "d", "a < b </thin k> c"), ("a</think>b </think>c", "b </think>c", "a"),
        ("a <think>b</think>c", "c", "a <think>b"), ("<thinks>x</think>y", "y", "<thinks>x"),
        // Without the closing tag all of it is reasoning.
        ("never closed", "", "never closed"), ("cut in its end</thi", "", "cut in its end</thi"),
        ("<thin", "", "<thin"), ("", "", ""), (" \n", "", ""), ("<think>", "", ""),
    ]

    @Test(arguments: openCases.indices) func openAtEverySplit(index: Int) {
        let expected = Self.openCases[index]
        let characters = Array(expected.whole.unicodeScalars).map { String($0) }
        #expect(Self.split(characters, isOpen: true) == (expected.text, expected.reasoning))
        for cut in 0...characters.count {
            for second in cut...characters.count {
                let pieces = [
                    characters[..<cut].joined(), characters[cut..<second].joined(), characters[second...].joined(),
                ]
                let found = Self.split(pieces, isOpen: true)
                #expect(found == (expected.text, expected.reasoning), "cut at \(cut), \(second)")
            }
        }
    }

    /// Text is delivered as soon as it cannot be a tag.
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
        #expect(splitter.noteSeparateReasoning() == [TextBatch("<thi")])
        #expect(splitter.push("<think>x") == [TextBatch("<think>x")])
        // A server that separates them leaves no reasoning in the text.
        var open = ThinkTagSplitter(isOpen: true)
        #expect(open.push("<thi") == [])
        #expect(open.noteSeparateReasoning() == [TextBatch("<thi")])
        #expect(open.push("nk>x</think>") == [TextBatch("nk>x</think>")])
    }

    // MARK: Over attempts

    private static func spec(_ policy: AfterOutput) -> RequestSpec {
        var spec = EngineHarness.spec(retry: RetryPolicy(afterOutput: policy))
        spec.thinkTags = .open
        return spec
    }

    @Test func anAttemptThatBeginsAnewBeginsInside() {
        let world = EngineHarness()
        world.start(1, Self.spec(.restart))
        world.head()
        world.send(events: "t:because</thi", "t:nk>so")
        world.turnAndTake()
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        world.head()
        world.send(events: "t:since", "t:</think>", "t:thus", "[DONE]")
        world.turnAndTake()
        #expect(world.resets == 1)
        #expect(world.finish?.text == "thus")
        #expect(world.finish?.reasoning == "since")
    }

    @Test func anAttemptThatGoesOnIsInTheText() {
        let world = EngineHarness()
        world.start(1, Self.spec(.continue))
        world.head()
        world.send(events: "t:because</think>", "t:so it is, then")
        world.turnAndTake()
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        #expect(String(decoding: world.last.request.body, as: UTF8.self) == "so it is, then")
        world.head()
        world.send(events: "t: as it was", "[DONE]")
        world.turnAndTake()
        #expect(world.finish?.text == "so it is, then as it was")
        #expect(world.finish?.reasoning == "because")
    }

    /// Only reasoning has arrived: there is no text to continue.
    @Test func anAttemptThatIsCutInsideBeginsAnew() {
        let world = EngineHarness()
        world.start(1, Self.spec(.continue))
        world.head()
        world.send(events: "t:because")
        world.turnAndTake()
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        #expect(String(decoding: world.last.request.body, as: UTF8.self) == "anew")
        world.head()
        world.send(events: "t:since</think>thus", "[DONE]")
        world.turnAndTake()
        #expect(world.finish?.text == "thus")
        #expect(world.finish?.reasoning == "since")
    }

    @Test func theQuirkOfAProviderIsTheDefault() {
        var endpoint = EngineHarness.spec().endpoint
        endpoint.quirks.thinkTags = .open
        let chat = ChatRequest(model: "m", messages: [])
        #expect(RequestSpec(chat: chat, endpoint: endpoint).thinkTags == .open)
        #expect(RequestSpec(chat: chat, endpoint: endpoint, thinkTags: .off).thinkTags == .off)
    }
}
