// Leaving a combinator, however it is done, closes every request that was begun inside, and begins no other.

import Foundation
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct FlowLeavingTests {
    /// Combinators around a step `work`. `rest` is a step that never has its turn, or does nothing.
    static let combinators = [
        "llm.flow.seq(work, rest)()", "llm.flow.all { x = work, y = forever }()", "llm.flow.race { work, forever }()",
        "llm.flow.branch(function() return true end, work)()", "llm.flow.hedge(work, rest, { after = 60 })()",
        "llm.flow.hedge(forever, work, { after = 0 })()", "llm.flow.fallback { work, rest }()",
        "llm.flow.retry(work, { max = 0 })()", "llm.flow.timeout(60, work)()",
        "llm.flow.map({ 1 }, work)",
        "llm.flow.map({ 1, 2, 3 }, function(n) if n == 2 then return work() end return forever() end)",
        "llm.flow.vote(work, { n = 1 })()", "llm.flow.reduce({ 1 }, work)", "llm.flow.scan({ 1 }, work)",
        "llm.flow.loop(work, { max = 1 })()", "llm.flow.refine(work, { critic = function() end })()",
        "llm.flow.refine(function() return 1 end, { critic = work })()",
        "llm.budget { tokens = 1000000 }:run(work)",
        "llm.flow.seq(llm.flow.all { x = llm.flow.race { work } })()",
    ]

    /// What the request of `work` is doing when the combinator is left: how it is asked, and when that is so.
    enum Phase: String, CaseIterable {
        case queued, connecting, waiting, streaming, backingOff

        var options: String {
            switch self {
            case .queued: "{ headers = count('inf') }"
            case .connecting: "{ timeout = { connect = 60 } }"
            case .waiting: "{ headers = fault('slow-head:60') }"
            case .streaming: "{ headers = count('inf'), on_token = once() }"
            case .backingOff: "{ headers = fault('500'), retry = { base = 60, cap = 60 }, on_retry = once() }"
            }
        }

        var isThere: String {
            switch self {
            case .queued: "true"
            // The engine begins what it was given once the script waits.
            case .connecting: "turns > 1"
            case .waiting: "host.requests() - before == 2"
            case .streaming, .backingOff: "there == 2"
            }
        }

        /// Whether the server sees a connection close.
        var isSeen: Bool { self == .waiting || self == .streaming }
    }

    /// How the combinator is left. `work` has a request in the background, and one that it waits for.
    enum Way: String, CaseIterable {
        case byReturning, byFailing, byDefect, byCancellation

        var end: String {
            switch self {
            case .byReturning: "is_over = true return 'left'"
            case .byFailing: "is_over = true return nil, 'left'"
            case .byDefect: "error('left', 0)"
            case .byCancellation: "is_ready = true llm.sleep(60)"
            }
        }
    }

    @Test(arguments: Phase.allCases, Way.allCases)
    func closesEverything(phase: Phase, way: Way) throws {
        let silent = try FullListener()
        let cases = Self.combinators.map { combinator in
            """
            leave(function(work) return \(combinator) end, "\(combinator.replacing("\"", with: "'"))")
            """
        }
        let script = """
            local host = require "host"
            local there, turns, is_ready, is_over, before
            local other = llm.client {
              provider = "openai", model = "m", base_url = "http://127.0.0.1:\(silent.port)/v1", headers = { ["X-Test"] = "1" },
            }
            local asking = \(phase == .connecting ? "other" : "client")
            local function once()
              local is_known
              return function() if not is_known then is_known = true there = there + 1 end end
            end
            local function rest() return "rest" end
            local function forever() while not is_over do llm.sleep(0.0005) end return nil, "over" end
            local function work()
              local call = asking:start("hi", \(phase.options))
              local child = llm.spawn(function() asking:ask("hi", \(phase.options)) end)
              while not (\(phase.isThere)) do turns = turns + 1 llm.sleep(0.0005) end
              \(way.end)
            end
            local times = {}
            local function leave(chain, name)
              there, turns, is_ready, is_over, before = 0, 0, false, false, host.requests()
              local aborted = host.aborted()
              local task = llm.spawn(function()
                local ok, value = pcall(chain, work)
                if \(way == .byCancellation) then error(value, 0) end
              end)
              if \(way == .byCancellation) then
                while not is_ready do llm.sleep(0.0005) end
                task:cancel()
              end
              task:wait()
              local left, asked = llm.now(), host.requests()
              if \(phase.isSeen) then
                while host.aborted() - aborted < asked - before do llm.sleep(0.0005) end
                times[#times + 1] = llm.now() - left
              end
              llm.sleep(0)
              -- A request that was just being sent may reach the server after all.
              if \(phase != .queued) and host.requests() ~= asked then print("a request began after leaving " .. name) end
            end
            \(cases.joined(separator: "\n"))
            table.sort(times)
            if #times > 0 and times[#times // 2 + 1] > 0.05 then print("half took more than " .. times[#times // 2 + 1]) end
            llm.sleep(0.02)
            if host.requests() > 2 * \(Self.combinators.count) then print("requests began late") end
            print("done")
            """
        let run = try ScriptHarness.run(script, rate: 50)
        #expect(run.lines == ["done"])
        #expect(run.result.ending == .finished)
        if phase == .connecting || phase == .queued { #expect(run.result.seconds < 25) }
    }
}
