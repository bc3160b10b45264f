// How the frames of a stream are written around their payloads.

internal import Base

/// The bytes around the payload of a frame. Streams repeat them, so that the frames that follow one can be recognized by
/// their bytes. A class: a parser passes the same object for as long as the shape does not change.
package final class FrameShape: Sendable {
    /// The name of the SSE event; empty for the default ("message"), and for lines.
    package let name: String
    /// What comes before the payload: the lines before it, and the name of its field.
    package let before: [UInt8]
    /// What comes behind it: the end of its line, and the blank line.
    package let after: [UInt8]
    /// Maximum length of a line, in bytes. The parser rejects longer ones.
    package let limit: Int

    /// A shape with the given parts.
    package init(name: String = "", before: [UInt8] = [], after: [UInt8], limit: Int) {
        self.name = name
        self.before = before
        self.after = after
        self.limit = limit
    }

    /// The shape of a frame in a chunk.
    /// - Parameters:
    ///   - frame: where all of it is.
    ///   - payload: where its payload is: one line without its end.
    package convenience init(of frame: Range<Int>, payload: Range<Int>, in chunk: Span<UInt8>, name: String, limit: Int)
    {
        var (before, after): ([UInt8], [UInt8]) = ([], [])
        before.append(chunk.extracting(frame.lowerBound..<payload.lowerBound))
        after.append(chunk.extracting(payload.upperBound..<frame.upperBound))
        self.init(name: name, before: before, after: after, limit: limit)
    }

    /// Whether a frame has this shape: see ``init(of:payload:in:name:limit:)``.
    package func fits(_ frame: Range<Int>, payload: Range<Int>, in chunk: Span<UInt8>, name: String) -> Bool {
        let (before, after) = (before, after)
        return self.name == name && chunk.extracting(frame.lowerBound..<payload.lowerBound).equals(before.span)
            && chunk.extracting(payload.upperBound..<frame.upperBound).equals(after.span)
    }
}
