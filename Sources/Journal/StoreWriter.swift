// The writing half of a store: one queue, and transactions of all that waits.

internal import Base
internal import Chat
internal import Dispatch
internal import JSON
internal import SQLite
internal import Synchronization

/// Something to be written.
enum StoreWrite: Sendable {
    case beginRun(UInt64, RunRecord)
    case endRun(UInt64, RunEnd)
    case beginRequest(RequestRecord)
    case attempt(request: UInt64, RetryInfo, time: Double)
    case output(request: UInt64, [OutputRow])
    case endRequest(UInt64, RequestEnd)
    case step(run: UInt64, RequestRecord.StepPlace, [UInt8])
}

/// Who waits until a write is on the disk.
struct Confirmation: Sendable {
    var inbox: JournalInbox
    var number: UInt64
}

/// Writes to the store on a queue of its own. Writes that come while a transaction runs go into the next one together.
final class StoreWriter: Sendable {
    /// Seconds for which writes that nobody waits for are collected.
    private static let linger = 0.1
    /// Minimum pages of the write-ahead log for a checkpoint: between two transactions, and in `flush`, whose caller waits.
    private static let checkpointPages = (between: 4000, atEnd: 8000)

    private struct Item: Sendable {
        var write: StoreWrite
        var confirmation: Confirmation?
    }

    private struct Waiting {
        var items: [Item] = []
        /// Whether a transaction is scheduled, and whether at once.
        var isScheduled = false
        var isUrgent = false
        /// Keys that must not be written.
        var scrubber = KeyScrubber()
    }

    private let path: String
    private let queue = DispatchQueue(label: "moonrill.store.write")
    private let waiting = Mutex(Waiting())
    private let worker: StoreWorker
    private let onFailure: @Sendable (StoreError) -> Void
    private let hasReported = Atomic<Bool>(false)

    init(_ connection: sending StoreConnection, onFailure: @escaping @Sendable (StoreError) -> Void) {
        path = connection.path
        self.onFailure = onFailure
        worker = StoreWorker(connection)
    }

    /// Keeps a key out of all records.
    func hide(_ key: String) { waiting.withLock { $0.scrubber.add(key) } }

    /// The text without the keys that are known so far.
    func scrub(_ text: String) -> String { waiting.withLock { $0.scrubber }.scrub(text) }

    /// Queues a write.
    /// - Parameter isUrgent: whether it is written at once, and not with others a little later.
    func add(_ write: StoreWrite, isUrgent: Bool = false, confirmation: Confirmation? = nil) {
        let isNow = isUrgent || confirmation != nil
        let (mustSchedule, mustHurry) = waiting.withLock { waiting in
            waiting.items.append(Item(write: write, confirmation: confirmation))
            let answer = (!waiting.isScheduled, isNow && !waiting.isUrgent)
            waiting.isScheduled = true
            if isNow { waiting.isUrgent = true }
            return answer
        }
        if mustHurry {
            queue.async { self.writeAndCheckpoint() }
        } else if mustSchedule {
            queue.asyncAfter(deadline: .now() + Self.linger) { self.writeAndCheckpoint() }
        }
    }

    /// Waits until everything is written.
    func flush() {
        queue.sync {
            writeAll()
            worker.connection.checkpoint(above: Self.checkpointPages.atEnd)
        }
    }

    /// Runs `body` in a transaction of its own, after everything that waits.
    /// - Parameter isDurable: whether the commit waits until it is on the disk.
    func perform<Answer: Sendable>(
        isDurable: Bool = true, _ body: @Sendable (SQLiteDatabase) throws -> Answer
    ) throws(StoreError) -> Answer {
        let path = self.path
        let result: Result<Answer, StoreError> = queue.sync {
            writeAll()
            do {
                var answer: Answer?
                try worker.connection.transaction(isDurable: isDurable) {
                    // Releases what a failed attempt has made: the lock of a job.
                    answer = nil
                    answer = try body($0)
                }
                guard let answer else { throw StoreError(.disk, "the store \(path): no transaction") }
                return .success(answer)
            } catch {
                return .failure(StoreError.wrap(error, path: path))
            }
        }
        return try result.get()
    }

    func close() {
        queue.sync {
            writeAll()
            worker.connection.close()
        }
    }

    // MARK: On the queue

    private func writeAndCheckpoint() {
        writeAll()
        // Whoever waits for the disk goes first.
        guard waiting.withLock({ !$0.isUrgent }) else { return }
        worker.connection.checkpoint(above: Self.checkpointPages.between)
    }

    private func writeAll() {
        let (items, scrubber) = waiting.withLock { waiting in
            defer {
                waiting.items = []
                waiting.isScheduled = false
                waiting.isUrgent = false
            }
            return (waiting.items, waiting.scrubber)
        }
        guard !items.isEmpty else { return }
        do {
            let isDurable = items.contains { $0.confirmation != nil }
            let lost = try worker.write(items.map(\.write), scrubber, isDurable: isDurable)
            confirm(items, lost: lost)
        } catch {
            lose(items, StoreError.wrap(error, path: path))
        }
    }

    /// - Parameter lost: the places in `items` of writes whose request is not in the store, because its beginning was lost.
    private func confirm(_ items: [Item], lost: [Int: StoreError]) {
        report(items) { index, number in lost[index].map { .lost(number, $0) } ?? .recorded(number) }
    }

