// What an engine is made with: where keys come from, which dialects it knows, and what time it is. The only closures of
// this room live here; they are called on the engine's own thread.

package import Base
package import Formats
internal import Glibc
package import HTTP

/// The outer world, as an engine sees it.
package struct EngineConfiguration {
    /// The value of the environment variable of that name, or nil. Asked when an attempt starts; what it returns goes
    /// into a header, and into no message, event or log line.
    package var credentials: (String) -> String?
    /// The dialect of that name, or nil.
    package var dialect: (String) -> WireFormat?
    /// Lines below this level are not even composed.
    package var logLevel: LogLevel = .off
    /// Takes a line. Keys are gone from it.
    package var log: (LogLevel, String) -> Void = { _, _ in }
    /// Takes the steps of every attempt, in order, inside the transport's callbacks: it must not call the engine. Frames are
    /// read one by one then, none by its likeness to the one before.
    package var observer: ((WireEvent) -> Void)?
    /// A file of certificates to trust (PEM), in place of the system's.
    package var caFile: String?
    /// The base URL of a server inside this process, which is asked past every proxy.
    package var ownServer: String?
    /// How many transfers may be open at once; nil lets the engine choose: 10,000, or fewer where the process may open
    /// fewer files. Further requests wait in order.
    package var maxTransfers: Int?
    /// A random number in 0..<1, for backoff.
    package var random: () -> Double = { Double.random(in: 0..<1) }
    /// Monotonic seconds.
    package var clock: () -> Double = SystemClock.now
    /// Seconds since 1970, for dates in `Retry-After`.
    package var unixTime: () -> UnixTime = SystemClock.unixTime

    /// A configuration with these credentials and dialects, the rest by default.
    package init(
        credentials: @escaping (String) -> String?, dialect: @escaping (String) -> WireFormat?
    ) {
        self.credentials = credentials
        self.dialect = dialect
    }
}
