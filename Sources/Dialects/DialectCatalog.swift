// Every dialect there is, by the name that scripts use. A new dialect is one line here and one folder beside this file.

/// The dialects.
public enum DialectCatalog {
    private static let all: [any Dialect] = [
        OpenAIDialect(), ResponsesDialect(), AnthropicDialect(), GeminiDialect(), TGIDialect(), OllamaDialect(),
        CohereDialect(),
    ]

    /// Their names.
    public static var names: [String] { all.map(\.name) }

    /// The dialect of that name.
    public static func named(_ name: String) -> (any Dialect)? { all.first { $0.name == name } }
}
