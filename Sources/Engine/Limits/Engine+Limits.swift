// Requests at their rate limiters: one for each provider, key and model, and those that scripts name.

internal import Base
internal import Chat
internal import Formats
internal import HTTP

extension Engine {
    /// The rate limiters of a request.
    private func limiters(of request: Request) -> [RateLimiter] {
        guard request.spec.isLimited else { return [] }
        var result = [providerLimiter(of: request)]
        if let rule = request.spec.limit {
            let named = limiter("limit " + rule.name)
            named.rule = rule
            result.append(named)
        }
        return result
    }

    /// Most requests have the limiter of the request before.
    private func providerLimiter(of request: Request) -> RateLimiter {
        let (endpoint, model) = (request.spec.endpoint, request.spec.chat.model)
        if let last = lastLimiter, last.model == model, last.baseURL == endpoint.baseURL,
            last.keyVariable == endpoint.keyVariable
        {
            return last.limiter
        }
        let limiter = limiter("provider \(endpoint.baseURL) \(endpoint.keyVariable ?? "") \(model)")
        lastLimiter = (endpoint.baseURL, endpoint.keyVariable, model, limiter)
        return limiter
    }

    private func limiter(_ key: String) -> RateLimiter {
        if let limiter = limiters[key] { return limiter }
        let limiter = RateLimiter()
        limiters[key] = limiter
        return limiter
    }

    // MARK: Starts

    /// Admits a queued request, puts it in line, or fails it if the wait would be too long.
    func admit(_ request: Request) -> Bool {
        if request.isAdmitted { return true }
        let limiters = request.limiters ?? limiters(of: request)
        request.limiters = limiters
        guard let first = limiters.first else { return true }
        let now = configuration.clock()
        guard !rejectOverdue(request, now) else { return false }
        guard first.isFirst(request), pass(request, now) else {
            if first.hasNoLine { limitersWithQueue.append(first) }
            first.line(up: request)
            request.queuedSince = now
            request.nextWaitEventAt = now + 1
            if estimate(request, now) > 1 { announceWait(request, now: now) } else { arm(request) }
            return false
        }
        return true
    }

    private func pass(_ request: Request, _ now: Double) -> Bool {
        let limiters = request.limiters ?? []
        guard limiters.allSatisfy({ $0.permission(now: now) == .now }) else { return false }
        for (index, limiter) in limiters.enumerated() {
            let ticket = limiter.begin(now: now)
            if index == 0 { request.ticket = ticket }
        }
        request.isAdmitted = true
        request.holdsConcurrencySlot = true
        leaveLine(request)
        updatePlace(request)
        return true
    }

    private func leaveLine(_ request: Request) {
        request.queuedSince = nil
        request.nextWaitEventAt = .infinity
    }

    /// A request that waits for its own caller frees its slot: the caller may wait for another request, which would
    /// deadlock. It takes the slot again without waiting, even above the bound.
    func updatePlace(_ request: Request) {
        let holdsConcurrencySlot = request.isAdmitted && !request.isPausedByCaller && !request.isClientBusy
        guard holdsConcurrencySlot != request.holdsConcurrencySlot else { return }
        request.holdsConcurrencySlot = holdsConcurrencySlot
        for limiter in request.limiters ?? [] {
            if holdsConcurrencySlot { limiter.goOn() } else { limiter.end() }
        }
    }

    /// Admits requests whose rate limiters are open.
    func admitWaiting() {
        guard !limitersWithQueue.isEmpty else { return }
        let now = configuration.clock()
        for limiter in limitersWithQueue {
            for request in limiter.overdue(now: now) { _ = rejectOverdue(request, now) }
            while let request = limiter.firstInLine {
                if request.machine.state == .queued, !rejectOverdue(request, now) {
                    guard pass(request, now) else { break }
                    queue.append(request)
                }
                limiter.dropFirstInLine()
            }
        }
        limitersWithQueue.removeAll { $0.hasNoLine }
    }

    /// The next time at which a rate limiter opens by itself; nil if none does.
    var limiterDeadline: Double? {
        guard !limitersWithQueue.isEmpty else { return nil }
        let now = configuration.clock()
        var next = Double.infinity
        for limiter in limitersWithQueue {
            for other in limiter.firstInLine?.limiters ?? [] {
                if case .at(let moment) = other.permission(now: now) { next = min(next, moment) }
            }
        }
        return next.isFinite ? next : nil
    }

    // MARK: Waits

    /// Time until which the next attempt is held back by time alone; nil if it is not.
    func limiterWait(_ request: Request, now: Double) -> RequestStateMachine.LimiterWait? {
        guard let limiter = latestLimiter(request, now) else { return nil }
        return RequestStateMachine.LimiterWait(
            seconds: limiter.opening(now: now) - now, reason: limiter.reason(now: now))
    }

    private func latestLimiter(_ request: Request, _ now: Double) -> RateLimiter? {
        (request.limiters ?? []).filter { $0.opening(now: now) > now }.max {
            $0.opening(now: now) < $1.opening(now: now)
        }
    }

    /// Estimated seconds until a request in line starts.
    private func estimate(_ request: Request, _ now: Double) -> Double {
        (request.limiters ?? []).map { $0.estimate(request, now: now) }.max() ?? 0
    }

