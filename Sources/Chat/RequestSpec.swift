// One request with everything that decides how it is carried out. A plain value without closures or references.

/// One request for a broker.
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
        case cache, carried, price
    }

    /// The request in the common form.
    package var chat: ChatRequest
    /// The endpoint that it is sent to.
    package var endpoint: Endpoint
    /// Bounds on the duration of each phase.
    package var timeouts: Timeouts
    /// When and how often it is retried.
    package var retry: RetryPolicy
    /// Whether the caller sees deltas as they arrive (a callback, an iterator). Decides `AfterOutput.auto`.
    package var isObserved: Bool
    /// Whether the payload of each frame is reported as `ChatEvent.chunk`.
    package var wantsChunks: Bool
    /// Whether comments, pings and empty deltas are reported as `ChatEvent.heartbeat`.
    package var wantsHeartbeats: Bool
    /// Whether token counts are reported as they arrive, as `ChatEvent.usage`. The reply has them in any case.
    package var wantsUsage: Bool
    /// Meaning of `<think>...</think>` in the text.
    package var thinkTags: Quirks.ThinkTags
    /// Bounds on memory.
    package var limits: RequestLimits
    /// Whether the caller of another running request may wait for this one. It then goes first in line: that request would
    /// otherwise block it.
    package var isInside = false
    /// A rate limit that it shares with other requests, in addition to that of the provider.
    package var limit: LimitRule?
    /// Whether it passes the rate limiter of its provider, key and model. If not, only its own `Retry-After` delays it.
    package var isLimited = true
    /// Whether a recorded reply may answer it; nil: it is asked.
    package var cache: CachePolicy?
    /// Output that an earlier run has received and delivered: the provider is asked to continue it. Only with
    /// `AfterOutput.continue`.
    package var carried: CarriedOutput?
    /// The price of the model's tokens, for the costs in a journal; nil if it is not known.
    package var price: TokenPrice?

    /// A request with the given parts.
    /// - Parameter thinkTags: nil for the mode of the endpoint's quirks.
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

/// Bounds on the memory of one request.
package struct RequestLimits: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case maxEventBytes = "max_event_bytes"
        case maxBodyBytes = "max_body_bytes"
        case inboxEvents = "inbox_events"
        case inboxBytes = "inbox_bytes"
    }

    /// Maximum size of a line or event of a stream, in bytes.
    package var maxEventBytes: Int
    /// Maximum size of the body of a reply, in bytes.
    package var maxBodyBytes: Int
    /// Limit of the inbox in events; see `Inbox.load`. At either limit the socket is paused until the events are taken.
    package var inboxEvents: Int
    /// Limit of the inbox in bytes of text.
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

/// Which recorded replies may answer a request. The nth of equal requests of a run gets the nth recorded reply.
package struct CachePolicy: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case ttl, scope, pace
        case isRefreshed = "refresh"
        case isShared = "shared"
    }

    /// Where replies are looked for.
    package enum Scope: String, CaseIterable, Codable, Sendable {
        /// Among the requests of the same job. Without a job: those of this run.
        case job
        /// In the whole store.
        case store
    }

    /// Maximum age of a reply in seconds; nil for no bound.
    package var ttl: Double?
    /// Where replies are looked for.
    package var scope: Scope
    /// 1 delivers the deltas at the recorded pace, 2 twice as fast; nil at once.
    package var pace: Double?
    /// Whether recorded replies are ignored. The new one is recorded.
    package var isRefreshed: Bool
    /// Whether equal requests of a run get the same reply.
    package var isShared: Bool

    /// The given policy.
    package init(
        ttl: Double? = nil, scope: Scope = .store, pace: Double? = nil, isRefreshed: Bool = false,
        isShared: Bool = false
    ) {
        self.ttl = ttl
        self.scope = scope
        self.pace = pace
        self.isRefreshed = isRefreshed
        self.isShared = isShared
    }
}

/// Output of a request that an earlier run has received.
package struct CarriedOutput: Codable, Hashable, Sendable {
    /// The text.
    package var text: String
    /// The reasoning.
    package var reasoning: String

    /// The given output.
    package init(text: String, reasoning: String = "") {
        self.text = text
        self.reasoning = reasoning
    }
}
