// Time as seconds since 1970.

/// Seconds since 1970, with a fraction.
package typealias UnixTime = Double
