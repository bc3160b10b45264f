// Makes control characters visible, so that untrusted text cannot control a terminal or forge a log line.

/// Escapes C0, DEL and C1 controls (ISO 6429) as `\x1b`, including C1 controls in UTF-8 (U+0080 to U+009F). Tabs are
/// kept. A value escapes one UTF-8 stream, whose pieces may end inside a character.
package struct ControlCharacters: Sendable {
    /// Treatment of line breaks.
    package enum Lines: Sendable {
        /// Newlines are kept.
        case kept
        /// Newlines are kept; lines after the first are indented by two spaces, so that none looks like a new message.
        case indented
        /// Newlines, U+2028 and U+2029 are escaped: the result is one line.
        case escaped
    }

    /// Continuation bytes of the current character that have not arrived.
    private var missing = 0
    private var isAfterC2 = false

    /// An escaper at the start of a text.
    package init() {}

    /// Escapes controls; newlines and tabs are kept. A final 0xC2, the first byte of a character, is held until the
    /// next piece. No byte is held after a complete character.
    package mutating func escape(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.underestimatedCount)
        for byte in bytes { add(byte, to: &result) }
        return result
    }

    private mutating func add(_ byte: UInt8, to result: inout [UInt8]) {
        if isAfterC2 {
            isAfterC2 = false
            if (0x80...0x9F).contains(byte) { return Self.append(byte, to: &result) }
            result.append(0xC2)
            if (0xA0...0xBF).contains(byte) { return result.append(byte) }
        }
        switch byte {
        case 0x09, 0x0A, 0x20...0x7E:
            missing = 0
            result.append(byte)
        case 0x80...0xBF where missing > 0:
            missing -= 1
            result.append(byte)
        case 0xC2:
            missing = 0
            isAfterC2 = true
        case 0xA0...0xFF:
            missing = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0
            result.append(byte)
        default:
            // C0, DEL, or a C1 control as a single byte, which is invalid UTF-8.
            missing = 0
            Self.append(byte, to: &result)
        }
    }

    private static func append(_ byte: UInt8, to result: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        result += byte == 0x0D ? Array("\\r".utf8) : [0x5C, 0x78, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// A message or log line with controls escaped, and with characters that reorder text (Unicode Standard Annex 9:
    /// embeddings, overrides, isolates).
    package static func escaped(_ text: String, lines: Lines) -> String {
        guard text.unicodeScalars.contains(where: isSpecial) else { return text }
        var escaper = ControlCharacters()
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where lines == .escaped: result += "\\n"
            case "\n" where lines == .indented: result += "\n  "
            case "\u{2028}" where lines != .escaped, "\u{2029}" where lines != .escaped:
                result.unicodeScalars.append(scalar)
            case _ where isReordering(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result += String(decoding: escaper.escape(Array(String(scalar).utf8)), as: UTF8.self)
            }
        }
        return result
    }

    /// Whether ``escaped(_:lines:)`` may change the character: controls, tabs, newlines, line separators and
    /// characters that reorder text.
    package static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || isReordering(scalar)
    }

    private static func isReordering(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x202A...0x202E, 0x2066...0x2069, 0x2028, 0x2029: true
        default: false
        }
    }
}
