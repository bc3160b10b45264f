// Pruning of stores that are filled by hand.

import Foundation
import Glibc
import SQLite
import Support
import Testing

@testable import Journal

@Suite struct StorePrunerTests {
    private let folder = StoreFolder()
    private static let now = 1_000_000_000.0
    private static let day = 86_400.0

    /// A store with one request a day: the last one now, each in a run of its own, with deltas and an entry in the full-text
    /// index.
    private func fill(_ count: Int, size: Int = 1000) throws {
        let run = try JournaledRun(folder, isJob: false, isLogged: true)
        _ = run.ask("the schema is made")
        run.end(true)
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        try database.execute("DELETE FROM requests; DELETE FROM runs; DELETE FROM deltas")
        try database.execute("INSERT INTO search(search) VALUES('rebuild'); BEGIN")
        for number in 1...count {
            let time = Self.now - Double(count - number) * Self.day
            let text = (0..<size / 10).map { "word\(($0 &* 7919 &+ number &* 104_729) % 99_991)" }.joined(
                separator: " ")
            try database.execute(
                """
                INSERT INTO runs(id, command, script, version, pid, started_at, ended_at)
                VALUES(\(number), 'run', '', '1', 1, \(time), \(time));
                INSERT INTO requests(id, run, digest, ordinal, state, provider, model, format, address, started_at, ended_at,
                  seal, prompt, reply, request)
                VALUES(\(number), \(number), x'00', 0, 'finished', 'p', 'm', 'openai', '', \(time), \(time), 1,
                  'prompt \(number)', '\(text)', '{}');
                INSERT INTO deltas VALUES(\(number), 0, 1, 'text', 0, '\(text)', x'', 0);
                INSERT INTO attempts VALUES(\(number), 1, 0, 0, 'overloaded', NULL, 0, '{}');
                INSERT INTO search(rowid, prompt, reply, reasoning)
                SELECT id, prompt, reply, reasoning FROM requests WHERE id = \(number);
                """)
        }
        try database.execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    }

    private func execute(_ sql: String) throws {
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        try database.execute(sql)
        database.close()
    }

    private func number(_ sql: String) throws -> Int {
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        let statement = try database.prepare(sql)
        defer { statement.reset() }
        return try statement.step() ? Int(statement.int(0)) : -1
    }

    private func prune(_ request: PruneRequest) throws -> PruneResult {
        try StorePruner.prune(folder.path, request, now: Self.now)
    }

    /// Throws if the index and the table differ (sqlite.org/fts5.html, section 6.4), or the file is damaged.
    private func checkIntegrity() throws {
        try execute("INSERT INTO search(search, rank) VALUES('integrity-check', 1)")
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        let statement = try database.prepare("PRAGMA integrity_check")
        defer { statement.reset() }
        #expect(try statement.step() && statement.text(0) == "ok")
    }

    @Test func oldRequestsGoWithAllThatBelongsToThem() throws {
        try fill(100)
        let result = try prune(PruneRequest(before: Self.now - 9.5 * Self.day))
        #expect(result.requests == 90 && result.runs == 90 && result.kept == 0)
        for table in ["requests", "runs", "deltas", "attempts"] {
            #expect(try number("SELECT count(*) FROM \(table)") == 10, "\(table)")
        }
        #expect(try number("SELECT min(id) FROM requests") == 91)
        #expect(try number("SELECT count(*) FROM search WHERE search MATCH 'prompt'") == 10)
        try checkIntegrity()
        #expect(try prune(PruneRequest(before: Self.now - 9.5 * Self.day)).requests == 0)
    }

    @Test func theFileShrinks() throws {
        try fill(400, size: 20_000)
        let result = try prune(PruneRequest(before: Self.now - 39.5 * Self.day))
        #expect(result.requests == 360)
        #expect(result.bytesAfter < result.bytesBefore / 4, "\(result)")
        #expect(result.bytesAfter == StoreFile.bytes(folder.path))
        #expect(try number("PRAGMA freelist_count") == 0)
        try checkIntegrity()
    }

    @Test func theOldestGoUntilTheSizeIsReached() throws {
        try fill(400, size: 20_000)
        let limit = StoreFile.bytes(folder.path) / 3
        let dry = try prune(PruneRequest(maxBytes: limit, isDryRun: true))
        #expect((200...350).contains(dry.requests), "\(dry)")
        #expect(dry.bytesAfter == dry.bytesBefore)
        #expect(try number("SELECT count(*) FROM requests") == 400)
        let result = try prune(PruneRequest(maxBytes: limit))
        #expect(result.bytesAfter <= limit && !result.isAboveLimit, "\(result)")
        // Not many more than needed.
        #expect(result.bytesAfter > limit / 2, "\(result)")
        #expect(try number("SELECT max(id) FROM requests") == 400)
        #expect(try number("SELECT min(id) FROM requests") == result.requests + 1)
        try checkIntegrity()
        #expect(try prune(PruneRequest(maxBytes: 1)).isAboveLimit)
        try checkIntegrity()
    }

    @Test func aDryRunCountsAndChangesNothing() throws {
        try fill(20)
        let result = try prune(PruneRequest(before: Self.now - 4.5 * Self.day, isDryRun: true))
        #expect(result.requests == 15)
        #expect(try number("SELECT count(*) FROM requests") == 20)
    }

