// Removes secrets from text in every form in which they are sent. Providers echo keys in error bodies; proxies quote whole
// requests.

package import JSON

/// Replaces known secrets by "[key]" in every form in which they are sent: plain, in upper or lower case, with JSON,
/// percent or HTML escapes for any character, and in base64.
///
/// A text may have been truncated before it is scrubbed: at its end and before "...", a prefix of a secret is removed
/// too.
package struct KeyScrubber: Sendable {
    /// Minimum length of a secret. Shorter values are placeholders ("none", "test"), and their removal would garble
    /// messages.
    package static let shortestKey = 6
    /// Minimum prefix of a secret that is removed where a text is truncated. Shorter ones reveal nothing ("sk-proj").
    private static let shortestBeginning = 8

    private static let mark = Array("[key]".utf8)
    private var known: Set<String> = []
    private var forms: [Form] = []
    private var firsts = [Bool](repeating: false, count: 256)

    /// One form of a secret.
    private struct Form: Equatable, Sendable {
        var bytes: [UInt8]
        /// Whether this is a base64 form, which has no escapes and is case-sensitive.
        var isEncoded: Bool
        /// Minimum bytes of the form that are removed where a text is truncated.
        var beginning: Int { min(KeyScrubber.shortestBeginning, (bytes.count + 1) / 2) }
    }

    /// A scrubber without secrets.
    package init() {}

    /// Whether it has no secrets.
    package var isEmpty: Bool { forms.isEmpty }

    /// Adds a secret.
    package mutating func add(_ key: String) {
        guard key.utf8.count >= Self.shortestKey, known.insert(key).inserted else { return }
        let bytes = Self.withSingleBlanks(Array(key.utf8))
        add(Form(bytes: bytes, isEncoded: false))
        for alphabet in [Self.base64Alphabet, Self.base64URLAlphabet] {
            for offset in 0..<3 {
                add(Form(bytes: Self.base64(Array(key.utf8), offset: offset, alphabet: alphabet), isEncoded: true))
            }
        }
        // Longest first, so that a form that contains another one is removed whole.
        forms.sort { $0.bytes.count > $1.bytes.count }
    }

    private mutating func add(_ form: Form) {
        guard form.bytes.count >= Self.shortestKey, !forms.contains(form) else { return }
        forms.append(form)
        firsts[Int(form.bytes[0])] = true
        guard !form.isEncoded else { return }
        firsts[Int(form.bytes[0] ^ 0x20)] = true
        for escape in "\\%&".utf8 { firsts[Int(escape)] = true }
    }

    /// The text without secrets.
    package func scrub(_ text: String) -> String {
        guard !forms.isEmpty else { return text }
        return scrubbed(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) } ?? text
    }

    /// The value with all its strings scrubbed.
    package func scrub(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): return .string(scrub(text))
        case .array(let elements): return .array(elements.map { scrub($0) })
        case .object(let object):
            var result = JSONObject()
            for member in object { result.append(uncheckedKey: scrub(member.key), scrub(member.value)) }
            return .object(result)
        default: return value
        }
    }

    /// The bytes without secrets.
    package func scrub(_ bytes: [UInt8]) -> [UInt8] { scrubbed(bytes) ?? bytes }

    /// The bytes without secrets; nil if there are none.
    private func scrubbed(_ bytes: [UInt8]) -> [UInt8]? {
        guard !forms.isEmpty else { return nil }
        var result: [UInt8]?
        var copied = 0
        var index = 0
        while index < bytes.count {
            guard firsts[Int(bytes[index])], let end = match(bytes, at: index) else {
                index += 1
                continue
            }
            result = (result ?? []) + bytes[copied..<index] + Self.mark
            index = end
            copied = index
        }
        guard var result else { return nil }
        result += bytes[copied...]
        return result
    }

    /// End of the secret that begins at `index`; nil if there is none. A whole secret has priority over a prefix.
    private func match(_ bytes: [UInt8], at index: Int) -> Int? {
        var beginning: Int?
        for form in forms {
            let (end, matched) = Self.compare(bytes, at: index, form)
            if matched == form.bytes.count { return end }
            guard matched >= form.beginning, let cut = Self.cut(bytes, at: end) else { continue }
            beginning = max(beginning ?? 0, cut)
        }
        return beginning
    }

    /// Compares the text at `start` with a form.
    /// - Returns: the end of the match, and the number of bytes of the form that matched.
    private static func compare(_ bytes: [UInt8], at start: Int, _ form: Form) -> (end: Int, matched: Int) {
        var end = start
        for (index, wanted) in form.bytes.enumerated() {
            guard end < bytes.count else { return (end, index) }
            if bytes[end] == wanted, wanted != 0x20, wanted != UInt8(ascii: "\\") {
                end += 1
                continue
            }
            guard !form.isEncoded, let next = step(bytes, at: end, wanted) else { return (end, index) }
            end = next
        }
        return (end, form.bytes.count)
    }

    /// Index after a character that is an encoding of `wanted`; nil if there is none.
    private static func step(_ bytes: [UInt8], at start: Int, _ wanted: UInt8) -> Int? {
        if isLetter(wanted), bytes[start] == wanted ^ 0x20 { return start + 1 }
        if wanted == 0x20 {
            var end = start
            while end < bytes.count, isBlank(bytes[end]) || bytes[end] == UInt8(ascii: "+") { end += 1 }
            if end > start { return end }
        }
        switch bytes[start] {
        case UInt8(ascii: "\\"): return unescaped(bytes, at: start, wanted)
        case UInt8(ascii: "%"):
            var place = start + 1
            // Doubly encoded: %252F.
            while bytes.count >= place + 2, bytes[place] == UInt8(ascii: "2"), bytes[place + 1] == UInt8(ascii: "5"),
                wanted != UInt8(ascii: "%")
            {
                place += 2
            }
            return number(bytes, place..<place + 2, radix: 16) == wanted ? place + 2 : nil
        case UInt8(ascii: "&"): return entity(bytes, at: start, wanted)
        default: return nil
        }
    }

    /// Index after a JSON escape of `wanted`, which may be escaped several times.
    private static func unescaped(_ bytes: [UInt8], at start: Int, _ wanted: UInt8) -> Int? {
        if wanted == UInt8(ascii: "\\") {
            return start + 1 < bytes.count && bytes[start + 1] == wanted ? start + 2 : start + 1
        }
        var place = start
        while place < bytes.count, bytes[place] == UInt8(ascii: "\\") { place += 1 }
        guard place < bytes.count else { return nil }
        if bytes[place] == UInt8(ascii: "u") {
            return number(bytes, place + 1..<place + 5, radix: 16) == wanted ? place + 5 : nil
        }
        return bytes[place] == wanted && !isLetter(wanted) ? place + 1 : nil
    }

    private static let entities: [(name: [UInt8], byte: UInt8)] = [
        ("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'"),
    ].map { (Array($0.0.utf8), $0.1.utf8.first ?? 0) }

    private static func entity(_ bytes: [UInt8], at start: Int, _ wanted: UInt8) -> Int? {
        guard let length = bytes[start...].prefix(10).firstIndex(of: UInt8(ascii: ";")).map({ $0 - start }), length > 1
        else { return nil }
        let end = start + length
        guard bytes[start + 1] == UInt8(ascii: "#") else {
            let name = bytes[start + 1..<end]
            return entities.contains { $0.byte == wanted && name.elementsEqual($0.name) } ? end + 1 : nil
        }
        let isHex = bytes[start + 2] | 0x20 == UInt8(ascii: "x")
        let value = number(bytes, start + (isHex ? 3 : 2)..<end, radix: isHex ? 16 : 10)
        return value == wanted ? end + 1 : nil
    }

    /// The number in this range; nil if it is not a number below 256.
    private static func number(_ bytes: [UInt8], _ range: Range<Int>, radix: Int) -> UInt8? {
        guard range.upperBound <= bytes.count, !range.isEmpty else { return nil }
        return UInt8(String(decoding: bytes[range], as: UTF8.self), radix: radix)
    }

    /// End of the text after a matched prefix, if the text is truncated there, possibly inside an escape; otherwise
    /// nil.
    private static func cut(_ bytes: [UInt8], at index: Int) -> Int? {
        var end = index
        while end < bytes.count, end - index < 6, bytes[end] != UInt8(ascii: "."), bytes[end] != 0xE2,
            end > index || bytes[end] == UInt8(ascii: "\\") || bytes[end] == UInt8(ascii: "%")
                || bytes[end] == UInt8(ascii: "&")
        {
            end += 1
        }
        let rest = bytes[end...].prefix(3)
        return rest.isEmpty || rest.elementsEqual("...".utf8) || rest.elementsEqual("…".utf8) ? end : nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// The key with each run of white space as one space, because messages are reduced to one line.
    private static func withSingleBlanks(_ key: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in key {
            if !isBlank(byte) { result.append(byte) } else if result.last != 0x20 { result.append(0x20) }
        }
        return result
    }

    // MARK: Base64

    private static let base64Alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let base64URLAlphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The base64 characters that depend only on the key if `offset` (modulo 3) bytes precede it: "user:key" in a Basic
    /// header shifts the key by any offset. Characters that also depend on an adjacent byte are left out.
    private static func base64(_ key: [UInt8], offset: Int, alphabet: [UInt8]) -> [UInt8] {
        var form: [UInt8] = []
        let bits = (offset * 8)..<(offset * 8 + key.count * 8)
        func bit(_ position: Int) -> UInt8 {
            let byte = key[(position - offset * 8) / 8]
            return (byte >> UInt8(7 - position % 8)) & 1
        }
        var start = (bits.lowerBound + 5) / 6 * 6
        while start + 6 <= bits.upperBound {
            let sextet = (start..<start + 6).reduce(UInt8(0)) { $0 << 1 | bit($1) }
            form.append(alphabet[Int(sextet)])
            start += 6
        }
        return form
    }
}
