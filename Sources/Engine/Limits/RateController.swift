// Finds the rate at which requests to one key may start, from refusals alone. Knows no clock.
// Random refusals (load shedding) must not slow requests down: only a cluster of refusals is evidence of a rate
// limit. After a cluster the rate is measured: a token bucket is empty at two refusals, so the requests accepted
// between them, over that time, are its rate (delivery rate, as in BBR). The pace then follows a cubic curve around
// the measured rate (CUBIC, RFC 9438; AWS SDK adaptive retry mode): a tenth below, a plateau, a probe above. Refusals
// that do not become fewer at a slower pace are random: the pace is dropped, and that share of refusals is tolerated.

internal import Glibc

/// Starts per second for one key; unbounded until refusals cluster.
struct RateController {
    private enum Phase: Equatable {
        /// No bound.
        case open
        /// A slower pace for some starts, to see whether refusals become fewer.
        case trial(base: Double, before: Double?, since: Double)
        /// The pace grows with each start until one is refused. `coarse` counts measurements over too few starts.
        case search(coarse: Int)
        /// As `search`, slower, from an established pace: the limit may have risen.
        case rise
        /// Around the measured rate.
        case hold
        /// Refusals count as random: the pace grows despite single ones.
        case release
    }

    /// Minimum duration of a quarter of the curve, in seconds; minimum starts in it.
    private static let quarter = (seconds: 3.0, starts: 30.0)
    /// Slowest pace: one start every 4 seconds.
    private static let slowest = 0.25
    /// First pace after a cluster. It grows by a quarter with each start, so a fast server costs half a second.
    private static let firstPace = 8.0
    /// Evidence that ends `open`: e^10 : 1 for a cluster, e^9 : 1 for an increased share of refusals.
    private static let (clusterThreshold, shareThreshold) = (10.0, 9.0)

    private var phase = Phase.open
    private var pace = Double.infinity
    private var next = 0.0

    // Starts and refusals.
    private var starts = 0
    private var refusals = 0
    private var recent = RecentStarts()
    private var order = StartOrder()
    /// Seconds from a start to its refusal.
    private var latency = 0.0
    /// Counts of this phase.
    private var phaseStarts = 0
    private var phaseRefusals = 0
    /// Refusals of starts up to this one belong to an earlier pace.
    private var adjustedAt = 0
    /// Refusals since the first start of a phase without an accepted one: the cluster that led to it continues.
    private var leading = 0

    // Evidence.
    private var cluster = CumulativeEvidence()
    private var excess = CumulativeEvidence()
    private var paced = CumulativeEvidence()
    private var share = RecentShare()
    /// Share of refusals before the current cluster.
    private var shareBefore = 0.0
    /// Share of refusals known to be random, and its maximum.
    private var tolerated = 0.0
    private var tolerationCap = 0.4
    /// Expected share at a pace below the limit.
    private var background = 0.0

    // The measured rate.
    private var known = 0.0
    /// Accepted starts behind the measurement.
    private var precision = 0
    /// The start at which the bucket was empty; refusals since.
    private var anchor: (start: LimiterTicket, refusals: Int)?
    private var cycle = LimiterTicket()
    /// Number of times a measured rate must be too high before refusals count as random.
    private var patience = 2
    private var corrections = 0
    private var correctedAt = 0

    /// Earliest next start; nil without a bound.
    var nextStart: Double? { phase == .open ? nil : next }

    /// Current starts per second; nil without a bound.
    func rate(now: Double) -> Double? {
        switch phase {
        case .open: nil
        case .hold: known * (1 + 0.1 * pow(min(position(now), 1.4), 3))
        default: pace
        }
    }

    /// Position on the curve: -1 at its beginning, 0 at the measured rate.
    private func position(_ now: Double) -> Double { (now - cycle.time) / quarter - 1 }

    /// A coarse measurement is repeated soon.
    private var quarter: Double {
        max(Self.quarter.seconds, Self.quarter.starts / known) * max(0.4, min(1, Double(precision) / 16))
    }

    // MARK: Starts

    mutating func started(now: Double) -> LimiterTicket {
        starts += 1
        recent.add(now, refusals: refusals)
        if phase != .open { advance(now) }
        return LimiterTicket(number: starts, time: now)
    }

