// Requests and budgets: counting what arrives, and ending every request of a budget that is spent, at once.

internal import Chat

extension CallRegistry {
    /// Counts a request that is about to be sent in the budgets around it.
    /// - Returns: false where one is spent: the request then ends with an error and is not sent.
    func meter(_ call: Call, _ budgets: [Budget], _ spec: RequestSpec, _ price: Meter.Price?) -> Bool {
        guard !budgets.isEmpty else { return true }
        if let spent = budgets.first(where: { $0.exhaustion != nil }) {
            call.overspent = spent
            call.pending = [.failed(spent.refusal(spec))]
            enqueue(call)
            return false
        }
        for budget in budgets { budget.calls[call.id] = call }
        call.meter = Meter(budgets, spec.chat, price: price)
        return true
    }

    /// Counts the events that a request has just taken.
    func charge(_ call: Call) {
        call.meter?.count(call.pending[...])
        for budget in call.meter?.budgets ?? [] where budget.exhaustion != nil { endAll(over: budget) }
    }

    /// Ends every request that counts in the budget.
    func endAll(over budget: Budget) {
        for id in budget.calls.keys.sorted(by: { $0.raw < $1.raw }) {
            guard let call = budget.calls.removeValue(forKey: id), call.result == nil, !call.isEnding else { continue }
            // One whose last event is here has cost all it will.
            if call.pending.last?.isTerminal == true { continue }
            call.overspent = call.overspent ?? budget
            cancel(call)
        }
    }
}

extension Budget {
    /// The error of a request that the budget ended.
    func error(_ failure: RequestFailure) -> RequestFailure {
        var failure = failure
        failure.kind = .budget
        failure.message = exhaustion ?? "the budget is spent"
        failure.isRetryable = false
        return failure
    }

    /// The error of a request that was not sent.
    func refusal(_ spec: RequestSpec) -> RequestFailure {
        RequestFailure(unsent: spec, .budget, exhaustion ?? "the budget is spent")
    }
}
