// Quirks.KeyField as JSON: "bearer", or {"header": NAME}.

extension Quirks.KeyField: Codable {
    private enum CodingKeys: String, CodingKey { case header }

    /// Writes the field.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .bearer:
            var container = encoder.singleValueContainer()
            try container.encode("bearer")
        case .header(let name):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(name, forKey: .header)
        }
    }

    /// Reads a field.
    public init(from decoder: any Decoder) throws {
        // Anything but an object is the other form.
        if let container = try? decoder.container(keyedBy: CodingKeys.self) {
            self = .header(try container.decode(String.self, forKey: .header))
            return
        }
        let container = try decoder.singleValueContainer()
        guard try container.decode(String.self) == "bearer" else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not \"bearer\"")
        }
        self = .bearer
    }
}
