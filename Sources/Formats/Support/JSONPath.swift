// Finds values and string literals in the bytes of a JSON document.

internal import Base

/// The path from a document's root to a value.
struct JSONPath: Sendable {
    /// One step of a path.
    enum Step: Sendable, ExpressibleByStringLiteral {
        /// To an object's member; to the last one if the name is repeated.
        case member(StaticString)
        /// To an array's first element.
        case first

        /// A step to the member of that name.
        init(stringLiteral name: StaticString) { self = .member(name) }
    }

    private let steps: [Step]

    /// The path of these steps.
    init(_ steps: Step...) { self.steps = steps }

    /// The range of the value, including its brackets or quotes. Names are compared as bytes, so a name with escapes is
    /// not found. Does not validate the JSON.
    func place(in document: Span<UInt8>) -> Range<Int>? {
        Self.place(of: steps[...], in: document, from: document.endOfBlanks(from: 0))
    }

    private static func place(of steps: ArraySlice<Step>, in bytes: Span<UInt8>, from start: Int) -> Range<Int>? {
        guard let step = steps.first else { return bytes.endOfValue(from: start).map { start..<$0 } }
        let rest = steps.dropFirst()
        guard start < bytes.count else { return nil }
        switch step {
        case .first:
            guard bytes[start] == UInt8(ascii: "[") else { return nil }
            return place(of: rest, in: bytes, from: bytes.endOfBlanks(from: start + 1))
        case .member(let name):
            guard bytes[start] == UInt8(ascii: "{"), let value = bytes.member(name, ofObjectAt: start) else {
                return nil
            }
            return place(of: rest, in: bytes, from: value)
        }
    }
}

extension Span<UInt8> {
    /// Index of the first byte at or after `start` that is not white space (RFC 8259 section 2).
    fileprivate func endOfBlanks(from start: Int) -> Int {
        var place = start
        while place < count, self[place].isBlank { place += 1 }
        return place
    }

    /// Start of the value of a member; of the last one if the name is repeated.
    fileprivate func member(_ name: StaticString, ofObjectAt start: Int) -> Int? {
        var found: Int?
        var place = endOfBlanks(from: start + 1)
        while place < count, self[place] == UInt8(ascii: "\""), let key = endOfString(from: place + 1) {
            let isIt = key.quote - place - 1 == name.utf8CodeUnitCount && extracting(place + 1..<count).hasPrefix(name)
            let colon = endOfBlanks(from: key.quote + 1)
            let value = endOfBlanks(from: colon + 1)
            guard colon < count, self[colon] == UInt8(ascii: ":"), let end = endOfValue(from: value) else { return nil }
            if isIt { found = value }
            place = endOfBlanks(from: end)
            guard place < count, self[place] == UInt8(ascii: ",") else { break }
            place = endOfBlanks(from: place + 1)
        }
        return found
    }

    /// End of the value that begins at `start`.
    fileprivate func endOfValue(from start: Int) -> Int? {
        var place = start
        var depth = 0
        while place < count {
            switch self[place] {
            case UInt8(ascii: "\""):
                guard let end = endOfString(from: place + 1) else { return nil }
                place = end.quote
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default:
                // Skips all of a literal name or number, so that depth alone decides below.
                while place + 1 < count, self[place + 1].isOfScalar { place += 1 }
            }
            place += 1
            if depth <= 0 { return depth == 0 ? place : nil }
        }
        return nil
    }
}

extension UInt8 {
    /// White space between JSON tokens (RFC 8259 section 2).
    var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }

    /// The characters of numbers, `true`, `false` and `null`.
    fileprivate var isOfScalar: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension Span<UInt8> {
    /// Ranges, without quotes, of up to `most` string literals that may decode to `text`. Includes every literal with
    /// escapes; excludes names of members.
    func literals(of text: String, upTo most: Int) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var place = 0
        while found.count < most, let quote = firstIndex(of: UInt8(ascii: "\""), from: place),
            let end = endOfString(from: quote + 1)
        {
            place = end.quote + 1
            let inside = quote + 1..<end.quote
            guard end.hasEscapes || extracting(inside).equals(text) else { continue }
            let next = endOfBlanks(from: place)
            if next == count || self[next] != UInt8(ascii: ":") { found.append(inside) }
        }
        return found
    }
}
