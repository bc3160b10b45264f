// Reads a JSON document while a model writes it. Reports each value when it is complete, and gives the partial
// document at any time.

package import JSON

/// An incremental reader of one JSON document (RFC 8259) inside a text. Text before the first `{` or `[` and after
/// the end is skipped: models write "Here it is:" and code fences.
package struct IncrementalJSONReader: Sendable {
    /// A complete value.
    package struct Closed: Sendable, Equatable {
        /// Path in the document; empty for the document itself.
        package var path: [JSONSchema.Step]
        /// The value.
        package var value: JSONValue

        /// A value with the given parts.
        package init(path: [JSONSchema.Step], value: JSONValue) {
            self.path = path
            self.value = value
        }
    }

    /// Why the text is not JSON.
    package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        /// The problem.
        package var reason: String
        /// Byte offset in the text.
        package var offset: Int
        /// Problem and place.
        package var description: String { "\(reason) (byte \(offset))" }
    }

    private enum Frame: Sendable {
        case object(JSONObject, key: String?)
        case array([JSONValue])
    }

    private enum Expectation: Sendable { case value, valueOrEnd, key, keyOrEnd, colon, comma }

    private enum Mode: Sendable {
        case searching, structure, string, escape, scalar, done
        /// Hexadecimal digits of an escape that have not arrived, and the value so far.
        case unicode(left: Int, value: UInt32)
    }

    private static let deepest = 256

    private var mode = Mode.searching
    private var expectation = Expectation.value
    private var frames: [Frame] = []
    /// The current string, number or word.
    private var text: [UInt8] = []
    /// The first half of a surrogate pair.
    private var surrogate: UInt32?
    private var offset = 0
    /// First byte of the document: `{`, `[`, or either.
    private let openers: [UInt8]
    /// The document, once complete.
    package private(set) var value: JSONValue?

    /// A reader at the start of a text.
    /// - Parameter root: "object" or "array" to accept only such a document: prose has brackets too.
    package init(root: String? = nil) {
        openers = root == "object" ? [0x7B] : root == "array" ? [0x5B] : [0x7B, 0x5B]
    }

    /// Reads the next piece, cut anywhere, and returns each value that it completes, inner ones first.
    /// - Throws: ``Problem`` at the first invalid byte; the reader is unusable afterwards.
    package mutating func feed(_ piece: String, _ emit: (Closed) -> Void) throws(Problem) {
        for byte in piece.utf8 {
            try take(byte, emit)
            offset += 1
        }
    }

    private func wrong(_ reason: String) -> Problem { Problem(reason: reason, offset: offset) }

    private mutating func take(_ byte: UInt8, _ emit: (Closed) -> Void) throws(Problem) {
        switch mode {
        case .done: return
        case .searching:
            guard openers.contains(byte) else { return }
            mode = .structure
            try takeStructure(byte, emit)
        case .structure: try takeStructure(byte, emit)
        case .string: try takeCharacter(byte, emit)
        case .escape: try takeEscape(byte)
        case .unicode(let left, let value): try takeDigit(byte, left, value)
        case .scalar:
            let isPart = byte > 0x20 && !",]}:\"".utf8.contains(byte)
            guard !isPart else { return text.append(byte) }
            mode = .structure
            try add(try scalar(), emit)
            try takeStructure(byte, emit)
        }
    }

    // MARK: Structure

    private mutating func takeStructure(_ byte: UInt8, _ emit: (Closed) -> Void) throws(Problem) {
        if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { return }
        // Brackets of prose: "Use {name}", "see [the list]".
        if isProse(byte) {
            mode = .searching
            expectation = .value
            frames = []
            return try take(byte, emit)
        }
        switch (expectation, byte) {
        case (.value, UInt8(ascii: "{")), (.valueOrEnd, UInt8(ascii: "{")): try open(.object([:], key: nil), .keyOrEnd)
        case (.value, UInt8(ascii: "[")), (.valueOrEnd, UInt8(ascii: "[")): try open(.array([]), .valueOrEnd)
        case (.key, UInt8(ascii: "\"")), (.keyOrEnd, UInt8(ascii: "\"")), (.value, UInt8(ascii: "\"")),
            (.valueOrEnd, UInt8(ascii: "\"")):
            mode = .string
            text = []
        case (.keyOrEnd, UInt8(ascii: "}")), (.comma, UInt8(ascii: "}")): try close(isObject: true, emit)
        case (.valueOrEnd, UInt8(ascii: "]")), (.comma, UInt8(ascii: "]")): try close(isObject: false, emit)
        case (.comma, UInt8(ascii: ",")):
            if case .object = frames.last { expectation = .key } else { expectation = .value }
        case (.colon, UInt8(ascii: ":")): expectation = .value
        case (.value, _), (.valueOrEnd, _):
            guard byte == UInt8(ascii: "-") || byte.isDigit || "tfn".utf8.contains(byte) else {
                throw wrong("a value is missing")
            }
            mode = .scalar
            text = [byte]
        case (.key, _), (.keyOrEnd, _): throw wrong("a member's name is missing")
        case (.colon, _): throw wrong("a colon is missing")
        case (.comma, _): throw wrong("a comma is missing")
        }
    }

    /// Whether the document that was just opened continues in a way that JSON does not.
    private func isProse(_ byte: UInt8) -> Bool {
        guard frames.count == 1 else { return false }
        switch expectation {
        case .keyOrEnd: return byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "}")
        case .valueOrEnd: return !"\"{[]-0123456789tfn".utf8.contains(byte)
        default: return false
        }
    }

    private mutating func open(_ frame: Frame, _ next: Expectation) throws(Problem) {
        guard frames.count < Self.deepest else { throw wrong("values are nested more than \(Self.deepest) deep") }
        frames.append(frame)
        expectation = next
    }

    private mutating func close(isObject: Bool, _ emit: (Closed) -> Void) throws(Problem) {
        switch (frames.last, isObject) {
        case (.object(let object, _), true):
            frames.removeLast()
            try add(.object(object), emit)
        case (.array(let elements), false):
            frames.removeLast()
            try add(.array(elements), emit)
        default: throw wrong("a bracket closes what it did not open")
        }
    }

    /// A value is complete.
    private mutating func add(_ value: JSONValue, _ emit: (Closed) -> Void) throws(Problem) {
        emit(Closed(path: path, value: value))
        expectation = .comma
        switch frames.popLast() {
        case .object(var object, let key):
            if let key { object[key] = value }
            frames.append(.object(object, key: nil))
        case .array(var elements):
            elements.append(value)
            frames.append(.array(elements))
        case nil:
            self.value = value
            mode = .done
        }
    }

    /// Path of the current value.
    private var path: [JSONSchema.Step] {
        frames.map { frame in
            switch frame {
            case .object(_, let key): .member(key ?? "")
            case .array(let elements): .element(elements.count)
            }
        }
    }

    // MARK: Strings

    private mutating func takeCharacter(_ byte: UInt8, _ emit: (Closed) -> Void) throws(Problem) {
        switch byte {
        case UInt8(ascii: "\\"): mode = .escape
        case UInt8(ascii: "\""):
            endSurrogate()
            mode = .structure
            let string = String(decoding: text, as: UTF8.self)
            text = []
            if expectation == .key || expectation == .keyOrEnd, case .object(let object, _) = frames.popLast() {
                frames.append(.object(object, key: string))
                expectation = .colon
            } else {
                try add(.string(string), emit)
            }
        case 0..<0x20: throw wrong("a control character stands in a string")
        default:
            endSurrogate()
            text.append(byte)
        }
    }

    private mutating func takeEscape(_ byte: UInt8) throws(Problem) {
        mode = .string
        let character: UInt8
        switch byte {
        case UInt8(ascii: "u"):
            mode = .unicode(left: 4, value: 0)
            return
        case UInt8(ascii: "n"): character = 0x0A
        case UInt8(ascii: "t"): character = 0x09
        case UInt8(ascii: "r"): character = 0x0D
        case UInt8(ascii: "b"): character = 0x08
        case UInt8(ascii: "f"): character = 0x0C
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): character = byte
        default: throw wrong("an escape is unknown")
        }
        endSurrogate()
        text.append(character)
    }

    private mutating func takeDigit(_ byte: UInt8, _ left: Int, _ value: UInt32) throws(Problem) {
        guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
            throw wrong("an escape is not four hexadecimal digits")
        }
        let value = value << 4 | UInt32(digit)
        guard left == 1 else { return mode = .unicode(left: left - 1, value: value) }
        mode = .string
        if let high = surrogate, (0xDC00...0xDFFF).contains(value) {
            surrogate = nil
            append(Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (value - 0xDC00)))
        } else {
            endSurrogate()
            if (0xD800...0xDBFF).contains(value) { surrogate = value } else { append(Unicode.Scalar(value)) }
        }
    }

    /// A surrogate without a partner is not a character.
    private mutating func endSurrogate() {
        guard surrogate != nil else { return }
        surrogate = nil
        append(nil)
    }

    private mutating func append(_ scalar: Unicode.Scalar?) {
        text += Array(String(Character(scalar ?? "\u{FFFD}")).utf8)
    }

    // MARK: Numbers and words

    private func scalar() throws(Problem) -> JSONValue {
        let word = String(decoding: text, as: UTF8.self)
        switch word {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default:
            // Swift's number parser accepts more than JSON; the JSON grammar decides.
            do throws(JSONError) { return try JSONReader.value(text) } catch { throw wrong("\(word) is no JSON value") }
        }
    }

}

extension UInt8 {
    fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
}
