// The reading half of a store for a running script: finds the recorded answers of requests and steps.

internal import Base
internal import Chat
internal import Dispatch
internal import Glibc
internal import JSON
internal import SQLite

/// A question for the record of a request.
struct LookUp: Sendable {
    var spec: RequestSpec
    /// The number of the run.
    var run: UInt64
    /// The row of the run's job; nil without one.
    var job: Int64?
    /// Seconds since 1970.
    var time: Double

    enum Answer: Sendable {
        /// There is a recorded reply.
        case found(RecordedReply, RequestRecord.Place)
        /// There is none, or one that is damaged, which the warning says.
        case missing(RequestRecord.Place, carried: CarriedReply?, warning: String?)
        /// The store cannot be read.
        case failed(StoreError)
    }
}

/// A reply as it was recorded.
struct RecordedReply: Sendable {
    /// Its row.
    var row: Int64
    var reply: Reply
    /// Its output, in order.
    var events: [TimedEvent]
    /// Whether it was the answer of a cache: of this run, or of an earlier one of the same job.
    var isCached: Bool
    /// Whether an earlier run of the same job has got it.
    var isResumed = false
}

/// The output of a request that was broken off with its run.
struct CarriedReply: Sendable {
    var events: [TimedEvent]
    var output: CarriedOutput
}

/// Looks up on a queue of its own.
final class StoreReader: Sendable {
    private let queue = DispatchQueue(label: "moonrill.store.read")
    private let worker: ReadWorker

    init(_ connection: sending StoreConnection) { worker = ReadWorker(connection) }

    /// Answers with ``JournalInbox/Report/answered(_:_:)``.
    func lookUp(_ question: LookUp, number: UInt64, inbox: JournalInbox) {
        queue.async { [worker] in inbox.add(.answered(number, worker.answer(question))) }
    }

    /// Answers with ``JournalInbox/Report/step(_:_:)``.
    func lookUp(_ step: RequestRecord.StepPlace, job: Int64, number: UInt64, inbox: JournalInbox) {
        queue.async { [worker] in inbox.add(worker.answer(step, job: job, number: number)) }
    }

    /// Gives the place of a failed request to the next equal one.
    func release(_ place: RequestRecord.Place, run: UInt64) {
        queue.async { [worker] in worker.counters.release(place, run: run) }
    }

    /// Forgets a run.
    func remove(run: UInt64) { queue.async { [worker] in worker.counters.remove(run: run) } }

    func close() { queue.sync { worker.connection.close() } }
}

/// The state of the reading queue. Only that queue uses it, which the compiler cannot see.
private final class ReadWorker: @unchecked Sendable {  // used on the queue of its StoreReader alone
    let connection: StoreConnection
    var counters = OrdinalCounters()
    /// Whether the store has its tables. Another process may be making them.
    private var isReady = false

    init(_ connection: StoreConnection) { self.connection = connection }

    // MARK: Requests

    func answer(_ question: LookUp) -> LookUp.Answer {
        let cache = question.spec.cache
        let place = counters.place(
            of: RequestIdentity(question.spec), run: question.run, isShared: cache?.isShared ?? false)
        do {
            return try read { try answer(question, place, $0) } ?? .missing(place, carried: nil, warning: nil)
        } catch {
            return .failed(StoreError.wrap(error, path: connection.path))
        }
    }

    private func answer(
        _ question: LookUp, _ place: RequestRecord.Place, _ query: RecordQuery
    ) throws -> LookUp.Answer {
        var warning: String?
        for scope in scopes(of: question) {
            for (row, isCached) in try query.rows(of: place, scope) {
                if var reply = try query.reply(row, to: place, isCached: scope.isCache || isCached) {
                    reply.isResumed = !scope.isCache
                    return .found(reply, place)
                }
                warning = "request \(row) in the store \(connection.path) is damaged; it is asked again"
            }
        }
        var carried: CarriedReply?
        if let job = question.job, question.spec.retry.afterOutput == .continue,
            question.spec.endpoint.quirks.continuation != .none
        {
            carried = try query.carried(place, job: job)
        }
        return .missing(place, carried: carried, warning: warning)
    }

