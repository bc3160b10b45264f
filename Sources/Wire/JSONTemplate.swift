// Documents that are alike but for one string: frames of a stream repeat their identifier, model and time with every
// piece of text. For decoders, which read such a frame by comparing bytes. It knows JSON's string literals and nothing
// of what a document says.

/// A JSON document with one string in it left open. A document of the same bytes around another string is read without
/// parsing it: the parser would find the same values, and that string in that place.
public struct JSONTemplate: Sendable {
    /// Documents longer than this, in bytes, make no template: thousands of streams hold one each.
    public static let longest = 2048
    /// How many places of the string are tried.
    private static let mostTries = 4

    /// The document without the string.
    private let frame: [UInt8]
    /// Where the string goes: behind its opening quote.
    private let gap: Int
    /// Whether nothing but closing brackets stands behind the string. White space among those says nothing: some servers
    /// pad each document with it, so that its length does not tell that of the text.
    private let endsInBrackets: Bool

    /// The template that `document` makes with the string `text` left open. Nil where there is none: `text` stands there
    /// with escapes, or `reads` finds it elsewhere.
    /// - Parameter reads: whether a document holds a given text in the place that matters. It is asked with the text
    ///   changed at one place after the other: where the answer is yes, the literal at that place is the text's own.
    public init?(_ document: Span<UInt8>, text: String, reads: (_ document: Span<UInt8>, _ text: String) -> Bool) {
        guard document.count <= Self.longest, !text.isEmpty, text.utf8.span.firstSpecialInString() == nil else {
            return nil
        }
        let literal = [UInt8(ascii: "\"")] + text.utf8 + [UInt8(ascii: "\"")]
        var end = document.count
        for _ in 0..<Self.mostTries {
            guard let start = document.lastIndex(of: literal.span, endingBy: end) else { return nil }
            let gap = start + 1
            var bytes: [UInt8] = []
            bytes.append(document)
            // No full stop may stand outside a JSON string and directly before a quote, and no name that a decoder
            // looks for ends in one: so the changed text is read only where a whole literal is exchanged for another.
            var changed = bytes
            changed.insert(UInt8(ascii: "."), at: gap + text.utf8.count)
            if reads(changed.span, text + ".") {
                bytes.removeSubrange(gap..<gap + text.utf8.count)
                endsInBrackets = bytes[(gap + 1)...].allSatisfy { Self.isBlank($0) || $0 == 0x7D || $0 == 0x5D }
                frame = endsInBrackets ? bytes[...gap] + bytes[(gap + 1)...].filter { !Self.isBlank($0) } : bytes
                self.gap = gap
                return
            }
            end = start + literal.count - 1
        }
        return nil
    }

    /// The string in `document`, if that is this template with a string that is not empty.
    /// - Parameter reader: reads a string with escapes. Its nodes read as null from then on.
    public func string(in document: Span<UInt8>, _ reader: JSONReader) -> String? {
        guard let end = end(in: document), end > gap else { return nil }
        let text = document.extracting(gap..<end)
        // Bytes that are no UTF-8 are mended here as the reader would mend them.
        guard let special = text.firstSpecialInString() else { return String(decoding: text) }
        // A quote that no backslash precedes ends the string before its time, and the reader finds no document.
        guard special == UInt8(ascii: "\\") else { return nil }
        return Self.parsed(document.extracting(gap - 1..<end + 1), reader)?.string
    }

    /// Where the string ends, if what stands around it is the frame.
    private func end(in document: Span<UInt8>) -> Int? {
        guard endsInBrackets else {
            let end = document.count - (frame.count - gap)
            return end >= gap && document.isSame(as: frame, around: gap..<end) ? end : nil
        }
        guard document.begins(with: frame, count: gap) else { return nil }
        var end = document.count
        var rest = frame.count
        while rest > gap {
            while end > gap, Self.isBlank(document[end - 1]) { end -= 1 }
            guard end > gap, document[end - 1] == frame[rest - 1] else { return nil }
            end -= 1
            rest -= 1
        }
        return end
    }

    /// White space between JSON's tokens (RFC 8259, section 2).
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private static func parsed(_ document: Span<UInt8>, _ reader: JSONReader) -> JSONNode? {
        do throws(JSONError) { return try reader.parse(document) } catch { return nil }
    }
}
