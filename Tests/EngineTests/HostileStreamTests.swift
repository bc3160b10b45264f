// Hostile streams and headers never end the process, and each request ends with one outcome: through header readers,
// framers, decoders and the engine. MOONRILL_FUZZ_CASES sets the number of streams.

import Chat
import Foundation
import JSON
import Support
import Testing

@testable import Engine

@Suite struct HostileStreamTests {
    /// 100 streams for each format take a second or two; 20,000 in all some minutes.
    private static let casesPerDialect: Int = {
        let wanted = ProcessInfo.processInfo.environment["MOONRILL_FUZZ_CASES"].flatMap { Int($0) } ?? 700
        return (wanted + HostileStreams.dialects.count - 1) / HostileStreams.dialects.count
    }()

    /// The original streams are complete replies (those of openai and gemini are followed by an error).
    @Test(arguments: HostileStreams.dialects) func theyAreRepliesBefore(dialect: String) {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: dialect))
        world.head()
        world.send(HostileStreams.frames(of: dialect).filter { !$0.contains("\"late\"") }.joined())
        world.end()
        world.turnAndTake()
        #expect(world.finish?.text.hasPrefix("Hello moon") == true)
        #expect(world.finish?.usage?.totalTokens != nil || dialect == "anthropic")
    }

    @Test(arguments: HostileStreams.dialects) func nothingEndsTheProcess(dialect: String) {
        var outcomes: [String: Int] = [:]
        for number in 0..<Self.casesPerDialect {
            var random = SeededGenerator(
                seed: UInt64(number) &* 31 &+ UInt64(dialect.utf8.reduce(0) { $0 &* 31 &+ Int($1) }))
            let world = EngineHarness()
            var timeouts = Timeouts()
            timeouts.total = 120
            let retry = RetryPolicy(max: 1)
            world.start(1, EngineHarness.spec(dialect: dialect, retry: retry, timeouts: timeouts, isObserved: false))
            attempt(world, dialect, &random)
            if !world.transport.transfers.isEmpty, world.finish == nil, world.failure == nil {
                world.advance(60)
                world.takeAll()
                if world.transport.transfers.count > 1 { attempt(world, dialect, &random) }
            }
            world.advance(200)
            world.takeAll()
            #expect(world.terminals == 1, "case \(number)")
            check(world.finish?.usage ?? world.failure?.partial?.usage, number)
            if let wait = world.failure?.retryAfter {
                #expect(wait >= 0 && wait <= WireNumber.longestDelay, "case \(number)")
            }
            outcomes[world.failure?.kind.rawValue ?? "finished", default: 0] += 1
        }
        // The cases reach beyond the first checks: some replies complete, some fail.
        #expect(outcomes["finished"] ?? 0 > 0 && outcomes.count > 2)
    }

    private func attempt(_ world: EngineHarness, _ dialect: String, _ random: inout SeededGenerator) {
        world.last.incoming.append(.head(HostileStreams.head(using: &random)))
        let body = HostileStreams.body(of: dialect, using: &random)
        var start = 0
        while start < body.count {
            let size = Bool.random(using: &random) ? body.count : Int.random(in: 1...200, using: &random)
            let end = min(body.count, start + size)
            world.last.incoming.append(.body(Array(body[start..<end])))
            start = end
        }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: world.end(.cut(how: "reset"))
        case 1: break
        default: world.end()
        }
        for _ in 0..<4 { world.turnAndTake() }
    }

    /// Counts stay in bounds in each sum.
    private func check(_ usage: Usage?, _ number: Int) {
        let counts = [
            usage?.inputTokens, usage?.outputTokens, usage?.totalTokens, usage?.reasoningTokens, usage?.cachedTokens,
            usage?.cacheWriteTokens, usage?.readTokens, usage?.writtenTokens,
        ].compactMap(\.self)
        #expect(counts.allSatisfy { $0 >= 0 && $0 <= WireNumber.greatestCount }, "case \(number)")
    }
}
