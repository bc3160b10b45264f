// Why a request failed.

/// Why a request, or one attempt of it, failed.
public struct RequestFailure: Error, Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case kind, message, status, code, phase
        case isRetryable = "retryable"
        case retryAfter = "retry_after"
        case provider, model
        case requestID = "request_id"
        case attempts, partial, position, usage
    }

    /// The phase of a request that timed out.
    public enum Phase: String, Codable, Sendable { case connect, first, idle, stall, total }

    /// The kind of failure.
    public var kind: ErrorKind
    /// What happened and, where it helps, what to do. It never contains a key.
    public var message: String
    /// The HTTP status, if a response arrived.
    public var status: Int?
    /// The provider's code or type string.
    public var code: String?
    /// The phase, for timeouts.
    public var phase: Phase?
    /// Whether the same request may succeed later.
    public var isRetryable: Bool
    /// Seconds the provider asks to wait.
    public var retryAfter: Double?
    /// The provider's name.
    public var provider: String
    /// The requested model.
    public var model: String
    /// The provider's id of the request.
    public var requestID: String?
    /// Attempts made.
    public var attempts: Int
    /// The output that had arrived; nil without any.
    public var partial: Reply?
    /// How much the last attempt received.
    public var position = Position()
    /// The token counts that the provider reported for the last attempt, with or without a partial reply.
    public var usage: Usage?

    /// A value with the given parts.
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
