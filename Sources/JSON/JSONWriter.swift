// Writes JSON values as bytes.

internal import Base

/// Writes JSON (RFC 8259) as UTF-8.
///
/// Integers are written exactly. Doubles are written with the fewest digits that read back as the same double, and
/// always as doubles ("1.0"). NaN and infinities become null; callers that must not lose them check first. In strings,
/// quotes, backslashes and the controls below U+0020 are escaped.
package enum JSONWriter {
    /// The bytes of the document; with `pretty`, indented by two spaces per level.
    package static func bytes(_ value: JSONValue, pretty: Bool = false) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        if pretty {
            append(value, to: &out, indentation: 0)
        } else {
            append(value, to: &out)
        }
        return out
    }

    /// The text of the document.
    package static func text(_ value: JSONValue, pretty: Bool = false) -> String {
        String(decoding: bytes(value, pretty: pretty), as: UTF8.self)
    }

    /// Appends the compact document.
    package static func append(_ value: JSONValue, to out: inout [UInt8]) {
        switch value {
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for index in elements.indices {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(elements[index], to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            for index in object.members.indices {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(object.members[index].key, to: &out)
                out.append(UInt8(ascii: ":"))
                append(object.members[index].value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        default: appendScalar(value, to: &out)
        }
    }

    /// Appends a JSON string with its quotes.
    package static func append(_ string: String, to out: inout [UInt8]) {
        append(utf8: string.utf8.span, to: &out)
    }

    /// Appends a JSON string with its quotes. The bytes must be valid UTF-8.
    package static func append(utf8 bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var run = 0
        for index in bytes.indices {
            let byte = bytes[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            out.append(bytes.extracting(run..<index))
            run = index + 1
            escape(byte, to: &out)
        }
        out.append(bytes.extracting(run..<bytes.count))
        out.append(UInt8(ascii: "\""))
    }

    private static func escape(_ byte: UInt8, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: out.append(UInt8(ascii: "b"))
        case 0x09: out.append(UInt8(ascii: "t"))
        case 0x0A: out.append(UInt8(ascii: "n"))
        case 0x0C: out.append(UInt8(ascii: "f"))
        case 0x0D: out.append(UInt8(ascii: "r"))
        case 0..<0x20:
            let low = byte & 0x0F
            out.append(contentsOf: byte < 0x10 ? "u000".utf8 : "u001".utf8)
            out.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        default: out.append(byte)
        }
    }

    private static func appendScalar(_ value: JSONValue, to out: inout [UInt8]) {
        switch value {
        case .bool(let truth): out.append(contentsOf: truth ? "true".utf8 : "false".utf8)
        case .int(let number): out.append(contentsOf: number.description.utf8)
        case .double(let number) where number.isFinite: out.append(contentsOf: number.description.utf8)
        case .string(let string): append(string, to: &out)
        default: out.append(contentsOf: "null".utf8)
        }
    }

    // MARK: Pretty

    private static func append(_ value: JSONValue, to out: inout [UInt8], indentation: Int) {
        switch value {
        case .array(let elements) where !elements.isEmpty:
            out.append(UInt8(ascii: "["))
            for index in elements.indices {
                newLine(index > 0, indentation + 1, to: &out)
                append(elements[index], to: &out, indentation: indentation + 1)
            }
            newLine(false, indentation, to: &out)
            out.append(UInt8(ascii: "]"))
        case .object(let object) where !object.isEmpty:
            out.append(UInt8(ascii: "{"))
            for index in object.members.indices {
                newLine(index > 0, indentation + 1, to: &out)
                append(object.members[index].key, to: &out)
                out.append(contentsOf: ": ".utf8)
                append(object.members[index].value, to: &out, indentation: indentation + 1)
            }
            newLine(false, indentation, to: &out)
            out.append(UInt8(ascii: "}"))
        default: append(value, to: &out)
        }
    }

    private static func newLine(_ comma: Bool, _ indentation: Int, to out: inout [UInt8]) {
        if comma { out.append(UInt8(ascii: ",")) }
        out.append(UInt8(ascii: "\n"))
        out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indentation * 2))
    }
}
