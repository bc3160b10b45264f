// Commands: what a caller hands down to the engine. Plain values, so that the wall between a script and the
// engine could become a socket without either side noticing. Nothing here may hold a closure or a reference.

public import Dialects
public import Wire

/// The name of one request. The caller chooses it; no two live requests of one engine may share it.
public struct RequestID: Hashable, Sendable {
    /// The number.
    public var raw: UInt64

    /// The request of that number.
    public init(_ raw: UInt64) { self.raw = raw }
}

/// All that the engine needs to know of one request.
public struct RequestSpec: Sendable {
    /// What is asked.
    public var chat: ChatRequest
    /// Whom it is asked of.
    public var endpoint: Endpoint
    /// How long each part may take.
    public var timeouts: Timeouts
    /// When and how often it is tried again.
    public var retry: RetryPolicy
    /// Whether someone sees tokens as they come (a callback, an iterator). Decides `AfterOutput.auto`.
    public var isObserved: Bool
    /// Whether each frame's payload is reported as an `EngineEvent.chunk`.
    public var wantsChunks: Bool
    /// Whether comments, pings and empty deltas are reported as `EngineEvent.heartbeat`.
    public var wantsHeartbeats: Bool
    /// Whether token counts are reported as they come, as an `EngineEvent.usage`. The reply has them anyway.
    public var wantsUsage: Bool
    /// What `<think>...</think>` in the text means.
    public var thinkTags: Quirks.ThinkTags
    /// What may be held and received.
    public var limits: RequestLimits
    /// Whether the caller of another request, which is under way, may wait for this one: it goes first in line.
    public var isInside = false
    /// The limit that it shares with others; the provider's own is always obeyed.
    public var limit: LimitRule?
    /// Whether it shares the rate limiter with other requests of its provider, key and model. Without it neither they nor
    /// rate headers hold it back; its own `Retry-After` does.
    public var isLimited = true

    /// A request with the given parts.
    /// - Parameter thinkTags: nil for what the endpoint's quirks say.
    public init(
        chat: ChatRequest, endpoint: Endpoint, timeouts: Timeouts = Timeouts(), retry: RetryPolicy = RetryPolicy(),
        isObserved: Bool = false, wantsChunks: Bool = false, wantsHeartbeats: Bool = false,
        wantsUsage: Bool = true, thinkTags: Quirks.ThinkTags? = nil, limits: RequestLimits = RequestLimits()
    ) {
        self.chat = chat
        self.endpoint = endpoint
        self.timeouts = timeouts
        self.retry = retry
        self.isObserved = isObserved
        self.wantsChunks = wantsChunks
        self.wantsHeartbeats = wantsHeartbeats
        self.wantsUsage = wantsUsage
        self.thinkTags = thinkTags ?? endpoint.quirks.thinkTags
        self.limits = limits
    }
}

/// Timeouts, in seconds. While the consumer holds the stream (pause, or a full inbox) only `total` runs.
public struct Timeouts: Sendable, Equatable {
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

/// What happens when a stream breaks after some of its output has been handed over.
public enum AfterOutput: String, Sendable, CaseIterable {
    /// The request fails; the error carries what had arrived.
    case fail
    /// The request begins anew; a `reset` event says that the output so far is void.
    case restart
    /// The provider is asked to go on from the text received; only new text is reported. Fails where the provider
    /// cannot; where nothing but reasoning had arrived the request restarts, with a `reset` event.
    case `continue`
    /// `restart`, without a `reset`, when nobody has seen a token (`RequestSpec.isObserved` is false), else `fail`.
    case auto
}

/// When and how often a request is tried again.
public struct RetryPolicy: Sendable, Equatable {
    /// How many retries may follow the first attempt; 0 for none.
    public var max: Int
    /// The first retry waits a random time between 0 and this many seconds; the window doubles with each retry.
    public var base: Double
    /// The widest window, in seconds.
    public var cap: Double
    /// The longest wait for a limit (`Retry-After`, rate headers, the rate limiter), in seconds; a longer one fails the
    /// request at once. Nil: what a total timeout leaves, or 120 without one.
    public var maxWait: Double?
    /// What happens once output has been handed over.
    public var afterOutput: AfterOutput

