// Admission by rate limiters.

import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct RateReportTests {
    @Test(
        arguments: [
            ("1s", 1.0), ("120ms", 0.12), ("6m0s", 360), ("1h2m3.5s", 3_723.5), ("0.45", 0.45), ("7", 7),
            ("2m59.56s", 179.56), ("1970-01-01T00:01:40Z", 0), ("1970-01-01T00:16:50Z", 10),
            ("1970-01-01T00:16:40.5Z", 0.5), ("2024-02-29T12:00:00Z", 1_709_208_000 - 1_000), ("", 0), ("soon", nil),
            ("-1", nil), ("1x", nil), ("s", nil), ("1970-13-01T00:00:00Z", nil), ("inf", nil),
        ] as [(String, Double?)]) func times(text: String, seconds: Double?)
    {
        #expect(RateLimitHeaders.seconds(text, 1_000) == seconds)
    }

    private func only(_ headers: HTTPHeaders, now: Double = 1_000) -> RateLimitHeaders.Allowance? {
        let allowances = RateLimitHeaders(headers, now: now).allowances
        return allowances.count == 1 ? allowances[0] : nil
    }

    @Test func requestsAndTokensOfOpenAI() {
        let report = RateLimitHeaders(
            [
                "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s", "X-RateLimit-Limit-Tokens": "150000",
                "X-RateLimit-Remaining-Tokens": "149984", "X-RateLimit-Reset-Tokens": "6m0s",
            ], now: 0)
        #expect(report.allowances.map(\.name) == ["requests per key", "tokens per key"])
        #expect(
            report.allowances.map(\.limit) == [60, 150_000] && report.allowances.map(\.remaining) == [59, 149_984])
        #expect(report.allowances.map(\.reset) == [1, 360] && report.wait == nil)
        #expect(report.allowances.map(\.isTokens) == [false, true] && report.allowances.allSatisfy(\.isContinuous))
    }

    /// Name, limit, seconds to wait.
    @Test(
        arguments: [
            (
                [
                    "x-ratelimit-limit-requests": "200", "x-ratelimit-remaining-requests": "0",
                    "x-ratelimit-reset-requests": "24h0m0s",
                ], "requests per key", 86_400.0 / 199
            ),
            (
                [
                    "x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "0",
                    "x-ratelimit-reset-tokens": "24h0m0s",
                ], "tokens per key", 8_640
            ),
            (
                [
                    "anthropic-ratelimit-requests-limit": "51", "anthropic-ratelimit-requests-remaining": "0",
                    "anthropic-ratelimit-requests-reset": "1970-01-01T00:17:10Z",
                ], "requests per key", 0.6
            ),
            (
                [
                    "anthropic-ratelimit-input-tokens-limit": "1000", "anthropic-ratelimit-input-tokens-remaining": "0",
                    "anthropic-ratelimit-input-tokens-reset": "1970-01-01T00:17:10Z",
                ], "tokens per key", 3
            ),
            (
                [
                    "x-ratelimit-limit-requests-day": "100", "x-ratelimit-remaining-requests-day": "0",
                    "x-ratelimit-reset-requests-day": "33011.382867",
                ], "requests per day", 33_011.382867
            ),
            (
                ["x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11"],
                "tokens per minute", 11
            ),
            (
                ["ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "44"],
                "tokens per key", 44
            ),
            (
                [
                    "x-ratelimitbysize-limit-minute": "500000", "x-ratelimitbysize-remaining-minute": "0",
                    "x-ratelimitbysize-reset-minute": "44",
                ], "tokens per minute", 44
            ),
            (
                ["x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1004000"],
                "requests per key", 1_004_000
            ),
            (
                ["x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"],
                "requests per key", 30
            ),
            (
                ["ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "0", "ratelimit-reset": "50"],
                "requests per key", 50
            ),
            (["ratelimit": "\"hour\";r=0;t=30"], "requests per hour", 30),
            (["RateLimit": "limit=100, remaining=0, reset=20"], "requests per key", 20),
        ] as [([String: String], String, Double)])
    func spellings(headers: [String: String], name: String, wait: Double) {
        var fields = HTTPHeaders()
        for (name, value) in headers { fields.add(name, value) }
        let allowance = only(fields)
        #expect(allowance?.name == name && allowance?.remaining == 0)
        #expect(abs((allowance?.wait ?? -1) - wait) < 1e-6, "\(String(describing: allowance?.wait))")
    }

    /// OpenRouter sends milliseconds since 1970, GitHub and others seconds.
    @Test(
        arguments: [("1700000030000", 30.0), ("1700000030", 30), ("1699999999", nil), ("1699999999000", nil)]
            as [(String, Double?)])
    func moments(reset: String, wait: Double?) {
        let headers: HTTPHeaders = [
            "X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset,
        ]
        #expect(only(headers, now: 1_700_000_000)?.wait == wait)
    }

    @Test func senselessHeadersSayNothing() {
        let broken: [HTTPHeaders] = [
            [:], ["x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "0"],
            [
                "x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "9s",
            ],
            [
                "x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "-1",
                "x-ratelimit-reset-requests": "9s",
            ],
            [
                "x-ratelimit-renewalperiod-requests": "60", "x-ratelimit-key": "x",
                "x-ratelimit-abusepenalty-active": "False",
            ],
            ["x-ratelimit-over-limit": "yes", "ratelimit": "nonsense;;=", "ratelimit-policy": "100;w=60"],
        ]
        for broken in broken { #expect(RateLimitHeaders(broken, now: 0).allowances.isEmpty, "\(broken)") }
        #expect(
            only(["x-ratelimit-limit": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "inf"])?.wait == nil)
    }
}

@Suite struct LimitGateTests {
    private static let day: HTTPHeaders = [
        "x-ratelimit-limit-requests": "200", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "24h",
    ]

    @Test func nothingIsHeldBackWithoutAReason() {
        let limiter = RateLimiter()
        for _ in 0..<10_000 {
            #expect(limiter.permission(now: 1) == .now)
            limiter.begin(now: 1)
        }
    }

    @Test func singleRefusalsChangeNothing() {
        let limiter = RateLimiter()
        for number in 1...500 {
            let now = Double(number) * 0.01
            let ticket = limiter.begin(now: now)
            limiter.end()
            if number % 8 == 0 { limiter.refused(ticket, number % 16 == 0 ? .rate : .concurrency, now: now) }
            #expect(limiter.permission(now: now) == .now)
        }
    }

    @Test func aClusterOfOverloadBoundsTheConcurrency() {
        let limiter = RateLimiter()
        let tickets = (0..<16).map { _ in limiter.begin(now: 0) }
        for ticket in tickets[8...] {
            limiter.end()
            limiter.refused(ticket, .concurrency, now: 0.01)
        }
        #expect(limiter.inFlight == 8 && limiter.permission(now: 0.1) == .afterAnother)
        #expect(limiter.reason(now: 0.1) == "rate limiter: at most 8 requests at once after refusals")
        limiter.end()
        limiter.answered()
        #expect(limiter.permission(now: 0.2) == .now)
    }

    @Test func aClusterOfRateRefusalsSetsAPace() {
        let limiter = RateLimiter()
        for ticket in (0..<12).map({ _ in limiter.begin(now: 1) }) {
            limiter.end()
            limiter.refused(ticket, .rate, now: 1)
        }
        guard case .at(let moment) = limiter.permission(now: 1) else {
            Issue.record("it is open")
            return
        }
        #expect(moment > 1 && moment < 2)
    }

    @Test func whatA429WithRateHeadersAsksHoldsForTheKey() {
        let limiter = RateLimiter()
        limiter.learn(RateLimitHeaders([:], now: 0), retryAfter: 7, now: 10)
        #expect(limiter.permission(now: 10) == .now)
        let some: HTTPHeaders = ["x-ratelimit-limit": "9", "x-ratelimit-remaining": "3", "x-ratelimit-reset": "60"]
        limiter.learn(RateLimitHeaders(some, now: 0), retryAfter: 7, now: 10)
        #expect(limiter.permission(now: 10) == .at(17) && limiter.permission(now: 17) == .now)
        #expect(limiter.reason(now: 10) == "the provider asks to wait")
    }

    @Test func aUsedUpAllowanceClosesUntilHeadersAreBetter() {
        let limiter = RateLimiter()
        limiter.learn(RateLimitHeaders(Self.day, now: 0), retryAfter: nil, now: 10)
        #expect(limiter.permission(now: 10) == .at(10 + 86_400.0 / 199))
        #expect(limiter.reason(now: 10) == "requests per key: 0 of 200 left, back in 24 h")
        var better = Self.day
        better["x-ratelimit-remaining-requests"] = "150"
        limiter.learn(RateLimitHeaders(better, now: 0), retryAfter: nil, now: 11)
        #expect(limiter.permission(now: 11) == .now)
    }

    @Test func rulesOfScripts() {
        let limiter = RateLimiter(rule: LimitRule(name: "x", concurrent: 2, requestsPerMinute: 120))
        limiter.begin(now: 0)
        #expect(limiter.permission(now: 0) == .at(0.5))
        limiter.begin(now: 0.5)
        #expect(limiter.permission(now: 5) == .afterAnother)
        #expect(limiter.reason(now: 5) == "limit \"x\": 2 at once, 120 requests a minute")
        limiter.end()
        #expect(limiter.permission(now: 5) == .now)
        let tokens = RateLimiter(rule: LimitRule(name: "y", tokensPerMinute: 600))
        #expect(tokens.permission(now: 0) == .now)
        tokens.spend(tokens: 150)
        guard case .at(let moment) = tokens.permission(now: 0) else {
            Issue.record("it is open")
            return
        }
        #expect(abs(moment - 5) < 0.01 && tokens.permission(now: 5.1) == .now)
    }

    @Test(arguments: [Int.max, 1 << 40, -5, Int.min]) func anAbsurdTokenCountClosesForAMinuteAtMost(count: Int) {
        let limiter = RateLimiter(rule: LimitRule(name: "y", tokensPerMinute: 600))
        #expect(limiter.permission(now: 0) == .now)
        limiter.spend(tokens: count)
        #expect(limiter.opening(now: 0) < 60.1 && limiter.permission(now: 60.1) == .now)
    }

    /// A simulated server that accepts 20 requests per second; requests take 50 ms.
    @Test(arguments: [true, false], [8, 64, 1_000]) func findsTheRate(isTold: Bool, width: Int) {
        let limiter = RateLimiter()
        var level = 20.0
        var (now, filledAt) = (0.0, 0.0)
        var pending: [(end: Double, ticket: LimiterTicket, isRefused: Bool, remaining: Double)] = []
        var (left, done, refused, retries) = (1_000, 0, 0, [Double]())
        var active = 0
        while done < 1_000 {
            for answer in pending where answer.end <= now {
                limiter.end()
                active -= 1
                if isTold {
                    let headers: HTTPHeaders = [
                        "x-ratelimit-limit-requests": "20",
                        "x-ratelimit-remaining-requests": String(Int(answer.remaining)),
                        "x-ratelimit-reset-requests": "\((20 - answer.remaining) / 20)s",
                    ]
                    limiter.learn(RateLimitHeaders(headers, now: 0), retryAfter: nil, now: now)
                }
                if answer.isRefused {
                    refused += 1
                    limiter.refused(answer.ticket, .rate, now: now)
                    retries.append(now + 1)
                } else {
                    done += 1
                    limiter.answered()
                }
            }
            pending.removeAll { $0.end <= now }
            left += retries.count { $0 <= now }
            retries.removeAll { $0 <= now }
            while left > 0, active < width, limiter.permission(now: now) == .now {
                let ticket = limiter.begin(now: now)
                left -= 1
                active += 1
                level = min(20, level + (now - filledAt) * 20)
                filledAt = now
                let isRefused = level < 1
                if !isRefused { level -= 1 }
                pending.append((now + 0.05, ticket, isRefused, level))
            }
            now += 0.005
        }
        // Requests of the first instant cannot be known to be too many.
        #expect(refused < max(0, width - 20) + 50, "\(refused) refused")
        #expect(now < 49 * 1.3, "\(now) s")
    }
}

@Suite struct PlaceTests {
    /// Two requests under a limit of one: the first streams, the second is in line.
    private func world() -> EngineHarness {
        let world = EngineHarness()
        for id in [1, 2] as [UInt64] {
            var spec = EngineHarness.spec()
            spec.limit = LimitRule(name: "one", concurrent: 1)
            world.start(id, spec)
        }
        world.head()
        world.send(events: "t:x")
        world.turnAndTake()
        return world
    }

    /// The caller of the first may wait for the second.
    @Test(arguments: [RequestCommand.occupied(RequestID(1)), .pause(RequestID(1))])
    func aRequestThatWaitsForItsCallerKeepsNoPlace(command: RequestCommand) {
        let world = world()
        #expect(world.transport.transfers.count == 1 && world.client.hasRequestsInLine)
        world.client.submit(command)
        world.turn()
        #expect(world.transport.transfers.count == 2 && !world.client.hasRequestsInLine)
        // It continues without waiting, and counts again: a third waits for both.
        world.client.submit(.reading(RequestID(1)))
        world.client.submit(.resume(RequestID(1)))
        var third = EngineHarness.spec()
        third.limit = LimitRule(name: "one", concurrent: 1)
        world.start(3, third)
        #expect(world.transport.transfers.count == 2)
        for transfer in world.transport.transfers {
            #expect(world.transport.transfers.count == 2)
            if transfer === world.last { world.head() }
            transfer.incoming += [.body(Array("data: finish:stop\n\ndata: [DONE]\n\n".utf8)), .end(.complete)]
            world.turnAndTake()
        }
        world.turn()
        #expect(world.transport.transfers.count == 3)
    }

    @Test func aRequestThatEndsMeanwhileGivesItsPlaceBackOnce() {
        let world = world()
        world.client.submit(.occupied(RequestID(1)))
        world.turn()
        world.client.submit(.cancel(RequestID(1)))
        world.client.submit(.reading(RequestID(1)))
        world.turnAndTake()
        var third = EngineHarness.spec()
        third.limit = LimitRule(name: "one", concurrent: 1)
        world.start(3, third)
        #expect(world.transport.transfers.count == 2)
    }
}
