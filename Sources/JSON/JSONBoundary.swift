// Finds the end of a JSON text that arrives in pieces. Tracks only brackets and strings.

/// The end of a JSON object or array whose text arrives in pieces. Each byte is scanned once.
package struct JSONBoundary: Sendable, Equatable {
    private var depth = 0
    private var inString = false
    private var isEscaped = false
    private var hasClosed = false
    private var hasMore = false
    /// The last byte outside strings that is not white space; 0 before the first.
    private var last: UInt8 = 0

    /// A scan before the first byte.
    package init() {}

    /// The state after a complete text.
    package init(_ text: some Sequence<UInt8>) {
        append(text)
    }

    /// Scans the next bytes.
    package mutating func append(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if inString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            let hasEnded = hasClosed && depth == 0
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            // A quote outside brackets does not begin a string.
            case UInt8(ascii: "\""): inString = depth > 0
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth = max(0, depth - 1)
                if depth == 0 { hasClosed = true }
            default: break
            }
            if hasEnded { hasMore = true }
            last = byte
        }
    }

    /// True while only white space has arrived.
    package var isBlank: Bool { last == 0 }

    /// True inside an object or array: a text that ends here is truncated.
    package var isInside: Bool { depth > 0 }

    /// True once an object or array has ended.
    package var isWhole: Bool { hasClosed && depth == 0 }

    /// True if exactly one object or array has arrived, followed at most by white space.
    package var isExact: Bool { isWhole && !hasMore }

    /// Whether an object may begin here: inside a string, before any other byte, or at the position of a value.
    package var mayBeginObject: Bool {
        if inString || last == 0 { return true }
        return depth > 0 && [UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: ",")].contains(last)
    }
}