    private func scopes(of question: LookUp) -> [RecordQuery.Scope] {
        var scopes: [RecordQuery.Scope] = []
        // A shared reply is found again in the cache, which knows its age; its place is also that of other requests.
        if let job = question.job, question.spec.cache?.isShared != true { scopes.append(.resumed(job: job)) }
        guard let cache = question.spec.cache, !cache.isRefreshed else { return scopes }
        let since = cache.ttl.map { question.time - $0 } ?? 0
        switch cache.scope {
        case .store: scopes.append(.cache(since: since, job: nil))
        // Without a job the requests of this run are asked once each in any case.
        case .job: question.job.map { scopes.append(.cache(since: since, job: $0)) }
        }
        return scopes
    }

    // MARK: Steps

    func answer(_ place: RequestRecord.StepPlace, job: Int64, number: UInt64) -> JournalInbox.Report {
        do {
            switch try read({ try $0.step(place, job: job) }) ?? .missing {
            case .missing: return .step(number, nil, warning: nil)
            case .found(let result): return .step(number, result, warning: nil)
            case .damaged:
                return .step(
                    number, nil,
                    warning:
                        "the result of step '\(place.name)' (number \(place.ordinal + 1) of that name) in the store "
                        + "\(connection.path) is damaged; the step runs again")
            }
        } catch {
            return .stepFailed(number, StoreError.wrap(error, path: connection.path))
        }
    }

    // MARK: Reading

    /// Reads from the store; nil if nothing has been written yet. An error of the disk is tried again.
    private func read<Answer>(_ body: (RecordQuery) throws -> Answer) throws -> Answer? {
        try connection.retrying {
            guard let database = try existingDatabase() else { return nil }
            return try body(RecordQuery(database: database))
        }
    }

    /// Nil if nothing has been written yet.
    private func existingDatabase() throws -> SQLiteDatabase? {
        guard isReady || access(connection.path, F_OK) == 0 else { return nil }
        let database = try connection.database()
        if !isReady { isReady = try StoreSchema.isComplete(database) }
        return isReady ? database : nil
    }
}

/// Reads records and checks them.
private struct RecordQuery {
    let database: SQLiteDatabase

    /// Which records may answer.
    enum Scope {
        /// Those of earlier runs of the same job, also those that the script stopped.
        case resumed(job: Int64)
        /// Whole replies of the store, or of one job.
        case cache(since: Double, job: Int64?)

        var isCache: Bool { if case .cache = self { true } else { false } }
    }

    /// The rows at a place, the latest first.
    func rows(
        of place: RequestRecord.Place, _ scope: Scope
    ) throws(SQLiteError) -> [(row: Int64, isCached: Bool)] {
        let statement: SQLiteStatement
        switch scope {
        case .resumed(let job):
            statement = try database.prepare(
                """
                SELECT coalesce(source, id), source IS NOT NULL FROM requests
                WHERE digest = ? AND ordinal = ? AND job = ? AND state IN ('finished', 'stopped', 'cached')
                ORDER BY id DESC LIMIT 3
                """)
            statement.bind(job, at: 3)
        case .cache(let since, let job):
            statement = try database.prepare(
                """
                SELECT id, 0 FROM requests
                WHERE digest = ? AND ordinal = ? AND ended_at >= ? AND (? IS NULL OR job = ?) AND state = 'finished'
                ORDER BY id DESC LIMIT 3
                """)
            statement.bind(since, at: 3)
            statement.bind(job, at: 4)
            statement.bind(job, at: 5)
        }
        statement.bind(place.digest, at: 1)
        statement.bind(place.ordinal, at: 2)
        defer { statement.reset() }
        var rows: [(Int64, Bool)] = []
        while try statement.step() { rows.append((statement.int(0), statement.int(1) != 0)) }
        return rows
    }

    /// The reply of a row; nil if the record is damaged, or is that of another question.
    func reply(_ row: Int64, to place: RequestRecord.Place, isCached: Bool) throws(SQLiteError) -> RecordedReply? {
        let statement = try database.prepare(
            """
            SELECT digest, ordinal, job, state, output_rows, reply, reasoning, details, error, seal FROM requests WHERE id = ?
            """)
        statement.bind(row, at: 1)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        let record = EndedRecord(
            place: RequestRecord.Place(digest: statement.bytes(0), ordinal: Int(statement.int(1))),
            job: statement.optionalInt(2), state: statement.text(3), rowCount: Int(statement.int(4)),
            reply: statement.optionalText(5), reasoning: statement.optionalText(6), details: statement.optionalText(7),
            error: statement.optionalText(8))
        guard record.place.digest == place.digest, statement.optionalInt(9) == record.seal,
            let reply = record.wholeReply,
            let rows = try output(of: row), rows.count == record.rowCount
        else { return nil }
        let attempt = rows.last?.attempt
        var events: [TimedEvent] = []
        for row in rows where row.attempt == attempt {
            guard let new = row.events else { return nil }
            events += new
        }
        return RecordedReply(row: row, reply: reply, events: Self.fitting(events, reply), isCached: isCached)
    }

