// The lifecycle of one request as a pure value: attempts, timeouts, retries. Time and random numbers are arguments; it uses no
// socket, clock or format.

internal import Chat

/// Decides on attempts, waits and timeouts of one request.
struct RequestStateMachine: Sendable {
    /// The phase of the request.
    enum State: Sendable, Equatable {
        /// Its next attempt waits for a free transfer.
        case queued
        /// An attempt runs; no output has arrived.
        case opening
        /// Output has arrived.
        case streaming
        /// The reply is complete; the end of the body is missing.
        case tail
        /// It waits before its next attempt.
        case backingOff(until: Double)
        /// Over.
        case ended
    }

    /// What an expired timer requires.
    enum TimerAction: Sendable, Equatable {
        /// Nothing.
        case nothing
        /// Queue the next attempt.
        case attempt
        /// The attempt has timed out; for `total`, the request.
        case timeout(RequestFailure.Phase)
        /// Finish although the body has not ended: `tailGrace` has passed.
        case finish
    }

    /// How the next attempt relates to the output so far.
    enum RestartMode: Sendable, Equatable {
        /// Nobody has seen any: drop it.
        case fresh
        /// It was seen: report that it is void.
        case restart
        /// It stays, and the provider is asked for the rest.
        case continuation
    }

    /// What follows a failure.
    enum RetryDecision: Sendable, Equatable {
        /// Retry after `delay` seconds; `isVisible`: report the retry to the client.
        case again(delay: Double, isVisible: Bool, RestartMode)
        /// Fail. The note names the reason why there is no further attempt.
        case fail(note: String?)
    }

    /// What of the reply had arrived when an attempt failed.
    struct Progress: Sendable, Equatable {
        /// Text or reasoning was taken by the client.
        var outputTaken = false
        /// Text has arrived.
        var hasText = false
        /// A tool call had begun.
        var hasToolCalls = false
        /// The endpoint can continue a partial reply.
        var canContinue = false
    }

    /// How long the end of a body may be waited for once the reply is whole, in seconds: usage comes right behind the
    /// finish reason, and some servers never close.
    static let tailGrace = 5.0
    /// Maximum number of consecutive silent retries of a request of which no byte was sent.
    static let unsentLimit = 3

    /// The wait that a rate limiter imposes on the next attempt.
    struct LimiterWait: Sendable, Equatable {
        /// Seconds until an attempt may start.
        var seconds: Double
        /// The limit and its bound, for messages.
        var reason: String
    }

    let timeouts: Timeouts
    let policy: RetryPolicy
    let isObserved: Bool
    let startedAt: Double

    private(set) var state = State.queued
    /// Attempts begun, without those of which no byte was sent.
    private(set) var attempts = 0
    private(set) var firstOutputAt: Double?
    private var retries = 0
    private var unsent = 0
    private var hasUsedOnce = false
    private var attemptStart: Double
    private var lastAlive: Double
    private var lastOutput: Double
    private var heldSince: Double?

    init(timeouts: Timeouts, policy: RetryPolicy, isObserved: Bool, now: Double) {
        self.timeouts = timeouts
        self.policy = policy
        self.isObserved = isObserved
        startedAt = now
        attemptStart = now
        lastAlive = now
        lastOutput = now
    }

    // MARK: Input

    mutating func attemptStarted(now: Double) {
        attempts += 1
        state = .opening
        attemptStart = now
        lastAlive = now
        lastOutput = now
        if heldSince != nil { heldSince = now }
    }

    /// The attempt just started found no file descriptor: it is queued again and does not count.
    mutating func attemptPostponed() {
        attempts -= 1
        state = .queued
    }

    /// Bytes arrived.
    mutating func receivedBytes(now: Double) { lastAlive = now }

    /// Text, reasoning or a piece of a tool call arrived.
    mutating func output(now: Double) {
        if state == .opening { state = .streaming }
        if firstOutputAt == nil { firstOutputAt = now }
        lastOutput = now
    }

    /// Native content arrived (the result of a server tool). It ends a stall and is not the first output.
    mutating func nativeContent(now: Double) { lastOutput = now }

    /// The decoder has seen the clean end of the reply; the body has not ended.
    mutating func cleanEnd() {
        if state == .opening || state == .streaming { state = .tail }
    }

    /// That was not the end: the reply continues.
    mutating func continues() {
        if state == .tail { state = .streaming }
    }

    mutating func end() { state = .ended }

    /// The client holds the stream: `first`, `idle` and `stall` stand still.
    mutating func hold(now: Double) {
        if heldSince == nil { heldSince = now }
    }

    /// The client resumes the stream.
    mutating func release(now: Double) {
        guard let since = heldSince else { return }
        heldSince = nil
        attemptStart += now - since
        lastAlive += now - since
        lastOutput += now - since
    }

    // MARK: Time

    /// When `due` must be called next; nil for never. It may be too early, never too late.
    var deadline: Double? {
        if state == .ended { return nil }
        let own: Double? =
            if case .backingOff(let until) = state { until } else { heldSince == nil ? attemptDeadline : nil }
        let total = timeouts.total.map { startedAt + $0 }
        return switch (own, total) {
        case (let own?, let total?): min(own, total)
        default: own ?? total
        }
    }

    /// Maximum wait for a limit, apart from the total timeout, in seconds.
    var longestWait: Double {
        policy.maxWait ?? (timeouts.total == nil ? RetryPolicy.defaultMaxWait : .infinity)
    }

    /// When the total timeout ends the request.
    var totalDeadline: Double { timeouts.total.map { startedAt + $0 } ?? .infinity }

