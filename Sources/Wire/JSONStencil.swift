// Documents that are alike but for some members' values: events of a stream that are numbered, or padded against
// eavesdroppers, with every piece of text. For decoders, which read such an event by comparing bytes. (JSONTemplate
// does it for documents alike but for one string, wherever it stands.) It knows JSON's literals and nothing of what
// they say.

/// A JSON object with the values of some of its own members left open. An object of the same bytes around other values
/// is read without parsing it: the parser would find those values, and all else as it was.
public struct JSONStencil: Sendable {
    /// Objects longer than this, in bytes, make no stencil: thousands of streams hold one each.
    public static let longest = 2048
    /// The most members that are left open.
    public static let mostMembers = 4
    /// How many places of a member's name are tried.
    private static let mostTries = 4

    private struct Gap {
        var member: Int
        var isString: Bool
        /// Where it stands: so many bytes of the frame are before it.
        var place: Int
    }

    /// The object without the open values.
    private let frame: [UInt8]
    private let gaps: [Gap]

    /// The values that an object has in a stencil's gaps.
    public struct Values {
        fileprivate var ranges = InlineArray<4, Range<Int>>(repeating: 0..<0)
        fileprivate var integers = InlineArray<4, Int64>(repeating: -1)
        /// Which of the strings have escapes, as bits.
        fileprivate var escaped: UInt8 = 0

        /// That member's string; empty where the object has no such member.
        /// - Parameters:
        ///   - object: the object that these are the values of.
        ///   - reader: reads a string with escapes. Its nodes read as null from then on.
        public func string(_ member: Int, in object: Span<UInt8>, _ reader: JSONReader) -> String {
            let range = ranges[member]
            guard escaped & (1 << UInt8(member)) != 0 else { return String(decoding: object.extracting(range)) }
            return JSONStencil.parsed(object.extracting(range.lowerBound - 1..<range.upperBound + 1), reader)?.string
                ?? ""
        }

        /// That member's integer; nil where the object has no such member.
        public func integer(_ member: Int) -> Int64? { integers[member] < 0 ? nil : integers[member] }
    }

    /// The stencil that `object` makes. Nil where there is none: it is no object, or one of the members is no string,
    /// or no integer of 0 or more.
    /// - Parameters:
    ///   - members: the names of the members to leave open, at most four. One that the object lacks is left out.
    ///   - reader: parses the object, and variants of it. Its nodes read as null from then on.
    public init?(_ object: Span<UInt8>, open members: [StaticString], _ reader: JSONReader) {
        guard object.count <= Self.longest, members.count <= Self.mostMembers else { return nil }
        var bytes: [UInt8] = []
        bytes.append(object)
        var found: [(member: Int, isString: Bool, range: Range<Int>)] = []
        for (number, name) in members.enumerated() {
            guard let node = Self.parsed(object, reader), node.kind == .object else { return nil }
            guard let value = node[name] else { continue }
            guard let range = Self.place(of: name, value.string, value.int, in: bytes, reader) else { return nil }
            found.append((number, bytes[range.lowerBound - 1] == UInt8(ascii: "\""), range))
        }
        found.sort { $0.range.lowerBound < $1.range.lowerBound }
        var frame: [UInt8] = []
        var gaps: [Gap] = []
        var start = 0
        for gap in found {
            frame += bytes[start..<gap.range.lowerBound]
            gaps.append(Gap(member: gap.member, isString: gap.isString, place: frame.count))
            start = gap.range.upperBound
        }
        guard !gaps.isEmpty else { return nil }
        self.frame = frame + bytes[start...]
        self.gaps = gaps
    }

    /// The values of `object`, if it is this stencil's.
    /// - Parameter reader: checks strings with escapes. Its nodes read as null from then on.
    public func values(in object: Span<UInt8>, _ reader: JSONReader) -> Values? {
        var values = Values()
        var place = 0
        var compared = 0
        for gap in gaps {
            guard object.isSame(as: frame, compared..<gap.place, at: place) else { return nil }
            place += gap.place - compared
            compared = gap.place
            if gap.isString {
                guard let end = object.endOfString(from: place) else { return nil }
                if end.hasEscapes {
                    let literal = object.extracting(place - 1..<end.quote + 1)
                    guard Self.parsed(literal, reader)?.string != nil else { return nil }
                    values.escaped |= 1 << UInt8(gap.member)
                }
                values.ranges[gap.member] = place..<end.quote
                place = end.quote
            } else {
                guard let number = object.natural(at: place) else { return nil }
                values.integers[gap.member] = number.value
                place = number.end
            }
        }
        let rest = frame.count - compared
        guard object.count - place == rest, object.isSame(as: frame, compared..<frame.count, at: place) else {
            return nil
        }
        return values
    }

    // MARK: Looking for a member

    /// Where the member's value stands. The name may stand in other places too; the right one is where another value
    /// changes what the reader finds.
    private static func place(
        of name: StaticString, _ string: String?, _ integer: Int64?, in bytes: [UInt8], _ reader: JSONReader
    ) -> Range<Int>? {
        var literal: [UInt8] = [UInt8(ascii: "\"")]
        name.withUTF8Buffer { literal += $0 }
        literal.append(UInt8(ascii: "\""))
        var end = bytes.count
        for _ in 0..<mostTries {
            guard let start = bytes.span.lastIndex(of: literal.span, endingBy: end) else { return nil }
            end = start + literal.count - 1
            guard let range = value(in: bytes.span, behind: start + literal.count) else { continue }
            var changed = bytes
            let isString = bytes[range.lowerBound - 1] == UInt8(ascii: "\"")
            changed.insert(UInt8(ascii: isString ? "." : "1"), at: range.upperBound)
            guard let node = parsed(changed.span, reader)?[name] else { continue }
            if isString, let string, node.string == string + "." { return range }
            if !isString, let integer, integer < Int64.max / 100, node.int == integer * 10 + 1 { return range }
        }
        return nil
    }

    /// The bytes of a string, or of a natural number, behind a colon.
    private static func value(in bytes: Span<UInt8>, behind start: Int) -> Range<Int>? {
        var place = start
        var hasColon = false
        while place < bytes.count, bytes[place] <= 0x20 || (!hasColon && bytes[place] == UInt8(ascii: ":")) {
            if bytes[place] == UInt8(ascii: ":") { hasColon = true }
            place += 1
        }
        guard hasColon, place < bytes.count else { return nil }
        if bytes[place] == UInt8(ascii: "\"") {
            return bytes.endOfString(from: place + 1).map { place + 1..<$0.quote }
        }
        return bytes.natural(at: place).map { place..<$0.end }
    }

    fileprivate static func parsed(_ document: Span<UInt8>, _ reader: JSONReader) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(document) } catch { return nil }
    }
}

extension Span<UInt8> {
    /// The natural number at `start`, of at most 18 digits, written as JSON writes it.
    fileprivate func natural(at start: Int) -> (value: Int64, end: Int)? {
        var value: Int64 = 0
        var end = start
        while end < count, end - start <= 18, (0x30...0x39).contains(self[end]) {
            value = value * 10 + Int64(self[end] - 0x30)
            end += 1
        }
        guard end > start, end - start <= 18, end == start + 1 || self[start] != 0x30 else { return nil }
        return (value, end)
    }
}
