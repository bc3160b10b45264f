// The store read as a log: lists, sums, search, and single requests.

internal import Base
internal import Chat
internal import Glibc
internal import JSON
internal import SQLite

/// A store that is only read. To be used on one thread.
package final class RequestLog {
    /// Tokens of text around a hit.
    private static let snippetTokens = 16

    private let connection: StoreConnection

    private init(_ connection: StoreConnection) { self.connection = connection }

    /// The log in a store; nil if there is none.
    /// - Throws: ``StoreError`` if the file cannot be read or is no store.
    package static func open(_ path: String) throws(StoreError) -> RequestLog? {
        guard access(path, F_OK) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw StoreError(
                .disk,
                "the store \(path) cannot be read: \(String(cString: strerror(errno))); check the rights of its folder, or "
                    + "name another file with --store")
        }
        let log = RequestLog(StoreConnection(path: path, vfs: nil, access: .readOnly, retryDelay: 0.02))
        // Another process may be making it.
        return try log.read { try StoreSchema.isComplete($0) } ? log : nil
    }

    func read<Answer>(_ body: (SQLiteDatabase) throws -> Answer) throws(StoreError) -> Answer {
        do {
            return try connection.retrying { try body(connection.database()) }
        } catch let error as SQLiteError where error.isReadOnly || error.isCannotOpen {
            throw StoreError(
                .disk,
                "the store \(connection.path) cannot be read: \(error.message); SQLite needs the right to read the file, "
                    + "and to write beside it")
        } catch {
            throw StoreError.wrap(error, path: connection.path)
        }
    }

    var path: String { connection.path }

    // MARK: Lists

    /// The requests that meet `filter`, the newest first.
    package func requests(_ filter: RequestFilter, limit: Int) throws(StoreError) -> [LoggedRequest] {
        try read { database in
            let rows = RequestRows(database: database)
            return try rows.ids(filter, limit: limit).compactMap { try rows.request($0) }
        }
    }

    /// Calls `body` with the requests that meet `filter`, the oldest first.
    package func forEach(
        _ filter: RequestFilter, limit: Int?, _ body: (LoggedExchange) throws -> Void
    ) throws {
        // The numbers alone: so the log is not kept from shrinking while the caller writes.
        var ids = try read { try RequestRows(database: $0).ids(filter, limit: limit) }
        while let id = ids.popLast() {
            if let exchange = try exchange(id) { try body(exchange) }
        }
    }

    /// The newest request; nil without any.
    package func newest(_ filter: RequestFilter = RequestFilter()) throws(StoreError) -> Int64? {
        try read { try RequestRows(database: $0).ids(filter, limit: 1).first }
    }

    /// Sums over all requests that meet `filter`.
    package func totals(_ filter: RequestFilter) throws(StoreError) -> RequestTotals {
        try read { try RequestRows(database: $0).totals(filter) }
    }

    // MARK: Search

    /// The requests with the words of `query` that meet `filter`, the newest first. Requests that run, that were broken off
    /// with their process, and cached ones are not found.
    package func search(_ query: SearchQuery, _ filter: RequestFilter, limit: Int) throws(StoreError) -> [SearchHit] {
        guard let match = query.match else { return [] }
        return try read { database in
            let statement = try RequestRows(database: database).search(
                """
                SELECT r.id, snippet(search, -1, ?6, ?7, '…', ?8)
                """, match, filter, limit: limit)
            statement.bind(String(SearchHit.hitStart), at: 6)
            statement.bind(String(SearchHit.hitEnd), at: 7)
            statement.bind(Self.snippetTokens, at: 8)
            defer { statement.reset() }
            var hits: [SearchHit] = []
            while try statement.step() {
                guard let request = try RequestRows(database: database).request(statement.int(0)) else { continue }
                hits.append(SearchHit(request: request, snippet: statement.text(1)))
            }
            return hits
        }
    }

    /// How many requests a search finds, counted up to `limit`.
    package func matchCount(_ query: SearchQuery, _ filter: RequestFilter, limit: Int) throws(StoreError) -> Int {
        guard let match = query.match else { return 0 }
        return try read { database in
            let statement = try RequestRows(database: database).matches(match, filter, limit: limit)
            defer { statement.reset() }
            var count = 0
            while try statement.step() { count += 1 }
            return count
        }
    }

    // MARK: Single requests

    /// A request with all that is recorded; nil if there is none of that number.
    package func exchange(_ id: Int64) throws(StoreError) -> LoggedExchange? {
        try read { try RequestRows(database: $0).exchange(id) }
    }

    // MARK: Status

    /// The size of the log.
    package func status() throws(StoreError) -> LogStatus {
        try read { database in
            var status = LogStatus()
            let count = try database.prepare("SELECT total(requests) FROM days")
            if try count.step() { status.requests = Int(count.int(0)) }
            count.reset()
            // Two statements: SQLite finds one end of an index at once, but not both.
            for (sql, place) in [
                ("SELECT min(started_at) FROM requests", \LogStatus.first),
                ("SELECT max(started_at) FROM requests", \LogStatus.last),
            ] {
                let statement = try database.prepare(sql)
                if try statement.step() { status[keyPath: place] = statement.optionalDouble(0) }
                statement.reset()
            }
            status.bytes = StoreFile.bytes(path)
            return status
        }
    }

    /// Closes the file.
    package func close() { connection.close() }
}

