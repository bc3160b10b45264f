// A run with a journal in front of a broker that answers by value.

import Base
import Chat
import Foundation
import JSON
import SQLite
import Support

@testable import Journal

/// Answers each request at once with the text "reply to N", N being the number of the start.
final class AnsweringBroker: RequestBroker {
    private(set) var started: [RequestSpec] = []
    private var waiting: [RequestID: [[ChatEvent]]] = [:]
    private var ready: [RequestID] = []
    var fails = false
    /// Follows the text of each reply.
    var suffix = ""
    /// Whether requests do not end.
    var hangs = false

    func submit(_ command: RequestCommand) {
        guard case .start(let id, let spec) = command else { return }
        started.append(spec)
        let text = "reply to \(started.count)\(suffix)"
        let reply = Reply(
            text: text, reasoning: "", toolCalls: [], finishReason: .stop, model: spec.chat.model, provider: "p",
            attempts: 1,
            totalTime: 1, message: ["role": "assistant", "content": .string(text)])
        let end: ChatEvent =
            fails ? .failed(RequestFailure(unsent: spec, .overloaded, "overloaded")) : .finish(reply)
        let pieces: ChatEvent = .text(TextBatch(pieces: ["reply ", "to ", "\(started.count)\(suffix)"]))
        waiting[id] = fails ? [[end]] : [[.start(StartInfo(model: "m", attempt: 1)), pieces], [end]]
        if hangs { waiting[id]?.removeLast() }
        ready += Array(repeating: id, count: waiting[id]?.count ?? 0)
    }

    func nextReady() -> RequestID? { ready.isEmpty ? nil : ready.removeFirst() }
    func take(_ id: RequestID) -> [ChatEvent] {
        guard let first = waiting[id]?.first else { return [] }
        waiting[id]?.removeFirst()
        return first
    }
    var hasReady: Bool { !ready.isEmpty }
    var hasRequestsInLine: Bool { false }
}

/// A store in a folder of its own.
final class StoreFolder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
    var path: String { url.appendingPathComponent("state/store.db").path }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Moves the write-ahead log into the file.
    func checkpoint() throws {
        let database = try SQLiteDatabase(path: path, access: .existing)
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    }

    /// Writes the file of the store.
    func write(_ bytes: Data) throws {
        let file = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try bytes.write(to: file)
    }

    func job(_ store: Store, _ again: Bool = false) throws -> Job {
        try store.beginJob(
            Job.Request(name: "night", script: "s.lua", scriptDigest: "d", arguments: ["a"], again: again))
    }
}

/// One run in front of a broker.
final class JournaledRun {
    let inner = AnsweringBroker()
    let store: Store
    let journal: JournalBroker
    private let woken = DispatchSemaphore(value: 0)
    private let warned = Locked<[String]>([])
    var warnings: [String] { warned.withLock { $0 } }
    private var nextID: UInt64 = 1

    init(
        _ folder: StoreFolder, isJob: Bool = true, again: Bool = false, vfs: String? = nil,
        keys: [String: String] = [:],
        isLogged: Bool = false
    ) throws {
        let store = Store(path: folder.path, vfs: vfs, retryDelay: 0)
        self.store = store
        let options = JournalBroker.Options(
            run: RunRecord(command: "run"), job: isJob ? try folder.job(store, again) : nil, isLogged: isLogged,
            credentials: { keys[$0] }, warn: { [warned] message in warned.withLock { $0.append(message) } })
        journal = JournalBroker(
            inner, options: options, makeStore: { store }, wake: { [woken] in woken.signal() })
    }

    /// Sends a request.
    func start(
        _ prompt: String, cache: CachePolicy? = nil, key: String? = nil, afterOutput: AfterOutput = .auto
    ) -> RequestID {
        var endpoint = Endpoint(provider: "p", baseURL: "http://127.0.0.1:1/v1")
        endpoint.keyVariable = key
        endpoint.quirks.continuation = .prefill
        var spec = RequestSpec(
            chat: ChatRequest(model: "m", messages: [["role": "user", "content": .string(prompt)]]), endpoint: endpoint)
        spec.cache = cache
        spec.retry.afterOutput = afterOutput
        let id = RequestID(nextID)
        nextID += 1
        journal.submit(.start(id, spec))
        return id
    }

    /// The next request with events; nil after half a minute without one.
    func nextReady() -> RequestID? {
        while !journal.hasReady {
            guard woken.wait(timeout: .now() + 30) == .success else { return nil }
        }
        return journal.nextReady()
    }

    /// Takes the events of a request up to the last. Those of other requests are dropped.
    func events(of id: RequestID) -> [ChatEvent] {
        var events: [ChatEvent] = []
        while events.last?.isTerminal != true, let next = nextReady() {
            let taken = journal.take(next)
            if next == id { events += taken }
        }
        return events
    }

    /// Sends a request and takes its events up to the last.
    func ask(_ prompt: String, cache: CachePolicy? = nil, key: String? = nil) -> [ChatEvent] {
        events(of: start(prompt, cache: cache, key: key))
    }

    /// The recorded result of the next step of that name. Without one, `value` is recorded, and the result is nil.
    func step(_ name: String, _ value: String) -> String? {
        let id = journal.lookUp(step: name)
        while true {
            while !journal.hasStepEvents {
                guard woken.wait(timeout: .now() + 30) == .success else { return "no answer" }
            }
            for event in journal.takeStepEvents() where event.id == id {
                switch event {
                case .found(_, let result): return String(decoding: result, as: UTF8.self)
                case .missing: journal.record(id, Array(value.utf8))
                case .recorded: return nil
                case .failed(_, let message): return message
                }
            }
        }
    }

    func end(_ isSuccess: Bool = false) {
        journal.end(
            RunEnd(outcome: isSuccess ? "finished" : "failed", status: isSuccess ? 0 : 1, isSuccess: isSuccess))
        store.close()
    }

    /// The text of a reply, or "failed".
    static func text(_ events: [ChatEvent]) -> String {
        if case .finish(let reply)? = events.last { reply.text } else { "failed" }
    }
}
