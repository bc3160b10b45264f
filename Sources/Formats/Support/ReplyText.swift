// The text of a reply by block. Decoders keep no text: the engine does, and hands it back for the assistant message.

package import Base

/// The text and the reasoning of a reply as its reader has them.
package struct ReplyText: Sendable {
    /// The text of one block.
    package struct Block: Sendable {
        /// The text that the reader has.
        package fileprivate(set) var text = ""
        /// Whether that is all that arrived.
        package fileprivate(set) var isWhole = true
    }

    /// The text.
    package let text: String
    /// The reasoning.
    package let reasoning: String
    /// By the decoder's numbers; nil where the reader's text is not what the decoder emitted (reasoning cut out of the
    /// text, several attempts).
    private let blocks: [Int: Block]?
    private let wholeKinds: Set<TextBatch.Kind>

    fileprivate init(text: String, reasoning: String, blocks: [Int: Block]?, wholeKinds: Set<TextBatch.Kind>) {
        self.text = text
        self.reasoning = reasoning
        self.blocks = blocks
        self.wholeKinds = wholeKinds
    }

    /// Whether the blocks are known.
    package var hasBlocks: Bool { blocks != nil }

    /// The text of a block; empty for one without text, nil where the blocks are not known.
    package func block(_ number: Int) -> Block? { blocks.map { $0[number] ?? Block() } }

    /// Whether the reader has all text of that kind that the decoder emitted, and no other.
    package func isWhole(_ kind: TextBatch.Kind) -> Bool { wholeKinds.contains(kind) }
}

/// Which block each byte of a reply's text belongs to.
package struct TextBlocks: Sendable {
    /// Text of one kind: how much the decoder emitted, and where each block begins.
    private struct Track: Sendable {
        var count = 0
        var starts: [(block: Int, start: Int)] = []

        mutating func add(_ length: Int, to block: Int) {
            if starts.last?.block != block { starts.append((block, count)) }
            count += length
        }

        /// Adds what each block has of `text`.
        func split(_ text: String, into blocks: inout [Int: ReplyText.Block]) {
            let bytes = text.utf8
            for (index, (block, start)) in starts.enumerated() {
                let end = index + 1 < starts.count ? starts[index + 1].start : count
                let range = min(start, bytes.count)..<min(end, bytes.count)
                // One that is all of the text shares its String.
                let piece =
                    range.count == bytes.count
                    ? text
                    : String(
                        text[
                            bytes.index(
                                bytes.startIndex, offsetBy: range.lowerBound)..<bytes.index(
                                    bytes.startIndex, offsetBy: range.upperBound)])
                blocks[block, default: ReplyText.Block()].text += piece
                if end > bytes.count { blocks[block]?.isWhole = false }
            }
        }
    }

    private var text = Track()
    private var reasoning = Track()
    private var block = 0

    /// No text.
    package init() {}

    /// The text that follows belongs to that block.
    package mutating func begin(_ block: Int) { self.block = block }

    /// Adds text that the decoder emitted.
    package mutating func add(_ batch: TextBatch) {
        switch batch.kind {
        case .text: text.add(batch.utf8Count, to: block)
        case .reasoning: reasoning.add(batch.utf8Count, to: block)
        }
    }

    /// The reply's text by block.
    /// - Parameters:
    ///   - text: what the reader has.
    ///   - textCut: how many bytes at its end the reader does not have.
    package func reply(
        text: String, reasoning: String, textCut: Int = 0, reasoningCut: Int = 0
    ) -> ReplyText {
        let isText = text.utf8.count + textCut == self.text.count
        let isReasoning = reasoning.utf8.count + reasoningCut == self.reasoning.count
        var wholeKinds: Set<TextBatch.Kind> = []
        if isText, textCut == 0 { wholeKinds.insert(.text) }
        if isReasoning, reasoningCut == 0 { wholeKinds.insert(.reasoning) }
        guard isText, isReasoning else {
            return ReplyText(text: text, reasoning: reasoning, blocks: nil, wholeKinds: wholeKinds)
        }
        var blocks: [Int: ReplyText.Block] = [:]
        self.text.split(text, into: &blocks)
        self.reasoning.split(reasoning, into: &blocks)
        return ReplyText(text: text, reasoning: reasoning, blocks: blocks, wholeKinds: wholeKinds)
    }
}
