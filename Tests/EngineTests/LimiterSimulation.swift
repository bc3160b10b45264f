// Discrete-event simulation of a map over many items: workers, retries with backoff, the limiter, a server. Fixed
// seeds.

import Base
import Chat
import Support

@testable import Engine

/// Fractions from a seed.
struct SeededRandom {
    private var numbers: SeededGenerator

    init(_ seed: UInt64) { numbers = SeededGenerator(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 1) }

    /// In 0..<1.
    mutating func next() -> Double { Double(numbers.next() >> 11) * 0x1p-53 }
}

/// Refusals of a simulated server.
struct SimulatedServer {
    enum Rule {
        case none
        case bucket(rate: Double, burst: Double)
        case window(count: Int, seconds: Double)
        case concurrent(Int)
    }
    /// 429, or 503 and 529.
    enum Refusal { case rate, overload }

    var rule = Rule.none
    /// A rule that replaces it at a time.
    var later: (at: Double, rule: Rule)?
    /// Share of random refusals.
    var random = 0.0
    var refusals = [Refusal.rate]
    var latency = 0.05...0.05
    /// Seconds until a refusal arrives.
    var refusalTime = 0.001
    var retryAfter: Double?
    private var level = Double.infinity
    private var filledAt = 0.0
    private var window = -1.0
    private var used = 0
    var inFlight = 0

    init(
        _ rule: Rule = .none, random: Double = 0, refusals: [Refusal] = [.rate],
        latency: ClosedRange<Double> = 0.05...0.05
    ) {
        (self.rule, self.random, self.refusals, self.latency) = (rule, random, refusals, latency)
    }

    mutating func answer(_ now: Double, _ random: inout SeededRandom) -> (refusal: Refusal?, seconds: Double) {
        if let later, now >= later.at { (rule, self.later) = (later.rule, nil) }
        if let refusal = refusal(now, &random) { return (refusal, refusalTime) }
        inFlight += 1
        return (nil, latency.lowerBound + random.next() * (latency.upperBound - latency.lowerBound))
    }

    private mutating func refusal(_ now: Double, _ random: inout SeededRandom) -> Refusal? {
        switch rule {
        case .none: break
        case .bucket(let rate, let burst):
            level = min(burst, level + (now - filledAt) * rate)
            filledAt = now
            if level < 1 { return .rate }
        case .window(let count, let seconds):
            let present = (now / seconds).rounded(.down)
            if present != window { (window, used) = (present, 0) }
            if used >= count { return .rate }
        case .concurrent(let most): if inFlight >= most { return refusals[0] }
        }
        if random.next() < self.random {
            return refusals[min(refusals.count - 1, Int(random.next() * Double(refusals.count)))]
        }
        level -= 1
        used += 1
        return nil
    }
}

/// Runs `items` requests, `width` at once.
struct LimiterSimulation {
    var items: Int
    var width: Int
    var server: SimulatedServer
    /// False: backoff alone, for comparison.
    var isLimited = true
    var maxRetries = 4
    private(set) var seconds = 0.0
    private(set) var requests = 0
    private(set) var refused = 0
    private(set) var failed = 0

    var refusedShare: Double { Double(refused) / Double(requests) }

    private enum Event {
        case end(LimiterTicket, SimulatedServer.Refusal?, tries: Int)
        case retry(tries: Int)
        case wake
    }

    init(items: Int, width: Int, server: SimulatedServer, isLimited: Bool = true) {
        (self.items, self.width, self.server, self.isLimited) = (items, width, server, isLimited)
    }

    mutating func run(seed: UInt64) {
        var (random, events) = (SeededRandom(seed), TimerHeap<Event>())
        var (rate, concurrency, inFlight) = (RateController(), ConcurrencyController(), 0)
        var (line, retries, now) = (min(width, items), [Int](), 0.0)
        var wakeAt = -1.0
        var (left, done) = (items - min(width, items), 0)
        while done + failed < items, now < 3_600 {
            // Starts that are allowed now.
            while line > 0 || !retries.isEmpty {
                if isLimited {
                    if let limit = concurrency.limit, inFlight >= limit { break }
                    if let next = rate.nextStart, next > now {
                        if next != wakeAt { events.push(.wake, at: next) }
                        wakeAt = next
                        break
                    }
                }
                let tries = retries.isEmpty ? 0 : retries.removeFirst()
                if tries == 0 { line -= 1 }
                let ticket = rate.started(now: now)
                concurrency.started()
                inFlight += 1
                requests += 1
                let (refusal, time) = server.answer(now, &random)
                events.push(.end(ticket, refusal, tries: tries), at: now + time)
            }
            guard let deadline = events.nextDeadline, let event = events.popDue(now: deadline) else { return }
            now = deadline
            switch event.payload {
            case .wake: break
            case .retry(let tries): retries.append(tries)
            case .end(let ticket, let refusal, let tries):
                inFlight -= 1
                guard let refusal else {
                    server.inFlight -= 1
                    done += 1
                    concurrency.answered()
                    if left > 0 { (left, line) = (left - 1, line + 1) }
                    break
                }
                refused += 1
                switch refusal {
                case .rate: rate.refused(ticket, now: now)
                case .overload: concurrency.refused(ticket, inFlight: inFlight)
                }
                guard tries < maxRetries else {
                    failed += 1
                    if left > 0 { (left, line) = (left - 1, line + 1) }
                    break
                }
                let span = RequestStateMachine.window(RetryPolicy(), retry: tries, isOverloaded: refusal == .overload)
                let delay = server.retryAfter.map { $0 * (1 + 0.1 * random.next()) } ?? random.next() * span
                events.push(.retry(tries: tries + 1), at: now + delay)
            }
        }
        seconds = now
    }

    /// Means over several seeds: seconds, refused share, failed items.
    static func mean(
        _ items: Int, _ width: Int, _ server: SimulatedServer, isLimited: Bool = true,
        seeds: ClosedRange<UInt64> = 1...20
    ) -> (seconds: Double, refused: Double, failed: Int, worst: Double, mostRefused: Double) {
        var result = (seconds: 0.0, refused: 0.0, failed: 0, worst: 0.0, mostRefused: 0.0)
        for seed in seeds {
            var one = LimiterSimulation(items: items, width: width, server: server, isLimited: isLimited)
            one.run(seed: seed)
            result.seconds += one.seconds / Double(seeds.count)
            result.refused += one.refusedShare / Double(seeds.count)
            result.failed += one.failed
            result.worst = max(result.worst, one.seconds)
            result.mostRefused = max(result.mostRefused, one.refusedShare)
        }
        return result
    }
}
