// What the two framers (SSEParser, NDJSONParser) have in common: how they fail.

/// A frame grew past the bound its framer was given.
public struct FrameTooLong: Error, Sendable, Equatable, CustomStringConvertible {
    /// The bound, in bytes.
    public var limit: Int
    /// Where the line that passed it begins, in bytes from the start of the stream.
    public var position: Int

    /// A failure of the given parts.
    public init(limit: Int, position: Int) {
        self.limit = limit
        self.position = position
    }

    /// One English sentence, without the frame's content.
    public var description: String {
        "a frame is longer than \(limit) bytes (its last line begins at byte \(position) of the stream)"
    }
}

/// Why feeding a framer stopped. The stream is then at its end for this framer: the rest of the chunk is lost.
public enum FramingError<Consumer: Error>: Error {
    /// A frame grew past the bound.
    case tooLong(FrameTooLong)
    /// The closure that takes the frames threw.
    case consumer(Consumer)
}

extension FramingError: Sendable where Consumer: Sendable {}
extension FramingError: Equatable where Consumer: Equatable {}

extension [UInt8] {
    /// Empties a framer's buffer. Storage of any size worth mentioning goes too: thousands of framers sit idle.
    internal mutating func drain() { removeAll(keepingCapacity: capacity <= 512) }
}
