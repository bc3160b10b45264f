// What the two framers (SSEParser, NDJSONParser) have in common: how they fail, and where a frame lies.

/// Where the frame lies that a framer has just handed out, for whoever can read those behind it by their bytes.
public struct FramePlace: Sendable {
    /// The frame, with everything that is its own: lines before its payload, line ends, a blank line.
    public var frame: Range<Int>
    /// Its payload: all of one line but its end.
    public var payload: Range<Int>
    /// The bound on a line, in bytes. Those that pass it are the framer's to refuse.
    public var limit: Int

    /// A place of the given parts.
    public init(frame: Range<Int>, payload: Range<Int>, limit: Int) {
        self.frame = frame
        self.payload = payload
        self.limit = limit
    }
}

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
