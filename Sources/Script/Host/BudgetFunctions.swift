// Host primitives for budgets: what budget.lua is written over.

internal import Chat
internal import LuaVM

extension ScriptRuntime {
    func setBudgetFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        // budget(tokens | nil, dollars | nil) -> budget
        stack.set("budget") { call throws(LuaError) in
            let budget = Budget(tokens: call.stack.double(at: 1), dollars: call.stack.double(at: 2))
            call.stack.push(budget, as: handles.budget)
            return .returned(1)
        }
        // budget_spent(budget) -> tokens, dollars, which cap was reached | nil
        stack.set("budget_spent") { call throws(LuaError) in
            let budget = call.stack.object(at: 1, as: handles.budget)
            call.stack.push(budget?.tokens ?? 0)
            call.stack.push(budget?.dollars ?? 0)
            guard let why = budget?.exhaustion else { return .returned(2) }
            call.stack.push(why)
            return .returned(3)
        }
        // budget_expire(budget, seconds): its time is over; running requests end.
        stack.set("budget_expire") { [unowned self] call throws(LuaError) in
            guard let budget = call.stack.object(at: 1, as: handles.budget) else { return .returned(0) }
            budget.expire(seconds: call.stack.double(at: 2) ?? 0)
            dispatcher?.registry.endAll(over: budget)
            return .returned(0)
        }
        // estimated_tokens(text) -> an estimate of its tokens
        stack.set("estimated_tokens") { call throws(LuaError) in
            call.stack.push(estimatedTokens(in: call.stack.bytes(at: 1) ?? []))
            return .returned(1)
        }
        // counts_dollars() -> whether a request that starts now counts in a budget of dollars
        stack.set("counts_dollars") { [unowned self] call throws(LuaError) in
            let budgets = scheduler.current?.scope?.budgets ?? []
            call.stack.push(budgets.contains { $0.dollarLimit != nil })
            return .returned(1)
        }
    }

    /// The member `price` of a request.
    func price(at table: Int, of stack: LuaStack) -> TokenPrice? {
        stack.getField("price", of: table)
        defer { stack.pop(1) }
        return TokenPrice(at: stack.top, of: stack)
    }
}

extension TokenPrice {
    /// The price in the table at that index, in dollars per million tokens; nil for another value.
    init?(at price: Int, of stack: LuaStack) {
        guard stack.type(at: price) == .table else { return nil }
        guard let input = stack.field("input", of: price, { $0.double(at: -1) }),
            let output = stack.field("output", of: price, { $0.double(at: -1) })
        else { return nil }
        self.init(
            input: input, output: output, cachedInput: stack.field("cached_input", of: price) { $0.double(at: -1) },
            cacheWrite: stack.field("cache_write", of: price) { $0.double(at: -1) })
    }
}
