// Bounds on the duration of each phase of a request.

/// Timeouts, in seconds. While the consumer holds the stream (pause, or a full inbox) only `total` runs.
public struct Timeouts: Codable, Hashable, Sendable {
    /// From the start of an attempt until it is connected: name lookup, TCP, TLS.
    public var connect: Double
    /// From the start of an attempt to its first text, reasoning or tool output. Covers the headers; heartbeats do not extend
    /// it.
    public var first: Double
    /// Maximum time without bytes after the first output. Heartbeats and comments count as bytes.
    public var idle: Double
    /// Maximum time without output after the first. Heartbeats do not extend it. Output is text, reasoning, a piece of a tool
    /// call and native content.
    public var stall: Double
    /// From the start to the end of the request, all attempts and waits included; nil for no bound.
    public var total: Double?

    /// The default of `stall`: 600 seconds, or `idle` where that is longer.
    public static func stall(forIdle idle: Double) -> Double { max(600, idle) }

    /// The given timeouts.
    public init(
        connect: Double = 10, first: Double = 180, idle: Double = 60, stall: Double? = nil, total: Double? = nil
    ) {
        self.connect = connect
        self.first = first
        self.idle = idle
        self.stall = stall ?? Self.stall(forIdle: idle)
        self.total = total
    }
}
