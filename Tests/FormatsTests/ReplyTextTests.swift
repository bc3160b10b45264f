// The text of a reply by block, for a reader that has all of it, a part, or something else.

import Base
import Testing

@testable import Formats

@Suite struct ReplyTextTests {
    /// "hm " and "one " in block 0, "so" in block 1, "two" in block 2.
    private static let blocks: TextBlocks = {
        var blocks = TextBlocks()
        blocks.add(TextBatch("hm ", .reasoning))
        blocks.add(TextBatch("one "))
        blocks.begin(1)
        blocks.add(TextBatch("so", .reasoning))
        blocks.begin(2)
        blocks.add(TextBatch(pieces: ["t", "wo"]))
        return blocks
    }()

    @Test func allOfIt() throws {
        let reply = Self.blocks.reply(text: "one two", reasoning: "hm so")
        #expect(reply.isWhole(.text) && reply.isWhole(.reasoning) && reply.hasBlocks)
        #expect((0...3).map { reply.block($0)?.text } == ["one hm ", "so", "two", ""])
        #expect((0...3).allSatisfy { reply.block($0)?.isWhole == true })
    }

    @Test func aPart() {
        let reply = Self.blocks.reply(text: "one t", reasoning: "", textCut: 2, reasoningCut: 5)
        #expect(!reply.isWhole(.text) && !reply.isWhole(.reasoning) && reply.hasBlocks)
        #expect((0...3).map { reply.block($0)?.text } == ["one ", "", "t", ""])
        #expect((0...3).map { reply.block($0)?.isWhole } == [false, false, false, true])
    }

    /// Reasoning was cut out of the text, or an earlier attempt began it.
    @Test(arguments: [("one", "hm so"), ("zero one two", "hm so"), ("one two", "hm so one")])
    func anotherText(text: String, reasoning: String) {
        let reply = Self.blocks.reply(text: text, reasoning: reasoning)
        #expect(!reply.hasBlocks && reply.block(0) == nil)
        #expect(reply.text == text && reply.reasoning == reasoning)
    }

    /// A block that goes on after another has its pieces joined.
    @Test func aBlockInTwoParts() {
        var blocks = TextBlocks()
        for (block, text) in [(1, "a"), (0, "b"), (1, "月"), (1, "c")] {
            blocks.begin(block)
            blocks.add(TextBatch(text))
        }
        let reply = blocks.reply(text: "ab月c", reasoning: "")
        #expect(reply.block(1)?.text == "a月c")
        #expect(reply.block(0)?.text == "b")
    }
}
