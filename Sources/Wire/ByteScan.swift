// Bytes at the speed of the C library: find one, compare, copy, decode. Called by the framers of Wire; the String
// initialiser by everyone. Beside the JSON reader this is the one file of Wire that holds pointers, and each stays
// inside one expression. Why at all: framing 52 MB of 258-byte events takes 13 ms of CPU time on memchr, where a Swift
// loop that does no more than look at each byte for a line end takes 40 (release build, the same machine).

internal import CSimdJSON
internal import Glibc

extension Span where Element == UInt8 {
    /// The place of the first `byte` at or after `start`.
    internal func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        withUnsafeBufferPointer { buffer in
            guard start < buffer.count, let base = buffer.baseAddress else { return nil }
            guard let found = memchr(base + start, Int32(byte), buffer.count - start) else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// The first eight bytes, the first of them lowest; 0 where there are fewer.
    internal var firstWord: UInt64 {
        guard count >= 8 else { return 0 }
        return withUnsafeBufferPointer {
            UInt64(littleEndian: UnsafeRawBufferPointer($0).loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        }
    }

    /// True when the bytes from `start` on begin with `text`.
    internal func hasPrefix(_ text: StaticString, from start: Int = 0) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count - start >= length else { return false }
        return withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return length == 0 }
            return memcmp(base + start, text.utf8Start, length) == 0
        }
    }

    /// Where the JSON string that begins at `start` ends, its closing quote, and whether escapes stand in it. Nil where
    /// it has no end, or a control character stands in it (RFC 8259, section 7).
    internal func endOfString(from start: Int) -> (quote: Int, hasEscapes: Bool)? {
        withUnsafeBufferPointer { buffer in
            var index = start
            var hasEscapes = false
            while index < buffer.count {
                if index + 8 <= buffer.count {
                    let plain = UnsafeRawBufferPointer(buffer).loadUnaligned(fromByteOffset: index, as: UInt64.self)
                        .plainInString
                    index += plain
                    if plain == 8 { continue }
                }
                let byte = buffer[index]
                if byte == UInt8(ascii: "\"") { return (index, hasEscapes) }
                if byte < 0x20 { return nil }
                if byte == UInt8(ascii: "\\") {
                    hasEscapes = true
                    index += 1
                }
                index += 1
            }
            return nil
        }
    }

    /// The natural number that begins at `start`, written as JSON writes it, and where it ends. Of more than 18 digits,
    /// the most that cannot overflow, the rest is left over.
    internal func natural(from start: Int) -> (value: Int64, end: Int)? {
        withUnsafeBufferPointer { buffer in
            var value: Int64 = 0
            var end = start
            let limit = Swift.min(buffer.count, start + 18)
            while end < limit, buffer[end].isDigit {
                value = value &* 10 &+ Int64(buffer[end] &- 0x30)
                end += 1
            }
            return end == start + 1 || (end > start && buffer[start] != 0x30) ? (value, end) : nil
        }
    }

    /// Where the JSON number that begins at `start` ends (RFC 8259, section 6).
    internal func endOfNumber(from start: Int) -> Int? {
        withUnsafeBufferPointer { buffer in
            func digits(_ start: Int) -> Int {
                var end = start
                while end < buffer.count, buffer[end].isDigit { end += 1 }
                return end
            }
            func isOneOf(_ one: Unicode.Scalar, _ other: Unicode.Scalar, at place: Int) -> Bool {
                place < buffer.count && (buffer[place] == UInt8(ascii: one) || buffer[place] == UInt8(ascii: other))
            }
            let whole = isOneOf("-", "-", at: start) ? start + 1 : start
            var end = digits(whole)
            guard end == whole + 1 || (end > whole && buffer[whole] != 0x30) else { return nil }
            if isOneOf(".", ".", at: end) {
                let fraction = end + 1
                end = digits(fraction)
                guard end > fraction else { return nil }
            }
            guard isOneOf("e", "E", at: end) else { return end }
            let exponent = isOneOf("+", "-", at: end + 1) ? end + 2 : end + 1
            end = digits(exponent)
            return end > exponent ? end : nil
        }
    }

    /// True when the bytes at `place` are those of `range` in `frame`.
    internal func isSame(as frame: [UInt8], _ range: Range<Int>, at place: Int) -> Bool {
        guard place >= 0, range.count <= count - place else { return false }
        return withUnsafeBufferPointer { own in
            frame.withUnsafeBufferPointer { other in
                guard let own = own.baseAddress, let other = other.baseAddress else { return range.isEmpty }
                return memcmp(own + place, other + range.lowerBound, range.count) == 0
            }
        }
    }

    /// Whether these bytes are UTF-8.
    fileprivate var isUTF8: Bool { withUnsafeBufferPointer { csj_is_utf8($0.baseAddress, $0.count) } }

    /// Whether none of these bytes is 0x80 or more.
    fileprivate var isASCII: Bool {
        withUnsafeBufferPointer { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            var seen: UInt64 = 0
            var index = 0
            while index + 8 <= bytes.count {
                seen |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                index += 8
            }
            while index < bytes.count {
                seen |= UInt64(bytes[index])
                index += 1
            }
            return seen & 0x8080_8080_8080_8080 == 0
        }
    }

    /// True when these are exactly the UTF-8 bytes of `text`.
    internal func equals(_ text: String) -> Bool {
        let other = text.utf8.span
        guard count == other.count else { return false }
        return withUnsafeBufferPointer { own in
            other.withUnsafeBufferPointer { other in
                guard let own = own.baseAddress, let other = other.baseAddress else { return true }
                return memcmp(own, other, count) == 0
            }
        }
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { self >= 0x30 && self <= 0x39 }
}

