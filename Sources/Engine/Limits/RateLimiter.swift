// The rate limiter of one provider and key, or of one llm.limit: announced limits (rate headers, rules of scripts)
// and limits found from refusals. Knows no clock and no content of requests.

internal import Chat
internal import DequeModule

/// Decides whether a request may start, and holds the waiting ones.
final class RateLimiter {
    /// Whether a request may start.
    enum Permission: Equatable {
        case now
        /// Not before this time.
        case at(Double)
        /// After another has ended.
        case afterAnother
    }

    /// Which bound an attempt exceeded.
    enum Refusal { case rate, concurrency }

    /// No request starts before `until`, at the provider's request.
    private struct Closure {
        var until: Double
        var allowance: RateLimitHeaders.Allowance?
        /// Time at which the full allowance is back.
        var resetAt = 0.0
    }

    /// Rule of an llm.limit; nil for a provider's limiter.
    var rule: LimitRule?
    /// Requests in flight.
    private(set) var inFlight = 0
    private var rate = RateController()
    private var concurrency = ConcurrencyController()
    /// By the name of the used-up allowance.
    private var closures: [String: Closure] = [:]
    private(set) var closedUntil = 0.0
    /// Requests per second by rate headers, and the allowance.
    private var announced: (rate: Double, allowance: RateLimitHeaders.Allowance)?
    /// Next start by rate headers, and by the rule.
    private var nextByHeaders = 0.0
    private var nextByRule = 0.0
    /// Tokens available; negative after an overdraft.
    private var tokens = 0.0
    private var tokensAt: Double?

    // The line. Nested requests first: the caller of another request waits for them, so they would deadlock. Then
    // retries after their own delay, then the rest, each in order.
    private var nested = Deque<Request>()
    private var retries = Deque<Request>()
    private var waiting = Deque<Request>()
    /// Requests that left the front of the line, for positions; and how often, for estimates.
    private(set) var passed = 0
    private var joined = 0
    private var passTimes = (last: 0.0, interval: 0.0)

    init(rule: LimitRule? = nil) { self.rule = rule }

    // MARK: The line

    /// The line is empty.
    var hasNoLine: Bool { nested.isEmpty && retries.isEmpty && waiting.isEmpty }
    /// The next to start.
    var firstInLine: Request? { nested.first ?? retries.first ?? waiting.first }

    /// Whether a new request would be first in line.
    func isFirst(_ request: Request) -> Bool {
        guard nested.isEmpty else { return false }
        if request.spec.isInside { return true }
        return retries.isEmpty && (request.isRetry || waiting.isEmpty)
    }

    func line(up request: Request) {
        if request.spec.isInside {
            nested.append(request)
        } else if request.isRetry {
            retries.append(request)
        } else {
            waiting.append(request)
        }
        joined += 1
        request.place = request.spec.isInside || request.isRetry ? passed : joined - 1
        lineBound.seconds = min(lineBound.seconds, request.machine.longestWait)
        lineBound.deadline = min(lineBound.deadline, request.machine.totalDeadline)
    }

    func dropFirstInLine() {
        if nested.popFirst() == nil, retries.popFirst() == nil { _ = waiting.popFirst() }
        passed += 1
        if hasNoLine { lineBound = (.infinity, .infinity) }
    }

    func dropLine() { (nested, retries, waiting) = (Deque(), Deque(), Deque()) }

    /// Shortest wait and earliest deadline of requests that are or were in line.
    private var lineBound = (seconds: Double.infinity, deadline: Double.infinity)

    /// Requests whose wait is too long. Scans the line only if there may be some.
    func overdue(now: Double) -> [Request] {
        guard closedUntil - now > lineBound.seconds || closedUntil > lineBound.deadline else { return [] }
        var result: [Request] = []
        lineBound = (.infinity, .infinity)
        for queue in [nested, retries, waiting] {
            queue.forEach { request in
                guard request.machine.state == .queued else { return }
                if closedUntil - now > request.machine.waitBound(now: now).seconds {
                    result.append(request)
                } else {
                    lineBound.seconds = min(lineBound.seconds, request.machine.longestWait)
                    lineBound.deadline = min(lineBound.deadline, request.machine.totalDeadline)
                }
            }
        }
        return result
    }

    /// Estimated seconds until a request in line starts.
    func estimate(_ request: Request, now: Double) -> Double {
        let ahead = Double(max(0, request.place - passed))
        let pace = interval(now) ?? (concurrency.limit == nil && rule == nil ? 0 : passTimes.interval)
        let opens = if case .at(let moment) = permission(now: now) { moment - now } else { 0.0 }
        return max(opens + ahead * pace, 0)
    }

    // MARK: Permission

    func permission(now: Double) -> Permission {
        let opens = opening(now: now)
        if opens > now { return .at(opens) }
        if inFlight >= concurrency.limit ?? .max || inFlight >= rule?.concurrent ?? .max { return .afterAnother }
        return .now
    }

    /// The earliest start that time alone allows.
    func opening(now: Double) -> Double {
        var moment = max(now, closedUntil)
        if let next = rate.nextStart { moment = max(moment, next) }
        if announced != nil { moment = max(moment, nextByHeaders) }
        if rule?.requestsPerMinute != nil { moment = max(moment, nextByRule) }
        if let refill = rule?.tokensPerMinute.map({ $0 / 60 }) {
            refillTokens(refill, now)
            if tokens <= 0 { moment = max(moment, now - tokens / refill + 0.001) }
        }
        return moment
    }

    /// Seconds between two starts; nil without a rate.
    private func interval(_ now: Double) -> Double? {
        [rate.rate(now: now).map { 1 / $0 }, announced.map { 1 / $0.rate }, rule?.requestsPerMinute.map { 60 / $0 }]
            .compactMap { $0 }.max()
    }

