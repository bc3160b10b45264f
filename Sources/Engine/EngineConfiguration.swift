// What an engine is made with: where keys come from, which dialects it knows, and what time it is. The only closures of
// this room live here; they are called on the engine's own thread.

public import Dialects
internal import Glibc

/// How loud a log line is. `off` is quieter than all.
public enum LogLevel: Int, Sendable, Comparable {
    case trace, debug, info, warning, error, off

    /// The order of loudness.
    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// The outer world, as an engine sees it.
public struct EngineConfiguration {
    /// The value of the environment variable of that name, or nil. Asked when an attempt starts; what it returns goes
    /// into a header, and into no message, event or log line.
    public var credentials: (String) -> String?
    /// The dialect of that name, or nil.
    public var dialect: (String) -> (any Dialect)?
    /// Lines below this level are not even composed.
    public var logLevel: LogLevel = .off
    /// Takes a line. Keys are gone from it.
    public var log: (LogLevel, String) -> Void = { _, _ in }
    /// Takes the steps of every attempt, in order, inside the transport's callbacks: it must not call the engine. Frames are
    /// read one by one then, none by its likeness to the one before.
    public var observer: ((WireEvent) -> Void)?
    /// A file of certificates to trust (PEM), in place of the system's.
    public var caFile: String?
    /// The base URL of a server inside this process, which is asked past every proxy.
    public var ownServer: String?
    /// How many transfers may be open at once; nil lets the engine choose: 10,000, or fewer where the process may open
    /// fewer files. Further requests wait in order.
    public var maxTransfers: Int?
    /// A random number in 0..<1, for backoff.
    public var random: () -> Double = { Double.random(in: 0..<1) }
    /// Monotonic seconds.
    public var clock: () -> Double = Engine.now
    /// Seconds since 1970, for dates in `Retry-After`.
    public var unixTime: () -> UnixTime = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// A configuration with these credentials and dialects, the rest by default.
    public init(
        credentials: @escaping (String) -> String?, dialect: @escaping (String) -> (any Dialect)?
    ) {
        self.credentials = credentials
        self.dialect = dialect
    }
}
