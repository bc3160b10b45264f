// The tables of a store, and the steps from one version of them to the next.

internal import SQLite

/// The schema of a store. `PRAGMA user_version` has its version.
enum StoreSchema {
    /// The version that this program writes. A store of a later version is refused.
    static var version: Int { migrations.count }

    /// "MnRl": marks a SQLite file as a store (`PRAGMA application_id`).
    static let applicationID = 0x4D6E_526C

    /// The statements that lead from version n to version n + 1.
    static let migrations = [first]

    private static let first = """
        -- A named run that can be resumed. Runs with --again make a new row; the last one is current.
        CREATE TABLE jobs(
          id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, is_current INTEGER NOT NULL,
          state TEXT NOT NULL,            -- open, finished
          script TEXT NOT NULL, script_digest TEXT NOT NULL, arguments_digest TEXT NOT NULL,
          created_at REAL NOT NULL, updated_at REAL NOT NULL, pid INTEGER);
        CREATE UNIQUE INDEX jobs_by_name ON jobs(name) WHERE is_current;

        -- One process that ran a script or asked a question. Times are seconds since 1970.
        CREATE TABLE runs(
          id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER, command TEXT NOT NULL, script TEXT NOT NULL,
          arguments TEXT,                 -- a JSON array; written at the end, when all keys are known
          version TEXT NOT NULL, pid INTEGER NOT NULL, started_at REAL NOT NULL, ended_at REAL,
          outcome TEXT, exit_status INTEGER);
        CREATE INDEX runs_by_job ON runs(job) WHERE job IS NOT NULL;

        CREATE TABLE requests(
          id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, job INTEGER,
          digest BLOB NOT NULL,           -- SHA-256 of the canonical form
          ordinal INTEGER NOT NULL,       -- the number among equal requests of its run, from 0
          state TEXT NOT NULL,            -- running, finished, stopped (by the script), failed, cancelled, cached
          provider TEXT NOT NULL, model TEXT NOT NULL, format TEXT NOT NULL, address TEXT NOT NULL,
          started_at REAL NOT NULL, first_output_at REAL, ended_at REAL,
          attempts INTEGER, finish_reason TEXT, error_kind TEXT,
          input_tokens INTEGER, output_tokens INTEGER, reasoning_tokens INTEGER, cached_tokens INTEGER,
          cost REAL,                      -- US dollars: as reported, or by llm.prices
          source INTEGER,                 -- of a cached one: the request whose reply was given
          output_rows INTEGER, seal INTEGER,
          prompt TEXT NOT NULL,           -- the text of the messages after the last one of the assistant
          reply TEXT, reasoning TEXT,
          request TEXT NOT NULL,          -- JSON: the request as asked, without keys
          details TEXT,                   -- JSON: the reply without its text and reasoning
          error TEXT);                    -- JSON: the failure
        CREATE INDEX requests_by_digest ON requests(digest, ordinal);
        CREATE INDEX requests_by_run ON requests(run);
        CREATE INDEX requests_by_job ON requests(job, state, input_tokens, output_tokens, cost) WHERE job IS NOT NULL;
        -- Covers lists and sums with any filter: the rows themselves carry long texts.
        CREATE INDEX requests_by_time ON requests(
          started_at, id, state, provider, model, run, job, input_tokens, output_tokens, cost);

        -- Sums by day, kept by the triggers below: a sum over a million requests would take a second.
        CREATE TABLE days(
          day INTEGER NOT NULL,           -- days since 1970, UTC
          provider TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
          requests INTEGER NOT NULL, attempts INTEGER NOT NULL,
          input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
          cost REAL,                      -- null if no cost is known
          PRIMARY KEY(day, provider, model, state)) WITHOUT ROWID;
        CREATE TRIGGER requests_added AFTER INSERT ON requests BEGIN
          INSERT INTO days VALUES(
            CAST(new.started_at / 86400 AS INTEGER), new.provider, new.model, new.state, 1, ifnull(new.attempts, 0),
            ifnull(new.input_tokens, 0), ifnull(new.output_tokens, 0), new.cost)
          ON CONFLICT DO UPDATE SET requests = requests + 1, attempts = attempts + excluded.attempts,
            input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
            cost = iif(excluded.cost IS NULL, cost, ifnull(cost, 0) + excluded.cost);
        END;
        CREATE TRIGGER requests_removed AFTER DELETE ON requests BEGIN
          UPDATE days SET requests = requests - 1, attempts = attempts - ifnull(old.attempts, 0),
            input_tokens = input_tokens - ifnull(old.input_tokens, 0),
            output_tokens = output_tokens - ifnull(old.output_tokens, 0), cost = cost - ifnull(old.cost, 0)
          WHERE (day, provider, model, state) = (CAST(old.started_at / 86400 AS INTEGER), old.provider, old.model, old.state);
          DELETE FROM days
          WHERE (day, provider, model, state) = (CAST(old.started_at / 86400 AS INTEGER), old.provider, old.model, old.state)
            AND requests = 0;
        END;
        CREATE TRIGGER requests_changed
        AFTER UPDATE OF started_at, provider, model, state, attempts, input_tokens, output_tokens, cost ON requests BEGIN
          UPDATE days SET requests = requests - 1, attempts = attempts - ifnull(old.attempts, 0),
            input_tokens = input_tokens - ifnull(old.input_tokens, 0),
            output_tokens = output_tokens - ifnull(old.output_tokens, 0), cost = cost - ifnull(old.cost, 0)
          WHERE (day, provider, model, state) = (CAST(old.started_at / 86400 AS INTEGER), old.provider, old.model, old.state);
          DELETE FROM days
          WHERE (day, provider, model, state) = (CAST(old.started_at / 86400 AS INTEGER), old.provider, old.model, old.state)
            AND requests = 0;
          INSERT INTO days VALUES(
            CAST(new.started_at / 86400 AS INTEGER), new.provider, new.model, new.state, 1, ifnull(new.attempts, 0),
            ifnull(new.input_tokens, 0), ifnull(new.output_tokens, 0), new.cost)
          ON CONFLICT DO UPDATE SET requests = requests + 1, attempts = attempts + excluded.attempts,
            input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
            cost = iif(excluded.cost IS NULL, cost, ifnull(cost, 0) + excluded.cost);
        END;

        -- Attempts that failed and were followed by another.
        CREATE TABLE attempts(
          request INTEGER NOT NULL, number INTEGER NOT NULL, ended_at REAL NOT NULL,
          delay REAL NOT NULL,            -- seconds until the next one
          error_kind TEXT NOT NULL, status INTEGER, received_bytes INTEGER NOT NULL,
          error TEXT NOT NULL,            -- JSON
          PRIMARY KEY(request, number)) WITHOUT ROWID;

        -- The output in the order in which it came, several deltas a row.
        CREATE TABLE deltas(
          request INTEGER NOT NULL, number INTEGER NOT NULL,
          attempt INTEGER NOT NULL,       -- raised by each restart: only the last one counts
          kind TEXT NOT NULL,             -- text, reasoning, event (JSON)
          at REAL NOT NULL,               -- seconds since the start of the request
          text TEXT NOT NULL,
          pieces BLOB NOT NULL,           -- of each delta: bytes of its text, milliseconds since the one before (LEB128)
          seal INTEGER NOT NULL,
          PRIMARY KEY(request, number));

        -- Results of llm.step.
        CREATE TABLE steps(
          job INTEGER NOT NULL, name TEXT NOT NULL, ordinal INTEGER NOT NULL, run INTEGER NOT NULL,
          recorded_at REAL NOT NULL, result TEXT NOT NULL, seal INTEGER NOT NULL,
          PRIMARY KEY(job, name, ordinal));

        -- Tokens and dollars by day (UTC), provider and model.
        CREATE VIEW costs AS
          SELECT date(days.day * 86400, 'unixepoch') AS day, provider, model, sum(requests) AS requests,
            sum(iif(state = 'failed', requests, 0)) AS failed, sum(iif(state = 'cached', requests, 0)) AS cached,
            sum(attempts) AS attempts, sum(iif(state = 'cached', 0, input_tokens)) AS input_tokens,
            sum(iif(state = 'cached', 0, output_tokens)) AS output_tokens,
            sum(iif(state = 'cached', 0, cost)) AS cost
          FROM days GROUP BY days.day, provider, model;

        -- What is indexed: the first 65,536 characters of each text. An index of longer ones would take longer than a stream.
        CREATE VIEW searchable AS
          SELECT id, substr(prompt, 1, 65536) AS prompt, substr(reply, 1, 65536) AS reply,
            substr(reasoning, 1, 65536) AS reasoning
          FROM requests;
        CREATE VIRTUAL TABLE search USING fts5(
          prompt, reply, reasoning, content='searchable', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
        """