    private func lose(_ items: [Item], _ error: StoreError) {
        worker.noteLost(items.map(\.write), error)
        report(items) { _, number in .lost(number, error) }
        if hasReported.exchange(true, ordering: .relaxed) == false { onFailure(error) }
    }

    private func report(_ items: [Item], _ report: (Int, UInt64) -> JournalInbox.Report) {
        var inboxes: [(JournalInbox, [JournalInbox.Report])] = []
        for (index, item) in items.enumerated() {
            guard let confirmation = item.confirmation else { continue }
            let new = report(index, confirmation.number)
            if let place = inboxes.firstIndex(where: { $0.0 === confirmation.inbox }) {
                inboxes[place].1.append(new)
            } else {
                inboxes.append((confirmation.inbox, [new]))
            }
        }
        for (inbox, reports) in inboxes { inbox.add(reports) }
    }
}

/// The state of the writing queue. Only that queue uses it, which the compiler cannot see.
private final class StoreWorker: @unchecked Sendable {  // used on the queue of its StoreWriter alone
    let connection: StoreConnection
    /// Rows of the runs and requests of this process that are not over.
    private var runs: [UInt64: RunRow] = [:]
    private var requests: [UInt64: RequestRow] = [:]
    private var counters = OrdinalCounters()
    /// Runs whose beginning was lost. It is written again with their next request.
    private var lostRuns: [UInt64: RunRecord] = [:]

    private struct RunRow {
        var row: Int64
        var record: RunRecord
    }

    private struct RequestRow {
        var row: Int64
        var place: RequestRecord.Place
        var job: Int64?
        var price: TokenPrice?
        /// The end of the output so far, in which a key may begin.
        var tail = OutputTail()
        /// Why it is not whole in the store.
        var loss: StoreError?
    }

    init(_ connection: StoreConnection) { self.connection = connection }

    /// Writes in one transaction.
    /// - Returns: the writes that had nowhere to go, and why.
    func write(_ writes: [StoreWrite], _ scrubber: KeyScrubber, isDurable: Bool) throws -> [Int: StoreError] {
        let before = (runs, requests, counters)
        var lost: [Int: StoreError] = [:]
        do {
            try connection.transaction(isDurable: isDurable) { database in
                (runs, requests, counters) = before
                lost = [:]
                for (index, write) in writes.enumerated() {
                    do {
                        try perform(write, StoreTables(database: database, scrubber: scrubber))
                    } catch let error as StoreError {
                        lost[index] = error
                    }
                }
            }
        } catch {
            (runs, requests, counters) = before
            throw error
        }
        return lost
    }

    /// Notes which requests are not whole in the store after a transaction was lost.
    func noteLost(_ writes: [StoreWrite], _ error: StoreError) {
        for write in writes {
            switch write {
            case .beginRequest(let record):
                requests[record.key] = RequestRow(
                    row: 0, place: record.place ?? RequestRecord.Place(digest: [], ordinal: 0), loss: error)
            case .output(let key, _), .attempt(let key, _, _): requests[key]?.loss = error
            case .endRequest(let key, _): requests[key] = nil
            case .beginRun(let number, let record): lostRuns[number] = record
            case .endRun(let number, _):
                runs[number] = nil
                lostRuns[number] = nil
            case .step: break
            }
        }
    }

    /// The row of a run.
    private func run(_ number: UInt64, _ tables: StoreTables) throws -> RunRow? {
        if let run = runs[number] { return run }
        guard let record = lostRuns[number] else { return nil }
        let run = RunRow(row: try tables.begin(record), record: record)
        runs[number] = run
        return run
    }

    private func perform(_ write: StoreWrite, _ tables: StoreTables) throws {
        switch write {
        case .beginRun(let number, let record): runs[number] = RunRow(row: try tables.begin(record), record: record)
        case .endRun(let number, let end):
            guard let run = runs.removeValue(forKey: number) else { return }
            try tables.end(run.row, run.record, end)
            counters.remove(run: number)
        case .beginRequest(let record):
            guard let run = try run(record.run, tables) else { return noteLost([write], .missing) }
            let place = record.place ?? counters.place(of: RequestIdentity(record.spec), run: record.run)
            let row = try tables.begin(record, run: run.row, job: run.record.job, place)
            // Nothing more comes of one that a cache answered.
            guard record.source == nil else { return }
            requests[record.key] = RequestRow(row: row, place: place, job: run.record.job, price: record.spec.price)
        case .attempt(let key, let info, let time):
            guard let request = requests[key], request.loss == nil else { return }
            try tables.add(info, to: request.row, time: time)
        case .output(let key, let rows):
            guard let index = requests.index(forKey: key), requests.values[index].loss == nil else { return }
            let request = requests.values[index].row
            for row in rows { try tables.add(row, to: request, after: &requests.values[index].tail) }
        case .endRequest(let key, let end):
            guard let request = requests.removeValue(forKey: key) else { throw StoreError.missing }
            if let loss = request.loss { throw loss }
            try tables.end(
                request.row, end, place: request.place, job: request.job, price: request.price)
        case .step(let number, let place, let result):
            guard let run = try run(number, tables), let job = run.record.job else { throw StoreError.missing }
            try tables.add(step: place, result, job: job, run: run.row)
        }
    }
}

extension StoreError {
    /// The record to which a write belongs was lost.
    static let missing = StoreError(.disk, "the record of the run or request was lost before; see the first message")
}