    @Test func openJobsAreKeptAndFinishedOnesGo() throws {
        try fill(10)
        try execute(
            """
            INSERT INTO jobs(id, name, is_current, state, script, script_digest, arguments_digest, created_at, updated_at)
            VALUES(1, 'open', 1, 'open', '', '', '', 0, 0), (2, 'done', 1, 'finished', '', '', '', 0, 0),
              (3, 'open', 0, 'open', '', '', '', 0, 0);
            INSERT INTO steps VALUES(1, 's', 0, 1, 0, '1', 0), (2, 's', 0, 1, 0, '1', 0), (3, 's', 0, 1, 0, '1', 0);
            UPDATE requests SET job = 1 WHERE id = 1;
            UPDATE requests SET job = 2 WHERE id = 2;
            UPDATE requests SET job = 3 WHERE id = 3;
            UPDATE runs SET job = id WHERE id <= 3;
            """)
        let result = try prune(PruneRequest(before: Self.now - 4.5 * Self.day))
        #expect(result.requests == 4 && result.kept == 1 && result.jobs == 2)
        #expect(try number("SELECT count(*) FROM requests WHERE job = 1") == 1)
        #expect(try number("SELECT group_concat(id) = '1' FROM jobs") == 1)
        #expect(try number("SELECT group_concat(job) = '1' FROM steps") == 1)
        #expect(try number("SELECT count(*) FROM runs WHERE id = 1") == 1)
        try checkIntegrity()
    }

    /// Requests without an end are not in the full-text index, which must not be asked to remove them.
    @Test func requestsWithoutAnEndGoOnceTheyCannotRun() throws {
        try fill(4)
        try execute(
            """
            INSERT INTO search(search, rowid, prompt, reply, reasoning)
            SELECT 'delete', id, prompt, reply, reasoning FROM requests WHERE id IN (1, 4);
            UPDATE requests SET state = 'running', seal = NULL, reply = NULL WHERE id IN (1, 4);
            """)
        let result = try prune(PruneRequest(before: Self.now + 1))
        #expect(result.requests == 3)
        #expect(try number("SELECT id FROM requests") == 4)
        #expect(try number("SELECT count(*) FROM search WHERE search MATCH 'prompt'") == 0)
    }

    /// A store that another program has made again (`.recover`) cannot give pages back one by one.
    @Test func aFileWithoutIncrementalVacuumShrinksToo() throws {
        try fill(200, size: 20_000)
        try execute("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
        #expect(try number("PRAGMA auto_vacuum") == 0)
        let result = try prune(PruneRequest(before: Self.now - 9.5 * Self.day))
        #expect(result.requests == 190 && result.bytesAfter < result.bytesBefore / 4, "\(result)")
        #expect(try number("PRAGMA auto_vacuum") == 2)
        try checkIntegrity()
    }

    @Test func newStoresGivePagesBack() throws {
        try fill(1)
        #expect(try number("PRAGMA auto_vacuum") == 2)
    }

    @Test func anotherProcessWritesMeanwhile() throws {
        try fill(300, size: 20_000)
        let path = folder.path
        let longest = Locked(0.0)
        let isOver = Locked(false)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            defer { done.signal() }
            guard let database = try? SQLiteDatabase(path: path, access: .existing) else { return }
            database.setBusyTimeout(seconds: 30)
            while !isOver.withLock({ $0 }) {
                let start = Date()
                guard (try? database.execute("UPDATE runs SET outcome = 'x' WHERE id = 300")) != nil else { return }
                longest.withLock { $0 = max($0, Date().timeIntervalSince(start)) }
            }
        }
        thread.start()
        #expect(try prune(PruneRequest(before: Self.now - 9.5 * Self.day)).requests == 290)
        isOver.withLock { $0 = true }
        done.wait()
        // The busy handler of SQLite looks every 100 ms at most; the machine may be loaded.
        #expect(longest.withLock { $0 } < 3)
        try checkIntegrity()
    }

    /// Nobody else ends the requests of a process that was killed.
    @Test func requestsOfKilledRunsAreRemoved() throws {
        try fill(4)
        // No process has the number: it is above the maximum (proc(5), /proc/sys/kernel/pid_max).
        try execute(
            """
            UPDATE runs SET ended_at = NULL, pid = 2147483647 WHERE id = 2;
            UPDATE runs SET ended_at = NULL, pid = \(getpid()) WHERE id = 3;
            DELETE FROM search; UPDATE requests SET state = 'running', ended_at = NULL, seal = NULL WHERE id IN (2, 3);
            INSERT INTO search(search) VALUES('rebuild')
            """)
        let log = try #require(try RequestLog.open(folder.path))
        #expect(
            try log.requests(RequestFilter(), limit: 9).map(\.state) == [
                "finished", "running", "interrupted", "finished",
            ])
        log.close()
        let result = try prune(PruneRequest(before: Self.now + 1))
        #expect(result.requests >= 3)
        #expect(try number("SELECT count(*) FROM requests WHERE id = 2") == 0)
    }

    @Test func aLinkToAStoreHasItsLock() throws {
        try fill(1)
        let link = folder.path + "-link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path)
        let lock = try JobLock.take(store: folder.path, job: 7)
        #expect(lock != nil)
        #expect(try JobLock.take(store: link, job: 7) == nil)
        #expect(JobLock.isHeld(store: link, job: 7))
        withExtendedLifetime(lock) {}
    }

    @Test func oneProcessPrunesAtATime() throws {
        try fill(2)
        let lock = try JobLock.take(store: folder.path, job: 0)
        #expect(lock != nil)
        let error = #expect(throws: StoreError.self) { _ = try prune(PruneRequest(before: Self.now + 1)) }
        #expect(error?.kind == .jobRunning && error?.message.contains("another process prunes") == true)
        withExtendedLifetime(lock) {}
        #expect(try number("SELECT count(*) FROM requests") == 2)
    }
}
