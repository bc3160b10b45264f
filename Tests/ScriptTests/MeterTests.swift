// What a budget counts of a reply. Providers count the tokens of caches and of reasoning in different ways.

import Base
import Chat
import JSON
import Testing

@testable import Script

@Suite struct MeterTests {
    /// The usage that a provider reports, and what a budget counts: tokens, and dollars at these prices for a million
    /// tokens: input 1, output 10, read from the cache 0.1, written to the cache 1.25.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var usage: Usage
        var tokens: Double
        var dollars: Double

        init(_ name: String, tokens: Double, dollars: Double, _ change: (inout Usage) -> Void) {
            testDescription = name
            usage = Usage()
            change(&usage)
            (self.tokens, self.dollars) = (tokens, dollars / 1e6)
        }
    }

    static let cases = [
        Case("plain", tokens: 150, dollars: 100 + 500) { ($0.inputTokens, $0.outputTokens) = (100, 50) },
        Case("OpenAI: cached tokens are part of the input", tokens: 150, dollars: 20 + 8 + 500) {
            ($0.inputTokens, $0.cachedTokens, $0.outputTokens, $0.totalTokens) = (100, 80, 50, 150)
        },
        Case("OpenAI: reasoning is part of the output", tokens: 150, dollars: 100 + 500) {
            ($0.inputTokens, $0.outputTokens, $0.reasoningTokens, $0.totalTokens) = (100, 50, 40, 150)
        },
        Case("Gemini: thoughts come on top of the output", tokens: 190, dollars: 100 + 900) {
            ($0.inputTokens, $0.outputTokens, $0.reasoningTokens, $0.totalTokens) = (100, 50, 40, 190)
        },
        Case("Anthropic: the cache comes on top of the input", tokens: 1162, dollars: 12 + 100 + 125 + 500) {
            ($0.inputTokens, $0.cachedTokens, $0.cacheWriteTokens, $0.outputTokens) = (12, 1000, 100, 50)
            $0.countsCacheApart = true
        },
        Case("OpenRouter: what the provider says it cost", tokens: 150, dollars: 70_000) {
            ($0.inputTokens, $0.outputTokens, $0.cost) = (100, 50, 0.07)
        },
        Case("a reply that cost nothing", tokens: 150, dollars: 0) {
            ($0.inputTokens, $0.outputTokens, $0.cost) = (100, 50, 0)
        },
        Case("nothing reported: the estimate stays", tokens: 0, dollars: 0) { _ in },
    ]

    @Test(arguments: cases) func counts(_ test: Case) {
        let budget = Budget(tokens: 1e9, dollars: 1e9)
        let price = TokenPrice(input: 1, output: 10, cachedInput: 0.1, cacheWrite: 1.25)
        var meter = Meter([budget], ChatRequest(model: "m", messages: []), price: price)
        meter.count([.finish(Self.reply(test.usage))])
        #expect(budget.tokens == test.tokens)
        #expect(abs(budget.dollars - test.dollars) < 1e-12)
    }

    /// A reported cost replaces the estimate of its own attempt, and of no other.
    @Test func aCostReplacesTheEstimateOfItsAttempt() {
        let budget = Budget(tokens: nil, dollars: 1e9)
        let chat = ChatRequest(model: "m", system: String(repeating: "word ", count: 100), messages: [])
        var meter = Meter([budget], chat, price: TokenPrice(input: 1000, output: 2000))
        let prompt = budget.dollars
        #expect(prompt > 0)
        meter.count([.text(TextBatch("some words of the first attempt")), .retry(Self.retry)])
        let failed = budget.dollars - prompt
        #expect(failed > prompt)
        meter.count([.text(TextBatch("words"))])
        var usage = Usage()
        (usage.inputTokens, usage.outputTokens, usage.cost) = (100, 2, 0.25)
        meter.count([.finish(Self.reply(usage))])
        #expect(abs(budget.dollars - (failed + 0.25)) < 1e-9)
    }

    private static func usage(_ output: Int, cost: Double?) -> Usage {
        var usage = Usage()
        (usage.inputTokens, usage.outputTokens, usage.cost) = (100, output, cost)
        return usage
    }

    /// A cost that rises with each chunk (Perplexity) counts at once.
    @Test(arguments: [nil, TokenPrice(input: 0, output: 0), TokenPrice(input: 1, output: 2)])
    func aCostCountsWhileItRises(price: TokenPrice?) {
        let budget = Budget(tokens: nil, dollars: 0.5)
        var meter = Meter([budget], ChatRequest(model: "m", messages: []), price: price)
        for count in 1...4 {
            meter.count([.text(TextBatch("a")), .usage(Self.usage(count, cost: Double(count) / 10))])
            #expect(abs(budget.dollars - Double(count) / 10) < 1e-9)
            #expect(budget.exhaustion == nil)
        }
        meter.count([.text(TextBatch("a")), .usage(Self.usage(5, cost: 0.5))])
        #expect(budget.exhaustion != nil)
        meter.count([.finish(Self.reply(Self.usage(5, cost: 0.45)))])
        #expect(abs(budget.dollars - 0.45) < 1e-9)
        #expect(budget.tokens == 105)
    }

    /// Usage at the beginning of a stream does not replace the estimate of the deltas that follow.
    @Test func earlyCountsDoNotLowerTheEstimate() {
        let budget = Budget(tokens: 1e9, dollars: 1e9)
        let price = TokenPrice(input: 0, output: 1e6)
        var meter = Meter([budget], ChatRequest(model: "m", messages: []), price: price)
        meter.count([.usage(Self.usage(1, cost: 0))])
        for _ in 0..<10 { meter.count([.text(TextBatch("a"))]) }
        #expect(budget.tokens >= 110 && budget.dollars >= 10)
        meter.count([.usage(Self.usage(20, cost: nil))])
        #expect(budget.tokens == 120 && abs(budget.dollars - 20) < 1e-9)
    }

    /// A failed attempt counts the cost that it reported, whether or not its usage event was delivered.
    @Test(arguments: [true, false]) func failedAttemptsCost(isShown: Bool) {
        let budget = Budget(tokens: nil, dollars: 5)
        var meter = Meter([budget], ChatRequest(model: "m", messages: []), price: nil)
        for _ in 0..<2 {
            if isShown { meter.count([.usage(Self.usage(3, cost: 0.3))]) }
            var retry = Self.retry
            retry.error.usage = Self.usage(3, cost: 0.3)
            meter.count([.retry(retry)])
        }
        #expect(abs(budget.dollars - 0.6) < 1e-9)
        var failure = Self.retry.error
        failure.usage = Self.usage(3, cost: 0.1)
        meter.count([.failed(failure)])
        #expect(abs(budget.dollars - 0.7) < 1e-9)
    }

    /// An unknown price of the cache is the price of the input.
    @Test func cachePricesMayBeAbsent() {
        let budget = Budget(tokens: nil, dollars: 1)
        var meter = Meter([budget], ChatRequest(model: "m", messages: []), price: TokenPrice(input: 2, output: 0))
        var usage = Usage()
        (usage.inputTokens, usage.cachedTokens, usage.cacheWriteTokens, usage.outputTokens) = (10, 20, 30, 1)
        usage.countsCacheApart = true
        meter.count([.finish(Self.reply(usage))])
        #expect(abs(budget.dollars - 120e-6) < 1e-12)
    }

    private static let retry = RetryInfo(
        attempt: 1, delay: 0,
        error: RequestFailure(
            kind: .overloaded, message: "busy", isRetryable: true, provider: "p", model: "m", attempts: 1),
        received: Position())

    private static func reply(_ usage: Usage) -> Reply {
        Reply(
            text: "", reasoning: "", toolCalls: [], usage: usage, model: "m", provider: "p", attempts: 1, totalTime: 0,
            message: .null)
    }
}
