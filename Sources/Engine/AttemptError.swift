// The failure of one attempt, and whether a retry can help.

internal import Chat

/// Why an attempt failed, and what the state machine may do about it.
struct AttemptError: Error, Equatable {
    /// Whether a retry can help.
    enum Retry: Sendable, Equatable {
        /// Never: the result would be the same.
        case never
        /// After a growing delay, as often as the policy allows.
        case backoff
        /// At most once: the provider may have done, and charged for, the work.
        case once
        /// At once and silently: no byte of the request was sent.
        case unsent
    }

    /// The error for the caller.
    var error: APIError
    /// For timeouts: which one.
    var phase: RequestFailure.Phase?
    /// Whether to retry.
    var retry: Retry
    /// A reused connection died: the next attempt must not meet another dead one.
    var wantsFreshConnection = false

    init(_ error: APIError, phase: RequestFailure.Phase? = nil, retry: Retry) {
        self.error = error
        self.error.isRetryable = retry != .never
        self.phase = phase
        self.retry = retry
    }

    init(_ kind: ErrorKind, _ message: String, status: Int? = nil, retry: Retry = .never) {
        self.init(APIError(kind: kind, message: message, status: status), retry: retry)
    }

    /// An error that the provider reported, with its own retry advice.
    static func reported(_ error: APIError) -> AttemptError {
        AttemptError(error, retry: error.isRetryable ? .backoff : .never)
    }

    static func timeout(_ phase: RequestFailure.Phase, after seconds: Double) -> AttemptError {
        let message =
            switch phase {
            case .connect: "no connection within \(formatted(seconds)) s"
            case .first: "no output within \(formatted(seconds)) s of the request"
            case .idle: "the stream fell silent for \(formatted(seconds)) s"
            case .stall: "the stream brought no output for \(formatted(seconds)) s, though it was not silent"
            case .total: "the request was not done within \(formatted(seconds)) s"
            }
        return AttemptError(
            APIError(kind: .timeout, message: message), phase: phase, retry: phase == .total ? .never : .backoff)
    }
}

extension APIError {
    /// Whether an error after that finish reason only repeats it: the token limit was reached (OpenRouter: "Token
    /// limit reached", code 400).
    func repeatsLimit(of reason: FinishReason?) -> Bool {
        guard reason == .length, kind == .invalidRequest || kind == .provider else { return false }
        let message = message.lowercased()
        return ["token", "length", "context"].contains(where: message.contains)
            && ["limit", "max", "reached", "exceed", "too long"].contains(where: message.contains)
    }
}

/// Seconds for people: at most three decimals, no trailing zeros.
func formatted(_ seconds: Double) -> String {
    guard seconds.isFinite, abs(seconds) < 1e12 else { return "\(seconds)" }
    let thousandths = Int((abs(seconds) * 1000).rounded())
    var text = (seconds < 0 && thousandths > 0 ? "-" : "") + "\(thousandths / 1000)"
    let rest = thousandths % 1000
    guard rest > 0 else { return text }
    var digits = "\(1000 + rest)".dropFirst()
    while digits.last == "0" { digits.removeLast() }
    text += "." + digits
    return text
}
