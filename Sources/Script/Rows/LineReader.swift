// Reads the lines of a file in blocks.

internal import Glibc

/// The lines of an open file, from its beginning.
struct LineReader {
    /// One line, without its line feed.
    struct Line {
        var bytes: [UInt8]
        /// From 1.
        var number: Int
        /// Where it begins in the file, in bytes.
        var offset: Int
        /// Whether a line feed ends it. Only the last line may have none.
        var isTerminated: Bool

        /// Whether it has nothing but white space.
        var isBlank: Bool { bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
    }

    private static let blockSize = 64 << 10
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private let file: Int32
    private var block = [UInt8](repeating: 0, count: Self.blockSize)
    private var buffer: [UInt8] = []
    /// The first byte that belongs to no line yet, and the first that was not searched for a line feed.
    private var start = 0
    private var searched = 0
    private var number = 0
    private var offset = 0
    private var isAtEnd = false

    /// A reader of the file with that descriptor, which stays the caller's.
    init(_ file: Int32) { self.file = file }

    /// The next line; nil at the end.
    mutating func next() throws(WholeFile.Problem) -> Line? {
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) { return line(upTo: end, isTerminated: true) }
            searched = buffer.count
            if isAtEnd { return start < buffer.count ? line(upTo: buffer.count, isTerminated: false) : nil }
            try fill()
        }
    }

    private mutating func line(upTo end: Int, isTerminated: Bool) -> Line {
        number += 1
        var bytes = buffer[start..<end]
        if number == 1, bytes.starts(with: Self.byteOrderMark) { bytes = bytes.dropFirst(Self.byteOrderMark.count) }
        let line = Line(bytes: Array(bytes), number: number, offset: offset, isTerminated: isTerminated)
        let next = isTerminated ? end + 1 : end
        offset += next - start
        (start, searched) = (next, next)
        return line
    }

    private mutating func fill() throws(WholeFile.Problem) {
        buffer.removeFirst(start)
        (start, searched) = (0, buffer.count)
        while true {
            let count = read(file, &block, block.count)
            if count > 0 { return buffer += block[..<count] }
            isAtEnd = count == 0
            if isAtEnd { return }
            guard errno == EINTR else { throw .last }
        }
    }
}
