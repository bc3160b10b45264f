// The statements that write records.

internal import Base
internal import Chat
internal import Glibc
internal import JSON
internal import SQLite

/// Writes rows in a transaction. Keys are removed from all text.
struct StoreTables {
    let database: SQLiteDatabase
    let scrubber: KeyScrubber

    func begin(_ run: RunRecord) throws -> Int64 {
        let statement = try database.prepare(
            """
            INSERT INTO runs(job, command, script, version, pid, started_at) VALUES(?, ?, ?, ?, ?, ?)
            """)
        statement.bind(run.job, at: 1)
        statement.bind(run.command, at: 2)
        statement.bind(scrubber.scrub(run.script), at: 3)
        statement.bind(Product.version, at: 4)
        statement.bind(Int64(getpid()), at: 5)
        statement.bind(run.startedAt, at: 6)
        try statement.run()
        return database.lastInsertedRowID
    }

    func end(_ row: Int64, _ run: RunRecord, _ end: RunEnd) throws {
        let now = SystemClock.unixTime()
        let statement = try database.prepare(
            "UPDATE runs SET ended_at = ?2, outcome = ?3, exit_status = ?4, arguments = ?5 WHERE id = ?1")
        statement.bind(row, at: 1)
        statement.bind(now, at: 2)
        statement.bind(end.outcome, at: 3)
        statement.bind(end.status, at: 4)
        statement.bind(JSONWriter.text(.array(run.arguments.map { .string(scrubber.scrub($0)) })), at: 5)
        try statement.run()
        let open = try database.prepare(
            "UPDATE requests SET state = 'cancelled', ended_at = ?2 WHERE run = ?1 AND state = 'running'")
        open.bind(row, at: 1)
        open.bind(now, at: 2)
        try open.run()
        guard let job = run.job else { return }
        let finished = try database.prepare("UPDATE jobs SET state = ?2, updated_at = ?3, pid = NULL WHERE id = ?1")
        finished.bind(job, at: 1)
        finished.bind(end.isSuccess ? "finished" : "open", at: 2)
        finished.bind(now, at: 3)
        try finished.run()
    }

