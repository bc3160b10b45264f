// Errors that the stream parsers share.

/// A frame is longer than the parser's limit.
package struct FrameTooLong: Error, Sendable, Equatable, CustomStringConvertible {
    /// The limit, in bytes.
    package var limit: Int
    /// Start of the line, or of the array element, that exceeds the limit, in bytes from the start of the stream.
    package var position: Int

    /// An error with the given parts.
    package init(limit: Int, position: Int) {
        self.limit = limit
        self.position = position
    }

    /// One sentence, without any content of the frame.
    package var description: String {
        "a frame is longer than \(limit) bytes (its last line begins at byte \(position) of the stream)"
    }
}

/// Why a parser stopped. The rest of the chunk is discarded.
package enum FramingError<Consumer: Error>: Error {
    /// A frame exceeded the limit.
    case tooLong(FrameTooLong)
    /// The closure that receives the frames threw.
    case consumer(Consumer)
}

extension FramingError: Sendable where Consumer: Sendable {}
extension FramingError: Equatable where Consumer: Equatable {}

extension [UInt8] {
    /// Empties a parser's buffer, and frees storage above 512 bytes: thousands of parsers are idle at once.
    package mutating func drain() { removeAll(keepingCapacity: capacity <= 512) }
}
