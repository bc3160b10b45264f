// Databases in a folder of their own: values, errors, modes, locks.

import Foundation
import Testing

@testable import SQLite

/// A folder for one test, removed with it.
final class Folder {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "moonrill-sqlite-" + UUID().uuidString
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String = "test.db") -> String { path + "/" + name }

    func mode(_ name: String) -> Int? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file(name))
        return (attributes?[.posixPermissions] as? NSNumber)?.intValue
    }
}

/// The error of `body`; nil if it throws none.
func failure(_ body: () throws -> Void) -> SQLiteError? {
    do {
        try body()
        return nil
    } catch {
        if !(error is SQLiteError) { Issue.record(error) }
        return error as? SQLiteError
    }
}

extension SQLiteDatabase {
    /// The first column of the first row.
    func number(_ sql: String) throws(SQLiteError) -> Int64 {
        let statement = try prepare(sql)
        defer { statement.reset() }
        return try statement.step() ? statement.int(0) : -1
    }

    func text(_ sql: String) throws(SQLiteError) -> String {
        let statement = try prepare(sql)
        defer { statement.reset() }
        return try statement.step() ? statement.text(0) : "no row"
    }
}

@Suite struct Values {
    let database: SQLiteDatabase
    let echo: SQLiteStatement

    init() throws {
        database = try SQLiteDatabase(path: ":memory:")
        echo = try database.prepare("SELECT ?1, typeof(?1)")
    }

    @Test(arguments: [0, 1, -1, Int64.max, Int64.min]) func integers(_ value: Int64) throws {
        echo.bind(value, at: 1)
        #expect(try echo.step())
        #expect(echo.int(0) == value)
        #expect(echo.optionalInt(0) == value)
        #expect(echo.text(1) == "integer")
    }

    @Test func integersOfSwift() throws {
        echo.bind(Int.max, at: 1)
        #expect(try echo.step())
        #expect(echo.int(0) == Int64(Int.max))
    }

    @Test(arguments: [0, -0.5, 1e308, -1e-300, Double.infinity]) func doubles(_ value: Double) throws {
        echo.bind(value, at: 1)
        #expect(try echo.step())
        #expect(echo.double(0) == value)
        #expect(echo.optionalDouble(0) == value)
        #expect(echo.text(1) == "real")
    }

    @Test func notANumberIsNull() throws {
        echo.bind(Double.nan, at: 1)
        #expect(try echo.step())
        #expect(echo.optionalDouble(0) == nil)
    }

    @Test func texts() throws {
        for value in ["", "a", "ä€😀", "zero\0inside", "\0"] {
            let binds: [(SQLiteStatement) -> Void] = [
                { $0.bind(value, at: 1) }, { $0.bind(text: Array(value.utf8), at: 1) },
            ]
            for bind in binds {
                bind(echo)
                #expect(try echo.step())
                #expect(echo.text(0) == value)
                #expect(echo.optionalText(0) == value)
                #expect(echo.bytes(0) == Array(value.utf8))
                #expect(!echo.isNull(0))
                #expect(echo.text(1) == "text")
                echo.reset()
            }
        }
    }

    @Test func invalidUTF8IsRepairedInTextOnly() throws {
        echo.bind(text: [0x61, 0xff, 0x62], at: 1)
        #expect(try echo.step())
        #expect(echo.text(0) == "a\u{fffd}b")
        #expect(echo.bytes(0) == [0x61, 0xff, 0x62])
    }

    @Test func blobs() throws {
        for value: [UInt8] in [[], [0], [0, 255, 0], Array(repeating: 7, count: 100_000)] {
            echo.bind(value, at: 1)
            #expect(try echo.step())
            #expect(echo.bytes(0) == value)
            #expect(!echo.isNull(0))
            #expect(echo.text(1) == "blob")
            echo.reset()
        }
    }

    @Test func nilIsNull() throws {
        let binds: [(SQLiteStatement) -> Void] = [
            { $0.bind(nil as Int64?, at: 1) }, { $0.bind(nil as Int?, at: 1) }, { $0.bind(nil as Double?, at: 1) },
            { $0.bind(nil as String?, at: 1) }, { $0.bind(nil as [UInt8]?, at: 1) },
        ]
        for bind in binds {
            echo.bind(1, at: 1)
            bind(echo)
            #expect(try echo.step())
            #expect(echo.isNull(0))
            #expect(echo.optionalInt(0) == nil)
            #expect(echo.optionalDouble(0) == nil)
            #expect(echo.optionalText(0) == nil)
            #expect(echo.text(0) == "")
            #expect(echo.bytes(0) == [])
            #expect(echo.int(0) == 0)
            echo.reset()
        }
    }

