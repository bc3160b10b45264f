// What the requests of a scope may cost. Counts while they stream, by estimate until the provider's own numbers come, and
// says when the cap is reached; ending the requests is CallRegistry's part.

internal import Base
internal import Chat
internal import JSON

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
    private var charged = (tokens: 0.0, dollars: 0.0)
    /// Tokens of the present attempt: an estimate, or the reported count.
    private var input = 0.0
    private var output = 0.0
    /// How many of the tokens read came from the provider's cache, and how many were put there.
    private var cached = 0.0
    private var stored = 0.0
    /// The reported cost of the attempt so far, and how many tokens had been written then.
    private var cost: (dollars: Double, output: Double)?

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
        charge()
    }

    /// Adds to the budgets what the present attempt costs beyond what it has been counted with.
    /// - Parameter isOver: whether the reported cost is that of the whole attempt. One reported while it runs counts once it
    ///   is above the estimate, and what is written after it is added by the price.
    private mutating func charge(isOver: Bool = false) {
        var dollars = 0.0
        if let price {
            let read = cached * (price.cachedInput ?? price.input) + stored * (price.cacheWrite ?? price.input)
            dollars = ((input - cached - stored) * price.input + read + output * price.output) / 1e6
        }
        if let cost {
            let since = max(0, output - cost.output) * (price?.output ?? 0) / 1e6
            dollars = isOver ? cost.dollars : max(dollars, cost.dollars + since)
        }
        let tokens = input + output
        for budget in budgets { budget.add(tokens: tokens - charged.tokens, dollars: dollars - charged.dollars) }
        charged = (tokens, dollars)
    }

    /// Counts events as they arrive.
    mutating func count(_ events: ArraySlice<ChatEvent>) {
        for event in events {
            switch event {
            case .text(let batch):
                for piece in batch { output += max(1, estimatedTokens(in: piece.utf8).rounded()) }
                charge()
            case .usage(let usage): note(usage)
            case .retry(let info):
                // The attempt that failed is paid for; the next one has its prompt read again.
                if let usage = info.error.usage { note(usage) }
                (output, cached, stored, cost, charged) = (0, 0, 0, nil, (0, 0))
                charge()
            case .finish(let reply): settle(reply.usage)
            case .failed(let failure):
                if let usage = failure.partial?.usage {
                    settle(usage)
                } else if let usage = failure.usage {
                    note(usage)
                }
            default: break
            }
        }
    }

    /// The provider's numbers so far. They may lag behind what has arrived: the greater one counts.
    private mutating func note(_ usage: Usage) {
        if let tokens = usage.readTokens { input = max(input, Double(tokens)) }
        if let tokens = usage.writtenTokens { output = max(output, Double(tokens)) }
        if let dollars = usage.cost, dollars >= cost?.dollars ?? 0 { cost = (dollars, output) }
        charge()
    }

    /// The provider's numbers take the place of the estimate.
    private mutating func settle(_ usage: Usage?) {
        guard let usage else { return }
        if let tokens = usage.readTokens { input = Double(tokens) }
        if let tokens = usage.writtenTokens { output = Double(tokens) }
        (cached, stored) = (Double(usage.cachedTokens ?? 0), Double(usage.cacheWriteTokens ?? 0))
        if let dollars = usage.cost { cost = (dollars, output) }
        charge(isOver: true)
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