    /// The current bound, for messages: name and value.
    func reason(now: Double) -> String {
        if let rule { return Self.reason(rule, isOutOfTokens: tokens <= 0 && rule.tokensPerMinute != nil) }
        if closedUntil > now, let closure = closures.values.max(by: { $0.until < $1.until }) {
            guard let allowance = closure.allowance else { return "the provider asks to wait" }
            return Self.reason(allowance, backIn: closure.resetAt - now)
        }
        if let announced, nextByHeaders > now {
            return Self.reason(announced.allowance, backIn: announced.allowance.reset ?? 0)
        }
        if let rate = rate.rate(now: now) {
            return "rate limiter: at most \(Self.rounded(rate)) requests a second after refusals (429)"
        }
        if let limit = concurrency.limit { return "rate limiter: at most \(limit) requests at once after refusals" }
        return "rate limiter"
    }

    private static func reason(_ rule: LimitRule, isOutOfTokens: Bool) -> String {
        var parts: [String] = []
        if let limit = rule.concurrent { parts.append("\(limit) at once") }
        if let limit = rule.requestsPerMinute { parts.append("\(formatted(limit)) requests a minute") }
        if let limit = rule.tokensPerMinute { parts.append("\(formatted(limit)) tokens a minute") }
        if isOutOfTokens, let last = parts.last { parts = [last] }
        return "limit \"\(rule.name)\": \(parts.joined(separator: ", "))"
    }

    static func reason(_ allowance: RateLimitHeaders.Allowance, backIn seconds: Double) -> String {
        let all = allowance.limit.map { " of \(formatted($0))" } ?? ""
        return "\(allowance.name): \(formatted(allowance.remaining))\(all) left, back in \(span(max(0, seconds)))"
    }

    private static func rounded(_ rate: Double) -> String { formatted((rate * 10).rounded() / 10) }

    /// "24 h", "7 min", "6 s".
    static func span(_ seconds: Double) -> String {
        switch seconds {
        case 7_200...: formatted((seconds / 3_600).rounded()) + " h"
        case 120...: formatted((seconds / 60).rounded()) + " min"
        case 10...: formatted(seconds.rounded()) + " s"
        default: formatted((seconds * 10).rounded() / 10) + " s"
        }
    }

    private func refillTokens(_ refill: Double, _ now: Double) {
        // Ten seconds' worth may be spent at once.
        let most = refill * 10
        tokens = min(most, tokensAt.map { tokens + (now - $0) * refill } ?? most)
        tokensAt = now
    }

    // MARK: Starts and ends

    /// A request starts.
    @discardableResult
    func begin(now: Double) -> LimiterTicket {
        inFlight += 1
        passTimes = (now, passTimes.interval * 0.8 + min(60, now - passTimes.last) * 0.2)
        if let announced { nextByHeaders = max(now, nextByHeaders) + 1 / announced.rate }
        if let limit = rule?.requestsPerMinute { nextByRule = max(now, nextByRule) + 60 / limit }
        concurrency.started()
        return rate.started(now: now)
    }

    /// A request counts again after its caller was occupied.
    func goOn() { inFlight += 1 }

    /// A request ended, was dropped, or does not count for now.
    func end() { inFlight -= 1 }

    /// An ended request spent tokens. The debt is at most a minute's worth: a bogus count must not close the limit
    /// for good.
    func spend(tokens spent: Int) {
        guard let limit = rule?.tokensPerMinute else { return }
        tokens = max(tokens - Double(max(0, spent)), -limit)
    }

    /// A request succeeded.
    func answered() { concurrency.answered() }

    /// A request was refused by a limit.
    func refused(_ ticket: LimiterTicket, _ refusal: Refusal, now: Double) {
        switch refusal {
        case .rate: rate.refused(ticket, now: now)
        case .concurrency: concurrency.refused(ticket, inFlight: inFlight)
        }
    }

    // MARK: Announced limits

    /// Applies the rate headers of a response.
    /// - Parameter retryAfter: delay of a 429 with such headers: it applies to the key.
    func learn(_ report: RateLimitHeaders, retryAfter: Double?, now: Double) {
        guard !report.allowances.isEmpty else { return }
        closures = closures.filter { $0.value.until > now }
        for allowance in report.allowances { learn(allowance, now) }
        if let retryAfter, retryAfter > 0 {
            closures["", default: Closure(until: 0)].until = max(closures[""]?.until ?? 0, now + retryAfter)
        }
        closedUntil = closures.values.map(\.until).max() ?? 0
    }

    private func learn(_ allowance: RateLimitHeaders.Allowance, _ now: Double) {
        if let wait = allowance.wait {
            closures[allowance.name] = Closure(
                until: now + wait, allowance: allowance, resetAt: now + (allowance.reset ?? 0))
        } else {
            closures[allowance.name] = nil
        }
        guard allowance.isContinuous, !allowance.isTokens, let limit = allowance.limit, let reset = allowance.reset,
            reset > 0, limit - allowance.remaining > 1
        else { return }
        // Requests in flight may not be counted yet.
        if allowance.remaining - Double(inFlight) <= 1 {
            let refill = allowance.refill(reset, limit)
            announced = (refill, allowance)
            nextByHeaders = max(nextByHeaders, now + 1 / refill)
        } else if let announced {
            // Some are left beyond those in flight: one may start at once. An idle period resets the pace.
            if now > nextByHeaders + 2 / announced.rate, allowance.remaining > limit / 2 { self.announced = nil }
            nextByHeaders = min(nextByHeaders, now)
        }
    }
}