    /// Reports a wait in line: event, log line.
    func announceWait(_ request: Request, now: Double) {
        request.nextWaitEventAt = .infinity
        guard let since = request.queuedSince, !request.isEnded, let limiters = request.limiters else { return }
        let seconds = max(estimate(request, now), 1)
        let limiter = limiters.first { $0.permission(now: now) != .now } ?? limiters[0]
        let reason = limiter.reason(now: now)
        log(
            .info,
            "\(request.label): waits \(RateLimiter.span(seconds)) after \(formatted(now - since)) s: \(reason)")
        request.push(.wait(WaitInfo(seconds: seconds, reason: reason)))
        list(request)
        // A wait that exceeds its announcement is announced again.
        request.nextWaitEventAt = now + seconds * 1.25 + 1
        arm(request)
    }

    /// Fails a request whose wait would be too long.
    private func rejectOverdue(_ request: Request, _ now: Double) -> Bool {
        guard let limiter = latestLimiter(request, now) else { return false }
        let wait = limiter.opening(now: now) - now
        let (bound, option) = request.machine.waitBound(now: now)
        guard wait > bound, !request.isEnded else { return false }
        let message =
            "\(limiter.reason(now: now)); the next request may start in \(RateLimiter.span(wait)), and \(option) allows "
            + "\(formatted(max(0, bound))) s"
        fail(request, message, retryAfter: wait, phase: nil, now)
        return true
    }

    /// The total timeout passed while the request was in line.
    func timeOutInLine(_ request: Request, now: Double) {
        let limiter = (request.limiters ?? []).first { $0.permission(now: now) != .now } ?? request.limiters?.first
        let wait = latestLimiter(request, now).map { $0.opening(now: now) - now }
        let message =
            "timeout.total of \(formatted(request.spec.timeouts.total ?? 0)) s passed in the wait for a limit: "
            + (limiter?.reason(now: now) ?? "rate limiter")
        fail(request, message, retryAfter: wait, phase: .total, now)
    }

    private func fail(
        _ request: Request, _ message: String, retryAfter: Double?, phase: RequestFailure.Phase?, _ now: Double
    ) {
        leaveLine(request)
        let error = APIError(kind: .rateLimit, message: message, retryAfter: retryAfter)
        log(.debug, "\(request.label): \(message)")
        request.fail(AttemptError(error, phase: phase, retry: .backoff), note: nil, now: now)
        list(request)
    }

    // MARK: Ends

    /// How an attempt ended, for its rate limiters.
    enum LimiterOutcome { case answered(Usage?), refused(AttemptError), given }

    /// The attempt of the request ended: others may start.
    func leaveLimiters(_ request: Request, _ outcome: LimiterOutcome) {
        let report = request.isAdmitted ? rateReport(request, outcome) : nil
        leaveLimiters(request, outcome, report)
    }

    private func leaveLimiters(_ request: Request, _ outcome: LimiterOutcome, _ report: RateLimitHeaders?) {
        leaveLine(request)
        guard request.isAdmitted else { return }
        request.isAdmitted = false
        let heldPlace = request.holdsConcurrencySlot
        request.holdsConcurrencySlot = false
        let now = configuration.clock()
        for limiter in request.limiters ?? [] {
            if heldPlace { limiter.end() }
            let isProvider = limiter.rule == nil
            switch outcome {
            case .answered(let usage):
                limiter.answered()
                if let tokens = usage?.totalTokens { limiter.spend(tokens: tokens) }
            case .refused(let fault) where isProvider:
                limiter.refused(request.ticket, fault.error.isAboutConcurrency ? .concurrency : .rate, now: now)
            case .refused, .given: break
            }
            // Headers of a provider apply to its own rate limiter only.
            guard isProvider, let report else { continue }
            var retryAfter: Double?
            if case .refused(let fault) = outcome, fault.error.kind == .rateLimit {
                retryAfter = fault.error.retryAfter
            }
            limiter.learn(report, retryAfter: retryAfter, now: now)
        }
    }

    private func rateReport(_ request: Request, _ outcome: LimiterOutcome) -> RateLimitHeaders? {
        var headers = request.attempt?.head?.headers ?? HTTPHeaders()
        if case .refused(let fault) = outcome {
            for field in fault.error.rateHeaders { headers.add(field.name, field.value) }
        }
        return headers.fields.isEmpty ? nil : RateLimitHeaders(headers, now: configuration.unixTime())
    }

    /// Reports a failed attempt to the rate limiters. Returns the error with the wait that its rate headers request.
    func refused(_ request: Request, _ fault: AttemptError, now: Double) -> AttemptError {
        guard fault.error.kind == .rateLimit || fault.error.kind == .overloaded else {
            leaveLimiters(request, .given)
            return fault
        }
        let outcome = LimiterOutcome.refused(fault)
        let report = rateReport(request, outcome)
        leaveLimiters(request, outcome, report)
        guard fault.error.kind == .rateLimit, let wait = report?.wait, wait > fault.error.retryAfter ?? 0 else {
            return fault
        }
        var fault = fault
        fault.error.retryAfter = wait
        if !request.spec.isLimited, let allowance = report?.allowances.max(by: { $0.wait ?? 0 < $1.wait ?? 0 }) {
            fault.error.message += " (\(RateLimiter.reason(allowance, backIn: allowance.reset ?? wait)))"
        }
        return fault
    }
}
