// The thought signatures of generateContent: what is signed is known again when it comes back. Written by GeminiContent's
// bodies and frames, checked by GeminiConversation.

internal import JSON

/// What has been said and is to be signed.
struct GeminiSignature {
    private var print: Fingerprint

    /// What stands on calls that another model made.
    static let foreign = "skip_thought_signature_validator"

    /// Nothing said yet.
    init() { print = Fingerprint(seed: 7) }

    /// A call. The order of its arguments does not count, nor how their numbers are written.
    init(call name: String, _ arguments: JSONValue) {
        print = Fingerprint(seed: 8)
        print.add(name.utf8)
        print.add(arguments.canonical.text.utf8)
    }

    mutating func add(_ text: String) { print.add(text.utf8) }

    /// Twenty characters of both alphabets of base64 (RFC 4648): clients decode a signature, and encode it in either.
    var text: String {
        let hex = String(print.value, radix: 16)
        return "rill" + String(repeating: "0", count: 16 - hex.count) + hex
    }
}

extension JSONValue {
    /// The same value with members by name, and whole numbers without a fraction.
    fileprivate var canonical: JSONValue {
        switch self {
        case .array(let elements): return .array(elements.map(\.canonical))
        case .object(let object):
            var sorted = JSONObject()
            for member in object.sorted(by: { $0.key < $1.key }) { sorted[member.key] = member.value.canonical }
            return .object(sorted)
        case .double(let value): return Int64(exactly: value).map { .int($0) } ?? self
        default: return self
        }
    }
}
