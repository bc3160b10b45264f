// Finds the key of an endpoint by the name of its variable, at the start of an attempt. The value stays in the
// engine.

internal import Chat

extension Endpoint {
    /// Host of the base URL without port, brackets or user, in lower case; empty without one.
    var host: String {
        guard let start = baseURL.utf8Range(of: "://")?.upperBound else { return "" }
        let authority = baseURL.utf8[start...].prefix { byte in
            byte != UInt8(ascii: "/") && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
                && byte != UInt8(ascii: "\\")
        }
        let user = authority.lastIndex(of: UInt8(ascii: "@")).map { authority.index(after: $0) }
        let hostAndPort = authority[(user ?? authority.startIndex)...]
        let host =
            hostAndPort.first == UInt8(ascii: "[")
            ? hostAndPort.dropFirst().prefix { $0 != UInt8(ascii: "]") }
            : hostAndPort.prefix { $0 != UInt8(ascii: ":") }
        return Substring(host).lowercased()
    }

    /// Whether the base URL names this machine: 127.0.0.0/8, ::1 or localhost. Such an endpoint needs no key.
    var isLoopback: Bool {
        let host = host
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Whether the base URL names the same local server as `url`.
    func isServed(by url: String) -> Bool {
        func authority(_ url: String) -> Substring? {
            url.utf8Range(of: "://").map { url[$0.upperBound...].prefix { !"/?#".contains($0) } }
        }
        return isLoopback && authority(url).map { $0 == authority(baseURL) } ?? false
    }

    /// The key of this endpoint; nil if none is needed.
    /// - Throws: an error of kind `config` that names the variable and how to set it.
    func key(from credentials: (String) -> String?) throws(AttemptError) -> String? {
        guard let variable = keyVariable else { return nil }
        let key = credentials(variable).map(Self.trimmed) ?? ""
        if key.isEmpty {
            if isLoopback { return nil }
            throw AttemptError(
                .config,
                "no key for \(provider): the environment variable \(variable) is not set. "
                    + "Set it (export \(variable)=...), or name another with key_env")
        }
        guard key.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw AttemptError(
                .config, "the key in the environment variable \(variable) contains a space or a control character")
        }
        return key
    }

    /// Without the line end of a key read from a file.
    private static func trimmed(_ key: String) -> String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = key.utf8.first, let last = key.utf8.last, isBlank(first) || isBlank(last) else { return key }
        let bytes = key.utf8.drop(while: isBlank)
        return String(decoding: bytes.reversed().drop(while: isBlank).reversed(), as: UTF8.self)
    }
}

extension String {
    /// Index of the first occurrence of `other`, compared by bytes.
    func utf8Range(of other: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if utf8[start...].starts(with: other.utf8) {
                return start..<utf8.index(start, offsetBy: other.utf8.count)
            }
            start = utf8.index(after: start)
        }
        return nil
    }
}
