// A provider and its endpoints.

public import Chat

/// A provider and its endpoints.
public struct Provider: Sendable, Equatable {
    /// One wire format of a provider.
    public struct Endpoint: Sendable, Equatable {
        /// The name of the wire format.
        public var dialect: String
        /// The base URL; empty if each customer has another.
        public var baseURL: String
        /// Differences from the format.
        public var quirks: Quirks

        /// An endpoint of a wire format.
        public init(dialect: String, baseURL: String, quirks: Quirks = Quirks()) {
            self.dialect = dialect
            self.baseURL = baseURL
            self.quirks = quirks
        }
    }

    /// The name in scripts: "deepseek".
    public var name: String
    /// The name in messages: "DeepSeek".
    public var title: String
    /// Its wire formats, the default first; never empty.
    public var endpoints: [Endpoint]
    /// The environment variable of the key; nil for local servers, which need none.
    public var keyVariable: String?
    /// A model for first requests; providers rename theirs often.
    public var model: String?
    /// The documentation of the API.
    public var documentation: String

    /// A provider with the given endpoints.
    /// - Parameters:
    ///   - endpoint: the default wire format.
    ///   - others: further wire formats.
    public init(
        name: String, title: String, endpoint: Endpoint, others: [Endpoint] = [], keyVariable: String? = nil,
        model: String? = nil, documentation: String = ""
    ) {
        self.name = name
        self.title = title
        endpoints = [endpoint] + others
        self.keyVariable = keyVariable
        self.model = model
        self.documentation = documentation
    }

    /// The default wire format.
    public var dialect: String { endpoints[0].dialect }
    /// The default base URL.
    public var baseURL: String { endpoints[0].baseURL }

    /// The endpoint with that wire format (nil: the default); nil if there is none.
    public func endpoint(_ dialect: String?) -> Endpoint? {
        dialect.map { name in endpoints.first { $0.dialect == name } } ?? endpoints[0]
    }
}
