// The byte range of a frame.

/// Where the frame lies that a framer has just handed out, for whoever can read those behind it by their bytes.
package struct FramePlace: Sendable {
    /// The frame, with everything that is its own: lines before its payload, line ends, a blank line.
    package var frame: Range<Int>
    /// Its payload: all of one line but its end.
    package var payload: Range<Int>
    /// The bound on a line, in bytes. Those that pass it are the framer's to refuse.
    package var limit: Int

    /// A place of the given parts.
    package init(frame: Range<Int>, payload: Range<Int>, limit: Int) {
        self.frame = frame
        self.payload = payload
        self.limit = limit
    }
}