/// The files of a store.
enum StoreFile {
    /// Bytes of the file and its write-ahead log.
    static func bytes(_ path: String) -> Int64 {
        [path, path + "-wal"].reduce(0) { sum, name in
            var status = stat()
            return stat(name, &status) == 0 ? sum + Int64(status.st_size) : sum
        }
    }
}

/// Reads rows of the table `requests`.
private struct RequestRows {
    let database: SQLiteDatabase

    // MARK: Filters

    /// The conditions of a filter; the parameters 1 to 5 are bound by ``bind(_:to:)``.
    private static let conditions = """
        r.started_at >= ?1 AND (?2 IS NULL OR r.model = ?2) AND (?3 IS NULL OR r.provider = ?3)
          AND (?4 IS NULL OR r.run = ?4) AND (?5 = 0 OR r.state = 'failed')
        """

    private func bind(_ filter: RequestFilter, to statement: SQLiteStatement) {
        statement.bind(filter.since ?? -.greatestFiniteMagnitude, at: 1)
        statement.bind(filter.model, at: 2)
        statement.bind(filter.provider, at: 3)
        statement.bind(filter.run, at: 4)
        statement.bind(filter.failedOnly ? 1 : 0, at: 5)
    }

    /// The table and the conditions. A run has few requests; all others are found in the index that covers the conditions.
    private static func source(_ filter: RequestFilter) -> String {
        filter.run == nil
            ? "FROM requests r INDEXED BY requests_by_time WHERE \(conditions)"
            : "FROM requests r INDEXED BY requests_by_run WHERE r.run = ?4 AND \(conditions)"
    }

    /// The numbers of the requests that meet `filter`, the newest first.
    func ids(_ filter: RequestFilter, limit: Int?) throws -> [Int64] {
        let statement = try database.prepare(
            "SELECT r.id \(Self.source(filter)) ORDER BY r.started_at DESC, r.id DESC LIMIT ?6")
        bind(filter, to: statement)
        // SQLite: a negative limit is none.
        statement.bind(limit ?? -1, at: 6)
        defer { statement.reset() }
        var ids: [Int64] = []
        while try statement.step() { ids.append(statement.int(0)) }
        return ids
    }

    /// Sums: of whole days from the table `days`, of the rest from the requests.
    func totals(_ filter: RequestFilter) throws -> RequestTotals {
        var totals = RequestTotals()
        guard filter.run == nil else {
            try add(filter, before: .greatestFiniteMagnitude, to: &totals)
            return totals
        }
        let since = filter.since.map { min(max($0 / 86_400, 0), 1e9) } ?? 0
        let firstDay = since.rounded(.up)
        if firstDay > since { try add(filter, before: firstDay * 86_400, to: &totals) }
        let statement = try database.prepare(
            """
            SELECT total(requests), total(iif(state = 'failed', requests, 0)), total(iif(state = 'cached', requests, 0)),
              total(iif(state = 'cached', 0, input_tokens)), total(iif(state = 'cached', 0, output_tokens)),
              sum(iif(state = 'cached', NULL, cost)) FROM days
            WHERE day >= ?1 AND (?2 IS NULL OR model = ?2) AND (?3 IS NULL OR provider = ?3)
              AND (?4 = 0 OR state = 'failed')
            """)
        statement.bind(Int(firstDay), at: 1)
        statement.bind(filter.model, at: 2)
        statement.bind(filter.provider, at: 3)
        statement.bind(filter.failedOnly ? 1 : 0, at: 4)
        try totals.add(statement)
        return totals
    }

