// JSONValue and JSONObject for any encoder and decoder. JSONValueEncoder and JSONValueDecoder do not use these
// conformances.

extension JSONValue: Codable {
    /// Reads the value. With Foundation's decoder the order of members is lost, and 1.0 becomes an integer.
    public init(from decoder: any Decoder) throws {
        if let scalar = Self.scalar(in: decoder) {
            self = scalar
        } else if var container = Self.unlessMismatched({ try decoder.unkeyedContainer() }) {
            var elements: [JSONValue] = []
            while !container.isAtEnd { elements.append(try container.decode(JSONValue.self)) }
            self = .array(elements)
        } else {
            self = .object(try JSONObject(from: decoder))
        }
    }

    private static func scalar(in decoder: any Decoder) -> JSONValue? {
        guard let container = unlessMismatched({ try decoder.singleValueContainer() }) else { return nil }
        if container.decodeNil() { return .null }
        if let value = unlessMismatched({ try container.decode(Bool.self) }) { return .bool(value) }
        if let value = unlessMismatched({ try container.decode(Int64.self) }) { return .int(value) }
        if let value = unlessMismatched({ try container.decode(Double.self) }) { return .double(value) }
        if let value = unlessMismatched({ try container.decode(String.self) }) { return .string(value) }
        return nil
    }

    /// The result; nil if the value has another type, so that the next type is tried.
    private static func unlessMismatched<Result>(_ read: () throws -> Result) -> Result? {
        // The error only reports the different type.
        try? read()
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let object): try object.encode(to: encoder)
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(element) }
        default:
            var container = encoder.singleValueContainer()
            switch self {
            case .bool(let value): try container.encode(value)
            case .int(let value): try container.encode(value)
            case .double(let value): try container.encode(value)
            case .string(let value): try container.encode(value)
            default: try container.encodeNil()
            }
        }
    }
}

extension JSONObject: Codable {
    /// The name of any member.
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads the members in the decoder's order.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        self.init()
        for key in container.allKeys { self[key.stringValue] = try container.decode(JSONValue.self, forKey: key) }
    }

    /// Writes the members in order.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for member in self { try container.encode(member.value, forKey: Name(stringValue: member.key)) }
    }
}
