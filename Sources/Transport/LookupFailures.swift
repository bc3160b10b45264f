// Failed name lookups whose reason is being asked for: holds back the news until the resolver has said more, or has
// had its time. Values and NameChecks; Multi is its only caller.

/// Transfers that ended for want of an address, and have not been told so.
struct LookupFailures {
    private struct Failure {
        let transfer: Transfer
        let end: TransferEnd
        let check: NameCheck
        let until: Double
    }

    private var waiting: [Failure] = []

    /// When the first of them has waited long enough, in seconds of `Multi.now`; nil if there is none.
    var deadline: Double? { waiting.lazy.map(\.until).min() }

    /// Takes a transfer whose lookup of `name` has failed. Transfers that ask for the same name share one question.
    /// - Parameter timeLeft: seconds of its connect timeout that are left.
    mutating func add(
        _ transfer: Transfer, _ end: TransferEnd, name: String, timeLeft: Double, now: Double, waking: WakeHandle
    ) {
        let check = waiting.first { $0.check.name == name }?.check ?? NameCheck(name, waking: waking)
        let until = now + max(0, min(timeLeft, NameCheck.patience))
        waiting.append(Failure(transfer: transfer, end: end, check: check, until: until))
    }

    /// Hands back those that need not wait any more, with what was learnt.
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
