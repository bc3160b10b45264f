// A journal in front of a broker that answers by value.

import Base
import Chat
import Foundation
import JSON
import Support
import Synchronization
import Testing

@testable import Journal

/// Answers each request at once with the text "reply to N", N being the number of the start.
final class AnsweringBroker: RequestBroker {
    private(set) var started: [RequestSpec] = []
    private var waiting: [RequestID: [[ChatEvent]]] = [:]
    private var ready: [RequestID] = []
    var fails = false

    func submit(_ command: RequestCommand) {
        guard case .start(let id, let spec) = command else { return }
        started.append(spec)
        let text = "reply to \(started.count)"
        let reply = Reply(
            text: text, reasoning: "", toolCalls: [], finishReason: .stop, model: spec.chat.model, provider: "p",
            attempts: 1,
            totalTime: 1, message: ["role": "assistant", "content": .string(text)])
        let end: ChatEvent =
            fails ? .failed(RequestFailure(unsent: spec, .overloaded, "overloaded")) : .finish(reply)
        let pieces: ChatEvent = .text(TextBatch(pieces: ["reply ", "to ", "\(started.count)"]))
        waiting[id] = fails ? [[end]] : [[.start(StartInfo(model: "m", attempt: 1)), pieces], [end]]
        ready += Array(repeating: id, count: fails ? 1 : 2)
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

    func job(_ store: Store, _ again: Bool = false) throws -> Job {
        try store.beginJob(
            Job.Request(name: "night", script: "s.lua", scriptDigest: "d", arguments: ["a"], again: again))
    }
}

@Suite struct JournalBrokerTests {
    private let folder = StoreFolder()

    /// One run in front of a broker.
    private final class Run {
        let inner = AnsweringBroker()
        let store: Store
        let journal: JournalBroker
        private let woken = DispatchSemaphore(value: 0)
        private var nextID: UInt64 = 1

        init(_ folder: StoreFolder, isJob: Bool = true, again: Bool = false, keys: [String: String] = [:]) throws {
            let store = Store(path: folder.path)
            self.store = store
            let options = JournalBroker.Options(
                run: RunRecord(command: "run"), job: isJob ? try folder.job(store, again) : nil, isLogged: false,
                credentials: { keys[$0] }, warn: { _ in })
            journal = JournalBroker(
                inner, options: options, makeStore: { store }, wake: { [woken] in woken.signal() })
        }

        /// Sends a request and takes its events up to the last.
        func ask(_ prompt: String, cache: CachePolicy? = nil, key: String? = nil) -> [ChatEvent] {
            var endpoint = Endpoint(provider: "p", baseURL: "http://127.0.0.1:1/v1")
            endpoint.keyVariable = key
            var spec = RequestSpec(
                chat: ChatRequest(model: "m", messages: [["role": "user", "content": .string(prompt)]]),
                endpoint: endpoint)
            spec.cache = cache
            let id = RequestID(nextID)
            nextID += 1
            journal.submit(.start(id, spec))
            var events: [ChatEvent] = []
            while events.last?.isTerminal != true {
                guard journal.hasReady else {
                    guard woken.wait(timeout: .now() + 30) == .success else { return events }
                    continue
                }
                if let next = journal.nextReady() { events += journal.take(next) }
            }
            return events
        }

        func end(_ isSuccess: Bool = false) {
            journal.end(
                RunEnd(outcome: isSuccess ? "finished" : "failed", status: isSuccess ? 0 : 1, isSuccess: isSuccess))
            store.close()
        }
    }

    private static func text(_ events: [ChatEvent]) -> String {
        if case .finish(let reply)? = events.last { reply.text } else { "failed" }
    }

    @Test func aResumedJobAnswersFromTheStore() throws {
        let first = try Run(folder)
        let recorded = ["a", "b", "a"].map { first.ask($0) }
        #expect(recorded.map(Self.text) == ["reply to 1", "reply to 2", "reply to 3"])
        first.end()
        let second = try Run(folder)
        // The order may change; the second "a" is another sample.
        #expect(second.ask("b") == recorded[1])
        #expect(second.ask("a") == recorded[0])
        #expect(second.ask("a") == recorded[2])
        #expect(second.inner.started.isEmpty)
        #expect(Self.text(second.ask("a")) == "reply to 1")
        #expect(second.inner.started.count == 1)
        second.end()
    }

