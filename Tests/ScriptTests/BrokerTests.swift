// Brokers in front of the engine and in place of it: one records, one replays. Neither the script nor the engine is changed.

import Base
import Chat
import Engine
import Formats
import JSON
import ProviderSimulator
import Testing

@testable import Script

/// Passes everything on and keeps each request with its events, as JSON bytes.
private final class RecordingBroker: RequestBroker {
    private let inner: any RequestBroker
    private var digests: [RequestID: String] = [:]
    private(set) var recording: [String: [[UInt8]]] = [:]

    init(recording inner: any RequestBroker) { self.inner = inner }

    func submit(_ command: RequestCommand) {
        if case .start(let id, let spec) = command { digests[id] = RequestIdentity(spec).digest }
        inner.submit(command)
    }

    func take(_ id: RequestID) -> [ChatEvent] { record(inner.take(id), of: id) }
    func nextReady() -> RequestID? { inner.nextReady() }
    var hasReady: Bool { inner.hasReady }
    var hasRequestsInLine: Bool { inner.hasRequestsInLine }

    private func record(_ events: [ChatEvent], of id: RequestID) -> [ChatEvent] {
        for event in events {
            guard let json = try? JSONValueEncoder().encode(event) else { continue }
            recording[digests[id] ?? "", default: []].append(JSONWriter.bytes(json))
        }
        return events
    }
}

/// Answers each request with the events that were recorded for an equal one.
private final class ReplayingBroker: RequestBroker {
    private let recording: [String: [[UInt8]]]
    private var waiting: [RequestID: [ChatEvent]] = [:]
    private var ready: [RequestID] = []

    init(_ recording: [String: [[UInt8]]]) { self.recording = recording }

    func submit(_ command: RequestCommand) {
        switch command {
        case .start(let id, let spec):
            let events = recording[RequestIdentity(spec).digest]?.compactMap { bytes in
                try? JSONValueDecoder().decode(ChatEvent.self, from: JSONReader.strictValue(bytes))
            }
            waiting[id] = events ?? [.failed(RequestFailure(unsent: spec, .config, "not recorded"))]
            ready.append(id)
        case .cancel(let id, _), .stop(let id, _): waiting[id] = nil
        case .pause, .resume, .occupied, .reading: break
        }
    }

    /// The last event comes alone.
    func take(_ id: RequestID) -> [ChatEvent] {
        guard let events = waiting.removeValue(forKey: id), let last = events.last else { return [] }
        guard events.count > 1 else { return events }
        waiting[id] = [last]
        ready.append(id)
        return events.dropLast()
    }

    func nextReady() -> RequestID? { ready.isEmpty ? nil : ready.removeFirst() }
    var hasReady: Bool { !ready.isEmpty }
    var hasRequestsInLine: Bool { false }
}

@Suite struct BrokerTests {
    private static let script = """
        local llm = require 'llm'
        local client = llm.client { headers = { ['X-Moonrill-Deltas'] = '5' } }
        for number = 1, 2 do
            local pieces = {}
            local reply = client:ask('question ' .. number, { on_token = function(text) pieces[#pieces + 1] = text end })
            print(number, #pieces, table.concat(pieces), reply.text, reply.finish_reason, reply.usage.output_tokens)
        end
        for event in client:stream('question 3') do print(event.type) end
        """

    private static func run(
        _ script: String, _ engine: Engine, _ broker: any RequestBroker, _ server: SimulatorServer
    ) throws -> (outcome: ScriptOutcome, output: String) {
        var output: [UInt8] = []
        var configuration = ScriptConfiguration(source: Array(script.utf8), name: "test.lua")
        configuration.defaults.provider = "mock"
        configuration.defaults.offlineBaseURL = server.baseURL
        configuration.timeLimit = 30
        configuration.output = {
            output += $0
            return true
        }
        let runtime = try ScriptRuntime(configuration, broker: broker, wakeDescriptor: engine.wakeDescriptor)
        let outcome = runtime.run(turning: engine)
        return (outcome, String(decoding: output, as: UTF8.self))
    }

    @Test func whatOneRecordsTheOtherReplays() throws {
        let server = try SimulatorServer.start(SimulatorOptions())
        defer { server.stop() }
        let engine = try Engine(EngineConfiguration(credentials: { _ in nil }, format: FormatCatalog.named))
        let recorder = RecordingBroker(recording: engine.attach())
        let live = try Self.run(Self.script, engine, recorder, server)
        guard case .finished = live.outcome else {
            Issue.record("\(live.outcome)")
            return
        }
        #expect(live.output.hasPrefix("1\t5\ttok1 tok2 tok3 tok4 tok5 \ttok1 tok2 tok3 tok4 tok5 \tstop\t"))
        #expect(recorder.recording.count == 3)
        let replayed = try Self.run(Self.script, engine, ReplayingBroker(recorder.recording), server)
        #expect(replayed.output == live.output)
        #expect(server.statistics().requests == 3)
        let other = "local llm = require 'llm' local _, err = llm.client {}:ask('new') print(err.message)"
        #expect(try Self.run(other, engine, ReplayingBroker(recorder.recording), server).output == "not recorded\n")
    }
}
