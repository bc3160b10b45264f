// Every dialect there is, by the name that scripts use. A new dialect is one line here and one folder beside this file.

/// The dialects.
package enum FormatCatalog {
    private static let all: [any WireFormat] = [
        OpenAIChatFormat(), OpenAIResponsesFormat(), AnthropicMessagesFormat(), GeminiFormat(), TGIFormat(),
        OllamaFormat(),
        CohereFormat(),
    ]

    /// Their names.
    package static var names: [String] { all.map(\.name) }

    /// The dialect of that name.
    package static func named(_ name: String) -> (any WireFormat)? { all.first { $0.name == name } }
}
