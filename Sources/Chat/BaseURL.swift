// The root address of an API, checked before any key is sent. Formats append their paths to it.

/// An absolute http or https URL without user information (RFC 3986 section 3).
package struct BaseURL: Sendable, Equatable {
    /// "http" or "https".
    package let scheme: String
    /// The host in lower case; an IPv6 address without its brackets.
    package let host: String
    /// The port, if the URL names one.
    package let port: Int?
    /// The path without a final slash: "" or "/v1".
    package private(set) var path: String
    /// The query, without "?": some gateways (Azure) require `api-version` on every call.
    package let query: String?

    /// Reads and checks a base URL.
    /// - Throws: an `APIError` of kind `config` that names the fault and quotes no user information.
    package init(_ text: String) throws(APIError) {
        let bytes = Array(text.utf8)
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Self.wrong("holds a space, a control character or a letter outside ASCII")
        }
        guard let mark = Self.schemeEnd(bytes) else {
            throw Self.wrong("must begin with http:// or https://")
        }
        scheme = Self.lowercased(bytes[..<mark])
        guard scheme == "http" || scheme == "https" else {
            throw Self.wrong("must begin with http:// or https://, not \(scheme)://")
        }
        let rest = bytes[(mark + 3)...]
        guard !rest.contains(UInt8(ascii: "#")) else { throw Self.wrong("must not hold a fragment (#)") }
        let authorityEnd = rest.firstIndex(where: Self.endsAuthority) ?? rest.endIndex
        guard authorityEnd == rest.endIndex || rest[authorityEnd] != UInt8(ascii: "\\") else {
            throw Self.wrong("holds a backslash")
        }
        (host, port) = try Self.authority(rest[..<authorityEnd])
        let tail = rest[authorityEnd...]
        let question = tail.firstIndex(of: UInt8(ascii: "?"))
        query = question.map { String(decoding: tail[($0 + 1)...], as: UTF8.self) }
        var path = tail[..<(question ?? tail.endIndex)]
        while path.last == UInt8(ascii: "/") { path.removeLast() }
        self.path = String(decoding: path, as: UTF8.self)
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "\\")
    }

    /// The index of the first "://".
    private static func schemeEnd(_ bytes: [UInt8]) -> Int? {
        bytes.indices.dropLast(2).first { index in
            bytes[index] == UInt8(ascii: ":") && bytes[index + 1] == UInt8(ascii: "/")
                && bytes[index + 2] == UInt8(ascii: "/")
        }
    }

    private static func lowercased(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// The root without the first of these endings that its path has: people copy whole endpoint addresses.
    package func without(_ endings: [String]) -> BaseURL {
        guard let ending = endings.first(where: path.hasSuffix) else { return self }
        var root = self
        root.path.removeLast(ending.count)
        return root
    }

    /// Scheme, host and port, the default port included. A key is bound to it.
    package var origin: String { "\(scheme)://\(bracketedHost):\(port ?? (scheme == "https" ? 443 : 80))" }

    /// The URL of `suffix` ("/chat/completions") under this root, or the root itself if it already ends in `suffix`.
    /// - Parameter extra: a query to be appended to that of the root.
    package func appending(_ suffix: String, query extra: String? = nil) -> String {
        var url = scheme
        url.reserveCapacity(96)
        url += "://"
        url += bracketedHost
        if let port {
            url += ":"
            url += String(port)
        }
        url += path
        if !path.hasSuffix(suffix) { url += suffix }
        var mark = "?"
        for query in [query, extra] {
            guard let query, !query.isEmpty else { continue }
            url += mark
            url += query
            mark = "&"
        }
        return url
    }

    /// The text as one path segment: everything but unreserved characters is percent-encoded (RFC 3986 section 2).
    /// - Parameter kept: further characters that are not encoded.
    package static func segment(_ text: String, keeping kept: String = "") -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let keptBytes = Array(kept.utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            case let byte where keptBytes.contains(byte): out.append(byte)
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host }

    private static func authority(_ text: ArraySlice<UInt8>) throws(APIError) -> (host: String, port: Int?) {
        guard !text.contains(UInt8(ascii: "@")) else {
            throw wrong("must not hold a user name or password; name the key's variable in key_env")
        }
        var host = text
        var port: Int?
        if text.first == UInt8(ascii: "[") {
            guard let close = text.firstIndex(of: UInt8(ascii: "]")) else {
                throw wrong("has a bracket that is never closed")
            }
            host = text[(text.startIndex + 1)..<close]
            port = try portNumber(text[(close + 1)...])
        } else if let colon = text.firstIndex(of: UInt8(ascii: ":")) {
            host = text[..<colon]
            port = try portNumber(text[colon...])
        }
        guard !host.isEmpty else { throw wrong("names no host") }
        return (lowercased(host), port)
    }

    private static func portNumber(_ text: ArraySlice<UInt8>) throws(APIError) -> Int? {
        guard let colon = text.first else { return nil }
        let digits = text.dropFirst()
        if colon == UInt8(ascii: ":"), digits.isEmpty { return nil }
        guard colon == UInt8(ascii: ":"), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(String(decoding: digits, as: UTF8.self)), (1...65535).contains(port)
        else { throw wrong("has a port that is no number from 1 to 65535") }
        return port
    }

    private static func wrong(_ what: String) -> APIError {
        APIError(kind: .config, message: "base_url \(what)")
    }
}
