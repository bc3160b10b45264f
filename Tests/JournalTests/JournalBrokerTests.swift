// A journal in front of a broker that answers by value.

import Base
import Chat
import Foundation
import JSON
import Support
import Testing

@testable import Journal

@Suite struct JournalBrokerTests {
    private let folder = StoreFolder()

    @Test func aResumedJobAnswersFromTheStore() throws {
        let first = try JournaledRun(folder)
        let recorded = ["a", "b", "a"].map { first.ask($0) }
        #expect(recorded.map(JournaledRun.text) == ["reply to 1", "reply to 2", "reply to 3"])
        first.end()
        let second = try JournaledRun(folder)
        // The order may change; the second "a" is another sample.
        #expect(second.ask("b") == recorded[1])
        #expect(second.ask("a") == recorded[0])
        #expect(second.ask("a") == recorded[2])
        #expect(second.inner.started.isEmpty)
        #expect(JournaledRun.text(second.ask("a")) == "reply to 1")
        #expect(second.inner.started.count == 1)
        second.end()
    }

    @Test func failuresAreAskedAgain() throws {
        let first = try JournaledRun(folder)
        first.inner.fails = true
        #expect(JournaledRun.text(first.ask("a")) == "failed")
        first.end()
        let second = try JournaledRun(folder)
        #expect(JournaledRun.text(second.ask("a")) == "reply to 1")
        second.end()
    }

    @Test func withoutAJobAndCacheNoFileIsMade() throws {
        let run = try JournaledRun(folder, isJob: false)
        #expect(JournaledRun.text(run.ask("a")) == "reply to 1")
        run.end()
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test func cachedRepliesAreMarked() throws {
        let first = try JournaledRun(folder, isJob: false)
        #expect(JournaledRun.text(first.ask("a", cache: CachePolicy())) == "reply to 1")
        first.end()
        let second = try JournaledRun(folder, isJob: false)
        let events = second.ask("a", cache: CachePolicy())
        #expect(second.inner.started.isEmpty)
        guard case .start(let info)? = events.first, case .finish(let reply)? = events.last else {
            Issue.record("\(events)")
            return
        }
        #expect(info.isCached && reply.isCached && reply.text == "reply to 1")
        // Refreshed, and too old.
        #expect(JournaledRun.text(second.ask("b", cache: CachePolicy(isRefreshed: true))) == "reply to 1")
        second.end()
        let third = try JournaledRun(folder, isJob: false)
        #expect(
            JournaledRun.text(third.ask("a", cache: CachePolicy(ttl: -1))) == "reply to 1"
                && third.inner.started.count == 1)
        #expect(JournaledRun.text(third.ask("a")) == "reply to 2")
        third.end()
    }

    @Test func sharedCachesGiveEqualRequestsOneReply() throws {
        let first = try JournaledRun(folder, isJob: false)
        _ = first.ask("a", cache: CachePolicy(isShared: true))
        first.end()
        let second = try JournaledRun(folder, isJob: false)
        for _ in 1...3 {
            #expect(JournaledRun.text(second.ask("a", cache: CachePolicy(isShared: true))) == "reply to 1")
        }
        #expect(second.inner.started.isEmpty)
        second.end()
    }

