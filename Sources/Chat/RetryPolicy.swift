// When and how often a request is retried.

/// What happens when a stream breaks after some of its output was delivered.
public enum AfterOutput: String, CaseIterable, Codable, Sendable {
    /// The request fails; the error holds the partial reply.
    case fail
    /// The request begins anew; a `reset` event says that the output so far is void.
    case restart
    /// The provider is asked to continue the text received; only new text is reported. The request fails if the provider
    /// cannot. If only reasoning had arrived it restarts, with a `reset` event.
    case `continue`
    /// `restart` without a `reset` if nobody sees deltas (`RequestSpec.isObserved` is false), else `fail`.
    case auto
}

/// When and how often a request is retried.
public struct RetryPolicy: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case max, base, cap
        case maxWait = "max_wait"
        case afterOutput = "after_output"
    }

    /// Maximum number of retries after the first attempt.
    public var max: Int
    /// The first retry waits a random time between 0 and this many seconds; the window doubles with each retry.
    public var base: Double
    /// Maximum window, in seconds.
    public var cap: Double
    /// Maximum wait for a limit (`Retry-After`, rate headers, the rate limiter), in seconds; the request fails at once if it
    /// would be longer. Nil: the rest of the total timeout, or 120 without one.
    public var maxWait: Double?
    /// What happens if output was delivered before the failure.
    public var afterOutput: AfterOutput

    /// Maximum wait without `maxWait` and without a total timeout, in seconds.
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