    /// The longest wait without `maxWait` and without a total timeout, in seconds.
    public static let defaultMaxWait = 120.0

    /// The given policy.
    public init(
        max: Int = 4, base: Double = 0.5, cap: Double = 30, maxWait: Double? = nil, afterOutput: AfterOutput = .auto
    ) {
        self.max = max
        self.base = base
        self.cap = cap
        self.maxWait = maxWait
        self.afterOutput = afterOutput
    }
}

/// Bounds on memory, a request.
public struct RequestLimits: Sendable, Equatable {
    /// The longest line or event of a stream, in bytes.
    public var maxEventBytes: Int
    /// The longest reply body, in bytes: a stream without end stops here.
    public var maxBodyBytes: Int
    /// The socket is paused once this many events wait to be taken, eight pieces of text that came together being one...
    public var inboxEvents: Int
    /// ... or this many bytes of text. It goes on when both are below a half.
    public var inboxBytes: Int

    /// The given bounds.
    public init(
        maxEventBytes: Int = 16 << 20, maxBodyBytes: Int = 256 << 20, inboxEvents: Int = 512,
        inboxBytes: Int = 256 << 10
    ) {
        self.maxEventBytes = maxEventBytes
        self.maxBodyBytes = maxBodyBytes
        self.inboxEvents = inboxEvents
        self.inboxBytes = inboxBytes
    }
}

/// What a caller may tell the engine. Applied, in order, at the beginning of the next turn.
public enum EngineCommand: Sendable {
    /// Begin a request.
    case start(RequestID, RequestSpec)
    /// End it as a success, finish reason `cancelled`. Events not yet taken are dropped; the reply holds what was
    /// taken, less what the caller says it has taken and not shown to anyone.
    case stop(RequestID, undelivered: Undelivered = Undelivered())
    /// End it as a failure of kind `cancelled`. Waiting events are dropped as for `stop`.
    case cancel(RequestID, undelivered: Undelivered = Undelivered())
    /// Hold it: the socket is read no more, no event is handed over, `first`, `idle` and `stall` stand still.
    case pause(RequestID)
    /// Let it go on.
    case resume(RequestID)
    /// The caller waits for something else before it reads on. Until `reading` the request does not count against the
    /// limits on requests at once, as while it is paused: what the caller waits for may be another request.
    case occupied(RequestID)
    /// The caller reads on.
    case reading(RequestID)
}

/// Output that a caller took from the engine and did not pass on: `reply.text` must not contain it.
public struct Undelivered: Sendable, Equatable {
    /// UTF-8 bytes of text.
    public var textBytes = 0
    /// UTF-8 bytes of reasoning.
    public var reasoningBytes = 0
    /// Whether a `reset` is among it: then what was passed on belongs to the reply before the reset, and so do the
    /// counts.
    public var spansReset = false

    /// Nothing: all that was taken was passed on.
    public init() {}

    /// The output in `events`, the tail of what was taken last.
    public init(_ events: some Sequence<EngineEvent>) {
        for event in events { count(event) }
    }

    /// Adds what an event holds.
    public mutating func count(_ event: EngineEvent) {
        guard !spansReset else { return }
        switch event {
        case .reset: spansReset = true
        case .token(let text): textBytes += text.utf8.count
        case .reasoning(let text): reasoningBytes += text.utf8.count
        case .run(let run): count(run, from: 0)
        default: break
        }
    }

    /// Adds the pieces of a run from that one on.
    public mutating func count(_ run: TextRun, from index: Int) {
        guard !spansReset else { return }
        let bytes = run.bytes.count - run.start(of: index)
        if run.isReasoning { reasoningBytes += bytes } else { textBytes += bytes }
    }
}
