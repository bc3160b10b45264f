// Takes keys out of everything that leaves the engine as a message, a chunk or a log line. Providers echo keys in error
// bodies, proxies quote whole requests. Text of replies is not touched.

internal import Wire

/// The keys that one engine has used. Shared by its requests, on its thread.
final class Secrets {
    private var scrubber = KeyScrubber()

    func add(_ key: String) { scrubber.add(key) }
    func scrub(_ text: String) -> String { scrubber.scrub(text) }
    func scrub(_ bytes: [UInt8]) -> [UInt8] { scrubber.scrub(bytes) }

    /// The value with every string in it scrubbed.
    func scrub(_ value: JSONValue) -> JSONValue {
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
}

/// Replaces known secrets, in the forms in which they travel, by "[key]".
struct KeyScrubber {
    /// Shorter values are placeholders ("none", "test"): to cut them out of every message would garble it.
    static let shortestKey = 6

    private static let mark = Array("[key]".utf8)
    private var known: Set<String> = []
    /// Longest first, so that a form that contains another goes whole.
    private var needles: [[UInt8]] = []
    private var firsts = [Bool](repeating: false, count: 256)

    /// Adds a key; its exact bytes, and its JSON-escaped, percent-encoded and base64 forms, are removed from now on.
    mutating func add(_ key: String) {
        guard key.utf8.count >= Self.shortestKey, known.insert(key).inserted else { return }
        for form in Self.forms(of: Array(key.utf8)) where !needles.contains(form) {
            needles.append(form)
            firsts[Int(form[0])] = true
        }
        needles.sort { $0.count > $1.count }
    }

    /// The text without keys.
    func scrub(_ text: String) -> String {
        guard !needles.isEmpty else { return text }
        return scrubbed(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) } ?? text
    }

    /// The bytes without keys.
    func scrub(_ bytes: [UInt8]) -> [UInt8] { scrubbed(bytes) ?? bytes }

    /// Nil if there was nothing to remove.
    private func scrubbed(_ bytes: [UInt8]) -> [UInt8]? {
        guard !needles.isEmpty else { return nil }
        var result: [UInt8]?
        var copied = 0
        var index = 0
        while index < bytes.count {
            guard firsts[Int(bytes[index])], let length = match(bytes, at: index) else {
                index += 1
                continue
            }
            result = (result ?? []) + bytes[copied..<index] + Self.mark
            index += length
            copied = index
        }
        guard var result else { return nil }
        result += bytes[copied...]
        return result
    }

    private func match(_ bytes: [UInt8], at index: Int) -> Int? {
        for needle in needles where bytes.count - index >= needle.count {
            var length = 0
            while length < needle.count, bytes[index + length] == needle[length] { length += 1 }
            if length == needle.count { return length }
        }
        return nil
    }

    // MARK: Forms

    private static func forms(of key: [UInt8]) -> [[UInt8]] {
        var forms = [key, jsonEscaped(key, slash: false), jsonEscaped(key, slash: true)]
        forms += [percentEncoded(key, digits: "0123456789ABCDEF"), percentEncoded(key, digits: "0123456789abcdef")]
        for alphabet in [base64Alphabet, base64URLAlphabet] {
            for offset in 0..<3 { forms.append(base64(key, offset: offset, alphabet: alphabet)) }
        }
        return forms.filter { $0.count >= shortestKey }
    }

    private static func jsonEscaped(_ key: [UInt8], slash: Bool) -> [UInt8] {
        key.flatMap { byte -> [UInt8] in
            let isEscaped =
                byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || (slash && byte == UInt8(ascii: "/"))
            return isEscaped ? [UInt8(ascii: "\\"), byte] : [byte]
        }
    }

    private static func percentEncoded(_ key: [UInt8], digits: String) -> [UInt8] {
        let digits = Array(digits.utf8)
        return key.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: [byte]
            default: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    private static let base64Alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let base64URLAlphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The characters that the key alone decides when `offset` (modulo 3) other bytes precede it: "user:key" in a Basic
    /// header shifts the key by any offset. Those shared with a neighbour are left out.
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
