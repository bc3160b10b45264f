// Accumulates text that arrives in pieces and is needed whole at most once, at the end. A piece costs only its bytes.
// Large batches are not copied: they share their buffer with the event that delivers them. The text is joined when it
// is read.

/// Text that grows at its end.
package struct TextBuilder: Sendable, Equatable {
    /// Minimum bytes that are collected before they become a chunk of the list.
    private static let chunk = 4096
    /// Minimum bytes of a batch that is held without a copy: each one costs an entry of the list.
    private static let shortestBatch = 256

    /// Finished chunks, each of them valid UTF-8 by itself.
    private var chunks: [[UInt8]] = []
    /// The bytes after the last chunk.
    private var tail: [UInt8] = []
    /// Length of the text in UTF-8 bytes.
    package private(set) var count = 0

    /// No text.
    package init() {}

    /// A builder that begins with a text.
    package init(_ text: String) { append(text) }

    /// True without text.
    package var isEmpty: Bool { count == 0 }

    /// Adds a piece.
    package mutating func append(_ piece: String) {
        tail.append(piece.utf8.span)
        count += piece.utf8.count
        if tail.count >= Self.chunk { close() }
    }

    /// Adds the pieces of a batch.
    package mutating func append(_ batch: TextBatch) {
        let added = batch.utf8Count
        count += added
        if added >= Self.shortestBatch, let bytes = batch.buffer {
            close()
            chunks.append(bytes)
        } else {
            batch.append(to: &tail)
            if tail.count >= Self.chunk { close() }
        }
    }

    private mutating func close() {
        guard !tail.isEmpty else { return }
        chunks.append(tail)
        tail = []
    }

    /// The whole text.
    package var text: String {
        guard !chunks.isEmpty else { return String(decoding: tail.span) }
        var text = ""
        text.reserveCapacity(count)
        for chunk in chunks { text += String(decoding: chunk.span) }
        text += String(decoding: tail.span)
        return text
    }

    /// The whole text in UTF-8.
    package var bytes: [UInt8] {
        guard !chunks.isEmpty else { return tail }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for chunk in chunks { bytes += chunk }
        bytes += tail
        return bytes
    }

    /// Removes bytes from the end.
    package mutating func removeLast(_ dropped: Int) {
        var rest = bytes
        rest.removeLast(min(max(0, dropped), rest.count))
        self = TextBuilder()
        (tail, count) = (rest, rest.count)
    }

    /// Number of bytes at the beginning that are equal to those of `other`.
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
