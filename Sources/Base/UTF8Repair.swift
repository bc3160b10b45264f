// Decodes bytes that may not be valid UTF-8, and counts the invalid ones.

/// Text with U+FFFD for each maximal invalid subsequence (Unicode 3.9, "U+FFFD Substitution of Maximal Subparts";
/// WHATWG Encoding, "UTF-8 decode without BOM").
package struct UTF8Repair: Sendable, Equatable {
    /// The text; valid UTF-8.
    package let text: String
    /// Replaced bytes; 0 for valid UTF-8.
    package let replacedBytes: Int
    /// Offset of the first replaced byte; nil for valid UTF-8.
    package let firstInvalidOffset: Int?

    /// Repairs bytes.
    package init(_ bytes: [UInt8]) {
        text = String(decoding: bytes.span)
        guard !bytes.span.isUTF8 else {
            replacedBytes = 0
            firstInvalidOffset = nil
            return
        }
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var (offset, replaced, first) = (0, 0, Int?.none)
        while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let scalar): offset += scalar.count
            case .error(let length):
                first = first ?? offset
                replaced += length
                offset += length
            case .emptyInput:
                replacedBytes = replaced
                firstInvalidOffset = first
                return
            }
        }
    }
}
