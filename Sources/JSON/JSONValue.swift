// A JSON document as a value. What scripts write, what providers answer, what crosses from one room
// to the next. Reading bytes into it is JSONReader's work, writing it out JSONWriter's.

/// Any JSON value (RFC 8259). Integers that fit 64 bits stay integers; all other numbers are doubles.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// A JSON object that keeps the order in which its members came. A later duplicate replaces the value
/// of an earlier one and keeps its place (RFC 8259 section 4 leaves this open; the last one wins here,
/// as in every provider's SDK).
public struct JSONObject: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
    /// The members, in order.
    public private(set) var members: [Member] = []

    /// One name with its value.
    public struct Member: Sendable, Hashable {
        /// The member's name.
        public var key: String
        /// The member's value.
        public var value: JSONValue
    }

    /// An empty object.
    public init() {}

    /// An object of the given members, in the order written.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
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

    /// Adds a member without looking for an earlier one of the same name: for readers that know their keys differ.
    public mutating func append(uncheckedKey key: String, _ value: JSONValue) {
        members.append(Member(key: key, value: value))
    }

    /// Lengthens the text or array of `key` by another, in place; any other value takes the old one's place.
    public mutating func extend(_ key: String, by value: JSONValue) {
        guard let index = members.firstIndex(where: { $0.key == key }) else {
            return members.append(Member(key: key, value: value))
        }
        // Taken out of its place while it grows: a second owner would mean a copy of it for each piece.
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

    /// True when there is no member.
    public var isEmpty: Bool { members.isEmpty }
    /// How many members there are.
    public var count: Int { members.count }
    /// Walks the members in order.
    public func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
}

extension JSONValue {
    /// The string, if this is one.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The integer, if this is one (or a double that is a whole number).
    public var int: Int64? {
        switch self {
        case .int(let value): value
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }
    /// The number as a double, if this is one.
    public var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
    /// The truth value, if this is one.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The elements, if this is an array.
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    /// The object, if this is one.
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    /// The member `key`, if this is an object that has it.
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
    /// A JSON truth value.
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
