// Each operation on a file fails once, or from then on: what was committed stays, and a transaction is there completely or
// not at all.

import CFaultVFS
import Foundation
import Testing

@testable import SQLite

/// Runs ten transactions against a file system that may fail.
struct FaultyRun {
    static let count = 10
    let folder = Folder()
    let vfs: String

    /// Transactions that reported success, in order.
    private(set) var committed: [Int64] = []
    private(set) var errors: [SQLiteError] = []

    init(vfs: String) { self.vfs = vfs }

    /// Goes on with the next transaction after an error, as a program does.
    mutating func run() {
        do throws(SQLiteError) {
            let database = try SQLiteDatabase(path: folder.file(), vfs: vfs)
            try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8")
            try database.execute("CREATE TABLE t (run INTEGER NOT NULL, half INTEGER NOT NULL, bytes BLOB NOT NULL)")
            for run in 1...Int64(Self.count) {
                do throws(SQLiteError) {
                    try Self.insert(run, into: database)
                    committed.append(run)
                } catch {
                    errors.append(error)
                    if database.isInTransaction { try database.execute("ROLLBACK") }
                }
            }
            try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        } catch {
            errors.append(error)
        }
    }

    private static func insert(_ run: Int64, into database: SQLiteDatabase) throws(SQLiteError) {
        try database.execute("BEGIN IMMEDIATE")
        for half in 0...1 {
            let insert = try database.prepare("INSERT INTO t VALUES (?, ?, ?)")
            insert.bind(run, at: 1)
            insert.bind(half, at: 2)
            insert.bind([UInt8](repeating: UInt8(run), count: 3000), at: 3)
            try insert.run()
        }
        try database.execute("COMMIT")
    }

    /// Opens the file again; the transactions in it. nil if the table was not created.
    func reopened() throws -> [Int64]? {
        fvfs_reset(vfs)
        guard FileManager.default.fileExists(atPath: folder.file()) else { return nil }
        let database = try SQLiteDatabase(path: folder.file(), access: .existing, vfs: vfs)
        #expect(try database.text("PRAGMA integrity_check") == "ok")
        guard try database.number("SELECT count(*) FROM sqlite_schema") == 1 else { return nil }
        let rows = try database.prepare("SELECT run, half, bytes FROM t ORDER BY run, half")
        var found: [Int64] = []
        while try rows.step() {
            let (run, half, bytes) = (rows.int(0), rows.int(1), rows.bytes(2))
            #expect(bytes == [UInt8](repeating: UInt8(run), count: 3000))
            if half == 0 { found.append(run) } else { #expect(found.last == run) }
        }
        #expect(try database.number("SELECT count(*) FROM t") == 2 * Int64(found.count))
        return found
    }
}

@Suite struct Faults {
    /// Registers a VFS of its own, so that tests can run side by side.
    private func register(_ name: String) -> String {
        #expect(fvfs_register(name) == 0)
        return name
    }

    @Test func runWithoutFaults() throws {
        let vfs = register("no faults")
        var run = FaultyRun(vfs: vfs)
        run.run()
        #expect(run.errors == [])
        #expect(run.committed == Array(1...Int64(FaultyRun.count)))
        for operation in [FVFS_OPEN, FVFS_WRITE, FVFS_SYNC, FVFS_TRUNCATE] {
            #expect(fvfs_count(vfs, operation) > 0)
        }
        #expect(try run.reopened() == run.committed)
    }

    static let operations = [
        (FVFS_OPEN, "open"), (FVFS_WRITE, "write"), (FVFS_SYNC, "sync"), (FVFS_TRUNCATE, "truncate"),
    ].map(Operation.init)
    static let kinds = [
        (FVFS_EIO, "EIO"), (FVFS_ENOSPC, "ENOSPC"), (FVFS_SHORT_WRITE, "short write"), (FVFS_TORN_WRITE, "torn write"),
    ].map(Kind.init)

    struct Operation: CustomTestStringConvertible {
        let value: fvfs_operation
        let testDescription: String
    }

    struct Kind: CustomTestStringConvertible {
        let value: fvfs_error
        let testDescription: String
    }

    @Test(arguments: operations, kinds) func committedTransactionsStay(_ operation: Operation, _ kind: Kind) throws {
        let isWrite = operation.value == FVFS_WRITE
        guard isWrite || kind.value == FVFS_EIO || kind.value == FVFS_ENOSPC else { return }
        let vfs = register("\(operation.testDescription) \(kind.testDescription)")
        for forGood in [false, true] {
            var number: Int32 = 0
            var reached = true
            while reached {
                number += 1
                fvfs_reset(vfs)
                fvfs_fail(vfs, operation.value, number, kind.value, forGood)
                var run = FaultyRun(vfs: vfs)
                run.run()
                reached = fvfs_count(vfs, operation.value) >= number
                let circumstances: Comment = "number \(number), for good: \(forGood)"
                let found = try run.reopened() ?? []
                if found != run.committed {
                    // The sync of a COMMIT failed after its pages were written: recovery finds the whole transaction.
                    #expect(operation.value == FVFS_SYNC && forGood, circumstances)
                    #expect(found == run.committed + [Int64(FaultyRun.count)], circumstances)
                }
                #expect(forGood || run.errors.count <= 1, circumstances)
                #expect(run.committed.count == FaultyRun.count || !run.errors.isEmpty, circumstances)
                #expect(reached || run.errors.isEmpty, circumstances)
                for error in run.errors {
                    switch kind.value {
                    case FVFS_ENOSPC where isWrite, FVFS_SHORT_WRITE: #expect(error.isFull, "\(error)")
                    default: #expect(error.isIO || error.isCannotOpen, "\(error)")
                    }
                }
            }
            #expect(number > 1)
        }
    }

    @Test func messages() throws {
        let vfs = register("messages")
        fvfs_fail(vfs, FVFS_OPEN, 1, FVFS_ENOSPC, false)
        let folder = Folder()
        let opened = failure { _ = try SQLiteDatabase(path: folder.file(), vfs: vfs) }
        #expect(opened?.message == "unable to open database file: No space left on device")
        let database = try SQLiteDatabase(path: folder.file(), vfs: vfs)
        try database.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
        fvfs_reset(vfs)
        fvfs_fail(vfs, FVFS_WRITE, 1, FVFS_EIO, false)
        let written = failure { try database.execute("INSERT INTO t VALUES (1)") }
        #expect(written?.code == 778)  // SQLITE_IOERR_WRITE
        #expect(written?.message == "disk I/O error")
        fvfs_fail(vfs, FVFS_WRITE, fvfs_count(vfs, FVFS_WRITE) + 1, FVFS_ENOSPC, false)
        let full = failure { try database.execute("INSERT INTO t VALUES (1)") }
        #expect(full?.isFull == true)
        #expect(full?.message == "database or disk is full")
        try database.execute("INSERT INTO t VALUES (1)")
        #expect(try database.number("SELECT count(*) FROM t") == 1)
    }
}
