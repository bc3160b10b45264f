// The options of `llm.serve`, read from the table that serve.lua has checked.

internal import Base
package import Chat
internal import Glibc
internal import JSON
internal import LuaVM

extension ServerSpec {
    /// - Parameters:
    ///   - table: the options as JSON; routes and models have become data.
    ///   - overrides: what the command line says, which wins.
    /// - Throws: ``LuaError`` that names the option at fault.
    init(table: JSONValue, _ overrides: ServerOverrides) throws(LuaError) {
        self.init()
        host = overrides.host ?? table["host"]?.string ?? host
        port = overrides.port ?? table["port"]?.whole ?? port
        unixPath = overrides.unixPath ?? table["unix"]?.string
        guard (0...65_535).contains(port) else {
            throw .misuse("llm.serve: option 'port' must be between 0 and 65535, not \(port)")
        }
        let chain = overrides.certificate?.chain ?? table["tls_cert"]?.string
        let key = overrides.certificate?.key ?? table["tls_key"]?.string
        guard (chain == nil) == (key == nil) else {
            throw .misuse("llm.serve: tls_cert and tls_key belong together; one of them is missing")
        }
        if let chain, let key { certificate = CertificateFiles(chain: chain, key: key) }
        tokenVariable = overrides.tokenVariable ?? table["token_env"]?.string
        isOpen = overrides.isOpen || table["open"]?.bool ?? false
        origins = overrides.origins + (table["origins"]?.texts ?? [])
        if let wrong = origins.first(where: { !Self.isOrigin($0) }) {
            throw .misuse(
                "llm.serve: the origin \"\(wrong)\" must be a scheme and a host, as in \"https://example.org\", or \"*\""
            )
        }
        hosts = overrides.hosts + (table["hosts"]?.texts ?? [])
        trustsProxy = overrides.trustsProxy || table["trust_proxy"]?.bool ?? false
        drain = overrides.drain ?? table["drain"]?.double ?? drain
        limits.connections = overrides.maxClients ?? table["max_clients"]?.whole ?? limits.connections
        limits.concurrent = table["limit"]?["concurrent"]?.whole ?? limits.concurrent
        limits.perClientRPM = table["limit"]?["per_client_rpm"]?.double
        if let rate = limits.perClientRPM, !(rate > 0) {
            throw .misuse("llm.serve: limit: per_client_rpm must be a number above 0, not \(rate)")
        }
        guard limits.concurrent > 0 else {
            throw .misuse("llm.serve: limit: concurrent must be 1 or more; 0 would refuse every request")
        }
        limits.bodyBytes = table["limit"]?["body_bytes"]?.whole ?? limits.bodyBytes
        streams.linger = table["linger"]?.double
        streams.keptSeconds = table["keep"]?.double ?? streams.keptSeconds
        models = table["models"]?.texts ?? []
        for route in table["routes"]?.array ?? [] { routes.append(try RouteSpec(table: route)) }
    }

    /// Whether the text has the form in which browsers send origins (RFC 6454 section 6.1).
    private static func isOrigin(_ text: String) -> Bool {
        if text == "*" { return true }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && (parts[0] == "http:" || parts[0] == "https:") && parts[1].isEmpty
            && !parts[2].isEmpty
    }
}

/// What the command line says of a server, before the script's own options.
package struct ServerOverrides: Sendable {
    package var host: String?
    package var port: Int?
    package var unixPath: String?
    package var certificate: CertificateFiles?
    package var tokenVariable: String?
    package var isOpen = false
    package var origins: [String] = []
    package var hosts: [String] = []
    package var trustsProxy = false
    package var maxClients: Int?
    package var drain: Double?

    package init() {}
}

extension RouteSpec {
    fileprivate init(table: JSONValue) throws(LuaError) {
        let text = table["pattern"]?.string ?? ""
        let pattern: RoutePattern
        do throws(RoutePatternError) { pattern = try RoutePattern(text) } catch {
            throw .misuse("llm.serve: \(error.message)")
        }
        switch table["kind"]?.string {
        case "page": self.init(pattern: pattern, action: .page(title: table["title"]?.string ?? "Moonrill"))
        case "files":
            guard pattern.segments.last == .rest, pattern.method == "GET" else {
                throw .misuse("llm.serve: llm.serve.files needs a GET route that ends with *, as in \"GET /files/*\"")
            }
            let directory = table["directory"]?.string ?? "."
            var status = stat()
            guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw .misuse("llm.serve.files: there is no folder \(directory)")
            }
            self.init(pattern: pattern, action: .files(directory: directory))
        default: self.init(pattern: pattern, action: .handler)
        }
    }
}

extension JSONValue {
    fileprivate var whole: Int? { int.flatMap { Int(exactly: $0) } }
    fileprivate var texts: [String] { (array ?? []).compactMap(\.string) }
}