    /// Adds the requests before a time, one by one.
    private func add(_ filter: RequestFilter, before end: Double, to totals: inout RequestTotals) throws {
        let statement = try database.prepare(
            """
            SELECT count(*), total(r.state = 'failed'), total(r.state = 'cached'),
              total(iif(r.state = 'cached', 0, r.input_tokens)), total(iif(r.state = 'cached', 0, r.output_tokens)),
              sum(iif(r.state = 'cached', NULL, r.cost)) \(Self.source(filter)) AND r.started_at < ?6
            """)
        bind(filter, to: statement)
        statement.bind(end, at: 6)
        try totals.add(statement)
    }

    /// The requests that match, the newest first: FTS5 walks its lists backwards and stops at the limit, whereas a rank must
    /// score every match.
    func search(
        _ columns: String, _ match: String, _ filter: RequestFilter, limit: Int
    ) throws -> SQLiteStatement {
        let statement = try database.prepare(
            """
            \(columns) FROM search CROSS JOIN requests r ON r.id = search.rowid
            WHERE search MATCH ?9 AND \(Self.conditions) ORDER BY search.rowid DESC LIMIT ?10
            """)
        bind(filter, to: statement)
        statement.bind(match, at: 9)
        statement.bind(limit, at: 10)
        return statement
    }

    /// A row for each request that matches. Without a filter no request is read.
    func matches(_ match: String, _ filter: RequestFilter, limit: Int) throws -> SQLiteStatement {
        guard filter == RequestFilter() else { return try search("SELECT 1", match, filter, limit: limit) }
        let statement = try database.prepare("SELECT 1 FROM search WHERE search MATCH ?1 LIMIT ?2")
        statement.bind(match, at: 1)
        statement.bind(limit, at: 2)
        return statement
    }

    // MARK: Rows

    func request(_ id: Int64) throws -> LoggedRequest? {
        let statement = try database.prepare(
            """
            SELECT id, run, job, state, provider, model, format, address, started_at, first_output_at, ended_at, attempts,
              finish_reason, error_kind, input_tokens, output_tokens, reasoning_tokens, cached_tokens, cost, source,
              substr(prompt, 1, ?2) FROM requests WHERE id = ?1
            """)
        statement.bind(id, at: 1)
        statement.bind(Self.promptStart, at: 2)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        func count(_ column: Int) -> Int? { statement.optionalInt(column).map { Int($0) } }
        let state = try state(statement.text(3), run: statement.int(1))
        return LoggedRequest(
            id: id, run: statement.int(1), job: statement.optionalInt(2), state: state,
            provider: statement.text(4), model: statement.text(5), dialect: statement.text(6),
            address: statement.text(7), startedAt: statement.double(8), firstOutputAt: statement.optionalDouble(9),
            endedAt: statement.optionalDouble(10), attempts: count(11), finishReason: statement.optionalText(12),
            errorKind: statement.optionalText(13), inputTokens: count(14), outputTokens: count(15),
            reasoningTokens: count(16), cachedTokens: count(17), cost: statement.optionalDouble(18),
            source: statement.optionalInt(19), promptStart: statement.text(20))
    }

    /// A request that was running when its process was killed is interrupted.
    private func state(_ recorded: String, run: Int64) throws -> String {
        guard recorded == "running" else { return recorded }
        let statement = try database.prepare("SELECT pid FROM runs WHERE id = ?")
        statement.bind(run, at: 1)
        defer { statement.reset() }
        return try statement.step() && RunProcess.exists(statement.int(0)) ? recorded : "interrupted"
    }

    /// Characters of a prompt that lists show.
    private static let promptStart = 240

