// What the two framers (SSEParser, NDJSONParser) have in common: how they fail, and where a frame lies.

/// A frame grew past the bound its framer was given.
package struct FrameTooLong: Error, Sendable, Equatable, CustomStringConvertible {
    /// The bound, in bytes.
    package var limit: Int
    /// Where the line that passed it begins, in bytes from the start of the stream.
    package var position: Int

    /// A failure of the given parts.
    package init(limit: Int, position: Int) {
        self.limit = limit
        self.position = position
    }

    /// One English sentence, without the frame's content.
    package var description: String {
        "a frame is longer than \(limit) bytes (its last line begins at byte \(position) of the stream)"
    }
}

/// Why feeding a framer stopped. The stream is then at its end for this framer: the rest of the chunk is lost.
package enum FramingError<Consumer: Error>: Error {
    /// A frame grew past the bound.
    case tooLong(FrameTooLong)
    /// The closure that takes the frames threw.
    case consumer(Consumer)
}

extension FramingError: Sendable where Consumer: Sendable {}
extension FramingError: Equatable where Consumer: Equatable {}

extension [UInt8] {
    /// Empties a framer's buffer. Storage of any size worth mentioning goes too: thousands of framers sit idle.
    package mutating func drain() { removeAll(keepingCapacity: capacity <= 512) }
}