    /// Brings the schema of an open store to `version`.
    /// - Throws: ``StoreError`` for a later version or a file that is no store; ``SQLiteError``.
    static func prepare(_ database: SQLiteDatabase, path: String) throws {
        if try storedVersion(database, path: path) == version { return }
        try database.execute("BEGIN IMMEDIATE")
        do {
            // Another process may have done it meanwhile.
            let found = try storedVersion(database, path: path)
            for migration in migrations.dropFirst(found) { try database.execute(migration) }
            try database.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version); COMMIT")
        } catch {
            if database.isInTransaction { try database.execute("ROLLBACK") }
            throw error
        }
    }

    /// - Throws: ``StoreError`` for a later version or a file that is no store; ``SQLiteError``.
    static func check(_ database: SQLiteDatabase, path: String) throws {
        _ = try storedVersion(database, path: path)
    }

    /// Whether the store has the tables of this version.
    static func isComplete(_ database: SQLiteDatabase) throws -> Bool {
        try number("PRAGMA user_version", database) == version
    }

    /// The version of an open store; 0 for an empty file. Read at one moment: another process may be making the tables.
    private static func storedVersion(_ database: SQLiteDatabase, path: String) throws -> Int {
        guard !database.isInTransaction else { return try readVersion(database, path: path) }
        try database.execute("BEGIN")
        let version = Result { try readVersion(database, path: path) }
        try database.execute("COMMIT")
        return try version.get()
    }

    private static func readVersion(_ database: SQLiteDatabase, path: String) throws -> Int {
        let found = try number("PRAGMA user_version", database)
        let owner = try number("PRAGMA application_id", database)
        if found > version { throw StoreError.later(path: path, found: found) }
        guard owner == applicationID || (owner == 0 && found == 0) else { throw StoreError.foreign(path: path) }
        if owner == 0, try number("SELECT count(*) FROM sqlite_master", database) > 0 {
            throw StoreError.foreign(path: path)
        }
        return found
    }

    private static func number(_ sql: String, _ database: SQLiteDatabase) throws -> Int {
        let statement = try database.prepare(sql)
        defer { statement.reset() }
        return try statement.step() ? Int(statement.int(0)) : 0
    }
}
