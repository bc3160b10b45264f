// Types that JSONValueEncoder and JSONValueDecoder convert directly, without the type's own Codable conformance.

/// A type with a direct JSON form.
protocol JSONRepresentable {
    /// The value as JSON.
    var json: JSONValue { get }
    /// Nil if `json` is not a value of the type.
    init?(json: JSONValue)
}

extension JSONValue: JSONRepresentable {
    var json: JSONValue { self }
    init?(json: JSONValue) { self = json }
}

extension JSONObject: JSONRepresentable {
    var json: JSONValue { .object(self) }
    init?(json: JSONValue) {
        guard let object = json.object else { return nil }
        self = object
    }
}

extension Bool: JSONRepresentable {
    var json: JSONValue { .bool(self) }
    init?(json: JSONValue) {
        guard let value = json.bool else { return nil }
        self = value
    }
}

extension String: JSONRepresentable {
    var json: JSONValue { .string(self) }
    init?(json: JSONValue) {
        guard let value = json.string else { return nil }
        self = value
    }
}

extension BinaryFloatingPoint where Self: LosslessStringConvertible {
    /// JSON has no infinities and no NaN: they are encoded as the strings "inf", "-inf" and "nan".
    var json: JSONValue { isFinite ? .double(Double(self)) : .string(description) }
    init?(json: JSONValue) {
        switch json {
        case .string(let text) where ["inf", "-inf", "nan"].contains(text): self.init(text)
        default:
            guard let value = json.double else { return nil }
            self.init(value)
        }
    }
}

extension Double: JSONRepresentable {}
extension Float: JSONRepresentable {}

extension FixedWidthInteger {
    /// An integer outside the range of Int64 is encoded as a string of its decimal digits.
    var json: JSONValue { Int64(exactly: self).map(JSONValue.int) ?? .string(description) }
    init?(json: JSONValue) {
        if let text = json.string {
            guard let value = Self(text), Int64(exactly: value) == nil else { return nil }
            self = value
        } else {
            guard let number = json.int, let value = Self(exactly: number) else { return nil }
            self = value
        }
    }
}

extension Int: JSONRepresentable {}
extension Int8: JSONRepresentable {}
extension Int16: JSONRepresentable {}
extension Int32: JSONRepresentable {}
extension Int64: JSONRepresentable {}
extension UInt: JSONRepresentable {}
extension UInt8: JSONRepresentable {}
extension UInt16: JSONRepresentable {}
extension UInt32: JSONRepresentable {}
extension UInt64: JSONRepresentable {}
