// The rate controller against simulated servers: fixed seeds, simulated clock.

import Testing

@testable import Engine

@Suite struct LimiterSimulationTests {
    private static let map = 0.1...0.3

    /// Random refusals do not depend on the pace: the limiter must cost almost nothing beside backoff alone.
    @Test(
        arguments: [0.05, 0.1, 0.2, 0.3],
        [[SimulatedServer.Refusal.rate], [.overload], [.rate, .overload, .overload]])
    func randomRefusalsDoNotSlowUsDown(share: Double, refusals: [SimulatedServer.Refusal]) {
        for (items, width, latency) in [(300, 16, 0.1...0.3), (1_000, 16, 0.05...0.05), (500, 128, 0.5...2)] {
            let server = SimulatedServer(random: share, refusals: refusals, latency: latency)
            let limited = LimiterSimulation.mean(items, width, server, seeds: 1...4)
            let plain = LimiterSimulation.mean(items, width, server, isLimited: false, seeds: 1...4)
            let bound = share <= 0.1 ? 1.1 : 1.3
            #expect(
                limited.seconds <= bound * plain.seconds,
                "\(items) items: \(limited.seconds) s, else \(plain.seconds) s")
        }
    }

    @Test func randomRefusalsWithRetryAfter() {
        var server = SimulatedServer(random: 0.1, latency: Self.map)
        server.retryAfter = 1
        let limited = LimiterSimulation.mean(300, 16, server, seeds: 1...4)
        let plain = LimiterSimulation.mean(300, 16, server, isLimited: false, seeds: 1...4)
        #expect(limited.seconds <= 1.1 * plain.seconds)
    }

    /// 20 requests per second: 200 items in at most 1.15 times 10 s, at most 5 % refused.
    @Test func aBucketIsFoundWithFewRefusals() {
        let server = SimulatedServer(.bucket(rate: 20, burst: 20), latency: 0.025...0.075)
        let result = LimiterSimulation.mean(200, 16, server, seeds: 1...8)
        #expect(result.worst <= 11.5 && result.mostRefused <= 0.05 && result.failed == 0, "\(result)")
        let longer = LimiterSimulation.mean(1_000, 16, server, seeds: 1...4)
        #expect(longer.worst <= 55 && longer.mostRefused <= 0.03, "\(longer)")
    }

    /// Rate, burst, items, width, maximum seconds, maximum refused share.
    @Test(
        arguments: [
            (2.0, 2.0, 200, 16, 130.0, 0.15), (20, 1, 200, 16, 20, 0.12), (20, 40, 200, 16, 11, 0.06),
            (200, 200, 1_000, 64, 6, 0.05), (200, 20, 1_000, 64, 9, 0.1),
        ] as [(Double, Double, Int, Int, Double, Double)])
    func bucketsOfAllSizes(rate: Double, burst: Double, items: Int, width: Int, seconds: Double, refused: Double) {
        let server = SimulatedServer(.bucket(rate: rate, burst: burst), latency: 0.025...0.075)
        let result = LimiterSimulation.mean(items, width, server, seeds: 1...4)
        #expect(result.worst <= seconds && result.mostRefused <= refused && result.failed == 0, "\(result)")
    }

    @Test func slowRepliesAndABucket() {
        let server = SimulatedServer(.bucket(rate: 20, burst: 20), latency: 0.5...0.7)
        let result = LimiterSimulation.mean(200, 16, server, seeds: 1...4)
        #expect(result.worst <= 11.5 && result.refused <= 0.12, "\(result)")
    }

    @Test func fixedWindows() {
        let second = SimulatedServer(.window(count: 20, seconds: 1), latency: 0.025...0.075)
        let short = LimiterSimulation.mean(200, 16, second, seeds: 1...4)
        #expect(short.worst <= 14 && short.refused <= 0.3, "\(short)")
        let ten = SimulatedServer(.window(count: 200, seconds: 10))
        let longer = LimiterSimulation.mean(1_000, 32, ten, seeds: 1...4)
        #expect(longer.worst <= 47 && longer.refused <= 0.12, "\(longer)")
    }

    @Test func aLimitThatChangesIsFollowed() {
        var server = SimulatedServer(.bucket(rate: 20, burst: 20), latency: 0.025...0.075)
        server.later = (10, .bucket(rate: 5, burst: 20))
        let lower = LimiterSimulation.mean(300, 16, server, seeds: 1...4)
        #expect(lower.worst <= 30 && lower.refused <= 0.1, "\(lower)")
        server = SimulatedServer(.bucket(rate: 5, burst: 5), latency: 0.025...0.075)
        server.later = (10, .bucket(rate: 50, burst: 5))
        let higher = LimiterSimulation.mean(600, 16, server, seeds: 1...4)
        #expect(higher.worst <= 32 && higher.refused <= 0.06, "\(higher)")
    }

    @Test func aLimitBesideRandomRefusals() {
        let server = SimulatedServer(.bucket(rate: 20, burst: 20), random: 0.1, latency: 0.025...0.075)
        let result = LimiterSimulation.mean(1_000, 16, server, seeds: 1...4)
        #expect(result.seconds <= 75 && result.refused <= 0.3, "\(result)")
    }

    /// Servers with a concurrency limit; items, width, maximum seconds, maximum refused share.
    @Test(
        arguments: [
            (8, 300, 16, 0.1...0.3, 9.0, 0.05), (40, 1_000, 256, 0.5...2, 36, 0.22), (4, 300, 64, 0.1...0.3, 18, 0.22),
        ] as [(Int, Int, Int, ClosedRange<Double>, Double, Double)])
    func concurrencyIsFound(
        most: Int, items: Int, width: Int, latency: ClosedRange<Double>, seconds: Double, refused: Double
    ) {
        let server = SimulatedServer(.concurrent(most), refusals: [.overload], latency: latency)
        let result = LimiterSimulation.mean(items, width, server, seeds: 1...6)
        #expect(result.worst <= seconds && result.mostRefused <= refused && result.failed == 0, "\(result)")
    }

    /// After an idle period nothing is held back for long.
    @Test func recoversAfterAnOutage() {
        var rate = RateController()
        var now = 0.0
        for number in 0..<200 {
            now = max(now + 0.01, rate.nextStart ?? 0)
            let ticket = rate.started(now: now)
            if number < 10 { rate.refused(ticket, now: now) }
        }
        #expect(rate.nextStart.map { $0 - now < 0.02 } ?? true, "\(String(describing: rate.rate(now: now)))")
    }
}
