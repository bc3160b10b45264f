// The jobs of a store.

internal import Base
internal import SQLite

/// A job as a log shows it.
package struct LoggedJob: Hashable, Sendable {
    /// What a job is doing.
    package enum State: Hashable, Sendable {
        /// A process runs it.
        case running(pid: Int)
        /// It can be resumed.
        case open
        case finished

        package var name: String {
            switch self {
            case .running: "running"
            case .open: "open"
            case .finished: "finished"
            }
        }
    }

    /// The row.
    package var id: Int64
    package var name: String
    package var state: State
    /// The path of the script.
    package var script: String
    /// How many runs it has had.
    package var runs = 0
    /// Requests with a whole, stopped or cached reply, and failed ones. Cancelled ones are in neither.
    package var finished = 0
    package var failed = 0
    package var steps = 0
    package var inputTokens = 0
    package var outputTokens = 0
    /// US dollars; nil if no cost is known.
    package var cost: Double?
    /// Seconds since 1970.
    package var createdAt: Double
    /// When its last run began or ended.
    package var updatedAt: Double
}

extension RequestLog {
    /// The current jobs, the latest first. Those that `--again` has replaced are not among them.
    package func jobs() throws(StoreError) -> [LoggedJob] {
        try read { try LoggedJobs(database: $0, path: path).all() }
    }

    /// The current job of that name; nil if there is none.
    package func job(named name: String) throws(StoreError) -> LoggedJob? {
        try read { try LoggedJobs(database: $0, path: path).named(name) }
    }
}

extension Store {
    /// Removes the job of that name, also those that it has replaced, with the results of its steps. Its requests stay in the
    /// log and in the cache. Their column `job` keeps the number, which is part of their checksums and never used again.
    /// - Returns: false if there is no such job.
    /// - Throws: ``StoreError`` if a process runs it, or for the store.
    package func removeJob(_ name: String) throws(StoreError) -> Bool {
        let path = self.path
        return try writer.perform { database in
            let jobs = LoggedJobs(database: database, path: path)
            let rows = try jobs.rows(named: name)
            for row in rows {
                // Held until the rows are gone, so that no process begins it meanwhile.
                let lock = try JobLock.take(store: path, job: row.id)
                guard lock != nil else {
                    throw StoreError(
                        .jobRunning,
                        "the job '\(name)' is being run by process \(row.pid): end it before its record is removed")
                }
                try withExtendedLifetime(lock) { try jobs.remove(row.id) }
            }
            return !rows.isEmpty
        }
    }
}

/// Reads and removes rows of the table `jobs`.
private struct LoggedJobs {
    let database: SQLiteDatabase
    /// The file of the store.
    let path: String

    private static let columns = "SELECT id, name, state, script, created_at, updated_at, pid FROM jobs"

    func all() throws -> [LoggedJob] {
        let statement = try database.prepare("\(Self.columns) WHERE is_current ORDER BY updated_at DESC, id DESC")
        defer { statement.reset() }
        var jobs: [LoggedJob] = []
        while try statement.step() { jobs.append(try job(statement)) }
        return jobs
    }

    func named(_ name: String) throws -> LoggedJob? {
        let statement = try database.prepare("\(Self.columns) WHERE is_current AND name = ?")
        statement.bind(name, at: 1)
        defer { statement.reset() }
        return try statement.step() ? try job(statement) : nil
    }

    private func job(_ row: SQLiteStatement) throws -> LoggedJob {
        let id = row.int(0)
        var job = LoggedJob(
            id: id, name: row.text(1), state: row.text(2) == "finished" ? .finished : .open, script: row.text(3),
            createdAt: row.double(4), updatedAt: row.double(5))
        if JobLock.isHeld(store: path, job: id) { job.state = .running(pid: Int(row.int(6))) }
        let counts = try database.prepare(
            """
            SELECT total(state IN ('finished', 'stopped', 'cached')), total(state = 'failed'),
              total(iif(state = 'cached', 0, input_tokens)), total(iif(state = 'cached', 0, output_tokens)),
              sum(iif(state = 'cached', NULL, cost)), (SELECT count(*) FROM steps WHERE job = ?1),
              (SELECT count(*) FROM runs WHERE job = ?1) FROM requests WHERE job = ?1
            """)
        counts.bind(id, at: 1)
        defer { counts.reset() }
        guard try counts.step() else { return job }
        job.finished = Int(counts.int(0))
        job.failed = Int(counts.int(1))
        job.inputTokens = Int(counts.int(2))
        job.outputTokens = Int(counts.int(3))
        job.cost = counts.optionalDouble(4)
        job.steps = Int(counts.int(5))
        job.runs = Int(counts.int(6))
        return job
    }

    func rows(named name: String) throws -> [(id: Int64, pid: Int)] {
        // Without an index: the one of names has current jobs alone. Jobs are few.
        let statement = try database.prepare("SELECT id, pid FROM jobs WHERE name = ?")
        statement.bind(name, at: 1)
        defer { statement.reset() }
        var rows: [(Int64, Int)] = []
        while try statement.step() { rows.append((statement.int(0), Int(statement.int(1)))) }
        return rows
    }

    func remove(_ id: Int64) throws {
        for sql in ["DELETE FROM steps WHERE job = ?", "DELETE FROM jobs WHERE id = ?"] {
            let statement = try database.prepare(sql)
            statement.bind(id, at: 1)
            try statement.run()
        }
    }
}
