// Bytes at the speed of the C library: find one, compare, copy, decode. Called by the framers of Wire; the String
// initialiser by everyone. Beside the JSON reader this is the one file of Wire that holds pointers, and each stays
// inside one expression. Why at all: framing 52 MB of 258-byte events takes 13 ms of CPU time on memchr, where a Swift
// loop that does no more than look at each byte for a line end takes 40 (release build, the same machine).

internal import CFrameMatch
internal import CSimdJSON
internal import Glibc

extension Span where Element == UInt8 {
    /// The place of the first `byte` at or after `start`.
    package func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        withUnsafeBufferPointer { buffer in
            guard start < buffer.count, let base = buffer.baseAddress else { return nil }
            guard let found = memchr(base + start, Int32(byte), buffer.count - start) else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// The first eight bytes, the first of them lowest; 0 where there are fewer.
    package var firstWord: UInt64 {
        guard count >= 8 else { return 0 }
        return withUnsafeBufferPointer {
            UInt64(littleEndian: UnsafeRawBufferPointer($0).loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        }
    }

    /// True when the bytes from `start` on begin with `text`.
    package func hasPrefix(_ text: StaticString, from start: Int = 0) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count - start >= length else { return false }
        return withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return length == 0 }
            return memcmp(base + start, text.utf8Start, length) == 0
        }
    }

    /// Where the JSON string that begins at `start` ends, its closing quote, and whether escapes stand in it. Nil where
    /// it has no end, or a control character stands in it (RFC 8259, section 7).
    package func endOfString(from start: Int) -> (quote: Int, hasEscapes: Bool)? {
        var hasEscapes = false
        let end = withUnsafeBufferPointer { cfm_string_end($0.baseAddress, $0.count, start, &hasEscapes) }
        return end < 0 ? nil : (end, hasEscapes)
    }

    /// The natural number that begins at `start`, written as JSON writes it, and where it ends. Of more than 18 digits,
    /// the most that cannot overflow, the rest is left over.
    package func natural(from start: Int) -> (value: Int64, end: Int)? {
        var value: Int64 = 0
        let end = withUnsafeBufferPointer { cfm_natural_end($0.baseAddress, $0.count, start, &value) }
        return end < 0 ? nil : (value, end)
    }

    /// Where the JSON number that begins at `start` ends (RFC 8259, section 6).
    package func endOfNumber(from start: Int) -> Int? {
        let end = withUnsafeBufferPointer { cfm_number_end($0.baseAddress, $0.count, start) }
        return end < 0 ? nil : end
    }

    /// Whether these bytes are UTF-8.
    package var isUTF8: Bool { withUnsafeBufferPointer { csj_is_utf8($0.baseAddress, $0.count) } }

    /// Whether none of these bytes is 0x80 or more.
    fileprivate var isASCII: Bool {
        withUnsafeBufferPointer { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            var seen: UInt64 = 0
            var index = 0
            while index + 8 <= bytes.count {
                seen |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                index += 8
                // A long text that is none says so soon.
                if index & 0xFF == 0, seen & 0x8080_8080_8080_8080 != 0 { return false }
            }
            while index < bytes.count {
                seen |= UInt64(bytes[index])
                index += 1
            }
            return seen & 0x8080_8080_8080_8080 == 0
        }
    }

    /// Shows what the JSON literal stands for that holds these bytes between its quotes (RFC 8259, section 7). False, and
    /// nothing is shown, where one of its escapes is none, or stands for half of a character beyond the first plane: that
    /// is left to the reader.
    package func withUnescaped(_ body: (Span<UInt8>) -> Void) -> Bool {
        // The buffer is the stack's where it is not large.
        withUnsafeBufferPointer { input in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: input.count) { output in
                guard let source = input.baseAddress, let target = output.baseAddress else { return true }
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
                    guard let scalar = input.escape(at: &read) else { return false }
                    // An escape takes more bytes than what it stands for.
                    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                        target[written] = byte
                        written += 1
                    }
                }
                body(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(output)[..<written]).span)
                return true
            }
        }
    }

    /// How many bytes from the first on are the same in `other`, which is as long.
    package func commonCount(with other: Span<UInt8>) -> Int {
        isSame(as: other) ? count : (0..<count).first { self[$0] != other[$0] } ?? count
    }

    private func isSame(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return withUnsafeBufferPointer { own in
            other.withUnsafeBufferPointer { other in
                guard let own = own.baseAddress, let other = other.baseAddress else { return true }
                return memcmp(own, other, count) == 0
            }
        }
    }

    /// True when these are exactly the UTF-8 bytes of `text`.
    package func equals(_ text: String) -> Bool {
        isSame(as: text.utf8.span)
    }
}

extension [UInt8] {
    /// Appends a copy of the bytes.
    package mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

extension String {
    /// The text of UTF-8 bytes, with U+FFFD for each maximal subpart that is none (WHATWG Encoding, "UTF-8 decode
    /// without BOM").
    package init(decoding bytes: Span<UInt8>) {
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

    /// The string whose JSON literal holds these bytes between its quotes. Nil as in ``Span/withUnescaped(_:)``.
    package init?(unescaping literal: Span<UInt8>) {
        var text = ""
        guard literal.withUnescaped({ text = String(decoding: $0) }) else { return nil }
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
