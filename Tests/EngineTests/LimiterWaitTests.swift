// Waits at the rate limiter: announcements, bounds, order.

import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct LimiterWaitTests {
    private static func headers(limit: Int, remaining: Int, reset: String) -> HTTPHeaders {
        [
            "Content-Type": "text/event-stream", "x-ratelimit-limit-requests": "\(limit)",
            "x-ratelimit-remaining-requests": "\(remaining)", "x-ratelimit-reset-requests": reset,
        ]
    }

    private func finish(_ world: EngineHarness, _ headers: HTTPHeaders) {
        world.head(200, headers)
        world.send(events: "t:x", "finish:stop", "[DONE]")
        world.end()
        world.turnAndTake()
        world.events = []
    }

    private func refuse(_ world: EngineHarness, _ status: Int = 429, _ headers: HTTPHeaders = [:]) {
        world.head(status, headers)
        world.end()
        world.turnAndTake()
    }

    /// After a reply with nothing left for a day the next request fails at once, with the reason.
    @Test(
        arguments: [
            (RetryPolicy(), nil, "retry.max_wait"), (RetryPolicy(maxWait: 5), nil, "retry.max_wait"),
            (RetryPolicy(), 3.0, "timeout.total"), (RetryPolicy(maxWait: 5), 600, "retry.max_wait"),
        ] as [(RetryPolicy, Double?, String)])
    func aWaitThatIsTooLongFailsAtOnce(retry: RetryPolicy, total: Double?, option: String) {
        let world = EngineHarness()
        world.start()
        finish(world, Self.headers(limit: 200, remaining: 0, reset: "24h0m0s"))
        world.start(2, EngineHarness.spec(retry: retry, timeouts: Timeouts(total: total)))
        world.turnAndTake()
        let failure = world.failure
        #expect(failure?.kind == .rateLimit && failure?.isRetryable == true && world.transport.transfers.count == 1)
        #expect(abs((failure?.retryAfter ?? 0) - 86_400.0 / 199) < 1)
        #expect(failure?.message.contains("requests per key: 0 of 200 left, back in 24 h") == true)
        #expect(failure?.message.contains(option) == true, "\(failure?.message ?? "")")
    }

    /// The request with the 429 fails too, without a retry.
    @Test func a429WhoseResetIsTooFarFailsAtOnce() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(retry: RetryPolicy(maxWait: 5)))
        refuse(world, 429, Self.headers(limit: 200, remaining: 0, reset: "24h0m0s"))
        #expect(world.failure?.kind == .rateLimit && world.retries.isEmpty)
        #expect(world.failure?.message.contains("requests per key: 0 of 200 left") == true)
    }

    @Test func withoutTheLimiterNothingIsHeldBack() {
        let world = EngineHarness()
        world.start()
        finish(world, Self.headers(limit: 200, remaining: 0, reset: "24h0m0s"))
        var spec = EngineHarness.spec()
        spec.isLimited = false
        world.start(2, spec)
        #expect(world.transport.transfers.count == 2)
    }

    /// A wait of 6 seconds is announced, and lasts as long.
    @Test func aWaitIsTold() {
        let world = EngineHarness()
        world.start()
        finish(world, Self.headers(limit: 10, remaining: 0, reset: "54s"))
        world.start(2)
        world.turnAndTake()
        guard case .wait(let info)? = world.events.first else {
            Issue.record("\(world.names)")
            return
        }
        #expect(abs(info.seconds - 6) < 0.01 && info.reason == "requests per key: 0 of 10 left, back in 54 s")
        #expect(world.log.contains { $0.hasPrefix("info request 2: waits 6 s") }, "\(world.log)")
        world.advance(5.9)
        #expect(world.transport.transfers.count == 1)
        world.advance(0.2)
        #expect(world.transport.transfers.count == 2)
    }

    /// The duration of another request is unknown: the wait is announced after a second.
    @Test func aWaitInLineIsToldAfterASecond() {
        let world = EngineHarness()
        var spec = EngineHarness.spec()
        spec.limit = LimitRule(name: "one", concurrent: 1)
        world.start(1, spec)
        world.start(2, spec)
        world.turnAndTake()
        #expect(world.events.isEmpty)
        world.advance(1.1)
        world.takeAll()
        #expect(world.names == ["wait:limit \"one\": 1 at once"])
    }

    /// A limit from a later response applies to requests in line.
    @Test func aWaitThatBecomesTooLongFails() {
        let world = EngineHarness()
        var spec = EngineHarness.spec()
        spec.limit = LimitRule(name: "one", concurrent: 1)
        world.start(1, spec)
        world.start(2, spec)
        finish(world, Self.headers(limit: 200, remaining: 0, reset: "24h0m0s"))
        world.turnAndTake()
        #expect(world.failure?.kind == .rateLimit || world.engine.activeCount == 0)
        #expect(world.transport.transfers.count == 1 && !world.client.hasRequestsInLine)
    }

    @Test func theTotalTimeoutInLineNamesTheLimit() {
        let world = EngineHarness()
        var spec = EngineHarness.spec(timeouts: Timeouts(total: 3))
        spec.limit = LimitRule(name: "one", concurrent: 1)
        var first = spec
        first.timeouts.total = nil
        world.start(1, first)
        world.start(2, spec)
        world.advance(3.1)
        world.takeAll()
        #expect(world.failure?.kind == .rateLimit && world.failure?.phase == .total)
        #expect(world.failure?.message.contains("limit \"one\": 1 at once") == true)
    }

    /// `retry` announces the real start, also if rate headers exceed the backoff.
    @Test func theDelayOfARetryIsTheRealOne() {
        let world = EngineHarness()
        world.start()
        refuse(world, 429, Self.headers(limit: 10, remaining: 0, reset: "54s"))
        let delay = world.retries.first?.delay ?? 0
        #expect(delay >= 6 && delay < 7)
        world.advance(delay - 0.05)
        #expect(world.transport.transfers.count == 1)
        world.advance(0.1)
        #expect(world.transport.transfers.count == 2)
    }

    /// A retry after its delay starts before later requests.
    @Test func aRetryGoesToTheFront() {
        let world = EngineHarness()
        var spec = EngineHarness.spec(retry: RetryPolicy(base: 1))
        spec.limit = LimitRule(name: "one", concurrent: 1)
        world.start(1, spec)
        refuse(world, 500)
        for id in 2...5 as ClosedRange<UInt64> { world.start(id, spec) }
        #expect(world.transport.transfers.count == 2)
        world.advance(2)
        world.events = []
        finish(world, ["Content-Type": "text/event-stream"])
        world.turn()
        #expect(world.transport.transfers.count == 3)
        world.head()
        world.send(events: "t:retried", "finish:stop", "[DONE]")
        world.end()
        world.turnAndTake()
        #expect(world.finish?.attempts == 2, "\(world.names)")
    }

    /// OpenRouter: rate headers in the body of the error, reset in milliseconds since 1970.
    @Test func aResetInTheBodyIsWaitedFor() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "openai"))
        world.head(429, ["Content-Type": "application/json"])
        world.send(
            #"{"error":{"message":"Rate limit exceeded: free-models-per-min","code":429,"metadata":{"headers":"#
                + #"{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1700000004000"}}}}"#)
        world.end()
        world.turnAndTake()
        #expect((4..<5).contains(world.retries.first?.delay ?? 0), "\(world.names)")
    }
}
