// Name and version of the program.

/// Name and version of the program.
package enum Product {
    /// The version (semver.org).
    package static let version = "0.1.0"
    /// `User-Agent` of every request (RFC 9110 section 10.1.5).
    package static let userAgent = "moonrill/\(version)"
}
