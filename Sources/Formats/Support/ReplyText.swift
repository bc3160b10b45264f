// The text of a reply by block. Decoders hold no text; the engine holds it, and passes it to the decoder for the
// assistant message.

package import Base

/// The text and the reasoning of a reply as delivered to its reader.
package struct ReplyText: Sendable {
    /// The text of one block.
    package struct Block: Sendable {
        /// The text delivered.
        package fileprivate(set) var text = ""
        /// Whether that is all text received for the block.
        package fileprivate(set) var isWhole = true
    }

    /// The text.
    package let text: String
    /// The reasoning.
    package let reasoning: String
    /// The blocks by the decoder's numbers. Nil if the delivered text is not what the decoder emitted (reasoning
    /// separated from the text, several attempts).
    private let blocks: Blocks?
    private let wholeKinds: [TextBatch.Kind]

    /// Most replies have one block, which needs no dictionary.
    fileprivate enum Blocks: Sendable {
        case one(Int, Block)
        case any([Int: Block])

        subscript(number: Int) -> Block {
            switch self {
            case .one(number, let block): block
            case .one: Block()
            case .any(let blocks): blocks[number] ?? Block()
            }
        }
    }

    fileprivate init(text: String, reasoning: String, blocks: Blocks?, wholeKinds: [TextBatch.Kind]) {
        self.text = text
        self.reasoning = reasoning
        self.blocks = blocks
        self.wholeKinds = wholeKinds
    }

    /// Whether the blocks are known.
    package var hasBlocks: Bool { blocks != nil }

    /// The text of a block: empty for a block without text, nil if the blocks are not known.
    package func block(_ number: Int) -> Block? { blocks?[number] }

    /// Whether the delivered text of that kind is exactly what the decoder emitted.
    package func isWhole(_ kind: TextBatch.Kind) -> Bool { wholeKinds.contains(kind) }
}

/// Records which block each byte of a reply's text belongs to.
package struct TextBlocks: Sendable {
    /// Text of one kind: the number of bytes emitted, and the start of each block.
    private struct Track: Sendable {
        var count = 0
        var starts: [(block: Int, start: Int)] = []

        mutating func add(_ length: Int, to block: Int) {
            if starts.last?.block != block { starts.append((block, count)) }
            count += length
        }

        /// The block that has all of `text`; nil if there are several, or none.
        func onlyBlock(_ text: String) -> (Int, ReplyText.Block)? {
            guard starts.count == 1 else { return nil }
            return (starts[0].block, ReplyText.Block(text: text, isWhole: count <= text.utf8.count))
        }

        /// Adds to each block its part of `text`.
        func split(_ text: String, into blocks: inout [Int: ReplyText.Block]) {
            let bytes = text.utf8
            for (index, (block, start)) in starts.enumerated() {
                let end = index + 1 < starts.count ? starts[index + 1].start : count
                let range = min(start, bytes.count)..<min(end, bytes.count)
                // A block that is all of the text shares its String.
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
    ///   - text: the text delivered.
    ///   - reasoning: the reasoning delivered.
    ///   - textCut: bytes at the end of the text that were not delivered.
    ///   - reasoningCut: the same for the reasoning.
    package func reply(
        text: String, reasoning: String, textCut: Int = 0, reasoningCut: Int = 0
    ) -> ReplyText {
        let isText = text.utf8.count + textCut == self.text.count
        let isReasoning = reasoning.utf8.count + reasoningCut == self.reasoning.count
        var wholeKinds: [TextBatch.Kind] = []
        if isText, textCut == 0 { wholeKinds.append(.text) }
        if isReasoning, reasoningCut == 0 { wholeKinds.append(.reasoning) }
        guard isText, isReasoning else {
            return ReplyText(text: text, reasoning: reasoning, blocks: nil, wholeKinds: wholeKinds)
        }
        return ReplyText(
            text: text, reasoning: reasoning, blocks: split(text, reasoning), wholeKinds: wholeKinds)
    }

    private func split(_ text: String, _ reasoning: String) -> ReplyText.Blocks {
        if let (number, block) = self.text.onlyBlock(text), self.reasoning.starts.isEmpty { return .one(number, block) }
        if let (number, block) = self.reasoning.onlyBlock(reasoning), self.text.starts.isEmpty {
            return .one(number, block)
        }
        var blocks: [Int: ReplyText.Block] = [:]
        self.text.split(text, into: &blocks)
        self.reasoning.split(reasoning, into: &blocks)
        return .any(blocks)
    }
}
