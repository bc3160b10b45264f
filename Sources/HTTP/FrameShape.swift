// The byte range of a frame.

/// Byte range of the frame just emitted, so that a decoder can fast-forward over similar frames.
package struct FramePlace: Sendable {
    /// The whole frame: lines before the payload, line ends, the blank line.
    package var frame: Range<Int>
    /// The payload: one line without its end.
    package var payload: Range<Int>
    /// Maximum length of a line, in bytes. The framer rejects longer ones.
    package var limit: Int

    /// A place with the given parts.
    package init(frame: Range<Int>, payload: Range<Int>, limit: Int) {
        self.frame = frame
        self.payload = payload
        self.limit = limit
    }
}
