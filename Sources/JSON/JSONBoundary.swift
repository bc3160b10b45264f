// Where a JSON text that comes in pieces ends: a scan of brackets and strings, which checks nothing else.

/// The end of a JSON object or array whose text comes in pieces. Each byte is scanned once.
package struct JSONBoundary: Sendable, Equatable {
    private var depth = 0
    private var inString = false
    private var isEscaped = false
    private var hasClosed = false
    private var hasMore = false
    /// The last byte outside of strings that is no white space; 0 before the first.
    private var last: UInt8 = 0

    /// Nothing has come.
    package init() {}

    /// The state behind a whole text.
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
            // A quote outside of brackets is no string's beginning: it stands in prose.
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

    /// True while nothing but white space has come.
    package var isBlank: Bool { last == 0 }

    /// True inside an object or array: a text that ends here is cut.
    package var isInside: Bool { depth > 0 }

    /// True once an object or array has ended.
    package var isWhole: Bool { hasClosed && depth == 0 }

    /// True if exactly one object or array has come, and nothing but white space behind it.
    package var isExact: Bool { isWhole && !hasMore }

    /// Whether an object may begin at this place: inside a string, before anything else, or where a value stands.
    package var mayBeginObject: Bool {
        if inString || last == 0 { return true }
        return depth > 0 && [UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: ",")].contains(last)
    }
}
