// Documents that are alike but for a few values: frames of a stream repeat their identifier, model and time with every
// piece of text, and are numbered, counted, timed or padded beside it. For decoders, which read such a frame by
// comparing bytes. It knows JSON's literals and nothing of what they say.

internal import Base
internal import CFrameMatch

/// A JSON document with a few of its strings and numbers left open. A document of the same bytes around other values is
/// read without parsing it: the parser would find those values in those places, and all else as it was.
///
/// Why that is so: a gap is a whole literal of the document, which the parser itself has shown when the template was
/// made, and what fills it is a literal of the same kind. So the tokens of the two documents are the same but for these
/// literals, and neither a name nor a bracket is among them.
package struct JSONTemplate: Sendable {
    /// Documents longer than this, in bytes, make no template: thousands of streams hold one each.
    package static let longest = 2048
    /// The most members that are counted.
    package static let mostCounts = Int(CFM_MOST_COUNTS)

    /// What may change from one document to the next. What the document lacks is left out, the text excepted.
    package struct Gaps: Sendable {
        fileprivate let text: JSONPath
        fileprivate let counts: [JSONPath]
        fileprivate let ignored: [JSONPath]

        /// - Parameters:
        ///   - text: a string, handed on.
        ///   - counts: natural numbers, handed on; at most four.
        ///   - ignored: strings and numbers of which nobody reads what they say.
        package init(text: JSONPath, counts: [JSONPath] = [], ignored: [JSONPath] = []) {
            self.text = text
            self.counts = counts
            self.ignored = ignored
        }
    }

    /// What a document has in the gaps: places in it and numbers alone, so that it costs nothing to pass on.
    package struct Match {
        private let found: cfm_match

        init(_ found: cfm_match) { self.found = found }

        /// The text; nil where its escapes are none, and so the document is no JSON.
        /// - Parameters:
        ///   - document: the document that was matched.
        ///   - reader: reads a string with escapes. Its nodes read as null from then on.
        package func text(in document: Span<UInt8>, _ reader: JSONReader) -> String? {
            let literal = document.extracting(found.text..<found.text_end)
            // Bytes that are no UTF-8 are mended here as the reader would mend them.
            guard found.has_escapes else { return String(decoding: literal) }
            if let text = String(unescaping: literal) { return text }
            return reader.node(document.extracting(found.text - 1..<found.text_end + 1))?.string
        }

        /// That of the counts; nil where the template's document lacks it.
        package func count(_ index: Int) -> Int64? {
            let count = Self.get(found.counts, index)
            return count < 0 ? nil : count
        }
    }

    private enum Filling {
        case text, count(Int), string, number

        /// The same for the scanner.
        func gap(at place: Int) -> cfm_gap {
            let (kind, count) =
                switch self {
                case .text: (CFM_TEXT, 0)
                case .count(let index): (CFM_COUNT, index)
                case .string: (CFM_STRING, 0)
                case .number: (CFM_NUMBER, 0)
                }
            return cfm_gap(
                place: UInt32(clamping: place), filling: UInt16(clamping: kind), count: UInt16(clamping: count))
        }
    }

    /// The document without what fills the gaps.
    let frame: [UInt8]
    let gaps: [cfm_gap]
    /// Whether nothing but the closing quote and brackets stands behind the last gap. White space among those says
    /// nothing: some servers pad each document with it.
    let endsInBrackets: Bool

    /// The template that `document` makes. Nil where there is none: it has no text, or a gap is no literal of its kind.
    /// - Parameter reader: parses variants of the document. Its nodes read as null from then on.
    package init?(_ document: Span<UInt8>, open gaps: Gaps, _ reader: JSONReader) {
        guard document.count <= Self.longest, gaps.counts.count <= Self.mostCounts,
            let places = Self.places(of: gaps, in: document), places.count <= CFM_MOST_GAPS,
            Self.areProven(places, document, reader)
        else { return nil }
        var frame: [UInt8] = []
        var made: [cfm_gap] = []
        var start = 0
        for open in places {
            frame.append(document.extracting(start..<open.range.lowerBound))
            made.append(open.filling.gap(at: frame.count))
            start = open.range.upperBound
        }
        let rest = document.extracting(start..<document.count)
        endsInBrackets = rest.indices.allSatisfy { index in
            let byte = rest[index]
            return index == 0 ? byte == UInt8(ascii: "\"") : byte.isBlank || byte == 0x7D || byte == 0x5D
        }
        for index in rest.indices where !endsInBrackets || !rest[index].isBlank { frame.append(rest[index]) }
        self.frame = frame
        self.gaps = made
    }

    /// What `document` has in the gaps, if it is this template's and its text is not empty.
    package func match(_ document: Span<UInt8>) -> Match? { scan(document).map(Match.init) }

    // MARK: Making one

    private typealias Open = (filling: Filling, path: JSONPath, range: Range<Int>)

    /// The gaps in the order in which they stand; the text among them. Nil where one of them is no literal of its kind.
    private static func places(of gaps: Gaps, in document: Span<UInt8>) -> [Open]? {
        guard let text = gaps.text.place(in: document), let text = document.inside(text) else { return nil }
        var found: [Open] = [(.text, gaps.text, text)]
        for (index, path) in gaps.counts.enumerated() {
            guard let range = path.place(in: document) else { continue }
            guard document.natural(from: range.lowerBound)?.end == range.upperBound else { return nil }
            found.append((.count(index), path, range))
        }
        for path in gaps.ignored {
            guard let range = path.place(in: document) else { continue }
            if let string = document.inside(range) {
                found.append((.string, path, string))
            } else {
                // What is neither, `null` perhaps, is a part of the frame.
                guard document.endOfNumber(from: range.lowerBound) == range.upperBound else { continue }
                found.append((.number, path, range))
            }
        }
        return found.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Whether each gap is the whole literal that the reader finds at the end of its way. The reader is asked twice,
    /// with every gap filled with something of its own: what it then finds twice stands there and nowhere else.
    private static func areProven(_ gaps: [Open], _ document: Span<UInt8>, _ reader: JSONReader) -> Bool {
        (1...2).allSatisfy { round in
            var changed: [UInt8] = []
            var start = 0
            for (index, gap) in gaps.enumerated() {
                guard gap.range.lowerBound >= start else { return false }
                changed.append(document.extracting(start..<gap.range.lowerBound))
                changed += String(probe(index, round)).utf8
                start = gap.range.upperBound
            }
            changed.append(document.extracting(start..<document.count))
            guard let root = reader.node(changed.span) else { return false }
            return gaps.enumerated().allSatisfy { index, gap in
                let node = gap.path.node(in: root)
                return switch gap.filling {
                case .text, .string: node?.string == String(probe(index, round))
                case .count, .number: node?.kind == .int && node?.int == Int64(probe(index, round))
                }
            }
        }
    }

    private static func probe(_ index: Int, _ round: Int) -> Int { round * 10_000 + index }
}

extension JSONTemplate.Match {
    /// C's four numbers.
    typealias Counts = (Int64, Int64, Int64, Int64)

    static let none: Counts = (-1, -1, -1, -1)

    fileprivate static func get(_ counts: Counts, _ index: Int) -> Int64 {
        switch index {
        case 0: counts.0
        case 1: counts.1
        case 2: counts.2
        case 3: counts.3
        default: -1
        }
    }

    static func set(_ counts: inout Counts, _ index: Int, _ value: Int64) {
        switch index {
        case 0: counts.0 = value
        case 1: counts.1 = value
        case 2: counts.2 = value
        default: counts.3 = value
        }
    }
}

extension JSONReader {
    /// The document, if the bytes are one.
    fileprivate func node(_ document: Span<UInt8>) -> JSONNode? {
        do throws(JSONError) { return try parse(document) } catch { return nil }
    }
}

// MARK: Literals

extension Span<UInt8> {
    /// A string's literal without its quotes.
    fileprivate func inside(_ literal: Range<Int>) -> Range<Int>? {
        guard literal.count >= 2, self[literal.lowerBound] == UInt8(ascii: "\"") else { return nil }
        return literal.lowerBound + 1..<literal.upperBound - 1
    }
}
