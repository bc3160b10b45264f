// Ends every request of a budget that is spent.

internal import Chat

extension CallRegistry {
    /// Counts the events that a request has just taken.
    func charge(_ call: Call, _ events: [ChatEvent]) {
        call.meter?.count(events)
        for budget in call.meter?.budgets ?? [] { endAll(over: budget) }
    }

    /// Ends every request that counts in the budget, if it is spent.
    func endAll(over budget: Budget) {
        guard let message = budget.exhaustion else { return }
        for id in budget.calls.keys.sorted(by: { $0.raw < $1.raw }) {
            // A request whose last event is here has no further cost.
            guard let call = budget.calls.removeValue(forKey: id), !call.machine.backlog.hasLast else { continue }
            close(call, .overBudget(message))
        }
    }
}