extension UInt64 {
    /// How many of these eight bytes, as they lie in memory, come before the first that cannot stand for itself in a
    /// JSON string: a quote, a backslash, a control character.
    fileprivate var plainInString: Int {
        let word = UInt64(littleEndian: self)
        let ones: UInt64 = 0x0101_0101_0101_0101
        // A byte's top bit is set where the byte is less than the one that is taken from it. The borrow out of such a
        // byte spoils only those above it, and the lowest counts. Bytes of 0x80 and more are none of the three.
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let special = ((word &- ones &* 0x20) & ~word) | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
        return (special & (ones &* 0x80)).trailingZeroBitCount / 8
    }
}

extension [UInt8] {
    /// Appends a copy of the bytes.
    internal mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

extension String {
    /// The text of UTF-8 bytes, with U+FFFD for each maximal subpart that is none (WHATWG Encoding, "UTF-8 decode
    /// without BOM").
    public init(decoding bytes: Span<UInt8>) {
        // Asked first because String's own look at each byte costs twenty times what it costs simdjson. What a String
        // holds without a buffer costs it less than the question.
        let isLong = bytes.count > 15
        if isLong, bytes.isASCII {
            self = String(copying: UTF8Span(unchecked: bytes, isKnownASCII: true))
        } else if isLong, bytes.isUTF8 {
            self = String(copying: UTF8Span(unchecked: bytes))
        } else {
            self = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// The string whose JSON literal holds these bytes between its quotes (RFC 8259, section 7). Nil where one of the
    /// escapes is none, or stands for half of a character beyond the first plane: that is left to the reader.
    internal init?(unescaping bytes: Span<UInt8>) {
        // The buffer is the stack's where it is not large.
        let text: String? = bytes.withUnsafeBufferPointer { input in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: input.count) { output in
                guard let source = input.baseAddress, let target = output.baseAddress else { return "" }
                var read = 0
                var written = 0
                while read < input.count {
                    let rest = input.count - read
                    let found = memchr(source + read, Int32(UInt8(ascii: "\\")), rest)
                    let run = found.map { UnsafeRawPointer($0) - UnsafeRawPointer(source + read) } ?? rest
                    memcpy(target + written, source + read, run)
                    read += run + 1
                    written += run
                    guard found != nil else { break }
                    guard let scalar = input.escape(at: &read) else { return nil }
                    // An escape takes more bytes than what it stands for.
                    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                        target[written] = byte
                        written += 1
                    }
                }
                return String(decoding: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(output)[..<written]).span)
            }
        }
        guard let text else { return nil }
        self = text
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The character that the escape at `place`, behind its backslash, stands for; nil for a surrogate too.
    fileprivate func escape(at place: inout Int) -> Unicode.Scalar? {
        guard place < count else { return nil }
        let name = self[place]
        place += 1
        switch name {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(name)
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "u"):
            guard count - place >= 4 else { return nil }
            var code: UInt16 = 0
            for digit in self[place..<place + 4] {
                switch digit {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): code = code << 4 | UInt16(digit & 0x0F)
                case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                    code = code << 4 | UInt16(digit & 0x0F + 9)
                default: return nil
                }
            }
            place += 4
            return Unicode.Scalar(code)
        default: return nil
        }
    }
}