    func exchange(_ id: Int64) throws -> LoggedExchange? {
        guard let request = try request(id) else { return nil }
        var exchange = LoggedExchange(request: request, prompt: "", attempts: try attempts(of: id))
        let statement = try database.prepare("SELECT prompt, request, error FROM requests WHERE id = ?")
        statement.bind(id, at: 1)
        defer { statement.reset() }
        if try statement.step() {
            exchange.prompt = statement.text(0)
            exchange.spec = Self.decoded(statement.text(1))
            exchange.failure = statement.optionalText(2).flatMap(Self.decoded)
        }
        exchange.reply = try reply(of: request.source ?? id)
        let run = try database.prepare(
            """
            SELECT command, script, (SELECT name FROM jobs WHERE id = ?2) FROM runs WHERE id = ?1
            """)
        run.bind(request.run, at: 1)
        run.bind(request.job, at: 2)
        defer { run.reset() }
        if try run.step() {
            exchange.command = run.text(0)
            exchange.script = run.text(1)
            exchange.jobName = run.optionalText(2)
        }
        return exchange
    }

    /// The reply of a request; nil if there is none. Of a request that was broken off with its process: the text that was
    /// written before.
    private func reply(of id: Int64) throws -> Reply? {
        let statement = try database.prepare(
            "SELECT reply, reasoning, details, model, provider, started_at FROM requests WHERE id = ?")
        statement.bind(id, at: 1)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        let record = EndedRecord(
            place: RequestRecord.Place(digest: [], ordinal: 0), job: nil, state: "", rowCount: 0,
            reply: statement.optionalText(0), reasoning: statement.optionalText(1),
            details: statement.optionalText(2), error: nil)
        if let reply = record.wholeReply { return reply }
        let (text, reasoning) = try output(of: id)
        guard !text.isEmpty || !reasoning.isEmpty else { return nil }
        return Reply(
            text: text, reasoning: reasoning, toolCalls: [], model: statement.text(3), provider: statement.text(4),
            attempts: 1, totalTime: 0, message: ["role": "assistant", "content": .string(text)])
    }

    /// The text and the reasoning of the last attempt, from the deltas.
    private func output(of id: Int64) throws -> (text: String, reasoning: String) {
        let statement = try database.prepare(
            """
            SELECT kind, text FROM deltas WHERE request = ?1 AND kind != 'event'
              AND attempt = (SELECT max(attempt) FROM deltas WHERE request = ?1) ORDER BY number
            """)
        statement.bind(id, at: 1)
        defer { statement.reset() }
        var (text, reasoning) = ("", "")
        while try statement.step() {
            if statement.text(0) == OutputRow.Kind.text.rawValue {
                text += statement.text(1)
            } else {
                reasoning += statement.text(1)
            }
        }
        return (text, reasoning)
    }

    private func attempts(of id: Int64) throws -> [LoggedAttempt] {
        let statement = try database.prepare(
            """
            SELECT number, ended_at, delay, error_kind, status, received_bytes, error FROM attempts WHERE request = ?
            ORDER BY number
            """)
        statement.bind(id, at: 1)
        defer { statement.reset() }
        var attempts: [LoggedAttempt] = []
        while try statement.step() {
            let failure: RequestFailure? = Self.decoded(statement.text(6))
            attempts.append(
                LoggedAttempt(
                    number: Int(statement.int(0)), endedAt: statement.double(1), delay: statement.double(2),
                    errorKind: statement.text(3), status: statement.optionalInt(4).map { Int($0) },
                    receivedBytes: Int(statement.int(5)), message: failure?.message ?? ""))
        }
        return attempts
    }

    /// A value of a column; nil if it cannot be read, as in a damaged record.
    private static func decoded<Value: Decodable>(_ text: String) -> Value? {
        // Nil says that the column cannot be read.
        guard let json = try? JSONReader.value(text) else { return nil }
        // As above.
        return try? JSONValueDecoder().decode(Value.self, from: json)
    }
}

extension RequestTotals {
    /// Adds the one row of a statement: requests, failed, cached, input tokens, output tokens, cost.
    fileprivate mutating func add(_ statement: SQLiteStatement) throws {
        defer { statement.reset() }
        guard try statement.step() else { return }
        requests += Int(statement.int(0))
        failed += Int(statement.int(1))
        cached += Int(statement.int(2))
        inputTokens += Int(statement.int(3))
        outputTokens += Int(statement.int(4))
        statement.optionalDouble(5).map { cost = (cost ?? 0) + $0 }
    }
}
