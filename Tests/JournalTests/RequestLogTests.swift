// The log over stores that runs have filled.

import Base
import Chat
import Foundation
import JSON
import SQLite
import Support
import Testing

@testable import Journal

@Suite struct RequestLogTests {
    private let folder = StoreFolder()

    private func log() throws -> RequestLog { try #require(try RequestLog.open(folder.path)) }

    private func run(_ prompts: String..., fails: Bool = false) throws {
        let run = try JournaledRun(folder, isJob: false, isLogged: true)
        run.inner.fails = fails
        for prompt in prompts { _ = run.ask(prompt) }
        run.end(true)
    }

    @Test func aMissingStoreHasNoLog() throws {
        #expect(try RequestLog.open(folder.path) == nil)
        #expect(!FileManager.default.fileExists(atPath: folder.path))
        try folder.write(Data("this is no database, but long enough to have a header of one".utf8) + Data(count: 1000))
        let error = #expect(throws: StoreError.self) { try RequestLog.open(folder.path) }
        #expect(error?.message.contains(folder.path) == true)
    }

    @Test func theNewestAreListedFirst() throws {
        try run("one", "two", "three")
        let log = try log()
        #expect(try log.requests(RequestFilter(), limit: 2).map(\.promptStart) == ["three", "two"])
        let request = try #require(try log.requests(RequestFilter(), limit: 1).first)
        #expect(request.state == "finished" && request.model == "m" && request.provider == "p" && request.attempts == 1)
        #expect(request.finishReason == "stop" && request.dialect == "openai" && request.job == nil)
        #expect(try log.newest() == request.id)
        var order: [String] = []
        try log.forEach(RequestFilter(), limit: nil) { order.append($0.prompt) }
        #expect(order == ["one", "two", "three"])
    }

    @Test func filtersApplyToListsAndSums() throws {
        try run("one", "two")
        try run("three", fails: true)
        // Known times and counts.
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        try database.execute(
            """
            UPDATE requests SET started_at = 1000 * id, input_tokens = 10 * id, output_tokens = id, cost = 0.5 * id;
            UPDATE requests SET model = 'other' WHERE prompt = 'two';
            UPDATE requests SET provider = 'q' WHERE prompt = 'three';
            """)
        let log = try log()
        func found(_ filter: RequestFilter) throws -> [String] {
            let requests = try log.requests(filter, limit: 100)
            #expect(try log.totals(filter).requests == requests.count)
            return requests.map(\.promptStart)
        }
        #expect(try found(RequestFilter(model: "m")) == ["three", "one"])
        #expect(try found(RequestFilter(provider: "q")) == ["three"])
        #expect(try found(RequestFilter(since: 2000)) == ["three", "two"])
        #expect(try found(RequestFilter(run: 1)) == ["two", "one"])
        #expect(try found(RequestFilter(run: 7)) == [])
        #expect(try found(RequestFilter(failedOnly: true)) == ["three"])
        #expect(try found(RequestFilter(model: "other", provider: "p", since: 1, run: 1)) == ["two"])
        let totals = try log.totals(RequestFilter())
        #expect(totals.requests == 3 && totals.failed == 1 && totals.inputTokens == 60 && totals.outputTokens == 6)
        #expect(totals.cost == 3)
        #expect(try log.totals(RequestFilter(model: "none")).cost == nil)
    }

    /// The sums of `days` follow every change of a request.
    @Test func theSumsOfDaysAreThoseOfTheRequests() throws {
        try run("one", "two")
        try run("three", fails: true)
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        func differences() throws -> Int64 {
            let statement = try database.prepare(
                """
                WITH real AS (
                  SELECT CAST(started_at / 86400 AS INTEGER) AS day, provider, model, state, count(*) AS requests,
                    total(attempts) AS attempts, total(input_tokens) AS input, total(output_tokens) AS output,
                    round(total(cost), 6) AS cost FROM requests GROUP BY 1, 2, 3, 4),
                kept AS (
                  SELECT day, provider, model, state, requests, attempts, input_tokens, output_tokens,
                    round(ifnull(cost, 0), 6) FROM days)
                SELECT (SELECT count(*) FROM (SELECT * FROM real EXCEPT SELECT * FROM kept))
                  + (SELECT count(*) FROM (SELECT * FROM kept EXCEPT SELECT * FROM real))
                """)
            defer { statement.reset() }
            return try statement.step() ? statement.int(0) : -1
        }
        #expect(try differences() == 0)
        for change in [
            "UPDATE requests SET started_at = 86400 * id, input_tokens = 10 * id, output_tokens = id, cost = 0.1 * id",
            "UPDATE requests SET model = 'other', provider = 'q' WHERE id = 2", "UPDATE requests SET cost = NULL",
            "UPDATE requests SET state = 'cached', attempts = 4 WHERE id = 1", "DELETE FROM requests WHERE id = 2",
            "DELETE FROM requests",
        ] {
            try database.execute(change)
            #expect(try differences() == 0, "\(change)")
        }
        let view = try database.prepare("SELECT count(*) FROM costs")
        #expect(try view.step() && view.int(0) == 0)
    }

    @Test func sumsSinceATimeWithinADayAreExact() throws {
        try run("one", "two", "three", "four")
        let database = try SQLiteDatabase(path: folder.path, access: .existing)
        try database.execute("UPDATE requests SET started_at = 86400 * 10 + 43200 * id, input_tokens = id")
        let log = try log()
        // At 10.5, 11, 11.5 and 12 days.
        for (day, expected) in [
            (0, 10), (10.5, 10), (10.6, 9), (11, 9), (11.2, 7), (11.5, 7), (11.9, 4), (12, 4), (12.1, 0),
        ]
            as [(Double, Int)]
        {
            let totals = try log.totals(RequestFilter(since: day * 86_400))
            #expect(totals.inputTokens == expected, "since day \(day)")
        }
        #expect(try log.totals(RequestFilter(model: "m", since: 10.6 * 86_400)).requests == 3)
        #expect(try log.totals(RequestFilter(model: "x", since: 10.6 * 86_400)).requests == 0)
    }

    /// Sums over many requests must not read the rows, which carry long texts.
    @Test(arguments: [RequestFilter(), RequestFilter(model: "m", provider: "p", since: 5, failedOnly: true)])
    func listsAndSumsAreReadFromAnIndex(filter: RequestFilter) throws {
        try run("one")
        let database = try SQLiteDatabase(path: folder.path, access: .readOnly)
        for sql in [
            "SELECT r.id FROM requests r INDEXED BY requests_by_time WHERE r.started_at >= 1 AND r.model = 'm' "
                + "ORDER BY r.started_at DESC, r.id DESC LIMIT 20",
            "SELECT count(*), sum(r.cost), sum(r.input_tokens), total(r.state = 'failed') FROM requests r "
                + "INDEXED BY requests_by_time WHERE r.started_at >= 1 AND r.provider = 'p' AND r.run = 1",
        ] {
            let statement = try database.prepare("EXPLAIN QUERY PLAN " + sql)
            var plan = ""
            while try statement.step() { plan += statement.text(3) + "\n" }
            #expect(plan.contains("COVERING INDEX requests_by_time") && !plan.contains("TEMP B-TREE"), "\(plan)")
        }
    }

    @Test func aCachedRequestShowsTheReplyOfItsSource() throws {
        let first = try JournaledRun(folder, isJob: false, isLogged: true)
        _ = first.ask("one", cache: CachePolicy())
        first.end(true)
        let second = try JournaledRun(folder, isJob: false, isLogged: true)
        _ = second.ask("one", cache: CachePolicy())
        second.end(true)
        let log = try log()
        let cached = try #require(try log.exchange(2))
        #expect(cached.request.state == "cached" && cached.request.source == 1)
        #expect(cached.reply?.text == "reply to 1")
        let totals = try log.totals(RequestFilter())
        #expect(totals.cached == 1 && totals.requests == 2)
    }

    @Test func anExchangeHasAllThatIsRecorded() throws {
        try run("one")
        try run("two", fails: true)
        let log = try log()
        let one = try #require(try log.exchange(1))
        #expect(one.prompt == "one" && one.reply?.text == "reply to 1" && one.failure == nil)
        #expect(one.spec?.chat.messages == [["role": "user", "content": "one"]])
        #expect(one.command == "run" && one.jobName == nil)
        let two = try #require(try log.exchange(2))
        #expect(two.failure?.kind == .overloaded && two.reply == nil)
        #expect(try log.exchange(3) == nil)
    }

    /// A request whose process was killed has its text as far as it was written.
    @Test func aRequestWithoutAnEndShowsItsOutput() throws {
        let run = try JournaledRun(folder)
        run.inner.hangs = true
        let id = run.start("one")
        var text = ""
        while text.isEmpty, let next = run.nextReady() {
            for case .text(let batch) in run.journal.take(next) where next == id { text += batch.text }
        }
        // `end` writes what was taken.
        run.end()
        let exchange = try #require(try log().exchange(1))
        #expect(exchange.request.state == "cancelled" && exchange.reply?.text == text && text == "reply to 1")
    }

    @Test func searchFindsWordsPhrasesAndPrefixes() throws {
        try run("the moon over the river", "a river of stars", "Über den Mond")
        let log = try log()
        func found(_ text: String, _ filter: RequestFilter = RequestFilter()) throws -> [String] {
            let query = SearchQuery(text)
            let hits = try log.search(query, filter, limit: 10)
            #expect(try log.matchCount(query, filter, limit: 10) == hits.count)
            return hits.map(\.request.promptStart)
        }
        #expect(try found("river") == ["a river of stars", "the moon over the river"])
        #expect(try found("river moon") == ["the moon over the river"])
        #expect(try found("\"over the\"") == ["the moon over the river"])
        #expect(try found("\"the over\"") == [])
        #expect(try found("sta*") == ["a river of stars"])
        #expect(try found("uber") == ["Über den Mond"])
        // In replies too.
        #expect(try found("reply").count == 3)
        #expect(try found("river", RequestFilter(model: "x")) == [])
        let snippet = try #require(try log.search(SearchQuery("moon"), RequestFilter(), limit: 1).first?.snippet)
        #expect(snippet == "the \u{2}moon\u{3} over the river")
        #expect(try log.search(SearchQuery("reply"), RequestFilter(), limit: 2).count == 2)
    }

    @Test func theStatusCountsRequestsAndBytes() throws {
        try run("one", "two")
        let status = try log().status()
        #expect(status.requests == 2 && status.bytes > 10_000)
        #expect(try #require(status.first) <= #require(status.last))
    }

    // MARK: Jobs

    @Test func jobsAreListedAndRemoved() throws {
        let run = try JournaledRun(folder)
        _ = run.ask("one", cache: CachePolicy())
        _ = run.step("s", "1")
        let running = try #require(try log().job(named: "night"))
        #expect(running.state == .running(pid: Int(getpid())))
        let other = Store(path: folder.path)
        let refused = #expect(throws: StoreError.self) { try other.removeJob("night") }
        #expect(refused?.kind == .jobRunning && refused?.message.contains("\(getpid())") == true)
        run.end(false)
        _ = consume run

        let job = try #require(try log().jobs().first)
        #expect(job.finished == 1 && job.steps == 1 && job.failed == 0 && job.runs == 1 && job.script == "s.lua")
        #expect(try log().job(named: "nigh") == nil)
        #expect(try other.removeJob("night"))
        #expect(try !other.removeJob("night"))
        #expect(try log().jobs().isEmpty)
        // The request is still in the log, and its seal is right: it answers from the cache.
        #expect(try log().exchange(1)?.reply?.text == "reply to 1")
        let later = try JournaledRun(folder, isJob: false)
        guard case .finish(let reply)? = later.ask("one", cache: CachePolicy()).last else {
            Issue.record("no reply")
            return
        }
        #expect(reply.isCached)
        later.end(true)
        other.close()
    }

    @Test func aReplacedJobIsNotListed() throws {
        for again in [false, true] {
            let run = try JournaledRun(folder, again: again)
            _ = run.ask("one")
            run.end(true)
        }
        let jobs = try log().jobs()
        #expect(jobs.count == 1 && jobs.first?.finished == 1 && jobs.first?.state == .finished)
        let store = Store(path: folder.path)
        #expect(try store.removeJob("night"))
        store.close()
        let database = try SQLiteDatabase(path: folder.path, access: .readOnly)
        let count = try database.prepare("SELECT count(*) FROM jobs")
        #expect(try count.step() && count.int(0) == 0)
    }
}
