// A provider known by name.

public import Chat

/// A provider known by name.
public struct Provider: Sendable, Equatable {
    /// One wire format that a provider speaks.
    public struct Endpoint: Sendable, Equatable {
        /// The dialect's name.
        public var dialect: String
        /// The API's root; empty where each customer has one of their own.
        public var baseURL: String
        /// What the provider does differently.
        public var quirks: Quirks

        /// A endpoint of the given parts.
        public init(dialect: String, baseURL: String, quirks: Quirks = Quirks()) {
            self.dialect = dialect
            self.baseURL = baseURL
            self.quirks = quirks
        }
    }

    /// The name used in scripts: "deepseek".
    public var name: String
    /// The name shown to people: "DeepSeek".
    public var title: String
    /// The wire formats it speaks, the usual one first; never empty.
    public var endpoints: [Endpoint]
    /// The environment variable that holds the key; nil for servers on this machine, which need none.
    public var keyVariable: String?
    /// A model to begin with; providers rename theirs often. Nil where there is no good guess.
    public var model: String?
    /// The page that says all this.
    public var documentation: String

    /// A provider with the given endpoints.
    /// - Parameters:
    ///   - endpoint: the wire format it is asked in unless the client names another.
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

    /// The usual wire format.
    public var dialect: String { endpoints[0].dialect }
    /// The usual root.
    public var baseURL: String { endpoints[0].baseURL }
    /// True for servers that run on this machine and need no key.
    public var isLocal: Bool { keyVariable == nil }

    /// How it is asked in that dialect (nil: the usual one); nil if it does not speak it.
    public func endpoint(_ dialect: String?) -> Endpoint? {
        dialect.map { name in endpoints.first { $0.dialect == name } } ?? endpoints[0]
    }
}
