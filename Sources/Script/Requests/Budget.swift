// Caps on what the requests of a scope may cost. Requests are counted while they stream, by estimate until the provider's
// numbers come. BudgetEnforcement ends the requests of a spent budget.

internal import Base
internal import Chat
internal import JSON

/// A cap on tokens or money, shared by all requests of a scope and of those inside it.
final class Budget {
    /// Input and output tokens together; nil for no cap.
    let tokenLimit: Double?
    /// US dollars; nil for no cap.
    let dollarLimit: Double?
    /// Tokens so far, and their cost in US dollars.
    private(set) var tokens = 0.0
    private(set) var dollars = 0.0
    /// Running requests that count here.
    var calls: [RequestID: Call] = [:]
    /// The cap that was reached, as a message; nil while requests may be made.
    private(set) var exhaustion: String?

    init(tokens: Double?, dollars: Double?) {
        tokenLimit = tokens
        dollarLimit = dollars
    }

    /// Adds to what was spent. Amounts are negative where an estimate was too high.
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

/// The cost of one request so far, and the budgets in which it counts.
struct Meter {
    let budgets: [Budget]
    /// The price, if it is known.
    var price: TokenPrice?
    /// What the budgets have been charged for the present attempt.
    private var charged = (tokens: 0.0, dollars: 0.0)
    /// Tokens of the present attempt: estimated or reported.
    private var input = 0.0
    private var output = 0.0
    /// Input tokens that came from the provider's cache, and that were written to it.
    private var cached = 0.0
    private var stored = 0.0
    /// The reported cost of the attempt so far, and the output tokens at that time.
    private var cost: (dollars: Double, output: Double)?
    /// A cache answers: the request costs nothing.
    private var isFree = false

    /// Whether a cache is asked first: nothing counts before it has answered.
    private var isFirstAsked: Bool

    /// A meter for a request that is about to be sent. Its prompt counts at once, unless a cache is asked first.
    init(_ budgets: [Budget], _ chat: ChatRequest, price: TokenPrice?, isFirstAsked: Bool = false) {
        self.budgets = budgets
        self.price = price
        self.isFirstAsked = isFirstAsked
        input = chat.messages.reduce(estimatedTokens(in: (chat.system ?? "").utf8)) { $0 + Self.estimate($1) }
        if !isFirstAsked { charge() }
    }

    /// Charges the budgets for what the present attempt costs beyond ``charged``.
    /// - Parameter isOver: the reported cost is that of the whole attempt. A cost reported while the attempt runs counts
    ///   only above the estimate, and later output is added by the price.
    private mutating func charge(isOver: Bool = false) {
        var dollars = 0.0
        if let price { dollars = price.dollars(input: input, cached: cached, stored: stored, output: output) }
        if let cost {
            let since = max(0, output - cost.output) * (price?.output ?? 0) / 1e6
            dollars = isOver ? cost.dollars : max(dollars, cost.dollars + since)
        }
        let tokens = input + output
        for budget in budgets { budget.add(tokens: tokens - charged.tokens, dollars: dollars - charged.dollars) }
        charged = (tokens, dollars)
    }

    /// Counts events as they arrive.
    mutating func count(_ events: [ChatEvent]) {
        for event in events where !isFree {
            switch event {
            case .start(let info):
                if info.isCached { refund() } else if isFirstAsked { charge() }
                isFirstAsked = false
            case .text(let batch):
                for piece in batch { output += max(1, estimatedTokens(in: piece.utf8).rounded()) }
                charge()
            case .usage(let usage): note(usage)
            case .retry(let info):
                // The failed attempt is paid for, and the next one pays for its prompt again.
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

    /// A cache answers. The budgets get back what the prompt was charged; one that is spent stays so.
    private mutating func refund() {
        for budget in budgets { budget.add(tokens: -charged.tokens, dollars: -charged.dollars) }
        charged = (0, 0)
        isFree = true
    }

    /// Takes the provider's numbers so far. They may lag behind what has arrived: the greater number counts.
    private mutating func note(_ usage: Usage) {
        if let tokens = usage.readTokens { input = max(input, Double(tokens)) }
        if let tokens = usage.writtenTokens { output = max(output, Double(tokens)) }
        if let dollars = usage.cost, dollars >= cost?.dollars ?? 0 { cost = (dollars, output) }
        charge()
    }

    /// Replaces the estimate by the provider's numbers.
    private mutating func settle(_ usage: Usage?) {
        guard let usage else { return }
        if let tokens = usage.readTokens { input = Double(tokens) }
        if let tokens = usage.writtenTokens { output = Double(tokens) }
        (cached, stored) = (Double(usage.cachedTokens ?? 0), Double(usage.cacheWriteTokens ?? 0))
        if let dollars = usage.cost { cost = (dollars, output) }
        charge(isOver: true)
    }

    // MARK: Estimates

    /// Estimated tokens of a message: its strings without the data of images.
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