    /// The output if it makes the reply. A request whose deltas nobody saw restarts without a `reset`: then the reply as one
    /// delta.
    private static func fitting(_ events: [TimedEvent], _ reply: Reply) -> [TimedEvent] {
        var (text, reasoning) = ("", "")
        for case .text(let batch) in events.map(\.event) {
            switch batch.kind {
            case .text: text += batch.text
            case .reasoning: reasoning += batch.text
            }
        }
        guard text != reply.text || reasoning != reply.reasoning else { return events }
        var other = events.filter { if case .text = $0.event { false } else { true } }
        let time = events.last?.time ?? 0
        let place = other.firstIndex { if case .start = $0.event { false } else { true } } ?? other.endIndex
        var whole: [TimedEvent] = []
        if !reply.reasoning.isEmpty { whole.append(TimedEvent(time: time, event: .text(.reasoning(reply.reasoning)))) }
        if !reply.text.isEmpty { whole.append(TimedEvent(time: time, event: .text(TextBatch(reply.text)))) }
        other.insert(contentsOf: whole, at: place)
        return other
    }

    /// The rows of output of a request; nil if one is damaged.
    private func output(of request: Int64) throws(SQLiteError) -> [OutputRow]? {
        let statement = try database.prepare(
            "SELECT number, attempt, kind, at, text, pieces, seal FROM deltas WHERE request = ? ORDER BY number")
        statement.bind(request, at: 1)
        defer { statement.reset() }
        var rows: [OutputRow] = []
        while try statement.step() {
            guard let kind = OutputRow.Kind(rawValue: statement.text(2)) else { return nil }
            let row = OutputRow(
                number: Int(statement.int(0)), attempt: Int(statement.int(1)), kind: kind, time: statement.double(3),
                text: statement.bytes(4), pieces: statement.bytes(5))
            guard row.number == rows.count, row.seal(request: request) == statement.int(6) else { return nil }
            rows.append(row)
        }
        return rows
    }

    /// The output of the last request at a place that did not end; nil without text.
    func carried(_ place: RequestRecord.Place, job: Int64) throws(SQLiteError) -> CarriedReply? {
        let statement = try database.prepare(
            """
            SELECT id FROM requests WHERE digest = ? AND ordinal = ? AND job = ? AND state IN ('running', 'cancelled', 'failed')
            ORDER BY id DESC LIMIT 1
            """)
        statement.bind(place.digest, at: 1)
        statement.bind(place.ordinal, at: 2)
        statement.bind(job, at: 3)
        defer { statement.reset() }
        guard try statement.step(), let rows = try output(of: statement.int(0)) else { return nil }
        let attempt = rows.last?.attempt
        var events: [TimedEvent] = []
        var output = CarriedOutput(text: "")
        for row in rows where row.attempt == attempt && row.kind != .event {
            guard let new = row.events else { return nil }
            events += new
            switch row.kind {
            case .text: output.text += String(decoding: row.text, as: UTF8.self)
            case .reasoning: output.reasoning += String(decoding: row.text, as: UTF8.self)
            case .event: break
            }
        }
        return output.text.isEmpty ? nil : CarriedReply(events: events, output: output)
    }

    enum StepResult {
        case missing, damaged
        case found([UInt8])
    }

    /// The result of a step.
    func step(_ place: RequestRecord.StepPlace, job: Int64) throws(SQLiteError) -> StepResult {
        let statement = try database.prepare(
            "SELECT result, seal FROM steps WHERE job = ? AND name = ? AND ordinal = ?")
        statement.bind(job, at: 1)
        statement.bind(place.name, at: 2)
        statement.bind(place.ordinal, at: 3)
        defer { statement.reset() }
        guard try statement.step() else { return .missing }
        let result = statement.bytes(0)
        return place.seal(result, job: job) == statement.int(1) ? .found(result) : .damaged
    }
}
