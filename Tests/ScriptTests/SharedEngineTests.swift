// Two scripts on one engine: its connections and its rate limiters are shared, request numbers are not.

import Base
import Engine
import Formats
import JSON
import ProviderSimulator
import ScriptSupport
import Testing

@testable import Script

@Suite struct SharedEngineTests {
    /// What scripts on one engine printed, and what the simulator saw.
    private struct Run {
        var outcomes: [ScriptOutcome] = []
        var lines: [[String]] = []
        var statistics: SimulatorStatistics?
        /// The prompts, in the order in which they arrived.
        var prompts: [String] = []
    }

    private static func run(
        _ sources: [String], timeLimits: [Double] = [30, 30], oneAfterTheOther: Bool = false
    ) throws -> Run {
        let seen = RequestLog()
        var options = SimulatorOptions()
        options.onRequest = { seen.add($0) }
        let server = try SimulatorServer.start(options)
        defer { server.stop() }
        let engine = try Engine(EngineConfiguration(credentials: { _ in nil }, format: FormatCatalog.named))
        let outputs = sources.map { _ in Output() }
        let scripts = try sources.indices.map { index in
            var configuration = configuration(sources[index], server, outputs[index])
            configuration.timeLimit = timeLimits[index]
            return try ScriptRuntime(
                configuration, broker: engine.attach(), wakeDescriptor: engine.wakeDescriptor)
        }
        var run = Run()
        let loop = ScriptLoop(turning: engine)
        run.outcomes = oneAfterTheOther ? scripts.flatMap { loop.run([$0]) } : loop.run(scripts)
        run.lines = outputs.map(\.lines)
        run.statistics = server.statistics()
        run.prompts = seen.all.map { request in
            let body = try? JSONReader.value(request.body)
            return body?["messages"]?.array?.last?["content"]?.string ?? ""
        }
        return run
    }

    private static func configuration(
        _ source: String, _ server: SimulatorServer, _ output: Output
    ) -> ScriptConfiguration {
        let prelude =
            "local llm = require 'llm' local client = llm.client { headers = { ['X-Moonrill-Deltas'] = '3' } } "
        var configuration = ScriptConfiguration(source: Array((prelude + source).utf8), name: "test.lua")
        configuration.defaults.provider = "mock"
        configuration.defaults.offlineBaseURL = server.baseURL
        configuration.output = { output.add($0) }
        return configuration
    }

    @Test func eachScriptGetsItsOwnEvents() throws {
        let source = """
            for turn = 1, 3 do
                local pieces = {}
                local reply = client:ask(NAME .. turn, { on_token = function(text) pieces[#pieces + 1] = text end })
                assert(table.concat(pieces) == reply.text and #pieces == 3)
                print(reply.text)
            end
            """
        let run = try Self.run(["local NAME = 'a' " + source, "local NAME = 'b' " + source])
        #expect(run.outcomes.allSatisfy { if case .finished = $0 { true } else { false } })
        let reply = "tok1 tok2 tok3 "
        #expect(run.lines == [[reply, reply, reply], [reply, reply, reply]])
        #expect(Set(run.prompts) == ["a1", "a2", "a3", "b1", "b2", "b3"])
    }

    @Test func aConnectionOfOneScriptIsUsedByTheNext() throws {
        let run = try Self.run(
            ["print(client:ask('a').text)", "print(client:ask('b').text)"], oneAfterTheOther: true)
        #expect(run.prompts == ["a", "b"])
        #expect(run.statistics?.connections == 1)
    }

    @Test func scriptsWaitInOneLine() throws {
        let source = """
            local line = llm.limit { name = 'line', concurrent = 1 }
            local calls = {}
            for number = 1, 3 do calls[number] = client:start(NAME .. number, { limit = line }) end
            for _, call in ipairs(calls) do print(call:wait().text) end
            """
        let run = try Self.run(["local NAME = 'a' " + source, "local NAME = 'b' " + source])
        #expect(run.prompts == ["a1", "a2", "a3", "b1", "b2", "b3"])
        #expect(run.statistics?.openPeak == 1)
        #expect(run.statistics?.connections == 1)
        #expect(run.lines.map(\.count) == [3, 3])
    }

    @Test func aScriptThatEndsLeavesNothingBehind() throws {
        let endless = "client:start('endless', { headers = { ['X-Moonrill-Deltas'] = 'inf' } }) "
        let run = try Self.run([
            endless + "error('stop', 0)", "print(client:ask('b').text)",
        ])
        guard case .failed(let failure) = run.outcomes[0], case .finished = run.outcomes[1] else {
            Issue.record("\(run.outcomes)")
            return
        }
        #expect(failure.message == "stop")
        #expect(run.lines[1] == ["tok1 tok2 tok3 "])
    }

    @Test func theTimeLimitOfOneScriptStopsNoOther() throws {
        let run = try Self.run(
            [
                "client:ask('a', { headers = { ['X-Moonrill-Fault'] = 'slow-head:60' } })",
                "llm.sleep(0.3) print(client:ask('b').text)",
            ], timeLimits: [0.1, 30])
        guard case .timedOut = run.outcomes[0], case .finished = run.outcomes[1] else {
            Issue.record("\(run.outcomes)")
            return
        }
        #expect(run.lines == [[], ["tok1 tok2 tok3 "]])
    }
}

/// What a script has printed.
private final class Output {
    private var bytes: [UInt8] = []

    func add(_ more: [UInt8]) -> Bool {
        bytes += more
        return true
    }

    var lines: [String] { String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init) }
}