    private mutating func advance(_ now: Double) {
        phaseStarts += 1
        switch phase {
        case .open: break
        case .search(let coarse):
            grow(by: pace < Self.firstPace / 2 ? 1.6 : coarse == 0 ? 1.25 : 1 + 0.5 / pow(2, Double(coarse)))
            if phaseStarts > 60 && pace > 1_000 || phaseStarts > 200 { open() }
        case .rise:
            grow(by: 1.05)
            if phaseStarts > 200 { open() }
        case .release:
            grow(by: 1.25)
            if phaseStarts > 200 || pace > 32 * known + 100 { open() }
        case .trial(let base, let before, let since):
            if phaseStarts >= (before == nil ? 20 : 24) || phaseStarts >= 4 && now - since > 3 {
                judge(base: base, before: before, since: since, now)
            }
        case .hold:
            if position(now) > 1.4 {
                pace = rate(now: now) ?? known
                enter(.rise)
                anchor = (cycle, 0)
            }
        }
        guard phase != .open, let rate = rate(now: now) else { return }
        // A late start does not delay the next one.
        next = max(now, next > now - 0.5 / rate ? next : now) + 1 / rate
    }

    /// At most doubled within one refusal latency: a faster increase could not be known to be too fast.
    private mutating func grow(by factor: Double) {
        pace *= min(factor, pow(2, min(1, 1 / (pace * max(latency, 0.001)))))
    }

    // MARK: Refusals

    mutating func refused(_ ticket: LimiterTicket, now: Double) {
        refusals += 1
        let delay = now - ticket.time
        latency = latency == 0 ? delay : 0.8 * latency + 0.2 * delay
        let (accepted, isLate) = order.place(ticket)
        if let anchor, ticket.number > anchor.start.number { self.anchor?.refusals += 1 }
        weigh(ticket, accepted, isLate)
        if phase == .open {
            refusedOpen(ticket, accepted, isLate, now)
        } else if ticket.number > adjustedAt {
            refusedPaced(ticket, accepted, isLate, now)
        }
    }

    /// Tests for a cluster: nearly all refused, against the usual share.
    private mutating func weigh(_ ticket: LimiterTicket, _ accepted: Int, _ isLate: Bool) {
        if cluster.value < 1.4 * Double(accepted) || cluster.value == 0 {
            shareBefore = share.value(afterAccepted: accepted)
        }
        if phase == .open { share.addRefusal(afterAccepted: accepted) }
        let isYoung = ticket.number < 16
        let usual = max(
            tolerated, isYoung ? 0 : RecentShare.unbiased(shareBefore, starts: ticket.number))
        // With a clean history few consecutive refusals suffice.
        let low = !isYoung && usual < 0.04 ? 0.04 : max(0.1, min(0.5, 1.5 * usual))
        if tolerated > 0.1 {
            let faded = tolerated * pow(0.98, Double(accepted + 1)) + 0.02
            tolerated = accepted < 200 ? min(tolerationCap, max(faded, 0.1)) : 0.1
        }
        cluster.addRefusal(after: accepted, isLate: isLate, low: low, high: max(0.8, 1 - (1 - low) * 0.3))
    }

    private var isCluster: Bool { cluster.value >= Self.clusterThreshold }

    private mutating func refusedOpen(_ ticket: LimiterTicket, _ accepted: Int, _ isLate: Bool, _ now: Double) {
        let low = max(0.1, min(0.5, tolerated * 1.2))
        excess.addRefusal(after: accepted, isLate: isLate, low: low, high: low + 0.2)
        if isCluster {
            background = starts > 40 ? min(0.4, shareBefore) : 0
            share.set(shareBefore)
            // A second cluster soon after the first measures the rate.
            if let anchor, let measured = measure(to: ticket), measured.accepted > 3,
                ticket.time - anchor.start.time < 10
            {
                patience = min(16, patience + 1)
                precision = measured.accepted
                self.anchor = (ticket, 0)
                return hold(measured.rate, now)
            }
            patience = 2
            return search(from: min(Self.firstPace, recent.rate(now) / 8), anchor: ticket, now)
        }
        guard excess.value >= Self.shareThreshold, recent.count >= 40, recent.rate(now).isFinite else { return }
        let before = recent.refusedShare(refusals)
        let base = recent.rate(now) * (1 - before)
        excess.reset()
        slow(to: 0.7 * base, .trial(base: base, before: before, since: now), now)
    }

