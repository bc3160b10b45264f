// Who we say we are. Every dialect's request carries it; scripts read the version as `llm.version`.

/// This program's name and version.
package enum Product {
    /// The version (semver.org).
    package static let version = "0.1.0"
    /// The `User-Agent` of every request (RFC 9110 section 10.1.5).
    package static let userAgent = "moonrill/\(version)"
}