    @Test func valuesSurviveTheFile() throws {
        let folder = Folder()
        do {
            let database = try SQLiteDatabase(path: folder.file())
            try database.execute("CREATE TABLE t (a, b, c, d); PRAGMA user_version = 7")
            let insert = try database.prepare("INSERT INTO t VALUES (?, ?, ?, ?)")
            insert.bind(Int64.min, at: 1)
            insert.bind("a\0b", at: 2)
            insert.bind([UInt8](), at: 3)
            insert.bind(nil as String?, at: 4)
            try insert.run()
            #expect(database.lastInsertedRowID == 1)
            #expect(database.changedRowCount == 1)
        }
        let database = try SQLiteDatabase(path: folder.file(), access: .existing)
        let select = try database.prepare("SELECT * FROM t")
        #expect(try select.step())
        #expect(select.int(0) == Int64.min)
        #expect(select.text(1) == "a\0b")
        #expect(!select.isNull(2) && select.bytes(2) == [])
        #expect(select.isNull(3))
        #expect(try !select.step())
        #expect(try database.number("PRAGMA user_version") == 7)
    }
}

@Suite struct Statements {
    let database: SQLiteDatabase

    init() throws {
        database = try SQLiteDatabase(path: ":memory:")
        try database.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    }

    @Test func sameTextIsTheSameStatementWithClearedBindings() throws {
        let first = try database.prepare("SELECT ?")
        first.bind(5, at: 1)
        #expect(try first.step())
        let second = try database.prepare("SELECT ?")
        #expect(first === second)
        #expect(try second.step())
        #expect(second.isNull(0))
    }

    @Test func bindingsSurviveAReset() throws {
        let statement = try database.prepare("SELECT ?")
        statement.bind(5, at: 1)
        try statement.run()
        #expect(try statement.step())
        #expect(statement.int(0) == 5)
    }