    /// Maximum wait from now on, in seconds, and the option that bounds it.
    func waitBound(now: Double) -> (seconds: Double, option: String) {
        let left = totalDeadline - now
        return left < longestWait ? (left, "timeout.total") : (longestWait, "retry.max_wait")
    }

    /// Whether an attempt has failed before.
    var isRetry: Bool { retries > 0 || unsent > 0 }

    private var attemptDeadline: Double? {
        switch state {
        case .opening: attemptStart + timeouts.first
        case .streaming: min(lastAlive + timeouts.idle, lastOutput + timeouts.stall)
        case .tail: lastAlive + min(timeouts.idle, Self.tailGrace)
        case .queued, .backingOff, .ended: nil
        }
    }

    /// What the time requires.
    mutating func due(now: Double) -> TimerAction {
        guard let deadline, deadline <= now else { return .nothing }
        if let total = timeouts.total, startedAt + total <= now { return state == .tail ? .finish : .timeout(.total) }
        switch state {
        case .backingOff:
            state = .queued
            return .attempt
        case .opening: return .timeout(.first)
        case .streaming: return .timeout(lastAlive + timeouts.idle <= now ? .idle : .stall)
        case .tail: return .finish
        case .queued, .ended: return .nothing
        }
    }

    // MARK: Failure

    /// Decides on a retry after a failed attempt.
    /// - Parameters:
    ///   - limiter: how long the rate limiter holds the next attempt back.
    ///   - random: a number in 0..<1.
    mutating func failed(
        _ fault: AttemptError, progress: Progress, limiter: LimiterWait? = nil, now: Double, random: () -> Double
    ) -> RetryDecision {
        if fault.retry == .unsent, !progress.outputTaken, unsent < Self.unsentLimit, timeLeft(now: now) > 0 {
            unsent += 1
            attempts -= 1
            state = .queued
            return .again(delay: 0, isVisible: false, .fresh)
        }
        let verdict = judge(fault, progress: progress, limiter: limiter, now: now, random: random)
        guard case .again(let delay, _, _) = verdict else {
            state = .ended
            return verdict
        }
        retries += 1
        unsent = 0
        if fault.retry == .once { hasUsedOnce = true }
        state = .backingOff(until: now + delay)
        return verdict
    }

    private func judge(
        _ fault: AttemptError, progress: Progress, limiter: LimiterWait?, now: Double, random: () -> Double
    ) -> RetryDecision {
        guard fault.retry != .never else { return .fail(note: nil) }
        if fault.retry == .once, hasUsedOnce { return .fail(note: "it happened again after a retry") }
        guard retries < policy.max else {
            return .fail(note: attempts > 1 ? "gave up after \(attempts) attempts" : nil)
        }
        let restartMode: RestartMode
        switch plan(progress) {
        case .success(let plan): restartMode = plan
        case .failure(let refusal): return .fail(note: refusal.note)
        }
        switch delay(fault, limiter: limiter, now: now, random: random) {
        case .success(let seconds): return .again(delay: seconds, isVisible: true, restartMode)
        case .failure(let refusal): return .fail(note: refusal.note)
        }
    }

    private struct Refusal: Error { var note: String? }

    private func plan(_ progress: Progress) -> Result<RestartMode, Refusal> {
        guard progress.outputTaken else { return .success(.fresh) }
        switch policy.afterOutput {
        case .fail: return .failure(Refusal(note: nil))
        case .auto: return isObserved ? .failure(Refusal(note: nil)) : .success(.fresh)
        case .restart: return .success(.restart)
        case .continue:
            guard progress.canContinue else {
                return .failure(Refusal(note: "this provider cannot continue a reply (after_output = \"continue\")"))
            }
            guard !progress.hasToolCalls else {
                return .failure(Refusal(note: "a reply cut inside a tool call cannot be continued"))
            }
            return .success(progress.hasText ? .continuation : .restart)
        }
    }

    private func delay(
        _ fault: AttemptError, limiter: LimiterWait?, now: Double, random: () -> Double
    ) -> Result<Double, Refusal> {
        let (bound, option) = waitBound(now: now)
        let asked = fault.error.retryAfter.flatMap { $0 > 0 && $0.isFinite ? $0 : nil } ?? 0
        let held = limiter?.seconds ?? 0
        guard max(asked, held) <= bound else {
            let what = option == "timeout.total" ? "the time left is" : "the longest wait allowed is"
            let reason = limiter.flatMap { $0.seconds > bound ? $0.reason + "; " : nil } ?? ""
            return .failure(
                Refusal(
                    note:
                        "\(reason)the provider asks to wait \(formatted(max(asked, held))) s, \(what) \(formatted(bound)) s"
                ))
        }
        if asked > 0 { return .success(max(held, min(asked + random() * min(1, asked * 0.1), bound))) }
        let delay = max(
            held, random() * Self.window(policy, retry: retries, isOverloaded: fault.error.kind == .overloaded))
        guard delay < timeLeft(now: now) else { return .failure(Refusal(note: "no time is left to try again")) }
        return .success(delay)
    }

    /// The window for the random wait before retry number `retry` (from 0), in seconds. It is doubled for an overloaded
    /// provider.
    static func window(_ policy: RetryPolicy, retry: Int, isOverloaded: Bool) -> Double {
        var window = policy.base
        for _ in 0..<(retry + (isOverloaded ? 1 : 0)) where window < policy.cap { window *= 2 }
        return max(0, min(policy.cap, window))
    }

    private func timeLeft(now: Double) -> Double { timeouts.total.map { startedAt + $0 - now } ?? .infinity }
}
