// The parts of a model's reply, as values that every dialect decodes into.

public import JSON

/// A tool call, whole.
public struct ToolCall: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id, name
        case argumentsJSON = "arguments_json"
        case arguments
    }

    /// The provider's id for the call, or one made here (`LocalCallIDs`) where it sends none.
    public var id: String
    /// The tool's name.
    public var name: String
    /// The arguments as the provider sent them (UTF-8 JSON text; empty means `{}`).
    public var argumentsJSON: String
    /// The arguments decoded; nil where the text is not whole JSON (a reply cut by its token limit).
    public var arguments: JSONValue?

    /// A call of the given parts.
    public init(id: String, name: String, argumentsJSON: String, arguments: JSONValue?) {
        self.id = id
        self.name = name
        self.argumentsJSON = argumentsJSON
        self.arguments = arguments
    }
}