    func begin(_ record: RequestRecord, run: Int64, job: Int64?, _ place: RequestRecord.Place) throws -> Int64 {
        let spec = record.spec.recorded
        let json = scrubber.scrub(try JSONValueEncoder().encode(spec))
        let statement = try database.prepare(
            """
            INSERT INTO requests(run, job, digest, ordinal, state, provider, model, format, address, started_at, source,
              prompt, request, ended_at)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        statement.bind(run, at: 1)
        statement.bind(job, at: 2)
        statement.bind(place.digest, at: 3)
        statement.bind(place.ordinal, at: 4)
        statement.bind((record.source == nil ? RequestEnd.State.running : .cached).rawValue, at: 5)
        statement.bind(scrubber.scrub(spec.endpoint.provider), at: 6)
        statement.bind(scrubber.scrub(spec.chat.model), at: 7)
        statement.bind(spec.endpoint.dialect, at: 8)
        statement.bind(scrubber.scrub(spec.endpoint.baseURL), at: 9)
        statement.bind(record.startedAt, at: 10)
        statement.bind(record.source, at: 11)
        statement.bind(scrubber.scrub(spec.promptText), at: 12)
        statement.bind(text: JSONWriter.bytes(json), at: 13)
        statement.bind(record.source == nil ? nil : record.startedAt, at: 14)
        try statement.run()
        let row = database.lastInsertedRowID
        if let source = record.source { try copyCounts(of: source, to: row) }
        return row
    }

    /// A cached request shows the counts and the text of its answer.
    private func copyCounts(of source: Int64, to row: Int64) throws {
        let statement = try database.prepare(
            """
            UPDATE requests SET (finish_reason, input_tokens, output_tokens, reasoning_tokens, cached_tokens, cost, attempts) =
              (SELECT finish_reason, input_tokens, output_tokens, reasoning_tokens, cached_tokens, 0, 0
               FROM requests WHERE id = ?2) WHERE id = ?1
            """)
        statement.bind(row, at: 1)
        statement.bind(source, at: 2)
        try statement.run()
    }

    func add(_ info: RetryInfo, to request: Int64, time: Double) throws {
        let statement = try database.prepare(
            """
            INSERT OR REPLACE INTO attempts(request, number, ended_at, delay, error_kind, status, received_bytes, error)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?)
            """)
        statement.bind(request, at: 1)
        statement.bind(info.attempt, at: 2)
        statement.bind(time, at: 3)
        statement.bind(info.delay, at: 4)
        statement.bind(info.error.kind.rawValue, at: 5)
        statement.bind(info.error.status, at: 6)
        statement.bind(info.received.bytes, at: 7)
        statement.bind(text: try json(info.error), at: 8)
        try statement.run()
    }

    /// Adds a row of output.
    /// - Parameter tail: the end of the rows before it, which is replaced.
    func add(_ row: OutputRow, to request: Int64, after tail: inout OutputTail) throws {
        let row = scrubbed(row, after: &tail)
        let statement = try database.prepare(
            """
            INSERT INTO deltas(request, number, attempt, kind, at, text, pieces, seal) VALUES(?, ?, ?, ?, ?, ?, ?, ?)
            """)
        statement.bind(request, at: 1)
        statement.bind(row.number, at: 2)
        statement.bind(row.attempt, at: 3)
        statement.bind(row.kind.rawValue, at: 4)
        statement.bind(row.time, at: 5)
        statement.bind(text: row.text, at: 6)
        statement.bind(row.pieces, at: 7)
        statement.bind(row.seal(request: request), at: 8)
        try statement.run()
    }

    /// A row whose text has a key becomes one delta: the lengths of its deltas no longer fit.
    private func scrubbed(_ row: OutputRow, after tail: inout OutputTail) -> OutputRow {
        let clean = tail.scrub(row, scrubber)
        guard clean != row.text else { return row }
        var row = row
        row.text = clean
        guard row.kind != .event else { return row }
        row.pieces = []
        guard !clean.isEmpty else { return row }
        LEB128.append(UInt64(clean.count), to: &row.pieces)
        LEB128.append(0, to: &row.pieces)
        return row
    }

    func end(
        _ row: Int64, _ end: RequestEnd, place: RequestRecord.Place, job: Int64?, price: TokenPrice?
    ) throws {
        var record = EndedRecord(end, scrubber)
        record.place = place
        record.job = job
        let usage = record.usage
        let statement = try database.prepare(
            """
            UPDATE requests SET state = ?2, first_output_at = started_at + ?3, ended_at = ?4, attempts = ?5, finish_reason = ?6,
              error_kind = ?7, input_tokens = ?8, output_tokens = ?9, reasoning_tokens = ?10, cached_tokens = ?11, cost = ?12,
              output_rows = ?13, seal = ?14, reply = ?15, reasoning = ?16, details = ?17, error = ?18
            WHERE id = ?1
            """)
        statement.bind(row, at: 1)
        statement.bind(end.state.rawValue, at: 2)
        statement.bind(end.firstOutput, at: 3)
        statement.bind(end.time, at: 4)
        statement.bind(record.attempts, at: 5)
        statement.bind(record.finishReason, at: 6)
        statement.bind(record.errorKind, at: 7)
        statement.bind(usage?.inputTokens, at: 8)
        statement.bind(usage?.outputTokens, at: 9)
        statement.bind(usage?.reasoningTokens, at: 10)
        statement.bind(usage?.cachedTokens, at: 11)
        statement.bind(usage?.dollars(at: price), at: 12)
        statement.bind(end.rowCount, at: 13)
        statement.bind(record.seal, at: 14)
        statement.bind(record.reply, at: 15)
        statement.bind(record.reasoning, at: 16)
        statement.bind(record.details, at: 17)
        statement.bind(record.error, at: 18)
        try statement.run()
        try index(row)
    }

    /// Adds the texts of a request to the full-text index.
    private func index(_ row: Int64) throws {
        let statement = try database.prepare(
            """
            INSERT INTO search(rowid, prompt, reply, reasoning) SELECT id, prompt, reply, reasoning FROM searchable WHERE id = ?
            """)
        statement.bind(row, at: 1)
        try statement.run()
    }

    func add(step place: RequestRecord.StepPlace, _ result: [UInt8], job: Int64, run: Int64) throws {
        let result = scrubber.scrub(result)
        let statement = try database.prepare(
            """
            INSERT OR REPLACE INTO steps(job, name, ordinal, run, recorded_at, result, seal) VALUES(?, ?, ?, ?, ?, ?, ?)
            """)
        statement.bind(job, at: 1)
        statement.bind(place.name, at: 2)
        statement.bind(place.ordinal, at: 3)
        statement.bind(run, at: 4)
        statement.bind(SystemClock.unixTime(), at: 5)
        statement.bind(text: result, at: 6)
        statement.bind(place.seal(result, job: job), at: 7)
        try statement.run()
    }

    private func json(_ value: some Encodable) throws -> [UInt8] {
        JSONWriter.bytes(scrubber.scrub(try JSONValueEncoder().encode(value)))
    }
}

/// Scrubs the rows of a request: a key may be split between two of them.
struct OutputTail {
    /// Of each kind: text and reasoning may come in turn.
    private var texts: [OutputRow.Kind: SplitTextScrubber] = [:]
    private var attempt = 0

    /// The text of the next row without keys.
    mutating func scrub(_ row: OutputRow, _ scrubber: KeyScrubber) -> [UInt8] {
        guard row.kind != .event else { return scrubber.scrub(row.text) }
        if attempt != row.attempt { texts = [:] }
        attempt = row.attempt
        return texts[row.kind, default: SplitTextScrubber()].scrub(row.text, scrubber)
    }
}

/// The end of a request as columns.
struct EndedRecord {
    var place = RequestRecord.Place(digest: [], ordinal: 0)
    var job: Int64?
    var state: String
    var rowCount: Int
    var reply: String?
    var reasoning: String?
    var details: String?
    var error: String?
    var attempts: Int?
    var finishReason: String?
    var errorKind: String?
    var usage: Usage?

    /// The columns of an end.
    init(_ end: RequestEnd, _ scrubber: KeyScrubber) {
        state = end.state.rawValue
        rowCount = end.rowCount
        switch end.result {
        case .reply(let reply): take(reply, scrubber)
        case .failure(let failure):
            if let partial = failure.partial { take(partial, scrubber) }
            var failure = failure
            failure.partial = nil
            error = Self.json(failure, scrubber)
            errorKind = failure.kind.rawValue
            attempts = failure.attempts
            usage = usage ?? failure.usage
            finishReason = nil
        }
    }

    private mutating func take(_ whole: Reply, _ scrubber: KeyScrubber) {
        reply = scrubber.scrub(whole.text)
        reasoning = whole.reasoning.isEmpty ? nil : scrubber.scrub(whole.reasoning)
        attempts = whole.attempts
        finishReason = whole.finishReason?.rawValue
        usage = whole.usage
        var rest = whole
        rest.text = ""
        rest.reasoning = ""
        rest.message = RecordedMessage.removing(whole.text, whole.reasoning, from: whole.message)
        details = Self.json(rest, scrubber)
    }

    private static func json(_ value: some Encodable, _ scrubber: KeyScrubber) -> String? {
        // Replies and failures hold JSON values, which always encode.
        guard let json = try? JSONValueEncoder().encode(value) else { return nil }
        return JSONWriter.text(scrubber.scrub(json))
    }

    /// The columns of a row, for its check.
    init(
        place: RequestRecord.Place, job: Int64?, state: String, rowCount: Int, reply: String?, reasoning: String?,
        details: String?, error: String?
    ) {
        self.place = place
        self.job = job
        self.state = state
        self.rowCount = rowCount
        self.reply = reply
        self.reasoning = reasoning
        self.details = details
        self.error = error
    }

    /// The checksum of the record.
    var seal: Int64 {
        var seal = RecordSeal(.request)
        seal.add(place.digest)
        seal.add(Int64(place.ordinal))
        seal.add(job ?? 0)
        seal.add(state)
        seal.add(Int64(rowCount))
        seal.add(reply)
        seal.add(reasoning)
        seal.add(details)
        seal.add(error)
        return seal.value
    }

    /// The reply that the columns hold; nil if they hold none.
    var wholeReply: Reply? {
        // Nil says that the columns cannot be read.
        guard let details, let json = try? JSONReader.value(details),
            // As above.
            var whole = try? JSONValueDecoder().decode(Reply.self, from: json)
        else { return nil }
        whole.text = reply ?? ""
        whole.reasoning = reasoning ?? ""
        whole.message = RecordedMessage.restoring(whole.text, whole.reasoning, in: whole.message)
        return whole
    }
}

/// The message of a reply repeats its text and its reasoning, which have columns of their own.
private enum RecordedMessage {
    /// The member of an object that stands for a text. No provider sends it.
    private static let mark = "moonrill:recorded"
    /// Shorter texts stay as they are.
    private static let minimum = 256

    static func removing(_ text: String, _ reasoning: String, from message: JSONValue) -> JSONValue {
        replacing(message) { value in
            guard case .string(let string) = value, string.utf8.count >= minimum else { return nil }
            if isSame(string, text) { return [mark: "text"] }
            return isSame(string, reasoning) ? [mark: "reasoning"] : nil
        }
    }

    /// Byte by byte: `==` takes canonically equal texts for the same.
    private static func isSame(_ string: String, _ other: String) -> Bool {
        guard string.utf8.count == other.utf8.count else { return false }
        let (one, two) = (Array(string.utf8), Array(other.utf8))
        return one.span.commonCount(with: two.span) == one.count
    }

    static func restoring(_ text: String, _ reasoning: String, in message: JSONValue) -> JSONValue {
        replacing(message) { value in
            switch value[mark]?.string {
            case "text": .string(text)
            case "reasoning": .string(reasoning)
            default: nil
            }
        }
    }

    private static func replacing(_ value: JSONValue, _ replacement: (JSONValue) -> JSONValue?) -> JSONValue {
        if let new = replacement(value) { return new }
        switch value {
        case .array(let elements): return .array(elements.map { replacing($0, replacement) })
        case .object(let object):
            var result = JSONObject()
            for member in object { result.append(uncheckedKey: member.key, replacing(member.value, replacement)) }
            return .object(result)
        default: return value
        }
    }
}
