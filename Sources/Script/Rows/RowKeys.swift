// The keys of the rows in a file of JSON lines.

internal import JSON

/// The keys of a file's rows.
struct RowKeys {
    /// A key as bytes. Strings of Swift are equal if they look alike; keys are equal if their bytes are.
    struct Key: Hashable {
        fileprivate let text: String

        static func == (a: Key, b: Key) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
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
        var text = ""
        for (member, value) in zip(members, values) {
            if !text.isEmpty { text += "," }
            switch value {
            // The text of one string needs no end.
            case .string(let string) where members.count == 1: text += "\"" + string
            case .string: text += JSONWriter.text(value)
            case .int(let number): text += String(number)
            case .double(let number):
                guard let integer = Int64(exactly: number) else { throw Self.problem(member, value) }
                text += String(integer)
            default: throw Self.problem(member, value)
            }
        }
        return Key(text: text)
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
