// A text that comes in pieces and is wanted whole in the end, if at all: a reply, a part of one. Kept by whoever gathers
// pieces. A piece costs no more than its bytes, and what came as a batch is not even copied: it is held beside the event
// that shows it, and all of it is put together once.

/// Text that grows at its end.
package struct TextBuilder: Sendable, Equatable {
    /// Bytes that are held together before a piece of the list is made of them.
    private static let chunk = 4096
    /// The shortest batch that is held as it came, in bytes: each costs an entry of the list.
    private static let shortestBatch = 256

    /// What is whole, each of it UTF-8 by itself.
    private var chunks: [[UInt8]] = []
    /// What comes behind it.
    private var tail: [UInt8] = []
    /// How many bytes that is in UTF-8.
    package private(set) var count = 0

    /// No text.
    package init() {}

    /// A text to begin with.
    package init(_ text: String) { append(text) }

    /// True without text.
    package var isEmpty: Bool { count == 0 }

    /// Adds a piece.
    package mutating func append(_ piece: String) {
        tail += piece.utf8
        count += piece.utf8.count
        if tail.count >= Self.chunk { close() }
    }

    /// Adds the pieces of a batch.
    package mutating func append(_ batch: TextBatch) {
        guard let bytes = batch.buffer else { return append(batch.text) }
        count += bytes.count
        guard bytes.count >= Self.shortestBatch else {
            tail += bytes
            if tail.count >= Self.chunk { close() }
            return
        }
        close()
        chunks.append(bytes)
    }

    private mutating func close() {
        guard !tail.isEmpty else { return }
        chunks.append(tail)
        tail = []
    }

    /// All of it.
    package var text: String {
        guard !chunks.isEmpty else { return String(decoding: tail.span) }
        var text = ""
        text.reserveCapacity(count)
        for chunk in chunks { text += String(decoding: chunk.span) }
        text += String(decoding: tail.span)
        return text
    }

    /// All of it, UTF-8.
    package var bytes: [UInt8] {
        guard !chunks.isEmpty else { return tail }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for chunk in chunks { bytes += chunk }
        bytes += tail
        return bytes
    }

    /// Takes bytes away from its end.
    package mutating func removeLast(_ dropped: Int) {
        var rest = bytes
        rest.removeLast(min(max(0, dropped), rest.count))
        self = TextBuilder()
        (tail, count) = (rest, rest.count)
    }

    /// How many bytes it has in common with the beginning of `other`.
    package func commonCount(with other: Span<UInt8>) -> Int {
        var common = 0
        for chunk in chunks + [tail] {
            let most = min(chunk.count, other.count - common)
            let same = chunk.span.extracting(first: most).commonCount(with: other.extracting(common..<common + most))
            common += same
            guard same == chunk.count else { break }
        }
        return common
    }
}
