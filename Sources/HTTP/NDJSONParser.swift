// Divides a stream of bytes into lines of newline-delimited JSON. Does not parse the JSON.

internal import Base

/// An incremental parser of newline-delimited JSON (https://github.com/ndjson/ndjson-spec): lines end in LF or CR LF.
/// Lines of only white space are skipped.
package struct NDJSONParser: Sendable {
    private let limit: Int
    /// Shapes of lines that end in LF and in CR LF.
    private let shape: FrameShape
    private let returnShape: FrameShape
    /// Bytes of earlier chunks.
    private var offset = 0
    /// The beginning of a line whose end has not been received.
    private var partialLine: [UInt8] = []

    /// A parser at the start of a stream.
    /// - Parameter maxLineBytes: maximum length of a line, in bytes.
    package init(maxLineBytes: Int = 16 * 1024 * 1024) {
        limit = maxLineBytes
        shape = FrameShape(after: [0x0A], limit: limit)
        returnShape = FrameShape(after: [0x0D, 0x0A], limit: limit)
    }

    /// Reads the next chunk, which may begin and end anywhere, and emits each completed line in order.
    /// - Parameter fastForward: called after each line with the chunk, the start of the next line and the shape of
    ///   lines. It may consume lines of that shape from there on. Returns the end of the last line consumed, or the
    ///   start it was given if there is none.
    /// - Throws: `FramingError.tooLong` for a line longer than the limit; `FramingError.consumer` with the error that
    ///   `emit` threw.
    package mutating func feed<E: Error>(
        _ bytes: Span<UInt8>, _ emit: (Span<UInt8>) throws(E) -> Void,
        fastForward: (Span<UInt8>, Int, FrameShape) -> Int = { _, start, _ in start }
    ) throws(FramingError<E>) {
        var start = 0
        while let end = bytes.firstIndex(of: 0x0A, from: start) {
            if let excess = excess(end - start, at: start) { throw .tooLong(excess) }
            if partialLine.isEmpty {
                try Self.emitLine(bytes.extracting(start..<end), emit)
            } else {
                partialLine.append(bytes.extracting(start..<end))
                try finish(emit)
            }
            let hasReturn = end > 0 && bytes[end - 1] == 0x0D
            start = end + 1
            if start < bytes.count { start = fastForward(bytes, start, hasReturn ? returnShape : shape) }
        }
        if let excess = excess(bytes.count - start, at: start) { throw .tooLong(excess) }
        if start < bytes.count { partialLine.append(bytes.extracting(start..<bytes.count)) }
        offset += bytes.count
    }

    /// Emits the last line of a stream that ended without LF. Call it only at the end of a complete body: a truncated
    /// body ends inside a JSON value.
    /// - Throws: `FramingError.consumer` with the error that `emit` threw.
    package mutating func finish<E: Error>(_ emit: (Span<UInt8>) throws(E) -> Void) throws(FramingError<E>) {
        var held: [UInt8] = []
        swap(&held, &partialLine)
        try Self.emitLine(held.span, emit)
        held.drain()
        swap(&held, &partialLine)
    }

    private static func emitLine<E: Error>(
        _ line: Span<UInt8>, _ emit: (Span<UInt8>) throws(E) -> Void
    ) throws(FramingError<E>) {
        var end = line.count
        while end > 0, line[end - 1] == 0x0D || line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        guard end > 0 else { return }
        do throws(E) { try emit(line.extracting(0..<end)) } catch { throw .consumer(error) }
    }

    /// The error for a line longer than the limit; nil if it fits.
    private func excess(_ length: Int, at place: Int) -> FrameTooLong? {
        let length = partialLine.count + length
        return length > limit ? FrameTooLong(limit: limit, position: offset + place - partialLine.count) : nil
    }
}
