// Time as seconds since 1970.

/// Seconds since 1970. `Retry-After` dates are relative to the `Date` header of the response, or to this.
package typealias UnixTime = Double
