// Named runs that can be resumed.

internal import Base
internal import Glibc
internal import HTTP
internal import JSON
internal import SQLite

/// A run of a script or command.
package struct RunRecord: Hashable, Sendable {
    /// The row of its job; nil without one.
    package var job: Int64?
    /// "run", "ask", "serve", or the name of the embedding program.
    package var command: String
    /// The path of the script; empty without one.
    package var script: String
    /// The script's arguments.
    package var arguments: [String]
    /// Seconds since 1970.
    package var startedAt: Double

    /// A run that begins now.
    package init(command: String, script: String = "", arguments: [String] = [], job: Int64? = nil) {
        self.command = command
        self.script = script
        self.arguments = arguments
        self.job = job
        startedAt = SystemClock.unixTime()
    }
}

/// How a run ended.
package struct RunEnd: Hashable, Sendable {
    /// "finished", "exited", "failed", "timed out", "interrupted", "output closed".
    package var outcome: String
    /// The exit status of a command.
    package var status: Int
    /// Whether a job is finished by it. Otherwise it can be resumed.
    package var isSuccess: Bool

    package init(outcome: String, status: Int, isSuccess: Bool) {
        self.outcome = outcome
        self.status = status
        self.isSuccess = isSuccess
    }
}

/// A job that this process runs. It is locked as long as the value lives.
package struct Job: Sendable {
    /// What a caller asks for.
    package struct Request: Sendable {
        /// The name.
        package var name: String
        /// The path of the script.
        package var script: String
        /// SHA-256 of the script in hexadecimal digits.
        package var scriptDigest: String
        /// The script's arguments.
        package var arguments: [String]
        /// Whether a new job replaces an existing one of that name.
        package var again: Bool

        package init(name: String, script: String, scriptDigest: String, arguments: [String], again: Bool = false) {
            self.name = name
            self.script = script
            self.scriptDigest = scriptDigest
            self.arguments = arguments
            self.again = again
        }

        /// SHA-256 of the arguments. They may hold a key that no client has named yet, so the job does not have them.
        fileprivate var argumentsDigest: String {
            SHA256.hex(JSONWriter.bytes(.array(arguments.map(JSONValue.string))))
        }
    }

    /// The row of the job.
    package var row: Int64
    /// The name.
    package var name: String
    /// Requests and steps of earlier runs that need not be done again; 0 for a new job.
    package var answeredCount: Int
    /// Whether an earlier run has begun it.
    package var isResumed: Bool
    /// Whether the script, or its arguments, differ from those of the last run.
    package var hasNewScript: Bool
    package var hasNewArguments: Bool
    private let lock: JobLock

    fileprivate init(_ found: Found, _ request: Request, lock: JobLock) {
        row = found.row
        name = request.name
        answeredCount = found.answeredCount
        isResumed = found.isResumed
        hasNewScript = found.isResumed && found.scriptDigest != request.scriptDigest
        hasNewArguments = found.isResumed && found.argumentsDigest != request.argumentsDigest
        self.lock = lock
    }

    /// The row of a job in the store.
    fileprivate struct Found {
        var row: Int64
        var state: String
        var scriptDigest: String
        var argumentsDigest: String
        var pid: Int
        var updatedAt: Double
        var isResumed: Bool
        var answeredCount = 0
    }
}

extension Store {
    /// Begins or resumes a job. Nothing is lost if the record of that is: the first record of a reply carries it to the disk.
    /// - Throws: ``StoreError`` if another process runs it, if it is finished (and `again` is false), or for the store.
    package func beginJob(_ request: Job.Request) throws(StoreError) -> Job {
        let path = self.path
        return try writer.perform(isDurable: false) { database in
            if let found = try JobTable(database: database).current(request.name) {
                guard let lock = try JobLock.take(store: path, job: found.row) else {
                    throw StoreError(
                        .jobRunning,
                        "the job '\(request.name)' is being run by process \(found.pid): wait for it, or end it")
                }
                if !request.again {
                    guard found.state != "finished" else {
                        throw StoreError.finished(found, request)
                    }
                    try JobTable(database: database).resume(found.row, request)
                    try JobTable(database: database).endOpenRequests(of: found.row)
                    return Job(found, request, lock: lock)
                }
            }
            let row = try JobTable(database: database).make(request)
            guard let lock = try JobLock.take(store: path, job: row) else {
                throw StoreError(.jobRunning, "the job '\(request.name)' is locked by another process")
            }
            let found = Job.Found(
                row: row, state: "open", scriptDigest: request.scriptDigest,
                argumentsDigest: request.argumentsDigest, pid: 0, updatedAt: 0, isResumed: false)
            return Job(found, request, lock: lock)
        }
    }
}

