// Removes old requests from a store and gives their space back to the system.

internal import Base
internal import Glibc
internal import SQLite

/// What is to be removed.
package struct PruneRequest: Hashable, Sendable {
    /// Requests that began before this time are removed, in seconds since 1970; nil for none.
    package var before: Double?
    /// The oldest requests are removed until the store has at most this many bytes; nil for no bound.
    package var maxBytes: Int64?
    /// Whether requests are only counted, and not removed.
    package var isDryRun: Bool

    package init(before: Double? = nil, maxBytes: Int64? = nil, isDryRun: Bool = false) {
        self.before = before
        self.maxBytes = maxBytes
        self.isDryRun = isDryRun
    }
}

/// What was removed, or would be.
package struct PruneResult: Hashable, Sendable {
    package var requests = 0
    package var runs = 0
    /// Finished or replaced jobs without requests.
    package var jobs = 0
    /// Requests that would have been removed, but belong to a job that can be resumed.
    package var kept = 0
    /// Bytes of the file and its write-ahead log.
    package var bytesBefore: Int64 = 0
    /// For a dry run the same as before.
    package var bytesAfter: Int64 = 0
    /// Whether the store is still larger than asked for, because the rest belongs to open jobs or is in use.
    package var isAboveLimit = false
}

/// Removes requests in small transactions, so that other processes never wait for long.
package final class StorePruner {
    /// Seconds that a transaction may take.
    private static let share = 0.05
    /// A request that began within this many seconds and has no end may still run.
    private static let longestRequest = 86_400.0
    /// Pages that are given back at once: 1 MiB.
    private static let pageBatch = 256
    /// Pages of the full-text index that are merged at once.
    private static let mergeBatch = 100

    private let connection: StoreConnection
    private let now: Double
    /// Requests in the next transaction.
    private var batch = 32
    private var result = PruneResult()
    /// Requests that are kept although their own job is over.
    private var protected: Set<Int64> = []
    /// The place of the last request that was looked at: all before it are removed or kept.
    private var place = Place(time: -.greatestFiniteMagnitude, id: 0)

    private struct Place {
        var time: Double
        var id: Int64
    }

    private init(_ path: String, now: Double) {
        connection = StoreConnection(path: path, vfs: nil, access: .existing, retryDelay: 0.02)
        self.now = now
    }

    /// Removes what `request` says from a store.
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``StoreError``.
    package static func prune(_ path: String, _ request: PruneRequest, now: Double) throws(StoreError) -> PruneResult {
        let pruner = StorePruner(path, now: now)
        defer { pruner.connection.close() }
        do {
            // Two at once would both remove what is too much. Jobs count from 1.
            let lock = request.isDryRun ? nil : try JobLock.take(store: path, job: 0)
            guard request.isDryRun || lock != nil else {
                throw StoreError(.jobRunning, "another process prunes the store \(path): wait for it")
            }
            return try withExtendedLifetime(lock) { try pruner.prune(request) }
        } catch {
            throw StoreError.wrap(error, path: path)
        }
    }

    private func prune(_ request: PruneRequest) throws -> PruneResult {
        result.bytesBefore = StoreFile.bytes(connection.path)
        guard try StoreSchema.isComplete(connection.database()) else { return result }
        if request.isDryRun { return try estimate(request) }
        try endDeadRuns()
        protected = try sourcesOfOpenJobs()
        if let before = request.before {
            try removeRequests(before: before, count: .max)
            try finishRemoval()
        }
        if let limit = request.maxBytes { try shrink(to: limit) }
        try removeRuns(before: max(request.before ?? place.time, place.time))
        try removeJobs(before: max(request.before ?? place.time, place.time))
        try releaseSpace()
        result.bytesAfter = StoreFile.bytes(connection.path)
        if let limit = request.maxBytes { result.isAboveLimit = result.bytesAfter > limit }
        return result
    }

    private func estimate(_ request: PruneRequest) throws -> PruneResult {
        result.bytesAfter = result.bytesBefore
        if let before = request.before {
            let (removable, kept) = try count(before: before)
            (result.requests, result.kept) = (removable, kept)
        }
        if let limit = request.maxBytes {
            let all = try count(before: .greatestFiniteMagnitude).removable
            result.requests = max(result.requests, min(all, try excess(over: limit)))
        }
        return result
    }

    // MARK: Runs that were killed

    /// Ends the requests of runs whose process is gone: nobody else does it.
    private func endDeadRuns() throws {
        let statement = try connection.database().prepare(
            "SELECT id, pid FROM runs WHERE ended_at IS NULL AND started_at < ?")
        // A process may be too young to be seen.
        statement.bind(now - 60, at: 1)
        var dead: [Int64] = []
        while try statement.step() {
            if !RunProcess.exists(statement.int(1)) { dead.append(statement.int(0)) }
        }
        try inBatches(dead) { id, database in
            for sql in [
                "UPDATE requests SET state = 'cancelled', ended_at = ?2 WHERE run = ?1 AND state = 'running'",
                "UPDATE runs SET ended_at = ?2, outcome = 'killed' WHERE id = ?1",
            ] {
                let statement = try database.prepare(sql)
                statement.bind(id, at: 1)
                statement.bind(now, at: 2)
                try statement.run()
            }
        }
    }

    /// The requests whose replies a cache has given to jobs that can be resumed.
    private func sourcesOfOpenJobs() throws -> Set<Int64> {
        let statement = try connection.database().prepare(
            """
            SELECT source FROM requests
            WHERE job IN (SELECT id FROM jobs WHERE is_current AND state = 'open') AND source IS NOT NULL
            """)
        defer { statement.reset() }
        var sources: Set<Int64> = []
        while try statement.step() { sources.insert(statement.int(0)) }
        return sources
    }

    // MARK: Size

    /// How many of the oldest requests to remove for the store to have `limit` bytes, by the mean size of a request.
    private func excess(over limit: Int64) throws -> Int {
        let count = try number("SELECT count(*) FROM requests")
        let used = try usedBytes()
        guard count > 0, used > limit else { return 0 }
        return Int((Double(used - limit) / (Double(used) / Double(count))).rounded(.up))
    }

    /// Bytes of the pages in use.
    private func usedBytes() throws -> Int64 {
        let pages = try number("PRAGMA page_count") - number("PRAGMA freelist_count")
        return try Int64(pages) * Int64(number("PRAGMA page_size"))
    }

    private func shrink(to limit: Int64) throws {
        while true {
            let count = try excess(over: limit)
            guard count > 0, try removeRequests(before: .greatestFiniteMagnitude, count: count) > 0 else { return }
            try finishRemoval()
        }
    }

    // MARK: Requests

    /// The requests before a time, in the order of their age. Those of a job that can be resumed are kept, and those that may
    /// run in another process.
    private static let candidates = """
        FROM requests r INDEXED BY requests_by_time
        WHERE (r.started_at, r.id) > (?1, ?2) AND r.started_at < ?3 AND NOT (r.state = 'running' AND r.started_at > ?4)
        """
    private static let isOfOpenJob = """
        (r.job IS NOT NULL AND EXISTS(SELECT 1 FROM jobs WHERE id = r.job AND is_current AND state = 'open'))
        """

    private func bind(_ statement: SQLiteStatement, before: Double) {
        statement.bind(place.time, at: 1)
        statement.bind(place.id, at: 2)
        statement.bind(before, at: 3)
        statement.bind(now - Self.longestRequest, at: 4)
    }

    private func count(before: Double) throws -> (removable: Int, kept: Int) {
        let statement = try connection.database().prepare(
            "SELECT count(*), total(\(Self.isOfOpenJob)) \(Self.candidates)")
        bind(statement, before: before)
        defer { statement.reset() }
        guard try statement.step() else { return (0, 0) }
        return (Int(statement.int(0) - statement.int(1)), Int(statement.int(1)))
    }

    /// Removes at most `count` requests.
    /// - Returns: how many were removed.
    @discardableResult private func removeRequests(before: Double, count: Int) throws -> Int {
        var removed = 0
        while removed < count {
            let (ids, isEnd) = try nextRequests(before: before, limit: min(batch, count - removed))
            if !ids.isEmpty {
                var count = 0
                let seconds = try transaction { database in
                    // A job that runs meanwhile may have got some of these replies.
                    protected = try sourcesOfOpenJobs()
                    let removable = ids.filter { !protected.contains($0) }
                    for id in removable { try Self.remove(id, database) }
                    count = removable.count
                }
                adapt(to: seconds)
                removed += count
                result.requests += count
                result.kept += ids.count - count
            }
            if isEnd { break }
        }
        return removed
    }

    /// The next requests to remove, and whether they are the last ones.
    private func nextRequests(before: Double, limit: Int) throws -> (ids: [Int64], isEnd: Bool) {
        let statement = try connection.database().prepare(
            """
            SELECT r.id, r.started_at, \(Self.isOfOpenJob) \(Self.candidates)
            ORDER BY r.started_at, r.id
            """)
        bind(statement, before: before)
        defer { statement.reset() }
        var ids: [Int64] = []
        while ids.count < limit {
            guard try statement.step() else { return (ids, true) }
            place = Place(time: statement.double(1), id: statement.int(0))
            if statement.int(2) != 0 || protected.contains(place.id) { result.kept += 1 } else { ids.append(place.id) }
        }
        return (ids, false)
    }

    private func adapt(to seconds: Double) {
        if seconds < Self.share / 2 { batch = min(batch * 2, 4096) }
        if seconds > Self.share { batch = max(batch / 2, 1) }
    }

    private static func remove(_ id: Int64, _ database: SQLiteDatabase) throws {
        // FTS5 needs the old text of an entry, and breaks if it gets one that was never added: only requests with an end were
        // (sqlite.org/fts5.html, section 6.3).
        for sql in [
            """
            INSERT INTO search(search, rowid, prompt, reply, reasoning)
            SELECT 'delete', s.id, s.prompt, s.reply, s.reasoning FROM searchable s JOIN requests r USING(id)
            WHERE r.id = ? AND r.seal IS NOT NULL
            """,
            "DELETE FROM deltas WHERE request = ?", "DELETE FROM attempts WHERE request = ?",
            "DELETE FROM requests WHERE id = ?",
        ] {
            let statement = try database.prepare(sql)
            statement.bind(id, at: 1)
            try statement.run()
        }
    }

    /// Merges the full-text index: a removed entry is first one more entry, and takes space until it is merged with the one
    /// that it cancels.
    private func finishRemoval() throws {
        guard result.requests > 0 else { return }
        // Negative: all parts of the index are to become one (sqlite.org/fts5.html, section 6.8).
        try merge(-Self.mergeBatch)
        while try merge(Self.mergeBatch) {}
    }

    /// - Returns: whether there may be more to do.
    @discardableResult private func merge(_ pages: Int) throws -> Bool {
        var changes = 0
        try transaction { database in
            let before = try Self.number("SELECT total_changes()", database)
            let statement = try database.prepare("INSERT INTO search(search, rank) VALUES('merge', ?)")
            statement.bind(pages, at: 1)
            try statement.run()
            changes = try Self.number("SELECT total_changes()", database) - before
        }
        return changes > 1
    }

    // MARK: Runs and jobs

    private func removeRuns(before: Double) throws {
        let ids = try rows(
            """
            SELECT id FROM runs r WHERE started_at < ?1 AND (ended_at IS NOT NULL OR started_at < ?2)
              AND NOT EXISTS(SELECT 1 FROM requests WHERE run = r.id) AND NOT \(Self.isOfOpenJob)
            """, before)
        try inBatches(ids) { id, database in
            // The state may have changed since.
            let statement = try database.prepare(
                "DELETE FROM runs WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM requests WHERE run = ?1)")
            statement.bind(id, at: 1)
            try statement.run()
            result.runs += database.changedRowCount
        }
    }

    private func removeJobs(before: Double) throws {
        let ids = try rows(
            """
            SELECT id FROM jobs WHERE updated_at < ?1 AND ?2 IS NOT NULL AND NOT (is_current AND state = 'open')
              AND NOT EXISTS(SELECT 1 FROM requests WHERE job = jobs.id)
            """, before)
        for id in ids {
            while try removeSteps(of: id) {}
            try transaction { database in
                let statement = try database.prepare("DELETE FROM jobs WHERE id = ?")
                statement.bind(id, at: 1)
                try statement.run()
            }
            result.jobs += 1
        }
    }

    /// - Returns: whether there may be more.
    private func removeSteps(of job: Int64) throws -> Bool {
        var count = 0
        try transaction { database in
            let statement = try database.prepare(
                "DELETE FROM steps WHERE rowid IN (SELECT rowid FROM steps WHERE job = ? LIMIT 500)")
            statement.bind(job, at: 1)
            try statement.run()
            count = database.changedRowCount
        }
        return count == 500
    }

    /// - Parameter sql: with the parameters time, and the time before which a process without an end no longer runs.
    private func rows(_ sql: String, _ before: Double) throws -> [Int64] {
        let statement = try connection.database().prepare(sql)
        statement.bind(before, at: 1)
        statement.bind(now - Self.longestRequest, at: 2)
        defer { statement.reset() }
        var ids: [Int64] = []
        while try statement.step() { ids.append(statement.int(0)) }
        return ids
    }

    private func inBatches(_ ids: [Int64], _ body: (Int64, SQLiteDatabase) throws -> Void) throws {
        for start in stride(from: 0, to: ids.count, by: 500) {
            let counts = result
            try transaction { database in
                // A failed attempt has counted too.
                result = counts
                for id in ids[start..<min(start + 500, ids.count)] { try body(id, database) }
            }
        }
    }

    // MARK: Space

    /// Gives free pages back to the system, and empties the write-ahead log.
    private func releaseSpace() throws {
        let database = try connection.database()
        if try number("PRAGMA auto_vacuum") == 0 {
            // A file that another program has made, such as sqlite3 with .recover.
            try database.execute("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
        }
        while try number("PRAGMA freelist_count") > 0 {
            let before = try number("PRAGMA freelist_count")
            let start = SystemClock.now()
            try database.execute("PRAGMA incremental_vacuum(\(Self.pageBatch))")
            rest(after: SystemClock.now() - start)
            // Another process may have used the pages.
            if try number("PRAGMA freelist_count") >= before { break }
        }
        // Readers that do not end must not hold this up: the log is then emptied by another process.
        database.setBusyTimeout(seconds: 1)
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    // MARK: Transactions

    /// Runs `body` in a transaction, and gives the others their turn.
    /// - Returns: the seconds that the store was locked.
    @discardableResult private func transaction(_ body: (SQLiteDatabase) throws -> Void) throws -> Double {
        var seconds = 0.0
        try connection.transaction(isDurable: false) { database in
            let start = SystemClock.now()
            try body(database)
            seconds = SystemClock.now() - start
        }
        rest(after: seconds)
        return seconds
    }

    /// Sleeps as long as the store was locked. A process that waits for a lock looks for it every 1 to 100 ms
    /// (sqlite3_busy_timeout), and would miss a shorter gap most of the time.
    private func rest(after seconds: Double) { usleep(UInt32(min(max(seconds, 0.002), 1) * 1e6)) }

    private func number(_ sql: String) throws -> Int { try Self.number(sql, connection.database()) }

    private static func number(_ sql: String, _ database: SQLiteDatabase) throws -> Int {
        let statement = try database.prepare(sql)
        defer { statement.reset() }
        return try statement.step() ? Int(statement.int(0)) : 0
    }
}
