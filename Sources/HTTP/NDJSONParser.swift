// Cuts a stream of bytes into lines that hold one JSON value each. The engine feeds it what the transport brings and
// hands the lines to a dialect. It does not look at the JSON.

internal import Base

/// An incremental parser of newline-delimited JSON (https://github.com/ndjson/ndjson-spec): lines end in LF or CR LF,
/// and lines of nothing but white space do not count.
package struct NDJSONParser: Sendable {
    private let limit: Int
    /// Lines that end in LF, and those that end in CR LF.
    private let shape: FrameShape
    private let returnShape: FrameShape
    /// Bytes fed before the present chunk.
    private var offset = 0
    /// The beginning of a line whose end has not come.
    private var tail: [UInt8] = []

    /// A parser at the start of a stream.
    /// - Parameter maxLineBytes: the bound on a line, in bytes.
    package init(maxLineBytes: Int = 16 * 1024 * 1024) {
        limit = maxLineBytes
        shape = FrameShape(after: [0x0A], limit: limit)
        returnShape = FrameShape(after: [0x0D, 0x0A], limit: limit)
    }

    /// Takes the next bytes of the stream, cut anywhere, and hands out each line they complete, in order.
    /// - Parameter fastForward: called behind a line with the chunk, the place where the next line begins, and the shape of
    ///   lines. May read the lines from there on that have the shape. Returns the end of the last one that it has read; the
    ///   place itself for none.
    /// - Throws: `FramingError.tooLong` past the bound; `FramingError.consumer` with what `emit` threw.
    package mutating func feed<E: Error>(
        _ bytes: Span<UInt8>, _ emit: (Span<UInt8>) throws(E) -> Void,
        fastForward: (Span<UInt8>, Int, FrameShape) -> Int = { _, start, _ in start }
    ) throws(FramingError<E>) {
        var start = 0
        while let end = bytes.firstIndex(of: 0x0A, from: start) {
            if let excess = excess(end - start, at: start) { throw .tooLong(excess) }
            if tail.isEmpty {
                try Self.hand(bytes.extracting(start..<end), emit)
            } else {
                tail.append(bytes.extracting(start..<end))
                try finish(emit)
            }
            let hasReturn = end > 0 && bytes[end - 1] == 0x0D
            start = end + 1
            if start < bytes.count { start = fastForward(bytes, start, hasReturn ? returnShape : shape) }
        }
        if let excess = excess(bytes.count - start, at: start) { throw .tooLong(excess) }
        if start < bytes.count { tail.append(bytes.extracting(start..<bytes.count)) }
        offset += bytes.count
    }

    /// Hands out the last line of a stream that ended without its LF. For the end of a complete body alone: a body that
    /// was cut ends in half a value.
    /// - Throws: `FramingError.consumer` with what `emit` threw.
    package mutating func finish<E: Error>(_ emit: (Span<UInt8>) throws(E) -> Void) throws(FramingError<E>) {
        var held: [UInt8] = []
        swap(&held, &tail)
        try Self.hand(held.span, emit)
        held.drain()
        swap(&held, &tail)
    }

    private static func hand<E: Error>(
        _ line: Span<UInt8>, _ emit: (Span<UInt8>) throws(E) -> Void
    ) throws(FramingError<E>) {
        var end = line.count
        while end > 0, line[end - 1] == 0x0D || line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        guard end > 0 else { return }
        do throws(E) { try emit(line.extracting(0..<end)) } catch { throw .consumer(error) }
    }

    /// How a line passes the bound, if it does.
    private func excess(_ length: Int, at place: Int) -> FrameTooLong? {
        let length = tail.count + length
        return length > limit ? FrameTooLong(limit: limit, position: offset + place - tail.count) : nil
    }
}