    @Test func statementIsUsedAgainAfterAnError() throws {
        let insert = try database.prepare("INSERT INTO t VALUES (?, ?)")
        insert.bind(1, at: 1)
        let error = failure { try insert.run() }
        #expect(error?.code == 1299)  // SQLITE_CONSTRAINT_NOTNULL
        #expect(error?.primary == 19)
        #expect(error?.message == "NOT NULL constraint failed: t.b")
        #expect(error?.operation == "INSERT INTO t VALUES (?, ?)")
        #expect(
            error?.description == "INSERT INTO t VALUES (?, ?): NOT NULL constraint failed: t.b (SQLite 1299)")
        insert.bind("x", at: 2)
        try insert.run()
        #expect(failure { try insert.run() }?.code == 1555)  // SQLITE_CONSTRAINT_PRIMARYKEY
        insert.bind(2, at: 1)
        try insert.run()
        #expect(try database.number("SELECT count(*) FROM t") == 2)
        #expect(database.lastInsertedRowID == 2)
    }

    @Test func bindingErrorIsThrownByTheNextStep() throws {
        let statement = try database.prepare("SELECT ?")
        statement.bind("x", at: 2)
        statement.bind("x", at: 0)
        statement.bind(1, at: 1)
        #expect(failure { _ = try statement.step() }?.code == 25)  // SQLITE_RANGE
        #expect(try statement.step())
        #expect(statement.int(0) == 1)
    }

    @Test func bindingDuringARunIsAnError() throws {
        let statement = try database.prepare("SELECT ?")
        statement.bind(1, at: 1)
        #expect(try statement.step())
        statement.bind(2, at: 1)
        #expect(failure { _ = try statement.step() }?.code == 21)  // SQLITE_MISUSE
        #expect(try statement.step())
        #expect(statement.int(0) == 1)
    }

    @Test(arguments: ["", "  -- comment", "SELECT 1; SELECT 2"]) func textIsOneStatement(_ sql: String) throws {
        let error = failure { _ = try database.prepare(sql) }
        #expect(error?.code == 21)
        #expect(error?.operation == sql)
    }

    @Test func textMayEndWithASemicolon() throws { #expect(try database.number("SELECT 3;\n") == 3) }

    @Test func syntaxErrorHasTheText() throws {
        let prepared = failure { _ = try database.prepare("SELEC 1") }
        #expect(prepared?.code == 1)
        #expect(prepared?.message == #"near "SELEC": syntax error"#)
        let executed = failure { try database.execute("SELECT 1; SELEC 1") }
        #expect(executed?.message == #"near "SELEC": syntax error"#)
        #expect(executed?.operation == "SELECT 1; SELEC 1")
    }

    @Test func transactionState() throws {
        #expect(!database.isInTransaction)
        try database.execute("BEGIN IMMEDIATE")
        #expect(database.isInTransaction)
        try database.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
        #expect(database.changedRowCount == 2)
        try database.execute("ROLLBACK")
        #expect(!database.isInTransaction)
        #expect(try database.number("SELECT count(*) FROM t") == 0)
    }

    @Test func closedDatabase() throws {
        let statement = try database.prepare("SELECT ?")
        database.close()
        database.close()
        statement.bind(1, at: 1)
        statement.reset()
        for error in [
            failure { _ = try statement.step() },
            failure { _ = try database.prepare("SELECT ?") },
            failure { try database.execute("SELECT 1") },
        ] {
            #expect(error?.code == 21)
            #expect(error?.message == "the database is closed")
        }
        #expect(database.lastInsertedRowID == 0)
        #expect(!database.isInTransaction)
    }

    @Test func statementOutlivesItsDatabase() throws {
        var other: SQLiteDatabase? = try SQLiteDatabase(path: ":memory:")
        let statement = try #require(try other?.prepare("SELECT 1"))
        other = nil
        #expect(failure { _ = try statement.step() }?.message == "the database is closed")
    }

    @Test func version() { #expect(SQLiteLibrary.version.hasPrefix("3.")) }
}

@Suite struct Files {
    let folder = Folder()

    @Test func createdFilesArePrivate() throws {
        let database = try SQLiteDatabase(path: folder.file())
        #expect(folder.mode("test.db") == 0o600)
        #expect(try database.text("PRAGMA journal_mode = WAL") == "wal")
        try database.execute("CREATE TABLE t (a)")
        #expect(folder.mode("test.db-wal") == 0o600)
        #expect(folder.mode("test.db-shm") == 0o600)
    }

    @Test func modeOfAnExistingFileStays() throws {
        #expect(
            FileManager.default.createFile(
                atPath: folder.file(), contents: nil, attributes: [.posixPermissions: 0o640]))
        let database = try SQLiteDatabase(path: folder.file())
        try database.execute("CREATE TABLE t (a)")
        #expect(folder.mode("test.db") == 0o640)
    }

    @Test func writeAheadLogStaysAtTheEnd() throws {
        var database: SQLiteDatabase? = try SQLiteDatabase(path: folder.file())
        try database?.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        database = nil
        let log = try Data(contentsOf: URL(fileURLWithPath: folder.file("test.db-wal")))
        #expect(log.count > 0)
        let next = try SQLiteDatabase(path: folder.file(), access: .existing)
        #expect(try next.text("PRAGMA journal_mode") == "wal")
        #expect(try next.number("SELECT a FROM t") == 1)
    }

    @Test func missingFolder() {
        let path = folder.file("missing/test.db")
        let error = failure { _ = try SQLiteDatabase(path: path) }
        #expect(error?.isCannotOpen == true)
        #expect(error?.message == "unable to open database file: No such file or directory")
        #expect(error?.operation == "open \(path)")
    }

    @Test(arguments: [SQLiteDatabase.Access.existing, .readOnly])
    func missingFileIsNotCreated(_ access: SQLiteDatabase.Access) {
        let error = failure {
            _ = try SQLiteDatabase(path: folder.file(), access: access)
        }
        #expect(error?.isCannotOpen == true)
        #expect(!FileManager.default.fileExists(atPath: folder.file()))
    }

    @Test func unusablePaths() {
        for path in ["", "a\0b"] {
            let error = failure { _ = try SQLiteDatabase(path: path) }
            #expect(error?.isCannotOpen == true)
        }
    }

    @Test func unknownVFS() {
        let error = failure {
            _ = try SQLiteDatabase(path: folder.file(), vfs: "no such vfs")
        }
        #expect(error?.message == "no such vfs: no such vfs")
    }

    @Test func readOnly() throws {
        do {
            let database = try SQLiteDatabase(path: folder.file())
            try database.execute("CREATE TABLE t (a); INSERT INTO t VALUES (4)")
        }
        let database = try SQLiteDatabase(path: folder.file(), access: .readOnly)
        #expect(try database.number("SELECT a FROM t") == 4)
        let error = failure { try database.execute("INSERT INTO t VALUES (5)") }
        #expect(error?.isReadOnly == true)
        #expect(error?.message == "attempt to write a readonly database")
    }

    @Test func notADatabase() throws {
        let text = String(repeating: "This is a text. ", count: 100)
        try text.write(toFile: folder.file(), atomically: false, encoding: .utf8)
        let database = try SQLiteDatabase(path: folder.file())
        let error = failure { try database.execute("CREATE TABLE t (a)") }
        #expect(error?.code == 26)  // SQLITE_NOTADB
        #expect(error?.isCorrupt == true)
        #expect(try String(contentsOfFile: folder.file(), encoding: .utf8) == text)
    }

    @Test func damagedPage() throws {
        do {
            let database = try SQLiteDatabase(path: folder.file())
            try database.execute("CREATE TABLE t (a); INSERT INTO t VALUES (4)")
        }
        let file = try #require(FileHandle(forUpdatingAtPath: folder.file()))
        try file.seek(toOffset: 4096)
        try file.write(contentsOf: Data(repeating: 0xff, count: 4096))
        try file.close()
        let database = try SQLiteDatabase(path: folder.file())
        let error = failure { _ = try database.number("SELECT a FROM t") }
        #expect(error?.isCorrupt == true)
    }

    @Test func folderIsNotADatabase() {
        let error = failure { _ = try SQLiteDatabase(path: folder.path) }
        #expect(error?.isCannotOpen == true)
    }

    @Test func nameThatLooksLikeAURI() throws {
        let database = try SQLiteDatabase(path: folder.file("file:x?mode=memory"))
        try database.execute("CREATE TABLE t (a)")
        #expect(folder.mode("file:x?mode=memory") == 0o600)
    }
}

