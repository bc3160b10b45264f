// Why a request failed.

/// Why a request (or one attempt of it) failed.
public struct RequestFailure: Error, Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case kind, message, status, code, phase
        case isRetryable = "retryable"
        case retryAfter = "retry_after"
        case provider, model
        case requestID = "request_id"
        case attempts, partial, position, usage
    }

    /// The part of a request whose time ran out.
    public enum Phase: String, Codable, Sendable { case connect, first, idle, stall, total }

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

    /// A value of the given parts.
    package init(
        kind: ErrorKind, message: String, status: Int? = nil, code: String? = nil, phase: Phase? = nil,
        isRetryable: Bool, retryAfter: Double? = nil, provider: String, model: String, requestID: String? = nil,
        attempts: Int, partial: Reply? = nil, position: Position = Position(), usage: Usage? = nil
    ) {
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.phase = phase
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
        self.provider = provider
        self.model = model
        self.requestID = requestID
        self.attempts = attempts
        self.partial = partial
        self.position = position
        self.usage = usage
    }
}

extension RequestFailure {
    /// The failure of a request that was never sent.
    package init(unsent spec: RequestSpec, _ kind: ErrorKind, _ message: String) {
        self.init(
            kind: kind, message: message, isRetryable: false, provider: spec.endpoint.provider, model: spec.chat.model,
            attempts: 0)
    }
}
