// How severe a log line is.

/// How loud a log line is. `off` is quieter than all.
package enum LogLevel: Int, Sendable, Comparable {
    case trace, debug, info, warning, error, off

    /// The order of loudness.
    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}