@Suite struct Locks {
    let folder = Folder()
    let first, second: SQLiteDatabase

    init() throws {
        first = try SQLiteDatabase(path: folder.file())
        try first.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
        second = try SQLiteDatabase(path: folder.file())
    }

    @Test func secondWriterIsBusyAtOnceAndThenAfterTheTimeout() throws {
        try first.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        let clock = ContinuousClock()
        let error = failure { try second.execute("BEGIN IMMEDIATE") }
        #expect(error?.isBusy == true)
        #expect(error?.code == 5)
        #expect(error?.message == "database is locked")
        second.setBusyTimeout(seconds: 0.05)
        let waited = clock.measure {
            #expect(failure { try second.execute("BEGIN IMMEDIATE") }?.isBusy == true)
        }
        #expect(waited >= .milliseconds(50))
        second.setBusyTimeout(seconds: -1)
        #expect(failure { try second.execute("BEGIN IMMEDIATE") }?.isBusy == true)
        try first.execute("COMMIT")
        try second.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (2); COMMIT")
        #expect(try first.number("SELECT count(*) FROM t") == 2)
    }

    @Test func writerGetsTheLockWithinTheTimeout() throws {
        try first.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        let path = folder.file()
        let (started, finished) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let thread = Thread {
            let error = failure {
                let third = try SQLiteDatabase(path: path)
                third.setBusyTimeout(seconds: 60)
                started.signal()
                try third.execute("INSERT INTO t VALUES (3)")
            }
            #expect(error == nil)
            finished.signal()
        }
        thread.start()
        started.wait()
        try first.execute("COMMIT")
        finished.wait()
        #expect(try first.number("SELECT count(*) FROM t") == 2)
    }

    @Test func readerSeesTheStateBeforeTheTransactionAndBlocksNoWriter() throws {
        try first.execute("INSERT INTO t VALUES (1)")
        let rows = try second.prepare("SELECT a FROM t")
        #expect(try rows.step())
        try first.execute("INSERT INTO t VALUES (2)")
        #expect(try !rows.step())
        #expect(try second.number("SELECT count(*) FROM t") == 2)
    }

    /// Closing a descriptor of a file would drop the locks of the whole process.
    @Test func openingAgainKeepsTheLocks() throws {
        let path = folder.file("rollback.db")
        let owner = try SQLiteDatabase(path: path)
        try owner.execute("CREATE TABLE t (a); BEGIN EXCLUSIVE")
        let other = try SQLiteDatabase(path: path)
        other.close()
        let locked = try lockOwner(path)
        #expect(locked)
    }

    /// Whether another process finds a lock on the file.
    private func lockOwner(_ path: String) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let probe = """
            import fcntl, sys
            file = open(sys.argv[1], 'r+b')
            try: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
            except OSError: sys.exit(9)
            """
        process.arguments = ["python3", "-c", probe, path]
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 9
    }
}