extension StoreError {
    /// Work with other arguments is other work: it must not pass for done.
    fileprivate static func finished(_ found: Job.Found, _ request: Job.Request) -> StoreError {
        let end = "the job '\(request.name)' has finished (\(UTCDate(found.updatedAt).text))"
        guard found.argumentsDigest == request.argumentsDigest else {
            return StoreError(
                .jobDiffers, "\(end) with other arguments: name another job for these, or begin it anew with --again")
        }
        let change = found.scriptDigest == request.scriptDigest ? "" : ", and its script has changed since"
        return StoreError(.jobFinished, "\(end)\(change): --again begins a new one")
    }
}

/// The table `jobs`.
private struct JobTable {
    let database: SQLiteDatabase

    func current(_ name: String) throws(SQLiteError) -> Job.Found? {
        let statement = try database.prepare(
            """
            SELECT id, state, script_digest, arguments_digest, pid, updated_at,
              (SELECT count(*) FROM requests WHERE job = jobs.id AND state IN ('finished', 'stopped', 'cached'))
                + (SELECT count(*) FROM steps WHERE job = jobs.id)
            FROM jobs WHERE name = ? AND is_current
            """)
        defer { statement.reset() }
        statement.bind(name, at: 1)
        guard try statement.step() else { return nil }
        return Job.Found(
            row: statement.int(0), state: statement.text(1), scriptDigest: statement.text(2),
            argumentsDigest: statement.text(3), pid: Int(statement.optionalInt(4) ?? 0), updatedAt: statement.double(5),
            isResumed: true,
            answeredCount: Int(statement.int(6)))
    }

    func make(_ request: Job.Request) throws(SQLiteError) -> Int64 {
        let old = try database.prepare("UPDATE jobs SET is_current = 0 WHERE name = ? AND is_current")
        old.bind(request.name, at: 1)
        try old.run()
        let new = try database.prepare(
            """
            INSERT INTO jobs(name, is_current, state, script, script_digest, arguments_digest, created_at, updated_at, pid)
            VALUES(?1, 1, 'open', ?2, ?3, ?4, ?5, ?5, ?6)
            """)
        new.bind(request.name, at: 1)
        bind(request, to: new)
        try new.run()
        return database.lastInsertedRowID
    }

    func resume(_ row: Int64, _ request: Job.Request) throws(SQLiteError) {
        let statement = try database.prepare(
            """
            UPDATE jobs SET state = 'open', script = ?2, script_digest = ?3, arguments_digest = ?4, updated_at = ?5, pid = ?6
            WHERE id = ?1
            """)
        statement.bind(row, at: 1)
        bind(request, to: statement)
        try statement.run()
    }

    /// Ends the requests that an earlier run has left open: it was killed, since it no longer holds the lock.
    func endOpenRequests(of job: Int64) throws(SQLiteError) {
        let statement = try database.prepare(
            "UPDATE requests SET state = 'cancelled', ended_at = ?2 WHERE job = ?1 AND state = 'running'")
        statement.bind(job, at: 1)
        statement.bind(SystemClock.unixTime(), at: 2)
        try statement.run()
    }

    private func bind(_ request: Job.Request, to statement: SQLiteStatement) {
        statement.bind(request.script, at: 2)
        statement.bind(request.scriptDigest, at: 3)
        statement.bind(request.argumentsDigest, at: 4)
        statement.bind(SystemClock.unixTime(), at: 5)
        statement.bind(Int64(getpid()), at: 6)
    }
}
