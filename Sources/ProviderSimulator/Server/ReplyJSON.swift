// Writes JSON straight into a socket buffer. Used by every dialect of the provider.

internal import JSON
internal import NIOCore

extension ByteBuffer {
    /// Appends `text` as a JSON string with its quotes. Everything above ASCII is sent as UTF-8, not escaped.
    mutating func writeJSON(string text: String) {
        writeInteger(UInt8(ascii: "\""))
        writeJSONCharacters(text)
        writeInteger(UInt8(ascii: "\""))
    }

    private mutating func writeJSONCharacters(_ text: String) {
        let needsEscape = text.utf8.contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
        guard needsEscape else {
            writeString(text)
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": writeStaticString("\\\"")
            case "\\": writeStaticString("\\\\")
            case "\n": writeStaticString("\\n")
            case "\r": writeStaticString("\\r")
            case "\t": writeStaticString("\\t")
            case "\u{0}"..<"\u{20}":
                writeStaticString("\\u00")
                writeInteger(Self.hexDigit(UInt8(scalar.value >> 4)))
                writeInteger(Self.hexDigit(UInt8(scalar.value & 15)))
            default: writeString(String(scalar))
            }
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// Appends `value` without white space.
    mutating func writeJSON(_ value: JSONValue) {
        switch value {
        case .null: writeStaticString("null")
        case .bool(let value): writeString(value ? "true" : "false")
        case .int(let value): writeString(String(value))
        case .double(let value): writeString(value.isFinite ? String(value) : "null")
        case .string(let value): writeJSON(string: value)
        case .array(let elements):
            writeInteger(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { writeInteger(UInt8(ascii: ",")) }
                writeJSON(element)
            }
            writeInteger(UInt8(ascii: "]"))
        case .object(let object):
            writeInteger(UInt8(ascii: "{"))
            for (index, member) in object.enumerated() {
                if index > 0 { writeInteger(UInt8(ascii: ",")) }
                writeJSON(string: member.key)
                writeInteger(UInt8(ascii: ":"))
                writeJSON(member.value)
            }
            writeInteger(UInt8(ascii: "}"))
        }
    }
}

extension JSONValue {
    /// The document's bytes, without white space.
    var document: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeJSON(self)
        return buffer
    }

    /// The document as text.
    var text: String { String(buffer: document) }
}
