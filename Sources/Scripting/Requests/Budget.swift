// What the requests of a scope may cost. Counts while they stream, by estimate until the provider's own numbers come, and
// says when the cap is reached; ending the requests is CallCenter's part.

internal import Dialects
internal import Engine
internal import Wire

/// A cap on tokens or money, shared by all requests of a scope and of those inside it.
final class Budget {
    /// Tokens, in and out together; nil for no cap.
    let tokenLimit: Double?
    /// US dollars; nil for no cap.
    let dollarLimit: Double?
    /// Tokens so far, and what they cost.
    private(set) var tokens = 0.0
    private(set) var dollars = 0.0
    /// Requests under way that count here.
    var calls: [RequestID: Call] = [:]
    /// Why nothing more may be asked: the cap that was reached, for people.
    private(set) var exhaustion: String?

    init(tokens: Double?, dollars: Double?) {
        tokenLimit = tokens
        dollarLimit = dollars
    }

    /// Adds to what was spent; amounts may be negative, where an estimate was too high.
    func add(tokens: Double, dollars: Double) {
        self.tokens += tokens
        self.dollars += dollars
        guard exhaustion == nil else { return }
        if let tokenLimit, self.tokens >= tokenLimit {
            exhaustion = "the budget of \(Self.text(tokenLimit)) tokens is spent"
        } else if let dollarLimit, self.dollars >= dollarLimit {
            exhaustion = "the budget of \(Self.text(dollarLimit)) US dollars is spent"
        }
    }

    /// Its time is over.
    func expire(seconds: Double) {
        exhaustion = exhaustion ?? "the budget of \(Self.text(seconds)) seconds is spent"
    }

    private static func text(_ number: Double) -> String {
        number == number.rounded() && number < 1e15 ? String(Int(number)) : String(number)
    }
}

/// What one request has cost so far, and the budgets that it counts in.
struct Meter {
    let budgets: [Budget]
    /// US dollars for a million tokens, where they are known.
    var price: Price?
    /// What the present attempt has been counted with.
    private var input = 0.0
    private var output = 0.0
    private var dollars = 0.0

    /// US dollars for a million tokens.
    struct Price {
        var input: Double
        var output: Double
        /// What a token from the provider's cache costs, and one that is put there; as `input` where not known.
        var cachedInput: Double?
        var cacheWrite: Double?
    }

    /// A meter for a request that is about to be sent: its prompt counts at once.
    init(_ budgets: [Budget], _ chat: ChatRequest, price: Price?) {
        self.budgets = budgets
        self.price = price
        input = chat.messages.reduce(estimatedTokens(in: (chat.system ?? "").utf8)) { $0 + Self.estimate($1) }
        charge(input: input, output: 0)
    }

    /// - Parameters:
    ///   - input: tokens read, those of the cache among them.
    ///   - cached: how many of these came from the cache.
    ///   - stored: how many of these were put there.
    ///   - cost: what the present attempt has cost altogether, where the provider says it; the price is not used then.
    private mutating func charge(
        input: Double, output: Double, cached: Double = 0, stored: Double = 0, cost: Double? = nil
    ) {
        var dollars = 0.0
        if let cost {
            dollars = cost - self.dollars
        } else if let price {
            let read = cached * (price.cachedInput ?? price.input) + stored * (price.cacheWrite ?? price.input)
            dollars = ((input - cached - stored) * price.input + read + output * price.output) / 1e6
        }
        self.dollars += dollars
        for budget in budgets { budget.add(tokens: input + output, dollars: dollars) }
    }

    /// Counts events as they arrive.
    mutating func count(_ events: ArraySlice<EngineEvent>) {
        for event in events {
            switch event {
            case .token(let text), .reasoning(let text):
                let tokens = max(1, estimatedTokens(in: text.utf8).rounded())
                output += tokens
                charge(input: 0, output: tokens)
            case .retry:
                // The attempt that failed is paid for; the next one has its prompt read again.
                output = 0
                dollars = 0
                charge(input: input, output: 0)
            case .finish(let reply): settle(reply.usage)
            case .failed(let failure): settle(failure.partial?.usage)
            default: break
            }
        }
    }

    /// The provider's numbers take the place of the estimate.
    private mutating func settle(_ usage: Usage?) {
        guard let usage else { return }
        let counted = (input, output)
        if let tokens = usage.readTokens { input = Double(tokens) }
        if let tokens = usage.writtenTokens { output = Double(tokens) }
        charge(
            input: input - counted.0, output: output - counted.1, cached: Double(usage.cachedTokens ?? 0),
            stored: Double(usage.cacheWriteTokens ?? 0), cost: usage.cost)
    }

    // MARK: Estimates

    /// Tokens of a message, about: its strings, but for the bytes of images.
    private static func estimate(_ value: JSONValue) -> Double {
        switch value {
        case .string(let text): estimatedTokens(in: text.utf8)
        case .array(let elements): elements.reduce(0) { $0 + estimate($1) }
        case .object(let object):
            object.reduce(0) { sum, member in member.key == "data" ? sum : sum + estimate(member.value) }
        default: 0
        }
    }
}
