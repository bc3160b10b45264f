// HTTP header fields as JSON: an array of [name, value], which keeps order and repeated names.

extension HTTPHeaders: Codable {
    /// Reads the fields.
    public init(from decoder: any Decoder) throws {
        self.init()
        var container = try decoder.unkeyedContainer()
        while !container.isAtEnd {
            var field = try container.nestedUnkeyedContainer()
            add(try field.decode(String.self), try field.decode(String.self))
        }
    }

    /// Writes the fields.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        for field in self { try container.encode([field.name, field.value]) }
    }
}
