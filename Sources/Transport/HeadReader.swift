// Collects header lines of a response into its final head.

internal import Base
internal import HTTP

/// Reads header lines as curl delivers them: one a call, with its line end.
struct HeadReader {
    /// Result of a line.
    enum Step {
        case more
        case finished(HTTPResponseHead)
        case tooLarge
    }

    /// Limit of all blocks and trailers together, in bytes.
    let limit: Int
    /// Whether a status line arrived.
    private(set) var sawStatusLine = false
    /// Whether the final block ended.
    private(set) var isFinished = false
    private var bytes = 0
    private var head = HTTPResponseHead(status: 0)
    private var lines: [(name: String, value: String)] = []

    init(limit: Int) { self.limit = limit }

    /// Reads one line. Lines after the final block are trailers: counted and dropped.
    mutating func take(_ line: Span<UInt8>) -> Step {
        bytes += line.count
        guard bytes <= limit else { return .tooLarge }
        guard !isFinished else { return .more }
        let content = Self.trimmed(line, 0..<line.count)
        if line.hasPrefix("HTTP/") {
            // A block begins; the interim (1xx) block before it is dropped.
            beginBlock(line, content)
            return .more
        }
        if content.isEmpty { return endBlock() }
        if line[0] == 0x20 || line[0] == 0x09 {
            // An obsolete folded line continues the field before it (RFC 9112 section 5.2).
            if let last = lines.indices.last { lines[last].value += " " + Self.text(line, content) }
            return .more
        }
        if let colon = content.first(where: { line[$0] == 0x3A }) {
            let name = Self.text(line, Self.trimmed(line, content.lowerBound..<colon))
            let value = Self.text(line, Self.trimmed(line, colon + 1..<content.upperBound))
            lines.append((name, value))
        }
        return .more
    }

    private mutating func beginBlock(_ line: Span<UInt8>, _ content: Range<Int>) {
        sawStatusLine = true
        lines.removeAll(keepingCapacity: true)
        let space = content.first { line[$0] == 0x20 } ?? content.upperBound
        let version = Self.text(line, 5..<max(5, space))
        var status = 0
        for index in min(space + 1, content.upperBound)..<content.upperBound {
            guard (0x30...0x39).contains(line[index]), status < 1000 else { break }
            status = status * 10 + Int(line[index] - 0x30)
        }
        head = HTTPResponseHead(status: status, version: version)
    }

    private mutating func endBlock() -> Step {
        // 101 is final: no request here asks for an upgrade.
        guard head.status >= 200 || head.status == 101 else { return .more }
        isFinished = true
        for line in lines { head.headers.add(line.name, line.value) }
        lines = []
        return .finished(head)
    }

    private static func trimmed(_ line: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isSpace(line[start]) { start += 1 }
        while end > start, isSpace(line[end - 1]) { end -= 1 }
        return start..<end
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
    }

    private static func text(_ line: Span<UInt8>, _ range: Range<Int>) -> String {
        String(decoding: line.extracting(range))
    }
}
