// Commands: what a caller hands down to the engine. Plain values, so that the wall between a script and the
// engine could become a socket without either side noticing. Nothing here may hold a closure or a reference.

/// All that the engine needs to know of one request.
package struct RequestSpec: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case chat, endpoint, timeouts, retry
        case isObserved = "observed"
        case wantsChunks = "wants_chunks"
        case wantsHeartbeats = "wants_heartbeats"
        case wantsUsage = "wants_usage"
        case thinkTags = "think_tags"
        case limits
        case isInside = "inside"
        case limit
        case isLimited = "limited"
    }

    /// What is asked.
    package var chat: ChatRequest
    /// Whom it is asked of.
    package var endpoint: Endpoint
    /// How long each part may take.
    package var timeouts: Timeouts
    /// When and how often it is tried again.
    package var retry: RetryPolicy
    /// Whether someone sees tokens as they come (a callback, an iterator). Decides `AfterOutput.auto`.
    package var isObserved: Bool
    /// Whether each frame's payload is reported as an `ChatEvent.chunk`.
    package var wantsChunks: Bool
    /// Whether comments, pings and empty deltas are reported as `ChatEvent.heartbeat`.
    package var wantsHeartbeats: Bool
    /// Whether token counts are reported as they come, as an `ChatEvent.usage`. The reply has them anyway.
    package var wantsUsage: Bool
    /// What `<think>...</think>` in the text means.
    package var thinkTags: Quirks.ThinkTags
    /// What may be held and received.
    package var limits: RequestLimits
    /// Whether the caller of another request, which is under way, may wait for this one: it goes first in line.
    package var isInside = false
    /// The limit that it shares with others; the provider's own is always obeyed.
    package var limit: LimitRule?
    /// Whether it shares the rate limiter with other requests of its provider, key and model. Without it neither they nor
    /// rate headers hold it back; its own `Retry-After` does.
    package var isLimited = true

    /// A request with the given parts.
    /// - Parameter thinkTags: nil for what the endpoint's quirks say.
    package init(
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

/// Bounds on memory, a request.
package struct RequestLimits: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case maxEventBytes = "max_event_bytes"
        case maxBodyBytes = "max_body_bytes"
        case inboxEvents = "inbox_events"
        case inboxBytes = "inbox_bytes"
    }

    /// The longest line or event of a stream, in bytes.
    package var maxEventBytes: Int
    /// The longest reply body, in bytes: a stream without end stops here.
    package var maxBodyBytes: Int
    /// The socket is paused once this many events wait to be taken, eight pieces of text that came together being one...
    package var inboxEvents: Int
    /// ... or this many bytes of text. It goes on when both are below a half.
    package var inboxBytes: Int

    /// The given bounds.
    package init(
        maxEventBytes: Int = 16 << 20, maxBodyBytes: Int = 256 << 20, inboxEvents: Int = 512,
        inboxBytes: Int = 256 << 10
    ) {
        self.maxEventBytes = maxEventBytes
        self.maxBodyBytes = maxBodyBytes
        self.inboxEvents = inboxEvents
        self.inboxBytes = inboxBytes
    }
}
