// Tests whether refusals depend on the requests sent: sequential likelihood-ratio tests over starts in order.

internal import Glibc

/// One start, as numbered by a limiter.
struct LimiterTicket: Equatable {
    /// From 1.
    var number = 0
    /// Time of the start.
    var time = 0.0
}

/// Page's CUSUM test: log likelihood of "a start is refused with probability `high`" against `low`, at least 0.
struct CumulativeEvidence {
    private(set) var value = 0.0

    mutating func reset() { value = 0 }

    /// Adds a refusal after `accepted` starts without one.
    /// - Parameter isLate: a later start was refused before, so this one was counted as accepted.
    mutating func addRefusal(after accepted: Int, isLate: Bool, low: Double, high: Double) {
        let (refusal, acceptance) = (log(high / low), log((1 - high) / (1 - low)))
        value = isLate ? value + refusal - acceptance : max(0, value + acceptance * Double(accepted)) + refusal
    }
}

/// A decaying share of refusals: each start weighs 2 %.
struct RecentShare {
    private(set) var value = 0.0
    private static let memory = 0.98

    func value(afterAccepted count: Int) -> Double { value * pow(Self.memory, Double(count)) }

    mutating func addRefusal(afterAccepted count: Int) {
        value = value(afterAccepted: count) * Self.memory + (1 - Self.memory)
    }

    mutating func set(_ share: Double) { value = share }

    /// The share over the first `count` starts, without the bias of the initial 0.
    static func unbiased(_ share: Double, starts count: Int) -> Double {
        share / (1 - pow(memory, Double(min(max(count, 1), 10_000))))
    }
}

/// Maps refusals to starts in order. Replies arrive much later than refusals, so a start that is older than a refused
/// one, and was not refused itself, counts as accepted.
struct StartOrder {
    private var last = 0

    /// - Returns: accepted starts since the last refused one; late if a later start was refused before.
    mutating func place(_ ticket: LimiterTicket) -> (accepted: Int, isLate: Bool) {
        guard ticket.number > last else { return (0, true) }
        defer { last = ticket.number }
        return (ticket.number - last - 1, false)
    }

    mutating func skip(to number: Int) { last = max(last, number) }
}
