// The bytes of a frame around its payload.

internal import Base

/// The bytes around the payload of a frame. They are the same for most frames of a stream, so later frames can be
/// recognized by comparing bytes. A class, so that shapes are compared by identity: a parser passes the same object
/// until the shape changes.
package final class FrameShape: Sendable {
    /// The name of the SSE event; empty for the default ("message") and for NDJSON lines.
    package let name: String
    /// Bytes before the payload: earlier lines of the frame and the field name.
    package let before: [UInt8]
    /// Bytes after the payload: the line end and the blank line.
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
    ///   - frame: range of the frame.
    ///   - payload: range of its payload, which is one line without its line end.
    package convenience init(of frame: Range<Int>, payload: Range<Int>, in chunk: Span<UInt8>, name: String, limit: Int)
    {
        var (before, after): ([UInt8], [UInt8]) = ([], [])
        before.append(chunk.extracting(frame.lowerBound..<payload.lowerBound))
        after.append(chunk.extracting(payload.upperBound..<frame.upperBound))
        self.init(name: name, before: before, after: after, limit: limit)
    }

    /// Whether a frame has this shape. For the parameters see ``init(of:payload:in:name:limit:)``.
    package func fits(_ frame: Range<Int>, payload: Range<Int>, in chunk: Span<UInt8>, name: String) -> Bool {
        let (before, after) = (before, after)
        return self.name == name && chunk.extracting(frame.lowerBound..<payload.lowerBound).equals(before.span)
            && chunk.extracting(payload.upperBound..<frame.upperBound).equals(after.span)
    }
}
