// A tool call of a reply.

public import JSON

/// A complete tool call.
public struct ToolCall: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id, name
        case argumentsJSON = "arguments_json"
        case arguments
    }

    /// The provider's id of the call, or a local one (`LocalCallIDs`) if it sends none.
    public var id: String
    /// The tool's name.
    public var name: String
    /// The arguments as the provider sent them (UTF-8 JSON text; empty means `{}`).
    public var argumentsJSON: String
    /// The decoded arguments; nil if the text is not complete JSON (a reply cut by its token limit).
    public var arguments: JSONValue?

    /// A call with the given parts.
    public init(id: String, name: String, argumentsJSON: String, arguments: JSONValue?) {
        self.id = id
        self.name = name
        self.argumentsJSON = argumentsJSON
        self.arguments = arguments
    }
}
