// Canonical JSON, which has one representation for each value (RFC 8785, JSON Canonicalization Scheme). For digests.

/// Writes JSON so that equal values have equal bytes.
///
/// Members are sorted by the UTF-16 code units of their names. Numbers are written as in ECMAScript, so 1 and 1.0 are
/// the same. One deviation from RFC 8785: a `JSONValue.int` beyond 2^53 keeps all its digits, where ECMAScript would
/// round it. NaN and infinities become null, as in `JSONWriter`.
package enum CanonicalJSON {
    /// The document's bytes.
    package static func bytes(_ value: JSONValue) -> [UInt8] {
        var out: [UInt8] = []
        append(value, to: &out)
        return out
    }

    private static func append(_ value: JSONValue, to out: inout [UInt8]) {
        switch value {
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(element, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            let sorted = object.members.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSONWriter.append(member.key, to: &out)
                out.append(UInt8(ascii: ":"))
                append(member.value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        case .double(let number): out.append(contentsOf: text(number).utf8)
        case .null, .bool, .int, .string: JSONWriter.append(value, to: &out)
        }
    }

    /// The number as written by ECMAScript's Number::toString (ECMA-262 section 6.1.6.1.20).
    package static func text(_ number: Double) -> String {
        guard number.isFinite else { return "null" }
        if number == 0 { return "0" }
        let (digits, exponent) = decimal(number.magnitude)
        return (number < 0 ? "-" : "") + spelled(digits, exponent)
    }

    /// The shortest digits that identify the number, and its exponent: the number is 0.digits * 10^exponent.
    private static func decimal(_ magnitude: Double) -> (digits: [UInt8], exponent: Int) {
        let parts = magnitude.description.utf8.split(separator: UInt8(ascii: "e"))
        let mantissa = parts[0].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let whole = Array(mantissa[0])
        var digits = whole + (mantissa.count > 1 ? Array(mantissa[1]) : [])
        var exponent = whole.count
        if parts.count > 1 { exponent += Int(String(decoding: parts[1], as: UTF8.self)) ?? 0 }
        let zeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(zeros)
        exponent -= zeros
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (digits, exponent)
    }

    private static func spelled(_ digits: [UInt8], _ exponent: Int) -> String {
        func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
        func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }
        switch exponent {
        case digits.count...21: if digits.count <= 21 { return text(digits) + zeros(exponent - digits.count) }
        case 1...21: return text(digits[..<exponent]) + "." + text(digits[exponent...])
        case -5...0: return "0." + zeros(-exponent) + text(digits)
        default: break
        }
        let power = exponent - 1
        let fraction = digits.count > 1 ? "." + text(digits[1...]) : ""
        return text(digits[..<1]) + fraction + (power < 0 ? "e-" : "e+") + "\(power.magnitude)"
    }
}
