// How long each part of a request may take.

/// Timeouts, in seconds. While the consumer holds the stream (pause, or a full inbox) only `total` runs.
public struct Timeouts: Codable, Hashable, Sendable {
    /// From an attempt's start until the connection stands: name lookup, TCP, TLS.
    public var connect: Double
    /// From an attempt's start to its first token, reasoning or tool output. Covers the headers; heartbeats do
    /// not extend it.
    public var first: Double
    /// The longest silence after the first output. Heartbeats and comments end a silence.
    public var idle: Double
    /// The longest time without output after the first, whatever heartbeats come. Output is a token, reasoning, a piece
    /// of a tool call and native content.
    public var stall: Double
    /// From `start` to the end, over all attempts and waits; nil for no bound.
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
