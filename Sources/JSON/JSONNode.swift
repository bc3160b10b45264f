// One value inside a parsed document, for decoders of stream frames. Copies nothing until a String or JSONValue is
// requested. Pointers are not used outside single expressions; see JSONReader.swift.

internal import Base
internal import CSimdJSON

/// A JSON value inside a parsed document. Trivial to copy. Valid until the next parse of its reader; reads as null
/// afterwards.
package struct JSONNode {
    /// Type of a value.
    package enum Kind: Sendable {
        case null, bool, int, double, string, array, object
    }

    private let place: csj_node

    internal init(_ place: csj_node) { self.place = place }

    /// Whether the value is an object.
    package var isObject: Bool { csj_type(place) == UInt8(ascii: "{") }

    /// Whether the value is an array.
    package var isArray: Bool { csj_type(place) == UInt8(ascii: "[") }

    /// Type of the value. Integers above Int64.max are doubles.
    package var kind: Kind {
        switch csj_type(place) {
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "l"): .int
        case UInt8(ascii: "d"), UInt8(ascii: "u"): .double
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
        default: .null
        }
    }

    /// True for `null`.
    package var isNull: Bool { csj_type(place) == UInt8(ascii: "n") }

    /// The string, or nil for another type.
    package var string: String? {
        guard csj_type(place) == UInt8(ascii: "\"") else { return nil }
        return text(of: place)
    }

    /// The integer; also for a double that is a whole number.
    package var int: Int64? {
        switch kind {
        case .int: Int64(bitPattern: csj_bits(place))
        case .double: double.flatMap { Int64(exactly: $0) }
        default: nil
        }
    }

    /// The number as a double, or nil for another type.
    package var double: Double? {
        switch csj_type(place) {
        case UInt8(ascii: "d"): Double(bitPattern: csj_bits(place))
        case UInt8(ascii: "l"): Double(Int64(bitPattern: csj_bits(place)))
        case UInt8(ascii: "u"): Double(csj_bits(place))
        default: nil
        }
    }

    /// The boolean, or nil for another type.
    package var bool: Bool? {
        switch csj_type(place) {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    /// The member `key` of an object. If the name is repeated, the last member counts.
    package subscript(key: StaticString) -> JSONNode? {
        guard kind == .object else { return nil }
        let index = key.withUTF8Buffer { csj_find(place, $0.baseAddress, UInt32($0.count)) }
        return index == 0 ? nil : JSONNode(csj_at(place, index))
    }

    /// Finds several members in one walk, without allocation. Finds none if this is not an object. If a name is
    /// repeated, the last member counts.
    package func pick(_ keys: JSONKeys) -> JSONPicked {
        var picked = JSONPicked(places: InlineArray(repeating: 0), object: place)
        var places = picked.places.mutableSpan
        let masks = keys.table.withUnsafeBufferPointer { table in
            places.withUnsafeMutableBufferPointer { out in
                csj_pick(place, table.baseAddress, out.baseAddress)
            }
        }
        (picked.found, picked.nulls) = (masks.found, masks.nulls)
        return picked
    }

    /// Calls `body` with name and value of each member that is not in `keys` and whose value is a non-empty array or
    /// object. See ``JSONPicked/hasOthers``.
    package func forEachOther(than keys: JSONKeys, _ body: (JSONNode, JSONNode) -> Void) {
        keys.table.withUnsafeBufferPointer { table in
            var from = csj_begin(place)
            while true {
                let name = csj_other(place, table.baseAddress, from)
                guard name != 0 else { return }
                let value = csj_at(place, name + 1)
                let next = csj_after(value)
                body(JSONNode(csj_at(place, name)), JSONNode(value))
                from = next
            }
        }
    }

    /// True for a number, a boolean, a non-empty string, and an array or object that contains one of these at any
    /// depth.
    package var isFilled: Bool {
        switch kind {
        case .null: return false
        case .string: return !isString("")
        case .bool, .int, .double: return true
        case .array, .object:
            let end = csj_end(place)
            let isObject = kind == .object
            var child = csj_at(place, csj_begin(place))
            while child.index < end {
                if isObject { child = csj_at(child, child.index + 1) }
                if JSONNode(child).isFilled { return true }
                child = csj_at(child, csj_after(child))
            }
            return false
        }
    }

    /// Calls `body` with each element of an array, in order. No calls if this is not an array.
    /// - Throws: what `body` throws.
    package func forEachElement<E: Error>(_ body: (JSONNode) throws(E) -> Void) throws(E) {
        guard isArray else { return }
        let end = csj_end(place)
        var element = csj_at(place, csj_begin(place))
        while element.index < end {
            let next = csj_after(element)
            try body(JSONNode(element))
            element = csj_at(element, next)
        }
    }

    /// The elements of an array, in order; none if this is not an array.
    package var elements: JSONElements { JSONElements(of: place, isArray: isArray) }

    /// Calls `body` with each member of an object in order, duplicates included. No calls if this is not an object.
    /// - Throws: what `body` throws.
    package func forEachMember<E: Error>(_ body: (String, JSONNode) throws(E) -> Void) throws(E) {
        guard kind == .object else { return }
        let end = csj_end(place)
        var key = csj_at(place, csj_begin(place))
        while key.index < end {
            let value = csj_at(key, key.index + 1)
            let next = csj_after(value)
            try body(text(of: key), JSONNode(value))
            key = csj_at(key, next)
        }
    }

    /// The first element of an array, or nil.
    package var first: JSONNode? {
        guard kind == .array, csj_begin(place) < csj_end(place) else { return nil }
        return JSONNode(csj_at(place, csj_begin(place)))
    }

    /// Number of elements or members, duplicates included; 0 for other types.
    package var count: Int {
        let type = kind
        guard type == .array || type == .object else { return 0 }
        let end = csj_end(place)
        var total = 0
        var child = csj_at(place, csj_begin(place))
        while child.index < end {
            if type == .object { child = csj_at(child, child.index + 1) }
            child = csj_at(child, csj_after(child))
            total += 1
        }
        return total
    }

    /// Whether this is a string of exactly these bytes. Allocates no String.
    package func isString(_ string: StaticString) -> Bool {
        string.withUTF8Buffer { csj_equals(place, $0.baseAddress, $0.count) }
    }

    /// A deep copy that outlives the reader. If a name is repeated, the value of the last member is used at the
    /// position of the first.
    package var value: JSONValue {
        switch kind {
        case .null: return .null
        case .bool: return .bool(bool ?? false)
        case .int: return .int(int ?? 0)
        case .double: return .double(double ?? 0)
        case .string: return .string(text(of: place))
        case .array:
            var elements: [JSONValue] = []
            elements.reserveCapacity(count)
            forEachElement { elements.append($0.value) }
            return .array(elements)
        case .object: return .object(objectValue)
        }
    }

    /// Maximum members whose names are compared one by one.
    private static let fewMembers = 8

    /// Names are compared by bytes: Swift's `==` treats "é" and "e" + accent as equal. A table avoids quadratic time
    /// for documents with many members.
    private var objectValue: JSONObject {
        let count = count
        guard count > Self.fewMembers else {
            var object = JSONObject()
            object.reserve(count)
            forEachMember { object.set(exactly: $0, $1.value) }
            return object
        }
        var members: [(key: String, node: JSONNode)] = []
        forEachMember { members.append(($0, $1)) }
        var places: [ExactName: Int] = [:]
        var kept = 0
        if members.count > 1 { places.reserveCapacity(members.count) }
        for index in members.indices {
            if members.count > 1, let earlier = places.updateValue(kept, forKey: ExactName(text: members[index].key)) {
                places[ExactName(text: members[index].key)] = earlier
                members[earlier].node = members[index].node
            } else {
                members.swapAt(kept, index)
                kept += 1
            }
        }
        var object = JSONObject()
        for member in members.prefix(kept) { object.append(uncheckedKey: member.key, member.node.value) }
        return object
    }

    private func text(of node: csj_node) -> String {
        guard csj_type(node) == UInt8(ascii: "\"") else { return "" }
        var length: UInt32 = 0
        let start = csj_string(node, &length)
        // simdjson has validated the document, and rejects escapes of lone surrogates.
        return String(uncheckedUTF8: UnsafeBufferPointer(start: start, count: Int(length)).span)
    }
}

/// The elements of an array. Cheaper than ``JSONNode/forEachElement(_:)`` in another module, which calls it without its
/// types.
package struct JSONElements: IteratorProtocol {
    private var place: csj_node
    private let end: UInt32

    fileprivate init(of array: csj_node, isArray: Bool) {
        place = csj_at(array, csj_begin(array))
        end = isArray ? csj_end(array) : 0
    }

    package mutating func next() -> JSONNode? {
        guard place.index < end else { return nil }
        defer { place.index = csj_after(place) }
        return JSONNode(place)
    }
}

/// A member name, compared by bytes.
private struct ExactName: Hashable {
    let text: String

    static func == (a: ExactName, b: ExactName) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
