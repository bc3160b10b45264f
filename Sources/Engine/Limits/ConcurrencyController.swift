// Finds the number of concurrent requests that a key allows, from refusals alone (503, 529, "too many concurrent
// requests"). The requests in flight at a refusal, less those refused with it, are what the server accepts. Only a
// cluster of refusals is evidence; refusals that continue below the bound are random, and the bound is dropped.

/// Concurrent requests for one key; unbounded until refusals cluster.
struct ConcurrencyController {
    private enum Phase { case open, search, hold, release }

    private var phase = Phase.open
    private var bound = Int.max
    /// Accepted requests, as measured.
    private var known = 1
    private var starts = 0
    private var order = StartOrder()
    private var cluster = CumulativeEvidence()
    private var excess = CumulativeEvidence()
    private var share = RecentShare()
    private var isTolerant = false
    /// Refusals of starts up to this one belong to the previous bound.
    private var adjustedAt = 0
    private var answers = 0
    private var refusals = 0
    private var startsBefore = 0
    /// Refusals below the bound until it is dropped; replies until a higher bound is tried, as a multiple.
    private var patience = 3
    private var caution = 1

    /// Maximum concurrent requests; nil without a bound.
    var limit: Int? { phase == .open ? nil : bound }

    mutating func started() { starts += 1 }

    mutating func answered() {
        guard phase != .open else { return }
        answers += 1
        switch phase {
        case .open: break
        case .search: bound += 1
        case .release: bound += 2
        case .hold:
            guard answers >= (8 * known + 24) * (bound == known ? caution : 1) else { break }
            answers = 0
            if bound > known { (known, caution) = (bound, 1) }
            bound += 1
            adjustedAt = starts
        }
        if bound > 4_096 || phase == .release && bound > 4 * known + 64 {
            enter(.open, .max)
        }
    }

    /// - Parameter inFlight: requests in flight without this one.
    mutating func refused(_ ticket: LimiterTicket, inFlight: Int) {
        let isCluster = weigh(ticket)
        let taken = max(1, inFlight)
        if phase == .open {
            guard isCluster else { return }
            (patience, caution, known) = (3, 1, taken)
            return enter(.search, taken)
        }
        guard ticket.number > adjustedAt else {
            // Sent together with those that were refused first.
            if phase != .release {
                bound = min(bound, taken)
                known = min(known, bound)
            }
            return
        }
        switch phase {
        case .open: break
        case .search:
            known = min(bound, taken)
            enter(.hold, known)
        case .release:
            guard isCluster else { return }
            patience = min(24, patience * 2)
            enter(.hold, known)
        case .hold: refusedHolding(isCluster, taken)
        }
    }

    private mutating func refusedHolding(_ isCluster: Bool, _ taken: Int) {
        refusals += 1
        if bound > known {
            // The step was too high.
            caution = min(16, caution * 2)
            (bound, answers, refusals, adjustedAt) = (known, 0, 0, starts)
        } else if isCluster {
            known = taken
            enter(.search, taken)
        } else if refusals >= patience {
            isTolerant = true
            share.set(max(share.value, Double(refusals) / Double(max(1, starts - startsBefore))))
            enter(.release, bound)
        }
    }

    /// Adds a refusal to the evidence. True for a cluster, or for far more refusals than usual.
    private mutating func weigh(_ ticket: LimiterTicket) -> Bool {
        let low = isTolerant ? max(0.1, min(0.5, share.value * 1.2)) : 0.1
        let (accepted, isLate) = order.place(ticket)
        cluster.addRefusal(after: accepted, isLate: isLate, low: low, high: 0.5 + low / 2)
        excess.addRefusal(after: accepted, isLate: isLate, low: low, high: low + 0.2)
        share.addRefusal(afterAccepted: accepted)
        return cluster.value >= 8 || excess.value >= 9
    }

    private mutating func enter(_ phase: Phase, _ bound: Int) {
        self.phase = phase
        self.bound = bound
        (adjustedAt, startsBefore, answers, refusals) = (starts, starts, 0, 0)
        cluster.reset()
        excess.reset()
        order.skip(to: starts)
    }
}
