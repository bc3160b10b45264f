// The endpoint of a client: resolved from options and providers, and kept by llm.lua for its requests.

internal import Base
package import Chat
internal import Formats
internal import HTTP
internal import LuaVM
internal import Providers

/// The options of a client that sets none: from the command line, or from an embedding program.
package struct ClientDefaults: Sendable {
    /// The default provider.
    package var provider: String?
    /// The dialect of clients that name neither it nor a provider.
    package var dialect: String?
    /// The default model.
    package var model: String?
    /// The base URL of clients that name neither it nor a provider.
    package var baseURL: String?
    /// The base URL of the offline provider, for every client that names none itself.
    package var offlineBaseURL: String?
    /// Headers that every client sends.
    package var headers: [(name: String, value: String)] = []
    /// The default total timeout, in seconds.
    package var totalTimeout: Double?
    /// The cache policy of clients and requests that say nothing of it, and under the members of those that do; nil if they
    /// use no cache.
    package var cache: CachePolicy?
    /// Requests that use the cache ignore recorded replies, and record the new one.
    package var refreshesCache = false
    /// No request uses the cache, whatever the script says.
    package var ignoresCache = false

    /// No defaults.
    package init() {}
}

/// Endpoints for scripts.
enum EndpointTable {
    /// The endpoint that a client's options (the table at `index`) name.
    /// - Throws: ``LuaError`` that names the option and a fix.
    static func resolve(
        at index: Int, of stack: LuaStack, defaults: ClientDefaults, providers: ProviderTable
    ) throws(LuaError) -> Resolved {
        let option = { (name: StaticString) in stack.field(name, of: index) { $0.string(at: -1) } }
        let named = option("provider") ?? (option("base_url") == nil ? defaults.provider : nil)
        let baseURL = option("base_url") ?? (option("provider") == nil ? defaults.baseURL : nil)
        let preset =
            try named.map { (name) throws(LuaError) in
                try self.preset(name, hasBaseURL: baseURL != nil, providers)
            } ?? nil
        let dialect = option("dialect") ?? (option("provider") == nil ? defaults.dialect : nil)
        if let dialect { try check(dialect: dialect) }
        let endpoint = preset?.endpoint(dialect)
        let url = baseURL ?? defaults.offlineBaseURL ?? endpoint?.baseURL
        guard let url, !url.isEmpty else { throw noAddress(preset, dialect: dialect) }
        if let name = option("key_env"), !KeyVariable.isName(name) {
            throw .misuse("llm.client: key_env \(KeyVariable.problem)")
        }
        let host = try host(of: url)
        let isOffline = baseURL == nil && defaults.offlineBaseURL != nil
        return Resolved(
            provider: named ?? host, preset: endpoint == nil ? nil : preset?.name,
            dialect: dialect ?? endpoint?.dialect ?? "openai", baseURL: url,
            keyVariable: isOffline ? nil : option("key_env") ?? preset?.keyVariable,
            model: option("model") ?? defaults.model ?? preset?.model ?? (isOffline ? "moonrill-reasoner" : nil),
            headers: defaults.headers)
    }

    private static func check(dialect: String) throws(LuaError) {
        guard FormatCatalog.named(dialect) == nil else { return }
        let near =
            NearestName.suggestion(for: dialect, among: FormatCatalog.names).map { " (did you mean \"\($0)\"?)" } ?? ""
        throw .misuse(
            "llm.client: unknown dialect \"\(dialect)\"\(near); known: \(FormatCatalog.names.joined(separator: ", "))")
    }

    /// The error of a client without an address.
    private static func noAddress(_ preset: Provider?, dialect: String?) -> LuaError {
        guard let preset else {
            return .misuse(
                "llm.client: no provider is chosen; write provider = \"deepseek\" (moonrill providers lists them), "
                    + "set MOONRILL_PROVIDER, or run with --mock for the offline provider")
        }
        guard let dialect, preset.endpoint(dialect) == nil else {
            return .misuse(
                "llm.client: \(preset.title) has an address for each customer; write base_url = \"https://...\" "
                    + "(see \(preset.documentation))")
        }
        let spoken = preset.endpoints.map { "\"\($0.dialect)\"" }.joined(separator: ", ")
        return .misuse(
            "llm.client: \(preset.name) is not known to speak dialect \"\(dialect)\", only \(spoken); "
                + "base_url = \"...\" says where it does")
    }

    /// A client's endpoint, with what only the client needs.
    struct Resolved {
        var provider: String
        var preset: String?
        var dialect: String
        var baseURL: String
        var keyVariable: String?
        var model: String?
        var headers: [(name: String, value: String)]
    }

    private static func host(of url: String) throws(LuaError) -> String {
        do throws(APIError) { return try BaseURL(url).host } catch { throw .misuse("llm.client: \(error.message)") }
    }

    private static func preset(
        _ name: String, hasBaseURL: Bool, _ providers: ProviderTable
    ) throws(LuaError) -> Provider? {
        if let preset = providers.named(name) { return preset }
        // With a base URL, the name of a provider is only a label.
        if hasBaseURL || name == "mock" { return nil }
        let near = providers.suggestion(for: name).map { " (did you mean \"\($0)\"?)" } ?? ""
        throw .misuse(
            "llm.client: unknown provider \"\(name)\"\(near); moonrill providers lists them, and base_url = \"...\" "
                + "reaches any other")
    }

    /// Pushes a resolved endpoint: a table with what llm.lua shows, and in `handle` the endpoint itself. [-0, +1]
    static func push(
        _ resolved: Resolved, to stack: LuaStack, as type: LuaUserdataType<ClientEndpoint>, providers: ProviderTable
    ) throws(LuaError) {
        let endpoint = try endpoint(resolved, providers)
        stack.pushTable(fields: 5)
        stack.set("provider", resolved.provider)
        stack.set("dialect", resolved.dialect)
        stack.set("base_url", resolved.baseURL)
        stack.set("model", resolved.model)
        stack.push(ClientEndpoint(endpoint, preset: resolved.preset), as: type)
        stack.setField("handle", of: -2)
    }

    private static func endpoint(_ resolved: Resolved, _ providers: ProviderTable) throws(LuaError) -> Endpoint {
        var endpoint = Endpoint(
            provider: resolved.provider, dialect: resolved.dialect, baseURL: resolved.baseURL,
            keyVariable: resolved.keyVariable)
        if let preset = resolved.preset.flatMap(providers.named)?.endpoint(resolved.dialect) {
            endpoint.quirks = preset.quirks
        }
        for header in resolved.headers { endpoint.headers[header.name] = header.value }
        do throws(APIError) { try endpoint.parseRoot() } catch { throw .misuse("llm.client: \(error.message)") }
        return endpoint
    }
}

/// The endpoint of a client, which all its requests share. Scripts hold it and cannot change it.
final class ClientEndpoint {
    private(set) var endpoint: Endpoint
    /// The name of the provider that it comes from.
    private let preset: String?

    init(_ endpoint: Endpoint, preset: String?) {
        self.endpoint = endpoint
        self.preset = preset
    }

    /// Takes the quirks of a provider that was defined again.
    func refresh(_ providers: ProviderTable) {
        guard let known = preset.flatMap(providers.named)?.endpoint(endpoint.dialect) else { return }
        endpoint.quirks = known.quirks
    }
}
