// Paths to values, in parsed documents and in raw bytes.

internal import Base

/// A path from the root of a document to a value.
package struct JSONPath: Sendable {
    /// One step of a path.
    package enum Step: Sendable, ExpressibleByStringLiteral {
        /// An object member; the last of equal names.
        case member(StaticString)
        /// The first element of an array.
        case first

        /// A step to the member of that name.
        package init(stringLiteral name: StaticString) { self = .member(name) }
    }

    private let steps: [Step]

    /// A path of these steps.
    package init(_ steps: Step...) { self.steps = steps }

    /// A path of these steps.
    package init(steps: [Step]) { self.steps = steps }

    /// The value at the end of the path, or nil.
    package func node(in root: JSONNode) -> JSONNode? {
        var node = root
        for step in steps {
            let next =
                switch step {
                case .member(let name): node[name]
                case .first: node.first
                }
            guard let next else { return nil }
            node = next
        }
        return node
    }

    /// Byte range of the value, brackets and quotes included. Compares names as written: a name with escapes is not
    /// found. Does not validate the document.
    internal func place(in document: Span<UInt8>) -> Range<Int>? {
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
    /// The first index at or after `start` that is not white space (RFC 8259 section 2).
    fileprivate func endOfBlanks(from start: Int) -> Int {
        var place = start
        while place < count, self[place].isBlank { place += 1 }
        return place
    }

    /// Start of a member's value; the last of equal names.
    fileprivate func member(_ name: StaticString, ofObjectAt start: Int) -> Int? {
        var found: Int?
        var place = endOfBlanks(from: start + 1)
        while place < count, self[place] == UInt8(ascii: "\""), let key = endOfString(from: place + 1) {
            let isIt = key.quote - place - 1 == name.utf8CodeUnitCount && hasPrefix(name, from: place + 1)
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
                // A word or a number in one step, so that depth alone decides below.
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
    internal var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }

    /// Bytes of numbers, `true`, `false` and `null`.
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
