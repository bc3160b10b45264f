// A JSON document as a Swift value.

/// Any JSON value (RFC 8259). Integers in the range of Int64 are integers; all other numbers are doubles.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// A JSON object that keeps the order of its members. A later duplicate replaces the value of the earlier member, which
/// keeps its position (RFC 8259 section 4 leaves this open; provider SDKs do the same).
public struct JSONObject: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
    /// The members, in order.
    public private(set) var members: [Member] = []

    /// One name and its value.
    public struct Member: Sendable, Hashable {
        /// The name.
        public var key: String
        /// The value.
        public var value: JSONValue
    }

    /// An empty object.
    public init() {}

    /// An object with the given members in order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members.reserveCapacity(elements.count)
        for (key, value) in elements { self[key] = value }
    }

    /// The value of `key`; setting nil removes the member.
    public subscript(key: String) -> JSONValue? {
        get { members.first { $0.key == key }?.value }
        set {
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }

    /// Appends a member without searching for a duplicate. For callers whose keys are known to be different.
    public mutating func append(uncheckedKey key: String, _ value: JSONValue) {
        members.append(Member(key: key, value: value))
    }

    /// Orders the members by name.
    package mutating func sortByKey() {
        let isSorted = members.indices.dropFirst().allSatisfy { members[$0 - 1].key <= members[$0].key }
        if !isSorted { members.sort { $0.key < $1.key } }
    }

    /// Makes room for that many members.
    internal mutating func reserve(_ count: Int) { members.reserveCapacity(count) }

    /// Sets the value of `key`, which is compared by bytes. A new member is appended.
    internal mutating func set(exactly key: String, _ value: JSONValue) {
        // Strings with equal bytes are equal; the reverse is not true.
        if let index = members.firstIndex(where: { $0.key == key && $0.key.utf8.elementsEqual(key.utf8) }) {
            members[index].value = value
        } else {
            members.append(Member(key: key, value: value))
        }
    }

    /// Appends to the string or array of `key` in place; replaces a value of another type.
    public mutating func extend(_ key: String, by value: JSONValue) {
        guard let index = members.firstIndex(where: { $0.key == key }) else {
            return members.append(Member(key: key, value: value))
        }
        // Removed from the object while it grows: a second owner would force a copy for each piece.
        if case .string(var text) = members[index].value, case .string(let more) = value {
            members[index].value = .null
            text += more
            members[index].value = .string(text)
        } else if case .array(var elements) = members[index].value, case .array(let more) = value {
            members[index].value = .null
            elements += more
            members[index].value = .array(elements)
        } else {
            members[index].value = value
        }
    }

    /// True without members.
    public var isEmpty: Bool { members.isEmpty }
    /// Number of members.
    public var count: Int { members.count }
    /// Iterates over the members in order.
    public func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
}

extension JSONValue {
    /// The string, or nil for another type.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The integer; also for a double that is a whole number.
    public var int: Int64? {
        switch self {
        case .int(let value): value
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }
    /// The number as a double, or nil for another type.
    public var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
    /// The boolean, or nil for another type.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The elements, or nil for another type.
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    /// The object, or nil for another type.
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    /// The member `key` of an object, or nil.
    public subscript(key: String) -> JSONValue? { object?[key] }
    /// True for `null`.
    public var isNull: Bool { self == .null }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A JSON string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A JSON integer.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A JSON double.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A JSON boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A JSON array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// A JSON object.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
    /// JSON null.
    public init(nilLiteral: ()) { self = .null }
}
