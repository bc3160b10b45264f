// The events of a request. Payloads larger than a string are boxed, so that an inbox of text stays small.

public import Base
public import JSON

/// An event of a request. Exactly one `finish` or `failed` ends each request; nothing follows it.
public enum ChatEvent: Hashable, Sendable {
    /// The first frame of the reply has arrived. Once an attempt.
    indirect case start(StartInfo)
    /// Pieces of the text or of the reasoning that arrived together.
    case text(TextBatch)
    /// A complete tool call with valid arguments. Only after the clean end of the stream, before `finish`.
    indirect case toolCall(ToolCall)
    /// Token counts so far; the last one wins.
    indirect case usage(Usage)
    /// A frame without content arrived. Only on request.
    case heartbeat
    /// Content that only this provider has (a citation, the use or result of a server tool), unchanged except that keys are
    /// removed.
    indirect case native(name: String, JSONValue)
    /// The phase of the text that follows, if the provider names one ("commentary", "final_answer" in Responses); nil for
    /// none.
    indirect case phase(String?)
    /// The payload of a frame, keys removed. Only on request.
    case chunk(String)
    /// An attempt failed; another follows after a delay.
    indirect case retry(RetryInfo)
    /// The request waits at the rate limiter for more than a second.
    indirect case wait(WaitInfo)
    /// Text and reasoning delivered so far are void: the reply begins anew.
    indirect case reset(ResetInfo)
    /// The reply is complete, or was stopped by the client.
    indirect case finish(Reply)
    /// The request has failed.
    indirect case failed(RequestFailure)

    /// True for `finish` and `failed`.
    public var isTerminal: Bool {
        switch self {
        case .finish, .failed: true
        default: false
        }
    }
}

/// The beginning of a reply.
public struct StartInfo: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id, model, attempt
        case isCached = "cached"
    }

    /// The provider's id of the reply.
    public var id: String?
    /// The model that answers.
    public var model: String?
    /// The number of the attempt, from 1.
    public var attempt: Int
    /// Whether a cache answers, without a request to the provider.
    public var isCached = false

    /// A value with the given parts.
    package init(
        id: String? = nil, model: String? = nil, attempt: Int
    ) {
        self.id = id
        self.model = model
        self.attempt = attempt
    }
}

/// An attempt that failed and will be retried.
public struct RetryInfo: Codable, Hashable, Sendable {
    /// The attempt that failed, from 1.
    public var attempt: Int
    /// Seconds until the next one begins.
    public var delay: Double
    /// Why it failed.
    public var error: RequestFailure
    /// How much it had received.
    public var received: Position

    /// A value with the given parts.
    package init(
        attempt: Int, delay: Double, error: RequestFailure, received: Position
    ) {
        self.attempt = attempt
        self.delay = delay
        self.error = error
        self.received = received
    }
}

/// A wait at the rate limiter.
public struct WaitInfo: Codable, Hashable, Sendable {
    /// Estimated seconds until the request starts.
    public var seconds: Double
    /// The limit and its bound.
    public var reason: String

    /// A value with the given parts.
    package init(
        seconds: Double, reason: String
    ) {
        self.seconds = seconds
        self.reason = reason
    }
}

/// A restart after output was delivered.
public struct ResetInfo: Codable, Hashable, Sendable {
    /// The attempt that failed, from 1.
    public var attempt: Int
    /// Why it failed.
    public var error: RequestFailure

    /// A value with the given parts.
    package init(
        attempt: Int, error: RequestFailure
    ) {
        self.attempt = attempt
        self.error = error
    }
}

/// How much of a stream was received.
public struct Position: Codable, Hashable, Sendable {
    /// Bytes of the body received.
    public var bytes = 0
    /// Frames received.
    public var events = 0
    /// Characters (Unicode scalars) of text received.
    public var chars = 0

    /// Nothing.
    public init() {}
}
