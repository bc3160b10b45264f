// A journal in front of a broker that answers by value.

import Base
import Chat
import Foundation
import JSON
import SQLite
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

    /// Another step must not get its result in the next run.
    @Test func aStepThatFailsKeepsItsPlaceEmpty() throws {
        let first = try JournaledRun(folder)
        first.journal.abandon(first.journal.lookUp(step: "s"))
        #expect(first.step("s", "[2]") == nil)
        first.end()
        let second = try JournaledRun(folder)
        #expect(second.step("s", "[1]") == nil)
        #expect(second.step("s", "[9]") == "[2]")
        second.end()
        let third = try JournaledRun(folder)
        #expect(third.step("s", "[9]") == "[1]" && third.step("s", "[9]") == "[2]")
        third.end()
    }

    /// The reply of a request that is sent again after a failure is the answer to it.
    @Test(arguments: [true, false]) func aFailedRequestGivesItsPlaceToTheNext(isJob: Bool) throws {
        let cache = isJob ? nil : CachePolicy()
        let first = try JournaledRun(folder, isJob: isJob)
        first.inner.fails = true
        #expect(JournaledRun.text(first.ask("a", cache: cache)) == "failed")
        first.inner.fails = false
        #expect(JournaledRun.text(first.ask("a", cache: cache)) == "reply to 2")
        #expect(JournaledRun.text(first.ask("a", cache: cache)) == "reply to 3")
        first.end()
        let second = try JournaledRun(folder, isJob: isJob)
        #expect(JournaledRun.text(second.ask("a", cache: cache)) == "reply to 2")
        #expect(JournaledRun.text(second.ask("a", cache: cache)) == "reply to 3")
        #expect(second.inner.started.isEmpty)
        second.end()
    }

    /// What a cache has answered is part of the job: it stays although the cache would not answer any more.
    @Test func aResumedJobHasItsCachedReplies() throws {
        let before = try JournaledRun(folder, isJob: false)
        let asked = before.ask("a", cache: CachePolicy())
        before.end()
        let first = try JournaledRun(folder)
        let cached = first.ask("a", cache: CachePolicy())
        #expect(JournaledRun.text(cached) == JournaledRun.text(asked) && first.inner.started.isEmpty)
        first.end()
        let second = try JournaledRun(folder)
        #expect(second.ask("a", cache: CachePolicy(ttl: -1)) == cached)
        #expect(second.inner.started.isEmpty)
        second.end()
    }

    @Test func sharedRepliesAreFoundByTheNextEqualRequest() throws {
        let run = try JournaledRun(folder, isJob: false)
        for _ in 1...5 { #expect(JournaledRun.text(run.ask("a", cache: CachePolicy(isShared: true))) == "reply to 1") }
        run.end()
    }

    /// As without a job: the cache answers, not the run's own record, which may be too old or stopped.
    @Test func sharedRepliesOfAJobComeFromTheCache() throws {
        let run = try JournaledRun(folder)
        #expect(JournaledRun.text(run.ask("a", cache: CachePolicy(isShared: true))) == "reply to 1")
        let second = run.ask("a", cache: CachePolicy(isShared: true))
        guard case .finish(let reply)? = second.last else {
            Issue.record("\(second)")
            return
        }
        #expect(reply.text == "reply to 1" && reply.isCached)
        #expect(JournaledRun.text(run.ask("a", cache: CachePolicy(ttl: -1, isShared: true))) == "reply to 2")
        run.end()
    }

    /// A damaged `source` leads to the whole record of another question.
    @Test func aReplyToAnotherQuestionIsNoAnswer() throws {
        let first = try JournaledRun(folder)
        for question in ["a", "b"] { _ = first.ask(question) }
        first.end()
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        try database.execute("UPDATE requests SET state = 'cached', source = 2 WHERE id = 1")
        database.close()
        let second = try JournaledRun(folder)
        #expect(JournaledRun.text(second.ask("a")) == "reply to 1" && second.inner.started.count == 1)
        second.end()
    }

    /// A request that is paused before the store has answered has no turn until it goes on.
    @Test func aPauseDuringTheLookUpHolds() throws {
        let first = try JournaledRun(folder)
        _ = first.ask("a")
        first.end()
        let second = try JournaledRun(folder)
        let paused = second.start("a")
        second.journal.submit(.pause(paused))
        // Look-ups are answered in order.
        #expect(JournaledRun.text(second.ask("b")) == "reply to 1")
        #expect(!second.journal.hasReady && second.journal.nextReady() == nil)
        second.journal.submit(.resume(paused))
        #expect(second.journal.hasReady)
        #expect(JournaledRun.text(second.events(of: paused)) == "reply to 1")
        second.end()
    }

    @Test func aDamagedStepIsReportedAndRunsAgain() throws {
        let first = try JournaledRun(folder)
        #expect(first.step("s", "[1]") == nil)
        first.end()
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        try database.execute("UPDATE steps SET result = '[9]'")
        database.close()
        let second = try JournaledRun(folder)
        #expect(second.step("s", "[2]") == nil)
        #expect(second.warnings.count == 1 && second.warnings[0].contains("step 's' (number 1 of that name)"))
        second.end()
    }

    @Test func keysAreInNoNameOfAStep() throws {
        let key = "sk-moonrill-marked-0123456789abcdef"
        for expected in [nil, "[1]"] {
            let run = try JournaledRun(folder, keys: ["MOON_KEY": key])
            _ = run.ask("a", key: "MOON_KEY")
            #expect(run.step("with \(key)", "[1]") == expected)
            run.end()
        }
        for name in ["", "-wal"] {
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: folder.path + name))) ?? Data()
            #expect(bytes.range(of: Data(key.utf8)) == nil)
        }
    }

    @Test func theFileOfAnotherProgramStaysAsItIs() throws {
        try FileManager.default.createDirectory(
            at: URL(fileURLWithPath: folder.path).deletingLastPathComponent(), withIntermediateDirectories: true)
        let database = try SQLiteDatabase(path: folder.path)
        try database.execute("CREATE TABLE t(a)")
        database.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path))
        let run = try JournaledRun(folder, isJob: false, isLogged: true)
        #expect(JournaledRun.text(run.ask("a")) == "reply to 1")
        run.end()
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path)) == before)
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
