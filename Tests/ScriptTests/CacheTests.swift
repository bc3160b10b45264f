// The option cache: the policy that a request carries to its broker, and what a cached reply is for a script.

import Base
import Chat
import JSON
import Testing

@testable import Script

/// Answers each request with a reply of one word, from a cache or not.
private final class AnsweringBroker: RequestBroker, Reactor {
    var isCached = false
    private(set) var policies: [CachePolicy?] = []
    private var events: [RequestID: [[ChatEvent]]] = [:]
    private var ready: [RequestID] = []

    func submit(_ command: RequestCommand) {
        guard case .start(let id, let spec) = command else { return }
        policies.append(spec.cache)
        var start = StartInfo(id: "i", model: "m", attempt: 1)
        start.isCached = isCached
        var usage = Usage()
        (usage.inputTokens, usage.outputTokens, usage.cost) = (100, 50, 2)
        var reply = Reply(
            text: "word", reasoning: "", toolCalls: [], finishReason: .stop, usage: usage, model: "m", provider: "p",
            attempts: 1, totalTime: 0, message: ["role": "assistant", "content": "word"])
        reply.isCached = isCached
        events[id] = [[.start(start), .text(TextBatch("word")), .usage(usage)], [.finish(reply)]]
        ready.append(id)
    }

    func take(_ id: RequestID) -> [ChatEvent] {
        guard let next = events[id]?.first else { return [] }
        events[id]?.removeFirst()
        if events[id]?.isEmpty == false { ready.append(id) } else { events[id] = nil }
        return next
    }

    func nextReady() -> RequestID? { ready.isEmpty ? nil : ready.removeFirst() }
    var hasReady: Bool { !ready.isEmpty }
    var hasRequestsInLine: Bool { false }
    var wakeDescriptor: Int32 { -1 }
    func turn(waitingUpTo seconds: Double?) {}
}

@Suite struct CacheTests {
    private let broker = AnsweringBroker()

    private func run(_ script: String, _ change: (inout ClientDefaults) -> Void = { _ in }) throws -> [String] {
        var output: [UInt8] = []
        let source = """
            local llm = require 'llm'
            local function client(cache) return llm.client { base_url = 'http://127.0.0.1:1', model = 'm', cache = cache } end
            """
        var configuration = ScriptConfiguration(source: Array((source + "\n" + script).utf8), name: "test.lua")
        change(&configuration.defaults)
        configuration.timeLimit = 30
        configuration.output = {
            output += $0
            return true
        }
        let runtime = try ScriptRuntime(configuration, broker: broker, wakeDescriptor: -1)
        let outcome = runtime.run(turning: broker)
        guard case .finished = outcome else {
            Issue.record("\(outcome)")
            return []
        }
        return String(decoding: output, as: UTF8.self).replacing("\t", with: " ").split(separator: "\n").map(
            String.init)
    }

    // MARK: Policies

    /// The policy of a request by the options of client and request.
    static let policies: [(client: String, request: String, policy: CachePolicy?)] = [
        ("nil", "nil", nil), ("true", "nil", CachePolicy()), ("nil", "true", CachePolicy()), ("true", "false", nil),
        ("false", "true", CachePolicy()), ("false", "nil", nil),
        ("{ ttl = 60 }", "nil", CachePolicy(ttl: 60)), ("{ ttl = 60 }", "true", CachePolicy(ttl: 60)),
        ("{ ttl = 60 }", "false", nil), ("{ ttl = 60 }", "{ scope = 'job' }", CachePolicy(ttl: 60, scope: .job)),
        ("true", "{ pace = 2, shared = true }", CachePolicy(pace: 2, isShared: true)),
        ("{ shared = true }", "{ shared = false, ttl = 1.5 }", CachePolicy(ttl: 1.5)),
    ]

    @Test(arguments: policies) func requestsCarryTheirPolicy(
        client: String, request: String, policy: CachePolicy?
    ) throws {
        _ = try run("client(\(client)):ask('hi', { cache = \(request) })")
        #expect(broker.policies == [policy])
    }

    @Test func theHostHasTheDefault() throws {
        let script =
            "local c = client() c:ask('1') c:ask('2', { cache = { scope = 'job' } }) c:ask('3', { cache = false })"
        _ = try run(script) { $0.cache = CachePolicy(ttl: 5) }
        #expect(broker.policies == [CachePolicy(ttl: 5), CachePolicy(ttl: 5, scope: .job), nil])
    }

    @Test func theHostMayRefreshOrIgnoreTheCache() throws {
        let script = "client(true):ask('1') client():ask('2')"
        _ = try run(script) { $0.refreshesCache = true }
        #expect(broker.policies == [CachePolicy(isRefreshed: true), nil])
        _ = try run(script) {
            $0.cache = CachePolicy()
            $0.ignoresCache = true
        }
        #expect(broker.policies.suffix(2) == [nil, nil])
    }

    /// cache.lua has the scopes as text.
    @Test(arguments: CachePolicy.Scope.allCases) func allScopesAreKnown(_ scope: CachePolicy.Scope) throws {
        _ = try run("client():ask('hi', { cache = { scope = '\(scope.rawValue)' } })")
        #expect(broker.policies == [CachePolicy(scope: scope)])
    }

    // MARK: Replies

    @Test(arguments: [true, false]) func repliesAndEventsSayWhetherTheyWereCached(_ isCached: Bool) throws {
        broker.isCached = isCached
        let lines = try run(
            """
            print(client(true):ask('hi').cached)
            for event in client(true):stream('hi') do
                if event.type == 'start' then print(event.cached) end
                if event.type == 'finish' then print(event.reply.cached) end
            end
            """)
        #expect(lines == Array(repeating: "\(isCached)", count: 3))
    }

    @Test func aCachedReplyCostsNothing() throws {
        let script = """
            local budget = llm.budget { tokens = 1000, usd = 100 }
            llm.prices.m = { input = 1, output = 1 }
            local text, err = budget:run(function() return client(true):ask('hello there').text end)
            print(text, budget.tokens, budget.usd, budget.spent)
            """
        broker.isCached = true
        #expect(try run(script) == ["word 0 0.0 false"])
        broker.isCached = false
        #expect(try run(script) == ["word 150 2.0 false"])
    }

    @Test func aBudgetIsSpentOnlyByWhatIsSent() throws {
        let script = """
            local budget = llm.budget { tokens = 1 }
            for _, prompt in ipairs { 'a long prompt of some words', 'hi' } do
              local reply, err = budget:run(function() return client(true):ask(prompt) end)
              print(reply and "reply" or err.kind)
            end
            """
        broker.isCached = true
        #expect(try run(script) == ["reply", "reply"])
        // The second one might be a hit, but the budget is spent.
        broker.isCached = false
        #expect(try run(script) == ["budget", "budget"])
        #expect(broker.policies.count == 3)
    }
}
