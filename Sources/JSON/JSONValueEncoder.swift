// Encodes Encodable values to JSONValue. Replaces Foundation's JSONEncoder, which this project does not link.

/// Encodes values as JSON.
///
/// A `JSONValue` inside the value is copied unchanged. Doubles remain doubles, and integers integers. Numbers that JSON
/// or Int64 cannot represent become strings: "inf", "-inf", "nan", and integers outside the range of Int64.
package struct JSONValueEncoder {
    /// An encoder without options.
    package init() {}

    /// The value as JSON.
    /// - Returns: an empty object for a value that encodes nothing.
    /// - Throws: the error of the value's `encode(to:)`.
    package func encode(_ value: some Encodable) throws -> JSONValue { try Slot.filled(with: value, at: []).json }
}

/// The output of one value, filled by its encoder.
private final class Slot {
    private enum Content {
        case nothing
        case value(JSONValue)
        case array([Slot])
        case object([(key: String, slot: Slot)])
    }

    private var content = Content.nothing

    var json: JSONValue {
        switch content {
        case .nothing: .object([:])
        case .value(let value): value
        case .array(let slots): .array(slots.map(\.json))
        case .object(let members):
            .object(members.reduce(into: JSONObject()) { $0[$1.key] = $1.slot.json })
        }
    }

    static func filled(with value: some Encodable, at path: [any CodingKey]) throws -> Slot {
        let slot = Slot()
        try slot.encode(value, at: path)
        return slot
    }

    func encode(_ value: some Encodable, at path: [any CodingKey]) throws {
        if let value = value as? any JSONRepresentable {
            content = .value(value.json)
        } else {
            try value.encode(to: ValueEncoder(slot: self, codingPath: path))
        }
    }

    func encodeNull() { content = .value(.null) }

    func beginArray() { if case .array = content {} else { content = .array([]) } }
    func beginObject() { if case .object = content {} else { content = .object([]) } }

    var count: Int { if case .array(let slots) = content { slots.count } else { 0 } }

    func append(_ slot: Slot) {
        guard case .array(var slots) = content else { return }
        content = .nothing
        slots.append(slot)
        content = .array(slots)
    }

    func set(_ key: String, _ slot: Slot) {
        guard case .object(var members) = content else { return }
        content = .nothing
        members.append((key, slot))
        content = .object(members)
    }
}

private struct ValueEncoder: Encoder {
    let slot: Slot
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        slot.beginObject()
        return KeyedEncodingContainer(ObjectContainer<Key>(slot: slot, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        slot.beginArray()
        return ArrayContainer(slot: slot, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleContainer(slot: slot, codingPath: codingPath)
    }
}

private struct ObjectContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let slot: Slot
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) { member(key).encodeNull() }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        slot.set(key.stringValue, try Slot.filled(with: value, at: codingPath + [key]))
    }

    func nestedContainer<Inner>(keyedBy type: Inner.Type, forKey key: Key) -> KeyedEncodingContainer<Inner> {
        inside(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { inside(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { ValueEncoder(slot: member("super"), codingPath: codingPath) }

    func superEncoder(forKey key: Key) -> any Encoder { inside(key) }

    private func inside(_ key: Key) -> ValueEncoder {
        ValueEncoder(slot: member(key), codingPath: codingPath + [key])
    }

    private func member(_ key: Key) -> Slot { member(key.stringValue) }

    private func member(_ key: String) -> Slot {
        let member = Slot()
        slot.set(key, member)
        return member
    }
}

private struct ArrayContainer: UnkeyedEncodingContainer {
    let slot: Slot
    let codingPath: [any CodingKey]
    var count: Int { slot.count }

    func encodeNil() { element().encodeNull() }

    func encode(_ value: some Encodable) throws {
        slot.append(try Slot.filled(with: value, at: codingPath + [IndexKey(count)]))
    }

    func nestedContainer<Inner>(keyedBy type: Inner.Type) -> KeyedEncodingContainer<Inner> {
        inside().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { inside().unkeyedContainer() }

    func superEncoder() -> any Encoder { inside() }

    private func inside() -> ValueEncoder {
        let path = codingPath + [IndexKey(count)]
        return ValueEncoder(slot: element(), codingPath: path)
    }

    private func element() -> Slot {
        let element = Slot()
        slot.append(element)
        return element
    }
}

private struct SingleContainer: SingleValueEncodingContainer {
    let slot: Slot
    let codingPath: [any CodingKey]

    func encodeNil() { slot.encodeNull() }
    func encode(_ value: some Encodable) throws { try slot.encode(value, at: codingPath) }
}

/// The index of an element, as a part of a coding path.
struct IndexKey: CodingKey {
    let intValue: Int?
    let stringValue: String

    init(_ index: Int) {
        intValue = index
        stringValue = "[\(index)]"
    }

    init?(intValue: Int) { self.init(intValue) }
    init?(stringValue: String) { nil }
}
