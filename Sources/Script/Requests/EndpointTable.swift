// The endpoint of a client: resolved from options and providers, kept by llm.lua as a table of plain values, and read for
// each request. Quirks are looked up by the name of the provider, so that a script cannot change them.

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

/// Endpoints to and from tables.
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

    /// Pushes a resolved endpoint. [-0, +1]
    static func push(_ resolved: Resolved, to stack: LuaStack) {
        stack.pushTable(fields: 7)
        stack.set("provider", resolved.provider)
        stack.set("preset", resolved.preset)
        stack.set("dialect", resolved.dialect)
        stack.set("base_url", resolved.baseURL)
        stack.set("key_env", resolved.keyVariable)
        stack.set("model", resolved.model)
        stack.pushTable(fields: resolved.headers.count)
        for header in resolved.headers {
            stack.push(header.value)
            stack.setField(named: header.name, of: -2)
        }
        stack.setField("headers", of: -2)
    }

    /// The endpoint in the table at `index`.
    static func read(
        at index: Int, of stack: LuaStack, providers: ProviderTable
    ) throws(LuaError) -> Endpoint {
        let text = { (name: StaticString) in stack.field(name, of: index) { $0.string(at: -1) } }
        guard let provider = text("provider"), let dialect = text("dialect"), let baseURL = text("base_url") else {
            throw .misuse("the client's endpoint was changed: provider, dialect or base_url is missing")
        }
        var endpoint = Endpoint(provider: provider, dialect: dialect, baseURL: baseURL, keyVariable: text("key_env"))
        if let known = text("preset").flatMap(providers.named)?.endpoint(dialect) { endpoint.quirks = known.quirks }
        stack.getField("headers", of: index)
        defer { stack.pop(1) }
        guard stack.type(at: -1) == .table else { return endpoint }
        stack.forEachMember(of: -1) {
            if let name = stack.string(at: -2), let value = stack.string(at: -1) { endpoint.headers[name] = value }
        }
        return endpoint
    }
}
