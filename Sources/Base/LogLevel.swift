// Severity of log lines.

/// Severity of a log line. `off` is above all levels of log lines.
package enum LogLevel: Int, Sendable, Comparable {
    case trace, debug, info, warning, error, off

    /// Orders by severity.
    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}
