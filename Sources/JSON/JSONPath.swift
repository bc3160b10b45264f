// Where a value stands in a document: the way to it by names, for what the reader has parsed and for the bytes
// themselves. Called by JSONTemplate, which proves what is found in the bytes, and by decoders, which name the ways.

internal import Base

/// The way from a document's root to a value in it.
package struct JSONPath: Sendable {
    /// One step of it.
    package enum Step: Sendable, ExpressibleByStringLiteral {
        /// To an object's member; of equal ones, to the last.
        case member(StaticString)
        /// To an array's first element.
        case first

        /// A step to the member of that name.
        package init(stringLiteral name: StaticString) { self = .member(name) }
    }

    private let steps: [Step]

    /// The way that takes these steps.
    package init(_ steps: Step...) { self.steps = steps }

    /// The way that takes these steps.
    package init(steps: [Step]) { self.steps = steps }

    /// The value at the end of the way, if it leads anywhere.
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

    /// Where the value's bytes stand, brackets and quotes included. Names are compared as they are written, so that one
    /// with escapes is not found, and nothing is checked that a parser checks.
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
    /// The first place at or after `start` that holds no white space (RFC 8259, section 2).
    fileprivate func endOfBlanks(from start: Int) -> Int {
        var place = start
        while place < count, self[place].isBlank { place += 1 }
        return place
    }

    /// Where the value of a member begins; of equal members the last one's.
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

    /// Where the value that begins at `start` ends.
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
                // A word or a number: all of it, so that depth alone decides below.
                while place + 1 < count, self[place + 1].isOfScalar { place += 1 }
            }
            place += 1
            if depth <= 0 { return depth == 0 ? place : nil }
        }
        return nil
    }
}

extension UInt8 {
    /// White space between JSON's tokens (RFC 8259, section 2).
    internal var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }

    /// What numbers, `true`, `false` and `null` are written with.
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
