// What gates let pass, by value: no sockets, no clocks.

import Testing
import Wire

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
        #expect(RateReport.seconds(text, 1_000) == seconds)
    }

    @Test func headersOfBothFamilies() {
        let openAI = RateReport(
            [
                "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s", "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s",
            ], now: 0)
        #expect(openAI.requests == .init(limit: 60, remaining: 59, reset: 1))
        #expect(openAI.tokens == .init(limit: 150_000, remaining: 149_984, reset: 360))
        let anthropic = RateReport(
            [
                "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "1970-01-01T00:00:30Z",
            ], now: 10)
        #expect(anthropic.requests == .init(limit: 50, remaining: 0, reset: 20) && anthropic.tokens == nil)
        let broken: [HTTPHeaders] = [["x-ratelimit-limit-requests": "many"], [:], ["x-ratelimit-limit-requests": "0"]]
        for broken in broken {
            #expect(RateReport(broken, now: 0).requests == nil)
        }
    }
}

@Suite struct LimitGateTests {
    @Test func nothingIsHeldBackWithoutAReason() {
        let gate = LimitGate()
        for _ in 0..<10_000 {
            #expect(gate.permission(now: 1) == .now)
            gate.begin(now: 1)
        }
    }

    @Test func aRefusalHalvesTheWindowOnce() {
        let gate = LimitGate()
        for _ in 0..<40 { gate.begin(now: 0) }
        for _ in 0..<10 {
            gate.end()
            gate.refused(retryAfter: nil, now: 0.1)
        }
        #expect(gate.window == 20 && gate.permission(now: 0.1) == .afterAnother)
        for _ in 0..<11 {
            gate.end()
            gate.answered(now: 0.2)
        }
        #expect(gate.inFlight == 19 && gate.permission(now: 0.2) == .now)
        #expect(gate.window > 20 && gate.window < 21)
        gate.end()
        gate.refused(retryAfter: nil, now: 1)
        #expect(gate.window < 11)
    }

    @Test(arguments: [(2.0, 12.0), (3_600, 70)]) func waitsAreObeyedByAll(retryAfter: Double, opens: Double) {
        let gate = LimitGate()
        gate.begin(now: 10)
        gate.end()
        gate.refused(retryAfter: retryAfter, now: 10)
        #expect(gate.permission(now: 10) == .at(opens) && gate.permission(now: opens) == .now)
    }

    @Test func rulesOfScripts() {
        let gate = LimitGate(rule: LimitRule(name: "x", concurrent: 2, requestsPerMinute: 120))
        gate.begin(now: 0)
        #expect(gate.permission(now: 0) == .at(0.5))
        gate.begin(now: 0.5)
        #expect(gate.permission(now: 5) == .afterAnother)
        gate.end()
        #expect(gate.permission(now: 5) == .now)
        let tokens = LimitGate(rule: LimitRule(name: "y", tokensPerMinute: 600))
        #expect(tokens.permission(now: 0) == .now)
        tokens.spend(tokens: 150)
        guard case .at(let moment) = tokens.permission(now: 0) else {
            Issue.record("it is open")
            return
        }
        #expect(abs(moment - 5) < 0.01 && tokens.permission(now: 5.1) == .now)
    }

    /// A server that answers 20 requests a second, and refuses the rest; requests take 50 ms. Simulated by value.
    @Test(arguments: [true, false], [8, 64, 1_000]) func findsTheRate(isTold: Bool, width: Int) {
        let gate = LimitGate()
        var level = 20.0
        var (now, filledAt) = (0.0, 0.0)
        var pending: [(end: Double, isRefused: Bool, remaining: Double)] = []
        var (left, done, refused, retries) = (1_000, 0, 0, [Double]())
        var active = 0
        while done < 1_000 {
            for answer in pending where answer.end <= now {
                gate.end()
                active -= 1
                if isTold {
                    let headers: HTTPHeaders = [
                        "x-ratelimit-limit-requests": "20",
                        "x-ratelimit-remaining-requests": String(Int(answer.remaining)),
                        "x-ratelimit-reset-requests": "\((20 - answer.remaining) / 20)s",
                    ]
                    gate.learn(RateReport(headers, now: 0), now: now)
                }
                if answer.isRefused {
                    refused += 1
                    gate.refused(retryAfter: 1, now: now)
                    retries.append(now + 1)
                } else {
                    done += 1
                    gate.answered(now: now)
                }
            }
            pending.removeAll { $0.end <= now }
            left += retries.count { $0 <= now }
            retries.removeAll { $0 <= now }
            while left > 0, active < width, gate.permission(now: now) == .now {
                gate.begin(now: now)
                left -= 1
                active += 1
                level = min(20, level + (now - filledAt) * 20)
                filledAt = now
                let isRefused = level < 1
                if !isRefused { level -= 1 }
                pending.append((now + 0.05, isRefused, level))
            }
            now += 0.005
        }
        #expect(Double(refused) < 0.05 * Double(refused + 1_000) || width == 1_000, "\(refused) refused")
        #expect(now < 49 * 1.3, "\(now) s")
    }
}

@Suite struct PlaceTests {
    /// Two requests under a limit of one at once; the first is streaming, the second stands in line.
    private func world() -> World {
        let world = World()
        for id in [1, 2] as [UInt64] {
            var spec = World.spec()
            spec.limit = LimitRule(name: "one", concurrent: 1)
            world.start(id, spec)
        }
        world.head()
        world.send(events: "t:x")
        world.turnAndTake()
        return world
    }

    /// What the caller of the first waits for may be the second.
    @Test(arguments: [EngineCommand.occupied(RequestID(1)), .pause(RequestID(1))])
    func aRequestThatWaitsForItsCallerKeepsNoPlace(command: EngineCommand) {
        let world = world()
        #expect(world.port.transfers.count == 1 && world.engine.hasRequestsInLine)
        world.engine.submit(command)
        world.turn()
        #expect(world.port.transfers.count == 2 && !world.engine.hasRequestsInLine)
        // It goes on without waiting, and counts again: a third waits for both.
        world.engine.submit(.reading(RequestID(1)))
        world.engine.submit(.resume(RequestID(1)))
        var third = World.spec()
        third.limit = LimitRule(name: "one", concurrent: 1)
        world.start(3, third)
        #expect(world.port.transfers.count == 2)
        for transfer in world.port.transfers {
            #expect(world.port.transfers.count == 2)
            if transfer === world.last { world.head() }
            transfer.incoming += [.body(Array("data: finish:stop\n\ndata: [DONE]\n\n".utf8)), .end(.complete)]
            world.turnAndTake()
        }
        world.turn()
        #expect(world.port.transfers.count == 3)
    }

    @Test func aRequestThatEndsMeanwhileGivesItsPlaceBackOnce() {
        let world = world()
        world.engine.submit(.occupied(RequestID(1)))
        world.turn()
        world.engine.submit(.cancel(RequestID(1)))
        world.engine.submit(.reading(RequestID(1)))
        world.turnAndTake()
        var third = World.spec()
        third.limit = LimitRule(name: "one", concurrent: 1)
        world.start(3, third)
        #expect(world.port.transfers.count == 2)
    }
}
