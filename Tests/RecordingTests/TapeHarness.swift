// A recorded run without a script: a tape and a broker in front of one that answers by value.

import Base
import Chat
import Foundation
import JSON

@testable import Recording

/// Answers when the test says so.
final class ScriptedBroker: RequestBroker {
    private(set) var commands: [RequestCommand] = []
    private var inbox: [RequestID: [[ChatEvent]]] = [:]
    private var ready: [RequestID] = []

    func submit(_ command: RequestCommand) { commands.append(command) }

    /// Makes a request ready with events that are taken in one go.
    func give(_ id: UInt64, _ events: [ChatEvent]) {
        inbox[RequestID(id), default: []].append(events)
        ready.append(RequestID(id))
    }

    func nextReady() -> RequestID? { ready.isEmpty ? nil : ready.removeFirst() }

    func take(_ id: RequestID) -> [ChatEvent] {
        guard let first = inbox[id]?.first else { return [] }
        inbox[id]?.removeFirst()
        return first
    }

    var hasReady: Bool { !ready.isEmpty }
    var hasRequestsInLine: Bool { false }
}

/// A folder that is removed with the value.
final class RecordingFolder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
    var path: String { url.appendingPathComponent("run.rec").path }

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    var content: [UInt8] { (try? Data(contentsOf: URL(fileURLWithPath: path))).map { [UInt8]($0) } ?? [] }

    var lines: [String] { String(decoding: content, as: UTF8.self).split(separator: "\n").map(String.init) }

    func recorder(keys: [String: String] = [:], arguments: [String] = [], offline: String? = nil) throws -> TapeRecorder
    {
        var header = RecordingHeader(name: "s.lua", source: Array("print(1)".utf8), arguments: arguments)
        header.offlineBaseURL = offline
        return try TapeRecorder(
            path: path, header: header, credentials: { keys[$0] }, keyVariables: ["KNOWN_KEY"], onFailure: { _ in })
    }

    func player(_ options: TapePlayer.Options = TapePlayer.Options()) throws -> TapePlayer {
        TapePlayer(try RecordedRun(path: path), name: "run.rec", options: options)
    }
}

enum Sample {
    static func spec(_ prompt: String, key: String? = nil, baseURL: String = "http://127.0.0.1:1/v1") -> RequestSpec {
        RequestSpec(
            chat: ChatRequest(model: "m", messages: [["role": "user", "content": .string(prompt)]]),
            endpoint: Endpoint(provider: "p", baseURL: baseURL, keyVariable: key))
    }

    static func text(_ pieces: String...) -> ChatEvent { .text(TextBatch(pieces: pieces)) }

    static func finish(_ text: String) -> ChatEvent {
        .finish(
            Reply(
                text: text, reasoning: "", toolCalls: [], finishReason: .stop, model: "m", provider: "p", attempts: 1,
                totalTime: 1, message: ["role": "assistant", "content": .string(text)]))
    }
}
