// Percent-decoding (RFC 3986 section 2.1).

extension String {
    /// The text with each %XX decoded; unchanged if the result is not UTF-8.
    package var percentDecoded: String {
        guard utf8.contains(UInt8(ascii: "%")) else { return self }
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            // Swift's integers may have a sign, which no escape has.
            if byte == UInt8(ascii: "%"), rest.count >= 2, let digits = String(rest.prefix(2)), digits.first != "+",
                digits.first != "-", let value = UInt8(digits, radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self) ?? self
    }
}