    @Test func failuresAreAskedAgain() throws {
        let first = try Run(folder)
        first.inner.fails = true
        #expect(Self.text(first.ask("a")) == "failed")
        first.end()
        let second = try Run(folder)
        #expect(Self.text(second.ask("a")) == "reply to 1")
        second.end()
    }

    @Test func withoutAJobAndCacheNoFileIsMade() throws {
        let run = try Run(folder, isJob: false)
        #expect(Self.text(run.ask("a")) == "reply to 1")
        run.end()
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test func cachedRepliesAreMarked() throws {
        let first = try Run(folder, isJob: false)
        #expect(Self.text(first.ask("a", cache: CachePolicy())) == "reply to 1")
        first.end()
        let second = try Run(folder, isJob: false)
        let events = second.ask("a", cache: CachePolicy())
        #expect(second.inner.started.isEmpty)
        guard case .start(let info)? = events.first, case .finish(let reply)? = events.last else {
            Issue.record("\(events)")
            return
        }
        #expect(info.isCached && reply.isCached && reply.text == "reply to 1")
        // Refreshed, and too old.
        #expect(Self.text(second.ask("b", cache: CachePolicy(isRefreshed: true))) == "reply to 1")
        second.end()
        let third = try Run(folder, isJob: false)
        #expect(
            Self.text(third.ask("a", cache: CachePolicy(ttl: -1))) == "reply to 1" && third.inner.started.count == 1)
        #expect(Self.text(third.ask("a")) == "reply to 2")
        third.end()
    }

    @Test func sharedCachesGiveEqualRequestsOneReply() throws {
        let first = try Run(folder, isJob: false)
        _ = first.ask("a", cache: CachePolicy(isShared: true))
        first.end()
        let second = try Run(folder, isJob: false)
        for _ in 1...3 { #expect(Self.text(second.ask("a", cache: CachePolicy(isShared: true))) == "reply to 1") }
        #expect(second.inner.started.isEmpty)
        second.end()
    }

    @Test func keysAreInNoRecord() throws {
        let key = "sk-moonrill-marked-0123456789abcdef"
        let run = try Run(folder, keys: ["MOON_KEY": key])
        _ = run.ask("the key is \(key), or \(Data(key.utf8).base64EncodedString())", key: "MOON_KEY")
        run.end()
        for name in ["", "-wal"] {
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: folder.path + name))) ?? Data()
            #expect(bytes.range(of: Data(key.utf8)) == nil)
            #expect(bytes.range(of: Data(Data(key.utf8).base64EncodedString().dropLast(4).utf8)) == nil)
        }
    }

    @Test func stepsAreFoundByNameAndNumber() throws {
        func answer(_ run: Run, _ name: String, _ value: String) -> [StepEvent] {
            let id = run.journal.lookUp(step: name)
            var events: [StepEvent] = []
            while true {
                for event in run.journal.takeStepEvents() {
                    events.append(event)
                    switch event {
                    case .missing: run.journal.record(id, Array(value.utf8))
                    case .found, .recorded, .failed: return events
                    }
                }
            }
        }
        let first = try Run(folder)
        #expect(answer(first, "s", "[1]").count == 2)
        #expect(answer(first, "s", "[2]").count == 2)
        first.end()
        let second = try Run(folder)
        for value in ["[1]", "[2]"] {
            guard case .found(_, let result)? = answer(second, "s", "[9]").first else {
                Issue.record("not found")
                return
            }
            #expect(result == Array(value.utf8))
        }
        #expect(answer(second, "other", "[3]").count == 2)
        second.end()
    }

    @Test func jobsSayThatTheyAreFinishedOrRunning() throws {
        let first = try Run(folder)
        let other = Store(path: folder.path)
        #expect { try folder.job(other) } throws: { ($0 as? StoreError)?.kind == .jobRunning }
        first.end(true)
        #expect(throws: StoreError.self) { try folder.job(other) }
        other.close()
    }

    @Test func theStoreIsForItsOwnerAlone() throws {
        let run = try Run(folder)
        run.end()
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
    }
}
