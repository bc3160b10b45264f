// Reads the JSON of requests. The provider has its own small reader on purpose: sharing the client's would let a
// bug on one side hide the same bug on the other.

internal import JSON

/// Why bytes are not a JSON document (RFC 8259).
struct RequestJSONError: Error {
    var reason: String
    var offset: Int
}

/// A recursive reader with a depth limit. Objects keep their order; a duplicate name is kept beside the first.
struct RequestJSON {
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0
    private static let deepest = 256

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads one document that fills `bytes`.
    static func read(_ bytes: [UInt8]) throws(RequestJSONError) -> JSONValue {
        var reader = RequestJSON(bytes)
        let value = try reader.value()
        reader.skipSpace()
        guard reader.at == bytes.count else { throw reader.wrong("there is more after the document") }
        return value
    }

    private func wrong(_ reason: String) -> RequestJSONError { RequestJSONError(reason: reason, offset: at) }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func value() throws(RequestJSONError) -> JSONValue {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try nested { reader throws(RequestJSONError) in try reader.object() }
        case UInt8(ascii: "["): return try nested { reader throws(RequestJSONError) in try reader.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw wrong("the document ends too early")
        default: return try number()
        }
    }

    private mutating func nested(
        _ body: (inout RequestJSON) throws(RequestJSONError) -> JSONValue
    ) throws(RequestJSONError) -> JSONValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw wrong("values are nested more than \(Self.deepest) deep") }
        at += 1
        return try body(&self)
    }

    private mutating func object() throws(RequestJSONError) -> JSONValue {
        var object = JSONObject()
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(object) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw wrong("a member's name is missing") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw wrong("a colon is missing") }
            object.append(uncheckedKey: key, try value())
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw wrong("an object is not closed") }
        return .object(object)
    }

    private mutating func array() throws(RequestJSONError) -> JSONValue {
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat {
            elements.append(try value())
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw wrong("an array is not closed") }
        return .array(elements)
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(RequestJSONError) -> JSONValue {
        for byte in word.description.utf8 where !take(byte) { throw wrong("this is no JSON value") }
        return value
    }

    private mutating func number() throws(RequestJSONError) -> JSONValue {
        let start = at
        while let byte = next, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        let digits = text.drop { $0 == "-" }
        let hasLeadingZero = digits.hasPrefix("0") && digits.dropFirst().first?.isNumber == true
        guard text.first?.isNumber == true || text.hasPrefix("-"), digits.first?.isNumber == true, !hasLeadingZero,
            text.last?.isNumber == true
        else { throw wrong("this is no JSON value") }
        if let integer = Int64(text) { return .int(integer) }
        guard let double = Double(text) else { throw wrong("this is no JSON number") }
        return .double(double)
    }

    private mutating func string() throws(RequestJSONError) -> String {
        at += 1
        var start = at
        var text = ""
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                try append(start..<at, to: &text)
                at += 1
                return text
            case UInt8(ascii: "\\"):
                try append(start..<at, to: &text)
                at += 1
                text.unicodeScalars.append(try escape())
                start = at
            case 0..<0x20: throw wrong("a control character stands in a string")
            default: at += 1
            }
        }
        throw wrong("a string is not closed")
    }

    private func append(_ range: Range<Int>, to text: inout String) throws(RequestJSONError) {
        guard !range.isEmpty else { return }
        guard let piece = String(validating: bytes[range], as: UTF8.self) else {
            throw wrong("a string is not UTF-8")
        }
        text += piece
    }

    private mutating func escape() throws(RequestJSONError) -> Unicode.Scalar {
        guard let byte = next else { throw wrong("a string is not closed") }
        at += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "u"): return try unicode()
        default: throw wrong("an escape is unknown")
        }
    }

    private mutating func unicode() throws(RequestJSONError) -> Unicode.Scalar {
        let high = try hex()
        if let scalar = Unicode.Scalar(high) { return scalar }
        // A pair of surrogates; a lone one has no character and becomes U+FFFD.
        guard high < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
            bytes[at + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        at += 2
        let low = try hex()
        guard (0xDC00...0xDFFF).contains(low) else { return "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func hex() throws(RequestJSONError) -> UInt32 {
        guard at + 4 <= bytes.count,
            let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw wrong("an escape is not four hexadecimal digits") }
        at += 4
        return value
    }
}
