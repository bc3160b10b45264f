// The environment of an engine. The closures are called on the engine's thread.

package import Base
package import Formats
internal import Glibc
package import HTTP

/// The environment of an engine: keys, formats, clocks, logging.
package struct EngineConfiguration {
    /// The value of an environment variable. Called when an attempt starts. The value is put into a header, and into no
    /// message, event or log line.
    package var credentials: (String) -> String?
    /// The wire format with this name.
    package var format: (String) -> WireFormat?
    /// Lines below this level are not composed.
    package var logLevel: LogLevel = .off
    /// Takes a log line without keys.
    package var log: (LogLevel, String) -> Void = { _, _ in }
    /// Takes the steps of every attempt in order. Called inside the transport's callbacks, so it must not call the engine.
    /// Turns off fast-forward: every frame is decoded.
    package var observer: ((WireEvent) -> Void)?
    /// A file of trusted certificates (PEM), in place of those of the system.
    package var caFile: String?
    /// A folder of trusted certificates by hash (openssl-rehash(1)), in place of those of the system.
    package var caFolder: String?
    /// The base URL of a server in this process. No proxy is used for it.
    package var ownServer: String?
    /// Maximum number of concurrent transfers; further requests wait in order. Nil: 10,000, or fewer if the process may open
    /// fewer files.
    package var maxTransfers: Int?
    /// A random number in 0..<1, for backoff.
    package var random: () -> Double = { Double.random(in: 0..<1) }
    /// Monotonic seconds.
    package var clock: () -> Double = SystemClock.now
    /// Seconds since 1970, for dates in `Retry-After`.
    package var unixTime: () -> UnixTime = SystemClock.unixTime

    /// A configuration with these credentials and formats; the rest has defaults.
    package init(
        credentials: @escaping (String) -> String?, format: @escaping (String) -> WireFormat?
    ) {
        self.credentials = credentials
        self.format = format
    }
}
