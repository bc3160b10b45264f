// Repairs JSON that a strict parser rejects although its meaning is clear. Used only after a strict parse has failed,
// so it is not optimized for speed. Also locates errors.

internal import Base

/// Rewrites a document into strict JSON, or reports the position at which that is impossible.
///
/// Repairs: a byte order mark at either end; invalid UTF-8 in strings (U+FFFD for each maximal subpart, as in the
/// WHATWG Encoding standard); escapes of lone surrogates (U+FFFD); integers beyond 64 bits (doubles); floats beyond
/// the range of a double (its greatest finite value); NaN, Infinity and -Infinity (null). White space between tokens
/// is dropped. A strict repair reports NaN, infinities, floats out of range and invalid UTF-8 as errors.
struct JSONRepair {
    /// Maximum nesting, as in the strict parser.
    static let maxDepth = 1024

    private enum Expected { case value, valueOrEnd, key, keyOrEnd, colon, separator, nothing }

    private let input: [UInt8]
    private let isStrict: Bool
    private var position = 0
    private var output: [UInt8] = []
    /// One entry for each open container: true for an object.
    private var open: [Bool] = []
    private var expected = Expected.value

    /// The repaired document.
    /// - Throws: `JSONError` with the offset of the first byte that cannot be repaired.
    static func repaired(_ bytes: Span<UInt8>, isStrict: Bool = false) throws(JSONError) -> [UInt8] {
        var repair = JSONRepair(bytes, isStrict: isStrict)
        try repair.run()
        return repair.output
    }

    private init(_ bytes: Span<UInt8>, isStrict: Bool) {
        self.isStrict = isStrict
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.count)
        copy.append(bytes)
        input = copy
        output.reserveCapacity(copy.count + 16)
    }

    private mutating func run() throws(JSONError) {
        skipByteOrderMark()
        while let byte = nextByte() {
            switch expected {
            case .value: try value(byte)
            case .valueOrEnd: if !closes(byte, UInt8(ascii: "]")) { try value(byte) }
            case .key: try key(byte)
            case .keyOrEnd: if !closes(byte, UInt8(ascii: "}")) { try key(byte) }
            case .colon:
                guard byte == UInt8(ascii: ":") else { throw problem("expected ':'") }
                copy(1)
                expected = .value
            case .separator: try separator(byte)
            case .nothing:
                guard skipByteOrderMark() else { throw problem("text after the end of the document") }
            }
        }
        if expected != .nothing { throw problem("the document ends too early") }
    }

    private func problem(_ message: String) -> JSONError { JSONError(message: message, offset: position) }

    /// The next byte that is not white space (RFC 8259 section 2).
    private mutating func nextByte() -> UInt8? {
        while position < input.count {
            switch input[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            case let byte: return byte
            }
        }
        return nil
    }

    @discardableResult
    private mutating func skipByteOrderMark() -> Bool {
        let found = input[position...].starts(with: [0xEF, 0xBB, 0xBF])
        if found { position += 3 }
        return found
    }

    private mutating func copy(_ count: Int) {
        output.append(contentsOf: input[position..<position + count])
        position += count
    }

    private mutating func replace(_ count: Int, with text: String) {
        output.append(contentsOf: text.utf8)
        position += count
    }

    private mutating func endValue() { expected = open.isEmpty ? .nothing : .separator }

    private mutating func closes(_ byte: UInt8, _ bracket: UInt8) -> Bool {
        guard byte == bracket else { return false }
        copy(1)
        open.removeLast()
        endValue()
        return true
    }

    private mutating func separator(_ byte: UInt8) throws(JSONError) {
        let inObject = open.last == true
        if byte == UInt8(ascii: ",") {
            copy(1)
            expected = inObject ? .key : .value
        } else if !closes(byte, inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            throw problem(inObject ? "expected ',' or '}'" : "expected ',' or ']'")
        }
    }

    private mutating func key(_ byte: UInt8) throws(JSONError) {
        guard byte == UInt8(ascii: "\"") else { throw problem("expected a member's name") }
        try string()
        expected = .colon
    }

    private mutating func value(_ byte: UInt8) throws(JSONError) {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard open.count < Self.maxDepth else { throw problem("nested deeper than \(Self.maxDepth)") }
            let isObject = byte == UInt8(ascii: "{")
            open.append(isObject)
            copy(1)
            expected = isObject ? .keyOrEnd : .valueOrEnd
            return
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        default: try literal()
        }
        endValue()
    }

    private mutating func literal() throws(JSONError) {
        let known: [(word: StaticString, plain: String)] = [
            ("true", "true"), ("false", "false"), ("null", "null"), ("NaN", "null"), ("Infinity", "null"),
            ("-Infinity", "null"),
        ]
        for (word, plain) in known where input[position...].starts(with: word.description.utf8) {
            if isStrict, word.description != plain { throw problem("JSON has no \(word)") }
            return replace(word.utf8CodeUnitCount, with: plain)
        }
        throw problem("expected a value")
    }
}

