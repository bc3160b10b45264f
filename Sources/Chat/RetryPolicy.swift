// When and how often a request is tried again.

/// What happens when a stream breaks after some of its output has been handed over.
public enum AfterOutput: String, CaseIterable, Codable, Sendable {
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
public struct RetryPolicy: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case max, base, cap
        case maxWait = "max_wait"
        case afterOutput = "after_output"
    }

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
