// Which proxy curl uses for a request, by the same variables and rules: messages name the proxy, and an address that
// curl cannot read never reaches it. `init()` reads the environment.

internal import Glibc

/// A proxy, as a variable or an option names it.
struct Proxy: Equatable {
    /// The variable; nil for an option.
    var variable: String?
    /// Host and port as written, without user and password.
    var address: String
    /// Whether it is an HTTP proxy, not SOCKS.
    var isHTTP: Bool
    /// True if user, password, host and port can be parsed.
    var isReadable: Bool
    /// User name and password, joined and separate, as written and percent-decoded.
    var secrets: [String]

    /// Reads the URL of a proxy. Addresses that curl would misread count as unreadable: "@", "/", "?" and "#" inside
    /// a password, which must be percent-encoded (RFC 3986 section 3.2.1).
    init(_ url: String, variable: String? = nil) {
        self.variable = variable
        let (scheme, rest) = Self.split(url, at: "://") ?? ("http", url)
        isHTTP = ["http", "https"].contains(scheme.lowercased())
        let knownScheme = isHTTP || ["socks", "socks4", "socks4a", "socks5", "socks5h"].contains(scheme.lowercased())
        let end = rest.firstIndex { "/?#\\".contains($0) } ?? rest.endIndex
        let authority = String(rest[..<end])
        let user = rest.lastIndex(of: "@")
        secrets = user.map { Self.secrets(String(rest[..<$0])) } ?? []
        let host = user.map { rest[rest.index(after: $0)...].prefix { !"/?#\\".contains($0) } } ?? Substring(authority)
        let (name, port) = Self.hostAndPort(host)
        let isEncoded = url.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } && authority.filter { $0 == "@" }.count <= 1
        isReadable =
            knownScheme && isEncoded && (user.map { $0 < end } ?? true) && !name.isEmpty
            && port.map { UInt16($0).map { $0 > 0 } ?? false } ?? true
        // https's port, or curl's default for proxies.
        address = "\(name):\(port ?? (scheme.lowercased() == "https" ? "443" : "1080"))"
    }

    private static func split(_ text: String, at mark: String) -> (String, String)? {
        let bytes = Array(text.utf8)
        let mark = Array(mark.utf8)
        guard bytes.count >= mark.count,
            let start = (0...bytes.count - mark.count).first(where: {
                bytes[$0..<$0 + mark.count].elementsEqual(mark)
            })
        else { return nil }
        return (
            String(decoding: bytes[..<start], as: UTF8.self),
            String(decoding: bytes[(start + mark.count)...], as: UTF8.self)
        )
    }

    private static func hostAndPort(_ text: Substring) -> (host: String, port: String?) {
        let bracket = text.lastIndex(of: "]") ?? text.startIndex
        guard let colon = text[bracket...].lastIndex(of: ":") else { return (String(text), nil) }
        let port = text[text.index(after: colon)...]
        return (String(text[..<colon]), String(port))
    }

    private static func secrets(_ userinfo: String) -> [String] {
        var secrets = [userinfo]
        if let colon = userinfo.firstIndex(of: ":") {
            secrets.append(String(userinfo[userinfo.index(after: colon)...]))
        }
        return secrets + secrets.compactMap { decoded($0) }
    }

    /// Percent-decoded; nil without escapes.
    private static func decoded(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.contains(UInt8(ascii: "%")) else { return nil }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                result.append(byte)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// The proxies of an environment.
struct ProxyRules {
    private var variables: [String: String] = [:]

    /// curl ignores `HTTP_PROXY` (a CGI server sets it), but it may hold a password.
    private static let names = [
        "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
    ]

    /// The rules of an environment.
    init(_ environment: (String) -> String?) {
        for name in Self.names {
            // An empty variable counts as unset.
            if let value = environment(name), !value.isEmpty { variables[name] = value }
        }
    }

    /// The rules of this process.
    init() {
        self.init { name in
            guard let value = unsafe getenv(name) else { return nil }
            return unsafe String(cString: value)
        }
    }

    /// Secrets that messages must not contain.
    var secrets: [String] {
        variables.filter { !$0.key.lowercased().hasPrefix("no_") }.values.flatMap { Proxy($0).secrets }
    }

    /// The proxy for an origin, or nil.
    func proxy(for origin: Origin) -> Proxy? {
        let names = origin.isTLS ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
        guard let name = (names + ["all_proxy", "ALL_PROXY"]).first(where: { variables[$0] != nil }),
            let url = variables[name], !isExempt(origin.host)
        else { return nil }
        return Proxy(url, variable: name)
    }

    /// Whether `no_proxy` matches the host: "*", a domain and its subdomains, an address, or an address block (curl's
    /// manual, "no_proxy").
    private func isExempt(_ host: String) -> Bool {
        guard let list = variables["no_proxy"] ?? variables["NO_PROXY"] else { return false }
        if list == "*" { return true }
        let host = Self.plain(host)
        let address = Self.address(host)
        return list.split(whereSeparator: { $0 == "," || $0.isWhitespace }).contains { item in
            var domain = Self.plain(String(item))
            if let address { return domain == host || Self.block(domain, contains: address) }
            if domain.hasPrefix(".") { domain.removeFirst() }
            return host == domain || !domain.isEmpty && host.hasSuffix("." + domain)
        }
    }

    private static func plain(_ host: String) -> String {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        while host.hasSuffix(".") { host.removeLast() }
        return host
    }

    private static func address(_ host: String) -> UInt32? {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var result: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(part) else { return nil }
            result = result << 8 | UInt32(byte)
        }
        return result
    }

    private static func block(_ text: String, contains address: UInt32) -> Bool {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let base = Self.address(String(parts[0])), let bits = Int(parts[1]),
            (1...32).contains(bits)
        else { return false }
        return (base ^ address) >> UInt32(32 - bits) == 0
    }
}
