// Environment variables of the process. Keys read here go into request headers only.

internal import Glibc
public import Providers

/// Environment variables of this process.
public enum ProcessEnvironment {
    /// The value of `name`; nil if unset or empty.
    public static func value(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// True if the variable has a value.
    public static func has(_ name: String) -> Bool { value(name) != nil }

    /// `SSL_CERT_FILE`: a file of trusted certificates (PEM) instead of those of the system, as for OpenSSL
    /// (SSL_CTX_load_verify_locations(3)).
    public static var trustedCertificates: String? { value("SSL_CERT_FILE") }

    /// `SSL_CERT_DIR`: a folder of trusted certificates by hash instead of those of the system, as for OpenSSL.
    public static var trustedFolder: String? { value("SSL_CERT_DIR") }

    /// The default provider: `MOONRILL_PROVIDER`, else the first one whose key is set.
    /// - Parameters:
    ///   - providers: the known providers; nil for the catalog.
    ///   - hasKey: whether the variable of that name holds a key.
    public static func defaultProvider(
        among providers: [Provider]? = nil, hasKey: (String) -> Bool = has
    ) -> String? {
        value("MOONRILL_PROVIDER")
            ?? (providers ?? ProviderCatalog.all).first { !$0.baseURL.isEmpty && $0.keyVariable.map(hasKey) ?? false }?
            .name
    }
}
