// Events: what the engine hands up. Plain values that could cross a process boundary; anything larger than a string
// is boxed, so that an inbox of tokens stays small.

public import Dialects
public import Wire

/// What has happened to a request. Exactly one `finish` or `failed` ends each request, and nothing follows it.
public enum EngineEvent: Sendable {
    /// The provider has named its reply. Once an attempt.
    indirect case start(StartInfo)
    /// A piece of the text, never empty.
    case token(String)
    /// A piece of the reasoning, never empty.
    case reasoning(String)
    /// Several pieces, of one of the two, that came together. Only to a reader that asks for events joined.
    indirect case run(TextRun)
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
public struct StartInfo: Sendable, Equatable {
    /// The provider's id of the reply.
    public var id: String?
    /// The model that answers.
    public var model: String?
    /// Which attempt this is, from 1.
    public var attempt: Int
}

/// An attempt that failed and will be repeated.
public struct RetryInfo: Sendable {
    /// The attempt that failed, from 1.
    public var attempt: Int
    /// Seconds until the next one begins.
    public var delay: Double
    /// Why it failed.
    public var error: RequestFailure
    /// What it had received.
    public var received: Position
}

/// A wait at the rate limiter.
public struct WaitInfo: Sendable, Equatable {
    /// Seconds until the request starts, about.
    public var seconds: Double
    /// The limit and its bound.
    public var reason: String
}

/// The announcement of a fresh start.
public struct ResetInfo: Sendable {
    /// The attempt that failed, from 1.
    public var attempt: Int
    /// Why it failed.
    public var error: RequestFailure
}

/// How far a stream came.
public struct Position: Sendable, Equatable {
    /// Bytes of the body received.
    public var bytes = 0
    /// Frames received.
    public var events = 0
    /// Characters (Unicode scalars) of text received.
    public var chars = 0

    /// The beginning.
    public init() {}
}

/// A model's reply.
public struct Reply: Sendable {
    /// The text.
    public var text: String
    /// The reasoning; empty if the provider shows none.
    public var reasoning: String
    /// The tool calls, in order. Empty in a partial reply: a cut call must never be run.
    public var toolCalls: [ToolCall]
    /// Calls in the provider's own form that wait for the client (`computer_call`, `mcp_approval_request`), as they came.
    /// Empty in a partial reply.
    public var nativeCalls: [JSONValue] = []
    /// Why it ended. In a partial reply nil.
    public var finishReason: FinishReason?
    /// The reason as the provider sent it.
    public var finishReasonRaw: String?
    /// Token counts; nil if unknown. `Usage.estimated` marks numbers counted here.
    public var usage: Usage?
    /// The model that answered, or the one asked for.
    public var model: String
    /// The provider's id of the reply.
    public var id: String?
    /// The provider's name.
    public var provider: String
    /// How many attempts it took.
    public var attempts: Int
    /// Seconds from the request's start to its first output; nil if none came.
    public var firstTokenTime: Double?
    /// Seconds from the request's start to its end.
    public var totalTime: Double
    /// How long the server says its own work took, where it does.
    public var serverTimings: ServerTimings?
    /// The assistant's message to append to a conversation.
    public var message: JSONValue
    /// The refusal's text, where the provider sends one apart from the content.
    public var refusal: String?
    /// What the provider says of how the reply ended, beside the reason (Gemini, Anthropic).
    public var finishMessage: String?
}

/// Why a request (or one attempt of it) failed.
public struct RequestFailure: Error, Sendable {
    /// The part of a request whose time ran out.
    public enum Phase: String, Sendable { case connect, first, idle, stall, total }

    /// What kind of failure.
    public var kind: ErrorKind
    /// What happened and, where it helps, what to do; no key is ever in it.
    public var message: String
    /// The HTTP status, if one came.
    public var status: Int?
    /// The provider's code or type string.
    public var code: String?
    /// For timeouts: which.
    public var phase: Phase?
    /// Whether the same request may succeed later.
    public var isRetryable: Bool
    /// Seconds the provider asks to wait.
    public var retryAfter: Double?
    /// The provider's name.
    public var provider: String
    /// The model asked.
    public var model: String
    /// The provider's id of the request, for its support.
    public var requestID: String?
    /// Attempts made.
    public var attempts: Int
    /// What had arrived; nil if nothing had.
    public var partial: Reply?
    /// How far the last attempt came.
    public var position = Position()
    /// What the last attempt has cost, as the provider says, whether or not a part of the reply is left.
    public var usage: Usage?
}

extension RequestFailure {
    /// The failure of a request that was never sent.
    public init(unsent spec: RequestSpec, _ kind: ErrorKind, _ message: String) {
        self.init(
            kind: kind, message: message, isRetryable: false, provider: spec.endpoint.provider, model: spec.chat.model,
            attempts: 0)
    }
}
