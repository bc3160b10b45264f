// Who may ask: the token, the header Host (DNS rebinding), and the site of the page that asks (CORS, cross-site requests).

internal import Base
internal import Chat
internal import HTTP

/// The rules of one server, applied to the head of each request.
struct AccessRules {
    /// The SHA-256 of the token; nil without one.
    private let tokenDigest: [UInt8]?
    private let hosts: Set<String>
    private let origins: Set<String>
    private let isUnixSocket: Bool

    init(_ spec: ServerSpec, token: String?) {
        tokenDigest = token.map { SHA256.digest(of: Array($0.utf8)) }
        hosts = Set(spec.hosts.map { $0.lowercased() } + [spec.host.lowercased()])
        origins = Set(spec.origins.map { $0.lowercased() })
        isUnixSocket = spec.unixPath != nil
    }

    /// Why a request is refused: the status and the message.
    struct Refusal: Equatable {
        var status: Int
        var type = "permission_error"
        var message: String
    }

    // MARK: Token

    var needsToken: Bool { tokenDigest != nil }

    /// Whether the request carries the token: as `Authorization: Bearer`, in the header of another provider's clients, or,
    /// for EventSource and WebSocket, which set no headers, in the query.
    func hasToken(_ headers: HTTPHeaders, _ path: RequestPath) -> Bool {
        guard let tokenDigest else { return true }
        var given: [String] = []
        if let field = headers["authorization"] {
            given.append(String(field.drop { $0 != " " }.drop { $0 == " " }))
        }
        given += Self.tokenFields.dropFirst().compactMap { headers[$0] }
        given += Self.tokenParameters.compactMap(path.value)
        return given.reduce(false) { $0 || Self.isEqual(SHA256.digest(of: Array($1.utf8)), tokenDigest) }
    }

    /// Header fields that may hold the token.
    static let tokenFields = ["authorization", "x-api-key", "x-goog-api-key", "api-key"]
    /// Parameters of the query that may hold it.
    static let tokenParameters = ["token", "key"]

    /// Compares digests in a time that does not depend on where they differ.
    private static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count == other.count && zip(one, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    // MARK: Host

    /// A page of another site can make its own name resolve to this machine (DNS rebinding) and would then be of the same
    /// origin. So a name must be known; an address cannot be rebound.
    func refusal(ofHost field: String?) -> Refusal? {
        if isUnixSocket { return nil }
        guard let field else { return Refusal(status: 400, type: "invalid_request_error", message: "no Host field") }
        let name = Self.hostName(field)
        if hosts.contains(name) || hosts.contains("*") || name == "localhost" || name.hasSuffix(".localhost")
            || Self.isAddress(name)
        {
            return nil
        }
        return Refusal(
            status: 421, type: "invalid_request_error",
            message: "Host \"\(Snippet.of(name.utf8.span))\" is not a name of this server; "
                + "add it to hosts (--allow-host) if it is")
    }

    /// The name in a Host field, without the port, in lower case; an IPv6 address without brackets.
    static func hostName(_ field: String) -> String {
        if field.hasPrefix("[") { return String(field.dropFirst().prefix { $0 != "]" }).lowercased() }
        return String(field.prefix { $0 != ":" }).lowercased()
    }

    private static func isAddress(_ name: String) -> Bool {
        if name.contains(":") { return name.utf8.allSatisfy { $0 == 0x3A || $0 == 0x2E || isHex($0) } }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    // MARK: Origin

    /// Refuses requests that a page of another site has made. A page sends `Origin`, and browsers send `Sec-Fetch-Site`,
    /// with requests that change something or cost something; other programs send neither.
    /// - Parameter runsHandler: a handler will run, which may cost money even for GET.
    func refusal(ofSite head: RequestHead, runsHandler: Bool) -> Refusal? {
        let isSafe = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS"
        guard runsHandler || !isSafe else { return nil }
        if let origin = head.headers["origin"] {
            guard isSameOrigin(origin, head) || isAllowed(origin) else {
                return Refusal(
                    status: 403,
                    message: "a page of \(Snippet.of(origin.utf8.span)) may not use this server; "
                        + "add its origin to origins (--allow-origin) if it may")
            }
            return nil
        }
        switch head.headers["sec-fetch-site"] {
        case "cross-site", "same-site":
            return Refusal(status: 403, message: "a page of another site may not use this server")
        default: return nil
        }
    }

    /// The CORS fields for a page of an allowed origin (Fetch section 3.3); nil for others.
    func corsFields(_ headers: HTTPHeaders) -> HTTPHeaders? {
        guard let origin = headers["origin"], isAllowed(origin) else { return nil }
        return [
            "access-control-allow-origin": origin, "vary": "Origin",
            "access-control-expose-headers": "x-request-id, x-moonrill-stream, retry-after",
        ]
    }

    /// The answer to a preflight request of an allowed origin.
    func preflight(_ headers: HTTPHeaders) -> ServedResponse? {
        guard headers["access-control-request-method"] != nil, var fields = corsFields(headers) else { return nil }
        fields["access-control-allow-methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE"
        fields["access-control-allow-headers"] = headers["access-control-request-headers"] ?? "content-type"
        fields["access-control-max-age"] = "600"
        return ServedResponse(status: 204, headers: fields)
    }

    private func isAllowed(_ origin: String) -> Bool { origins.contains(origin.lowercased()) || origins.contains("*") }

    private func isSameOrigin(_ origin: String, _ head: RequestHead) -> Bool {
        guard let host = head.headers["host"] else { return false }
        // Behind a proxy that ends TLS the page's scheme is https, and the server sees http.
        return ["http://", "https://"].contains { origin.lowercased() == $0 + host.lowercased() }
    }
}
