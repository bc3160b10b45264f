// The door that requests to one provider pass, or those of one llm.limit. It learns: from rate headers how fast requests
// come back, from refusals (429, overloaded) that it was too fast. Knows no clock and no request's content.

internal import Wire

/// How many requests may be under way, and how fast they may begin. Additive increase, multiplicative decrease.
final class LimitGate {
    /// Whether a request may begin.
    enum Permission: Equatable {
        case now
        /// Not before this moment.
        case at(Double)
        /// Once another has ended.
        case afterAnother
    }

    /// What a script has said; nil for the gate of a provider, which says it itself.
    var rule: LimitRule?
    /// Requests under way.
    private(set) var inFlight = 0
    /// The most at once; grows with every answer, halves with a refusal. No bound until the first.
    private(set) var window = Double.infinity
    /// Requests a second; nil where nothing is known against any number.
    private(set) var rate: Double?
    /// The provider's own numbers say the rate: then it is not for us to try higher ones.
    private var isRateTold = false
    private var nextStart = 0.0
    private var closedUntil = 0.0
    private var lastCut = -Double.infinity
    private var lastGrowth = -Double.infinity
    /// When the last answers came that were no refusals, oldest first.
    private var answers: [Double] = []
    /// Tokens that may be spent now; below zero after more were spent than there were.
    private var tokens = 0.0
    private var tokensAt: Double?
    /// Requests that wait for this gate, in turn.
    private var waiting = FIFO<Request>()
    /// Those that another request's caller waits for: they go first, or every request in line would be begun before the
    /// first could end.
    private var waitingInside = FIFO<Request>()

    /// Nobody waits.
    var hasNoLine: Bool { waiting.isEmpty && waitingInside.isEmpty }
    /// Who is next.
    var firstInLine: Request? { waitingInside.first ?? waiting.first }

    /// Whether a new request would be the first in line.
    func isFirst(_ request: Request) -> Bool {
        waitingInside.isEmpty && (request.spec.isInside || waiting.isEmpty)
    }

    func line(up request: Request) {
        if request.spec.isInside { waitingInside.append(request) } else { waiting.append(request) }
    }

    func dropFirstInLine() { if waitingInside.popFirst() == nil { _ = waiting.popFirst() } }

    func dropLine() { (waiting, waitingInside) = (FIFO(), FIFO()) }

    init(rule: LimitRule? = nil) { self.rule = rule }

    func permission(now: Double) -> Permission {
        if now < closedUntil { return .at(closedUntil) }
        if Double(inFlight) >= window || rule?.concurrent.map({ inFlight >= $0 }) == true { return .afterAnother }
        if interval != nil, now < nextStart { return .at(nextStart) }
        if let refill = rule?.tokensPerMinute.map({ $0 / 60 }) {
            refillTokens(refill, now)
            if tokens <= 0 { return .at(now - tokens / refill + 0.001) }
        }
        return .now
    }

    /// Seconds between two beginnings.
    private var interval: Double? {
        [rate.map { 1 / $0 }, rule?.requestsPerMinute.map { 60 / $0 }].compactMap { $0 }.max()
    }

    private func refillTokens(_ refill: Double, _ now: Double) {
        // Ten seconds' worth may be spent at once.
        let most = refill * 10
        tokens = min(most, tokensAt.map { tokens + (now - $0) * refill } ?? most)
        tokensAt = now
    }

    /// A request begins.
    func begin(now: Double) {
        inFlight += 1
        if let interval { nextStart = max(now, nextStart) + interval }
    }

    /// One counts again that did not while its caller was occupied.
    func goOn() { inFlight += 1 }

    /// One is over, or was given up, or does not count for a while.
    func end() { inFlight -= 1 }

    /// Tokens were spent by one that is over.
    func spend(tokens spent: Int) { tokens -= Double(spent) }

    /// One was answered.
    func answered(now: Double) {
        answers.append(now)
        if answers.count > 512 { answers.removeFirst(256) }
        if window.isFinite {
            window += 1 / window
            if window > 4_096 { window = .infinity }
        }
        guard let rate, !isRateTold, now - max(lastGrowth, lastCut) > 1 else { return }
        lastGrowth = now
        self.rate = rate * 1.02
    }

    /// One was refused for being too much: the limit, or the server's strength.
    func refused(retryAfter: Double?, now: Double) {
        // Whoever asks for longer refuses again: better an error of its own than a wait that nobody understands.
        if let retryAfter { closedUntil = max(closedUntil, now + min(retryAfter, 60)) }
        // Those that were sent together are refused together: they count once.
        guard now - lastCut > 0.5 else { return }
        lastCut = now
        window = max(1, Double(inFlight + 1) / 2)
        let recent = answers.filter { now - $0 < 10 }
        // Too few say nothing of a rate.
        guard recent.count >= 10, let first = recent.first, now - first > 0.5 else { return }
        rate = max(0.02, min(rate ?? .infinity, Double(recent.count) / (now - first)) * 0.9)
    }

    /// An answer's rate headers. Most providers let requests come back one by one, and say when all will be back.
    func learn(_ report: RateReport, now: Double) {
        if let requests = report.requests { learn(requests, now) }
        guard let tokens = report.tokens, let reset = tokens.reset, tokens.remaining < tokens.limit / 50 else { return }
        // A tenth of them are to be back.
        closedUntil = max(closedUntil, now + min(reset / 10, 60))
    }

    private func learn(_ allowance: RateReport.Allowance, _ now: Double) {
        let used = allowance.limit - allowance.remaining
        guard let reset = allowance.reset, reset > 0, used > 1 else { return }
        // Those under way may not have been counted yet.
        if allowance.remaining - Double(inFlight) <= 1 {
            // One less than was used: what is left is told in whole requests, rounded down.
            let refill = (used - 1) / reset
            rate = refill
            isRateTold = true
            let next = now + 1 / refill
            if allowance.remaining < 1 {
                closedUntil = max(closedUntil, next)
            } else {
                nextStart = max(nextStart, next)
            }
        } else if isRateTold, allowance.remaining > allowance.limit / 2 {
            rate = nil
            isRateTold = false
        }
    }
}
