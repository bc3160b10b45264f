// Whom a request goes to: the address, the variable with the key, and what that provider does differently.

package import HTTP

/// Where a request goes: a preset, as the client's options changed it.
package struct Endpoint: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case provider
        case dialect = "format"
        case baseURL = "base_url"
        case keyVariable = "key_variable"
        case quirks, headers
    }

    /// The preset's name ("deepseek"), or the host's for a bare base URL.
    package var provider: String
    /// The dialect's name: "openai".
    package var dialect: String
    /// The API's root, without the final slash: "https://api.deepseek.com/v1".
    package var baseURL: String
    /// The NAME of the environment variable with the key; nil where none is needed.
    package var keyVariable: String?
    /// What this provider does differently.
    package var quirks: Quirks
    /// Headers that the client adds to each request.
    package var headers: HTTPHeaders

    /// An endpoint of the given parts.
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
}
