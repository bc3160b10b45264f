// Ids for tool calls without one (Gemini before 3, Ollama, Cohere v1, some Chat Completions servers).

/// Local ids for the calls of one reply or conversation.
///
/// An id is "mr", six base-62 digits and a check digit. Nine letters and digits are valid in every format: Mistral
/// requires `[a-zA-Z0-9]{9}`, OpenAI at most 40 characters, Anthropic `^[a-zA-Z0-9_-]+$`. Local ids are recognized by
/// their form, also in saved conversations and in messages that scripts write.
struct LocalCallIDs: Sendable, Equatable {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let prefix = Array("mr".utf8)
    private static let digits = 6
    /// 62^6. A reply begins at a random number below this, so that two replies of a conversation have different ids.
    private static let range: UInt64 = 56_800_235_584

    /// The first number of each reply, for tests that compare replies.
    @TaskLocal static var fixedStart: UInt64?

    private let start: UInt64

    /// Ids of one reply.
    init() { start = Self.fixedStart ?? UInt64.random(in: 0..<Self.range) }

    /// Ids that are the same each time.
    init(start: UInt64) { self.start = start }

    /// The id of a call by its number. Numbers below `range` have different ids.
    subscript(number: Int) -> String {
        var rest = (start &+ UInt64(clamping: number)) % Self.range
        var values = [Int](repeating: 0, count: Self.digits)
        for place in values.indices.reversed() {
            values[place] = Int(rest % 62)
            rest /= 62
        }
        let text = Self.prefix + (values + [Self.check(values)]).map { Self.alphabet[$0] }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether an id is local. A random provider id of nine letters and digits has this form in 1 of 238,000 cases; it
    /// is then left out if the format needs no ids.
    static func isLocal(_ id: String) -> Bool {
        let text = Array(id.utf8)
        guard text.count == prefix.count + digits + 1, text.starts(with: prefix) else { return false }
        let values = text.dropFirst(prefix.count).compactMap { alphabet.firstIndex(of: $0) }
        return values.count == digits + 1 && values[digits] == check(values.prefix(digits))
    }

    private static func check(_ values: some Sequence<Int>) -> Int {
        values.enumerated().reduce(0) { $0 + ($1.offset + 2) * $1.element } % 61
    }
}
