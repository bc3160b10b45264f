// Runs a real engine until its requests are done.

import Base
import Chat
import Formats
import Foundation
import Testing

@testable import Engine

/// A real engine that runs until its requests are done.
final class Driver {
    let engine: Engine
    let client: EngineClient
    var events: [RequestID: [ChatEvent]] = [:]

    init(keys: [String: String] = [:], maxTransfers: Int? = nil, caFile: String? = nil) throws {
        var configuration = EngineConfiguration(
            credentials: { keys[$0] },
            format: { $0 == "plain" ? WireFormat.plain() : $0 == "openai" ? WireFormat.openAIChat : nil })
        if ProcessInfo.processInfo.environment["ENGINE_LOG"] != nil {
            configuration.logLevel = .trace
            configuration.log = { print(SystemClock.now(), $0, $1) }
        }
        configuration.caFile = caFile
        configuration.random = { 0 }
        configuration.maxTransfers = maxTransfers
        engine = try Engine(configuration)
        client = engine.attach()
    }

    /// Turns until `isDone`, for a minute at most; takes all events by default.
    func run(taking: Bool = true, until isDone: (Driver) -> Bool = { $0.engine.activeCount == 0 }) {
        let deadline = SystemClock.now() + 60
        while !isDone(self) {
            guard SystemClock.now() < deadline else {
                Issue.record("not done in time: \(events.mapValues(\.count))")
                return
            }
            engine.turn(waitingUpTo: taking ? 0.05 : 0.005)
            guard taking else { continue }
            while let id = client.nextReady() { events[id, default: []] += client.take(id) }
        }
    }

    /// Runs one request.
    func ask(_ spec: RequestSpec, id: UInt64 = 1) -> Outcome {
        client.submit(.start(RequestID(id), spec))
        run()
        return Outcome(events.removeValue(forKey: RequestID(id)) ?? [])
    }
}

/// Parsed events of one request.
struct Outcome {
    var text = ""
    var reply: Reply?
    var failure: RequestFailure?
    var retries: [RetryInfo] = []
    var resets = 0
    var terminals = 0

    init(_ events: [ChatEvent]) {
        for event in events {
            switch event {
            case .text(let batch): if batch.kind == .text { text += batch.text }
            case .finish(let reply): self.reply = reply
            case .failed(let failure): self.failure = failure
            case .retry(let info): retries.append(info)
            case .reset: resets += 1
            default: break
            }
            if event.isTerminal { terminals += 1 }
        }
    }
}
