// Failed name lookups whose cause is being checked: the end of a transfer is held back until the resolver has
// answered or timed out.

/// Transfers that ended without an address and whose end is not delivered yet.
struct LookupFailures {
    private struct Failure {
        let transfer: Transfer
        let end: TransferEnd
        let check: NameCheck
        let until: Double
    }

    private var waiting: [Failure] = []

    /// Deadline of the first one, in seconds of `SystemClock.now`; nil without one.
    var deadline: Double? { waiting.lazy.map(\.until).min() }

    /// Adds a transfer whose lookup of `name` failed. Transfers with the same name share one check.
    /// - Parameter timeLeft: rest of its connect timeout, in seconds.
    mutating func add(
        _ transfer: Transfer, _ end: TransferEnd, name: String, timeLeft: Double, now: Double, waking: WakeHandle
    ) {
        let check = waiting.first { $0.check.name == name }?.check ?? NameCheck(name, waking: waking)
        let until = now + max(0, min(timeLeft, NameCheck.patience))
        waiting.append(Failure(transfer: transfer, end: end, check: check, until: until))
    }

    /// Removes and returns those that are decided or overdue.
    mutating func takeSettled(now: Double) -> [(Transfer, TransferEnd)] {
        guard !waiting.isEmpty else { return [] }
        var settled: [(Transfer, TransferEnd)] = []
        waiting.removeAll { failure in
            guard failure.check.isAnswered || failure.until <= now else { return false }
            settled.append((failure.transfer, Self.judged(failure)))
            return true
        }
        return settled
    }

    private static func judged(_ failure: Failure) -> TransferEnd {
        guard case .failed(var error) = failure.end.result else { return failure.end }
        if failure.check.hasNoAddress {
            error.message += ": the name has no address"
        } else {
            error.code = .resolver
            error.message += ": the name server failed or did not answer"
        }
        var end = failure.end
        end.result = .failed(error)
        return end
    }
}