// Numbers.
extension JSONRepair {
    private mutating func number() throws(JSONError) {
        var end = position
        if input[end] == UInt8(ascii: "-") { end += 1 }
        guard end < input.count, input[end] != UInt8(ascii: "I") else { return try literal() }
        let wholeStart = end
        var isInteger = true
        end = digits(from: end)
        guard end > wholeStart, end == wholeStart + 1 || input[wholeStart] != UInt8(ascii: "0") else {
            throw problem("broken number")
        }
        if end < input.count, input[end] == UInt8(ascii: ".") {
            isInteger = false
            let start = end + 1
            end = digits(from: start)
            guard end > start else { throw problem("broken number") }
        }
        if end < input.count, input[end] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            var start = end + 1
            if start < input.count, input[start] == UInt8(ascii: "+") || input[start] == UInt8(ascii: "-") {
                start += 1
            }
            end = digits(from: start)
            guard end > start else { throw problem("broken number") }
        }
        let text = String(decoding: input[position..<end], as: UTF8.self)
        if isInteger, Int64(text) != nil { return copy(end - position) }
        guard let double = Double(text) else { throw problem("broken number") }
        if isStrict, !double.isFinite { throw problem("number out of range") }
        let limit = Double.greatestFiniteMagnitude
        replace(end - position, with: min(max(double, -limit), limit).description)
    }

    private func digits(from start: Int) -> Int {
        var end = start
        while end < input.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(input[end]) { end += 1 }
        return end
    }
}

// Strings.
extension JSONRepair {
    private mutating func string() throws(JSONError) {
        copy(1)
        var run = position
        while position < input.count {
            switch input[position] {
            case UInt8(ascii: "\""):
                try flush(from: run)
                return copy(1)
            case UInt8(ascii: "\\"):
                try flush(from: run)
                try escape()
                run = position
            case 0..<0x20: throw problem("control character in a string")
            default: position += 1
            }
        }
        throw problem("the document ends inside a string")
    }

    /// Decoding replaces invalid UTF-8. A quote or backslash is never part of an invalid sequence, so each run between
    /// two of them is decoded separately.
    private mutating func flush(from start: Int) throws(JSONError) {
        if isStrict, let offset = UTF8Repair(Array(input[start..<position])).firstInvalidOffset {
            throw JSONError(message: "not UTF-8", offset: start + offset)
        }
        output.append(contentsOf: String(decoding: input[start..<position], as: UTF8.self).utf8)
    }

    private mutating func escape() throws(JSONError) {
        guard position + 1 < input.count else { throw problem("the document ends inside a string") }
        guard input[position + 1] == UInt8(ascii: "u") else {
            guard "\"\\/bfnrt".utf8.contains(input[position + 1]) else { throw problem("unknown escape") }
            return copy(2)
        }
        guard let unit = codeUnit(at: position) else { throw problem("broken \\u escape") }
        switch unit {
        case 0xD800..<0xDC00:
            if let low = codeUnit(at: position + 6), (0xDC00..<0xE000).contains(low) { return copy(12) }
            replace(6, with: "\\ufffd")
        case 0xDC00..<0xE000: replace(6, with: "\\ufffd")
        default: copy(6)
        }
    }

    /// The code unit of a `\uXXXX` escape at `start`, or nil.
    private func codeUnit(at start: Int) -> UInt16? {
        guard start + 6 <= input.count, input[start] == UInt8(ascii: "\\"), input[start + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var unit: UInt16 = 0
        for byte in input[start + 2..<start + 6] {
            let character = Character(Unicode.Scalar(byte))
            guard character.isASCII, let digit = character.hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