    @Test func keysAreInNoRecord() throws {
        let key = "sk-moonrill-marked-0123456789abcdef"
        let run = try JournaledRun(folder, keys: ["MOON_KEY": key])
        _ = run.ask("the key is \(key), or \(Data(key.utf8).base64EncodedString())", key: "MOON_KEY")
        run.end()
        for name in ["", "-wal"] {
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: folder.path + name))) ?? Data()
            #expect(bytes.range(of: Data(key.utf8)) == nil)
            #expect(bytes.range(of: Data(Data(key.utf8).base64EncodedString().dropLast(4).utf8)) == nil)
        }
    }

    @Test func stepsAreFoundByNameAndNumber() throws {
        let first = try JournaledRun(folder)
        #expect(first.step("s", "[1]") == nil && first.step("s", "[2]") == nil)
        first.end()
        let second = try JournaledRun(folder)
        #expect(second.step("other", "[3]") == nil)
        #expect(second.step("s", "[9]") == "[1]" && second.step("s", "[9]") == "[2]")
        #expect(second.step("s", "[9]") == nil)
        second.end()
    }

    @Test func aStepThatIsGivenUpLeavesItsPlaceToTheNext() throws {
        let first = try JournaledRun(folder)
        #expect(first.step("s", "[1]") == nil)
        first.end()
        let second = try JournaledRun(folder)
        second.journal.abandon(second.journal.lookUp(step: "s"))
        #expect(second.step("s", "[9]") == "[1]")
        second.end()
    }

    @Test func aPlayedReplyCanBePausedStoppedAndCancelled() throws {
        let first = try JournaledRun(folder)
        for prompt in ["a", "b", "c"] { _ = first.ask(prompt) }
        first.end()

        let second = try JournaledRun(folder)
        let paused = second.start("a")
        second.journal.submit(.pause(paused))
        let stopped = second.start("b")
        // The lookups are answered in order: all three are played once the third has events.
        let cancelled = second.start("c")
        while second.nextReady() != cancelled {}
        #expect(second.journal.take(paused).isEmpty)
        #expect(second.journal.take(stopped).contains { if case .text = $0 { true } else { false } })
        var undelivered = Undelivered()
        undelivered.textBytes = 1
        second.journal.submit(.stop(stopped, undelivered: undelivered))
        guard case .finish(let reply)? = second.journal.take(stopped).last else {
            Issue.record("no end")
            return
        }
        #expect(reply.text == "reply to " && reply.finishReason == .cancelled)
        second.journal.submit(.cancel(cancelled))
        guard case .failed(let failure)? = second.journal.take(cancelled).last else {
            Issue.record("no end")
            return
        }
        #expect(failure.kind == .cancelled && failure.partial == nil)
        second.journal.submit(.resume(paused))
        #expect(JournaledRun.text(second.events(of: paused)) == "reply to 1")
        #expect(second.inner.started.isEmpty)
        second.end()
    }

    @Test func outputOfABrokenRunIsCarriedOn() throws {
        let first = try JournaledRun(folder)
        first.inner.hangs = true
        let id = first.start("a", afterOutput: .continue)
        #expect(first.nextReady() == id)
        #expect(first.journal.take(id).count == 2)
        first.end()

        let second = try JournaledRun(folder)
        let events = second.events(of: second.start("a", afterOutput: .continue))
        #expect(second.inner.started.map(\.carried) == [CarriedOutput(text: "reply to 1")])
        // What was received comes again, before that of the provider; the end comes alone.
        guard case .text(let batch)? = events.first(where: { if case .text = $0 { true } else { false } }) else {
            Issue.record("no text")
            return
        }
        #expect(Array(batch) == ["reply ", "to ", "1"])
        second.end()
        // Without `continue` it begins anew.
        let third = try JournaledRun(folder, again: true)
        third.inner.hangs = true
        _ = third.journal.take(third.start("a"))
        third.end()
        let fourth = try JournaledRun(folder)
        _ = fourth.ask("a")
        #expect(fourth.inner.started.map(\.carried) == [nil])
        fourth.end()
    }

    @Test func jobsSayThatTheyAreFinishedOrRunning() throws {
        let first = try JournaledRun(folder)
        let other = Store(path: folder.path)
        #expect { try folder.job(other) } throws: { ($0 as? StoreError)?.kind == .jobRunning }
        first.end(true)
        #expect(throws: StoreError.self) { try folder.job(other) }
        other.close()
    }

    @Test func theStoreIsForItsOwnerAlone() throws {
        let run = try JournaledRun(folder)
        run.end()
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
    }
}
