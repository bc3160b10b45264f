// The keys of the rows in a file of JSON lines.

internal import JSON

/// The keys of a file's rows.
struct RowKeys {
    /// The key of one row.
    enum Key: Hashable {
        case integer(Int64)
        case text(KeyText)
        /// Several values, as JSON separated by commas.
        case several(KeyText)
    }

    /// The members that make the key.
    let members: [String]
    private var seen: Set<Key> = []

    /// The keys of rows in which those members identify a row.
    init(members: [String]) { self.members = members }

    /// Whether a row has that key.
    func contains(_ key: Key) -> Bool { seen.contains(key) }

    /// Notes a key.
    mutating func insert(_ key: Key) { seen.insert(key) }

    /// The key of a row.
    func key(of row: JSONValue) throws(RowProblem) -> Key {
        guard case .object(let object) = row else {
            throw .misuse("the row is no table with names; its key is \(title)")
        }
        var values: [JSONValue] = []
        for member in members {
            guard let value = object[member] else {
                throw .misuse("the row has no member \"\(member)\", and its key is \(title)")
            }
            values.append(value)
        }
        return try key(values)
    }

    /// The key with those values of the members.
    func key(_ values: [JSONValue]) throws(RowProblem) -> Key {
        guard values.count == members.count else {
            throw .misuse("the key is \(title), \(members.count) values, not \(values.count)")
        }
        let parts = try zip(members, values).map { (member, value) throws(RowProblem) in try Self.part(member, value) }
        if parts.count == 1, let only = parts.first { return only }
        let texts = parts.map { part in
            switch part {
            case .integer(let number): String(number)
            case .text(let text), .several(let text): JSONWriter.text(.string(text.text))
            }
        }
        return .several(KeyText(text: texts.joined(separator: ",")))
    }

    /// The key with one value.
    private static func part(_ member: String, _ value: JSONValue) throws(RowProblem) -> Key {
        switch value {
        case .string(let text): return .text(KeyText(text: text))
        case .int(let number): return .integer(number)
        case .double(let number):
            guard let integer = Int64(exactly: number) else { throw problem(member, value) }
            return .integer(integer)
        default: throw problem(member, value)
        }
    }

    private var title: String { members.map { "\"\($0)\"" }.joined(separator: ", ") }

    private static func problem(_ member: String, _ value: JSONValue) -> RowProblem {
        let shown =
            switch value {
            case .array, .object: "a table"
            default: JSONWriter.text(value)
            }
        return .misuse("the key \"\(member)\" must be a string or an integer, not \(shown)")
    }
}

/// Text that is equal to text with the same bytes. Strings of Swift are equal if they look alike.
struct KeyText: Hashable {
    let text: String

    static func == (a: KeyText, b: KeyText) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    func hash(into hasher: inout Hasher) {
        // Words, because the hasher is slow for single bytes.
        var word: UInt64 = 0
        var count = 0
        for byte in text.utf8 {
            word = word << 8 | UInt64(byte)
            count += 1
            if count % 8 == 0 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(count)
    }
}
