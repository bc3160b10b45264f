// The address of a request, the variable with its key, and the quirks of its provider.

package import HTTP

/// An endpoint of a provider, as changed by the options of the client.
package struct Endpoint: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case provider
        case dialect = "format"
        case baseURL = "base_url"
        case keyVariable = "key_variable"
        case quirks, headers
    }

    /// The provider's name ("deepseek"), or the host of a bare base URL.
    package var provider: String
    /// The name of the wire format: "openai".
    package var dialect: String
    /// The API's root, without the final slash: "https://api.deepseek.com/v1".
    package var baseURL: String { didSet { parsed = ParsedURL() } }
    private var parsed = ParsedURL()
    /// The NAME of the environment variable with the key; nil if no key is needed.
    package var keyVariable: String?
    /// Differences of this provider from its wire format.
    package var quirks: Quirks
    /// Headers that the client adds to each request.
    package var headers: HTTPHeaders

    /// An endpoint with the given parts.
    package init(
        provider: String, dialect: String = "openai", baseURL: String, keyVariable: String? = nil,
        quirks: Quirks = Quirks(), headers: HTTPHeaders = [:]
    ) {
        self.provider = provider
        self.dialect = dialect
        self.baseURL = baseURL
        self.keyVariable = keyVariable
        self.quirks = quirks
        self.headers = headers
    }

    /// The parsed base URL.
    /// - Throws: as ``BaseURL/init(_:)``.
    package func root() throws(APIError) -> BaseURL {
        if let url = parsed.box?.url { return url }
        return try BaseURL(baseURL)
    }

    /// Parses the base URL once for all copies, which many requests share.
    /// - Throws: as ``BaseURL/init(_:)``.
    package mutating func parseRoot() throws(APIError) { parsed.box = ParsedURL.Box(url: try BaseURL(baseURL)) }
}

/// The parsed form of a base URL. Endpoints are compared without it.
private struct ParsedURL: Hashable, Sendable {
    final class Box: Sendable {
        let url: BaseURL

        init(url: BaseURL) { self.url = url }
    }

    var box: Box?

    static func == (a: ParsedURL, b: ParsedURL) -> Bool { true }

    func hash(into hasher: inout Hasher) {}
}
