// The process's environment: where keys are found. Values read here go to the engine, into a header, and nowhere else.

internal import Glibc
public import Providers

/// Environment variables of this process.
public enum ProcessEnvironment {
    /// The value of `name`; nil when unset or empty.
    public static func value(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// True when the variable has a value. Says nothing of what it is.
    public static func has(_ name: String) -> Bool { value(name) != nil }

    /// A file of certificates to trust (PEM), in place of the system's: `SSL_CERT_FILE`, the name that OpenSSL and most
    /// of what is built on it read (OpenSSL, SSL_CTX_load_verify_locations(3)).
    public static var trustedCertificates: String? { value("SSL_CERT_FILE") }

    /// The provider to use when nobody names one: `MOONRILL_PROVIDER`, else the first preset whose key is set.
    /// - Parameters:
    ///   - providers: those there are; nil for the catalog.
    ///   - hasKey: whether the variable of that name holds a key.
    public static func defaultProvider(
        among providers: [Provider]? = nil, hasKey: (String) -> Bool = has
    ) -> String? {
        value("MOONRILL_PROVIDER")
            ?? (providers ?? ProviderCatalog.all).first { !$0.baseURL.isEmpty && $0.keyVariable.map(hasKey) ?? false }?
            .name
    }
}
