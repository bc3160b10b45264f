// Seconds since 1970.

/// Seconds since 1970, as the caller's clock says: an HTTP date in `Retry-After` is held against the response's own
/// `Date` header, and against this where there is none.
package typealias UnixTime = Double
