// Events: what the engine hands up. Plain values that could cross a process boundary; anything larger than a string
// is boxed, so that an inbox of tokens stays small.

public import Base
public import JSON

/// What has happened to a request. Exactly one `finish` or `failed` ends each request, and nothing follows it.
public enum ChatEvent: Hashable, Sendable {
    /// The provider has named its reply. Once an attempt.
    indirect case start(StartInfo)
    /// Pieces of the text or of the reasoning that arrived together.
    case text(TextBatch)
    /// A whole tool call with valid arguments. Only after the stream's clean end, before `finish`.
    indirect case toolCall(ToolCall)
    /// Token counts so far; the last one wins.
    indirect case usage(Usage)
    /// Something arrived that carries nothing. Only if asked for.
    case heartbeat
    /// What only this provider sends (a citation, a server tool's use or result), as it came; keys removed.
    indirect case native(name: String, JSONValue)
    /// The phase of the text that follows, where the provider names one ("commentary", "final_answer" in Responses); nil
    /// once none holds any more.
    indirect case phase(String?)
    /// A frame's payload as sent, keys removed. Only if asked for.
    case chunk(String)
    /// An attempt failed; another follows after a delay.
    indirect case retry(RetryInfo)
    /// The request waits at the rate limiter for more than a second.
    indirect case wait(WaitInfo)
    /// Text and reasoning handed over so far are void: the reply begins anew.
    indirect case reset(ResetInfo)
    /// The reply is whole (or was stopped by the caller).
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

/// What is known when a reply begins.
public struct StartInfo: Codable, Hashable, Sendable {
    /// The provider's id of the reply.
    public var id: String?
    /// The model that answers.
    public var model: String?
    /// Which attempt this is, from 1.
    public var attempt: Int

    /// A value of the given parts.
    package init(
        id: String? = nil, model: String? = nil, attempt: Int
    ) {
        self.id = id
        self.model = model
        self.attempt = attempt
    }
}

/// An attempt that failed and will be repeated.
public struct RetryInfo: Codable, Hashable, Sendable {
    /// The attempt that failed, from 1.
    public var attempt: Int
    /// Seconds until the next one begins.
    public var delay: Double
    /// Why it failed.
    public var error: RequestFailure
    /// What it had received.
    public var received: Position

    /// A value of the given parts.
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
    /// Seconds until the request starts, about.
    public var seconds: Double
    /// The limit and its bound.
    public var reason: String

    /// A value of the given parts.
    package init(
        seconds: Double, reason: String
    ) {
        self.seconds = seconds
        self.reason = reason
    }
}

/// The announcement of a fresh start.
public struct ResetInfo: Codable, Hashable, Sendable {
    /// The attempt that failed, from 1.
    public var attempt: Int
    /// Why it failed.
    public var error: RequestFailure

    /// A value of the given parts.
    package init(
        attempt: Int, error: RequestFailure
    ) {
        self.attempt = attempt
        self.error = error
    }
}

/// How far a stream came.
public struct Position: Codable, Hashable, Sendable {
    /// Bytes of the body received.
    public var bytes = 0
    /// Frames received.
    public var events = 0
    /// Characters (Unicode scalars) of text received.
    public var chars = 0

    /// The beginning.
    public init() {}
}