    private mutating func refusedPaced(_ ticket: LimiterTicket, _ accepted: Int, _ isLate: Bool, _ now: Double) {
        if ticket.number == adjustedAt + 1 + leading, isMeasuredPhase {
            leading += 1
            phaseStarts -= 1
            if !isCluster { return }
        }
        phaseRefusals += 1
        switch phase {
        case .open: break
        case .trial:
            if isCluster { search(from: max(Self.slowest, pace / 2), anchor: ticket, now) }
        case .search, .rise: refusedSearching(ticket, accepted, isLate, now)
        case .release:
            guard isCluster else { return }
            // The limit is real.
            patience = min(16, patience * 2)
            let measured = measure(to: ticket)
            precision = measured?.accepted ?? 0
            anchor = (ticket, 0)
            hold(max(known, precision >= 10 ? measured?.rate ?? 0 : 0), now)
        case .hold: refusedHolding(ticket, accepted, isLate, now)
        }
    }

    /// Whether a handled cluster may continue (the rest of a fixed window).
    private var isMeasuredPhase: Bool {
        switch phase {
        case .hold, .trial: true
        default: false
        }
    }

    private mutating func refusedSearching(
        _ ticket: LimiterTicket, _ accepted: Int, _ isLate: Bool, _ now: Double
    ) {
        let low = max(0.02, background * 1.2)
        paced.addRefusal(after: accepted, isLate: isLate, low: low, high: max(0.6, low + 0.2))
        guard paced.value >= 3 else { return }
        paced.reset()
        guard let measured = measure(to: ticket), measured.accepted > 0 else {
            return slow(to: max(Self.slowest, pace / 2), phase, now, isNewPhase: false)
        }
        if phase == .rise {
            // The accepted starts measure our own pace, not the limit: measure from here.
            anchor = (ticket, 0)
            precision = 0
            return hold(max(known, measured.rate, pace / 2), now)
        }
        if measured.accepted < 3, case .search(let coarse) = phase {
            let slower = max(pace / 2, min(pace, measured.rate * 0.85))
            return slow(to: slower, .search(coarse: coarse + 1), now, isNewPhase: false)
        }
        precision = measured.accepted
        guard pace > 20 * measured.rate else { return hold(measured.rate, now) }
        // The pace ran far ahead of a full bucket: the rate is above the measurement.
        anchor = (ticket, 0)
        precision = 0
        hold(2 * measured.rate, now)
    }

    private mutating func refusedHolding(
        _ ticket: LimiterTicket, _ accepted: Int, _ isLate: Bool, _ now: Double
    ) {
        if isCluster { return search(from: max(Self.slowest, (rate(now: now) ?? known) / 2), anchor: ticket, now) }
        let low = max(0.02, background * 1.2)
        paced.addRefusal(after: accepted, isLate: isLate, low: low, high: low + 0.2)
        let isQuiet = background < 0.05
        let measured = measure(to: ticket) ?? (accepted: 0, rate: 0)
        let position = (ticket.time - cycle.time) / quarter - 1
        if precision < 12, isQuiet, measured.accepted > 0 {
            corrections = ticket.number - correctedAt < 24 ? corrections + 1 : 1
            correctedAt = ticket.number
            if corrections > patience { return release(known) }
            let most = known * (position > 0 ? 1.2 : 0.97)
            known = max(known * 0.6, min(measured.rate * (1 - background), most))
            precision = measured.accepted
            return beginCycle(now)
        }
        if paced.value >= (isQuiet ? 3 : 5) {
            let delivered = max(phaseStarts >= recent.count ? recent.acceptedRate(now, refusals) : 0, measured.rate)
            let base = max(known / 2, min(known * 0.97, delivered))
            if let anchor, measured.accepted > 100 || ticket.time - anchor.start.time > 10 { self.anchor = (ticket, 0) }
            return slow(to: 0.7 * base, .trial(base: base, before: nil, since: now), now)
        }
        // The probe found the limit.
        if isQuiet, position >= -0.3 {
            known = max(known, measured.rate * (1 - background))
            precision = max(precision, measured.accepted)
            if measured.accepted > 200 { anchor = (ticket, 0) }
            beginCycle(now)
        }
    }

