// Scanning and decoding of bytes through the C library. Pointers stay inside single expressions. Framing 52 MB of
// 258-byte events takes 13 ms of CPU with memchr, and 40 ms with a Swift loop that only compares each byte (release
// build).

internal import CFrameMatch
internal import CSimdJSON
internal import Glibc

extension Span where Element == UInt8 {
    /// Index of the first `byte` at or after `start`.
    package func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        withUnsafeBufferPointer { buffer in
            guard start < buffer.count, let base = buffer.baseAddress else { return nil }
            guard let found = memchr(base + start, Int32(byte), buffer.count - start) else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// The first eight bytes, little-endian; 0 if there are fewer.
    package var firstWord: UInt64 {
        guard count >= 8 else { return 0 }
        return withUnsafeBufferPointer {
            UInt64(littleEndian: UnsafeRawBufferPointer($0).loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        }
    }

    /// Whether the bytes from `start` begin with `text`.
    package func hasPrefix(_ text: StaticString, from start: Int = 0) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count - start >= length else { return false }
        return withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return length == 0 }
            return memcmp(base + start, text.utf8Start, length) == 0
        }
    }

    /// Closing quote of the JSON string whose content begins at `start`, and whether it has escapes. Nil if the
    /// string does not end, or holds a control character (RFC 8259 section 7).
    package func endOfString(from start: Int) -> (quote: Int, hasEscapes: Bool)? {
        var hasEscapes = false
        let end = withUnsafeBufferPointer { cfm_string_end($0.baseAddress, $0.count, start, &hasEscapes) }
        return end < 0 ? nil : (end, hasEscapes)
    }

    /// Natural number in JSON notation at `start`, and its end. Reads at most 18 digits, which cannot overflow.
    package func natural(from start: Int) -> (value: Int64, end: Int)? {
        var value: Int64 = 0
        let end = withUnsafeBufferPointer { cfm_natural_end($0.baseAddress, $0.count, start, &value) }
        return end < 0 ? nil : (value, end)
    }

    /// End of the JSON number that begins at `start` (RFC 8259 section 6).
    package func endOfNumber(from start: Int) -> Int? {
        let end = withUnsafeBufferPointer { cfm_number_end($0.baseAddress, $0.count, start) }
        return end < 0 ? nil : end
    }

    /// Whether the bytes are valid UTF-8.
    package var isUTF8: Bool { withUnsafeBufferPointer { csj_is_utf8($0.baseAddress, $0.count) } }

    /// Whether all bytes are below 0x80.
    fileprivate var isASCII: Bool {
        withUnsafeBufferPointer { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            var seen: UInt64 = 0
            var index = 0
            while index + 8 <= bytes.count {
                seen |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                index += 8
                // A long text that is not ASCII fails early.
                if index & 0xFF == 0, seen & 0x8080_8080_8080_8080 != 0 { return false }
            }
            while index < bytes.count {
                seen |= UInt64(bytes[index])
                index += 1
            }
            return seen & 0x8080_8080_8080_8080 == 0
        }
    }

    /// Calls `body` with the decoded content of a JSON string literal without its quotes (RFC 8259 section 7).
    /// Returns false without a call for an invalid escape or a surrogate half; the reader reports those.
    package func withUnescaped(_ body: (Span<UInt8>) -> Void) -> Bool {
        // Small buffers live on the stack.
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
                    // An escape is longer than its character.
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

    /// Length of the common prefix with `other`, which has the same count.
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

    /// Whether the bytes equal the UTF-8 bytes of `text`.
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
    /// Decodes UTF-8; each maximal invalid subpart becomes U+FFFD (WHATWG Encoding, "UTF-8 decode without BOM").
    package init(decoding bytes: Span<UInt8>) {
        // Validation by simdjson first: String's own validation costs twenty times as much. Texts that String stores
        // inline skip it.
        let isLong = bytes.count > 15
        if isLong, bytes.isASCII {
            self = String(copying: UTF8Span(unchecked: bytes, isKnownASCII: true))
        } else if isLong, bytes.isUTF8 {
            self = String(copying: UTF8Span(unchecked: bytes))
        } else {
            self = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Decodes the content of a JSON string literal. Nil as in ``Span/withUnescaped(_:)``.
    package init?(unescaping literal: Span<UInt8>) {
        var text = ""
        guard literal.withUnescaped({ text = String(decoding: $0) }) else { return nil }
        self = text
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Character of the escape whose letter is at `place`; nil for a surrogate.
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