    // MARK: Phases

    /// Accepted starts between the anchor and a refused start, and the pace that delivers as many a second.
    private func measure(to ticket: LimiterTicket) -> (accepted: Int, rate: Double)? {
        guard let anchor else { return nil }
        let accepted = ticket.number - anchor.start.number - anchor.refusals
        let seconds = max(ticket.time - anchor.start.time, 1e-4)
        return (accepted, Double(accepted) / seconds / (1 - background))
    }

    private mutating func judge(base: Double, before: Double?, since: Double, _ now: Double) {
        let refused = Double(phaseRefusals) / Double(phaseStarts)
        if let before {
            let isLimit = (phaseRefusals > 1 || background > 0.05 ? refused : 0) <= before / 3
            guard isLimit else {
                tolerate(phaseStarts >= 16 ? refused : max(before, refused))
                return open()
            }
            anchor = (LimiterTicket(number: starts, time: now), 0)
            background = phaseRefusals > 1 ? min(0.4, refused) : 0
        } else {
            // One refusal is too little evidence.
            if phaseRefusals == 1, phaseStarts < 40, background < 0.05, now - since < 3 { return }
            let isFew = (phaseRefusals > 1 || background > 0.05 ? refused : 0) <= background * 1.5
            guard isFew, phaseStarts >= 16 else {
                tolerate(refused)
                return release(base)
            }
        }
        precision = 16
        hold(base, now)
    }

    private mutating func tolerate(_ share: Double) {
        tolerationCap = min(0.4, share)
        tolerated = tolerationCap
    }

    private mutating func hold(_ rate: Double, _ now: Double) {
        known = max(rate, 0.01)
        enter(.hold)
        beginCycle(now)
    }

    private mutating func beginCycle(_ now: Double) {
        cycle = LimiterTicket(number: starts, time: now)
        (leading, adjustedAt) = (0, starts)
        cluster.reset()
        paced.reset()
        next = max(next, now + 1 / (rate(now: now) ?? known))
    }

    private mutating func search(from rate: Double, anchor ticket: LimiterTicket, _ now: Double) {
        corrections = 0
        anchor = (ticket, 0)
        slow(to: rate, .search(coarse: 0), now)
    }

    private mutating func slow(to rate: Double, _ phase: Phase, _ now: Double, isNewPhase: Bool = true) {
        pace = rate
        if isNewPhase {
            enter(phase)
        } else {
            self.phase = phase
            (leading, adjustedAt) = (0, starts)
        }
        next = now + 1 / rate
    }

    private mutating func release(_ rate: Double) {
        let refused = Double(phaseRefusals) / Double(max(1, phaseStarts))
        background = max(background, 0.08, min(0.4, refused))
        tolerate(max(tolerated, background))
        corrections = 0
        known = rate
        pace = rate
        enter(.release)
    }

    private mutating func open() {
        phase = .open
        pace = .infinity
        cluster.reset()
        excess.reset()
    }

    private mutating func enter(_ phase: Phase) {
        self.phase = phase
        (phaseStarts, phaseRefusals, leading, adjustedAt) = (0, 0, 0, starts)
        cluster.reset()
        paced.reset()
    }
}

/// The last 64 starts, with the number of refusals at each.
private struct RecentStarts {
    private var entries: [(time: Double, refusals: Int)] = []
    private var head = 0

    var count: Int { entries.count }
    private var first: (time: Double, refusals: Int)? { entries.count < 64 ? entries.first : entries[head] }

    mutating func add(_ time: Double, refusals: Int) {
        if entries.count < 64 { return entries.append((time, refusals)) }
        entries[head] = (time, refusals)
        head = (head + 1) % 64
    }

    /// Starts per second; infinite if all began at once.
    func rate(_ now: Double) -> Double {
        guard let first, now > first.time else { return .infinity }
        return Double(count) / (now - first.time)
    }

    func refusedShare(_ refusals: Int) -> Double {
        first.map { Double(refusals - $0.refusals) / Double(count) } ?? 0
    }

    /// Accepted starts per second; 0 for too few.
    func acceptedRate(_ now: Double, _ refusals: Int) -> Double {
        guard count >= 32, let first, now > first.time else { return 0 }
        return (Double(count) - Double(refusals - first.refusals)) / (now - first.time)
    }
}
