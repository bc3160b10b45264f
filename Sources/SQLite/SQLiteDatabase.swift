// One connection to a database file.

internal import CSQLite
internal import Glibc

/// A connection to a database, for one thread.
@safe package final class SQLiteDatabase {
    /// How a file is opened.
    package enum Access: Sendable {
        /// Reads and writes; a missing file is created, with mode 0600.
        case readWrite
        /// Reads and writes; a missing file is an error.
        case existing
        case readOnly
    }

    /// nil after `close()`.
    private var raw: OpaquePointer?
    private var statements: [String: SQLiteStatement] = [:]
    /// Pages in the write-ahead log after the last commit of this connection, those that a checkpoint has copied included.
    package fileprivate(set) var walPageCount = 0

    /// Opens the file at `path`; ":memory:" is a database without a file. A file that can only be read is an error unless
    /// `access` is `readOnly`. SQLite does not look into the file before the first statement, so "not a database" is
    /// found there. Closing leaves the write-ahead log as it is.
    package init(path: String, access: Access = .readWrite, vfs: String? = nil) throws(SQLiteError) {
        let operation = "open \(path)"
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw SQLiteError(
                code: SQLITE_CANTOPEN, message: "the path is empty or has a zero byte", operation: operation)
        }
        if access == .readWrite, path != ":memory:" { Self.create(path) }
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        switch access {
        case .readWrite: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .existing: flags |= SQLITE_OPEN_READWRITE
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        }
        // A library that is built with SQLITE_USE_URI would read a path with this prefix as a URI.
        let name = path.hasPrefix("file:") ? "./" + path : path
        var opened: OpaquePointer?
        let result =
            if let vfs {
                unsafe sqlite3_open_v2(name, &opened, flags, vfs)
            } else {
                unsafe sqlite3_open_v2(name, &opened, flags, nil)
            }
        guard result == SQLITE_OK, let database = unsafe opened else {
            let error = unsafe SQLiteError(opened, result, operation: operation, isOpening: true)
            // A connection that failed to open must be closed too.
            unsafe sqlite3_close_v2(opened)
            throw error
        }
        guard unsafe access == .readOnly || sqlite3_db_readonly(database, "main") == 0 else {
            unsafe sqlite3_close_v2(database)
            throw SQLiteError(SQLITE_READONLY, operation: operation)
        }
        let configured = unsafe csqlite_configure(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        guard configured == SQLITE_OK else {
            unsafe sqlite3_close_v2(database)
            throw SQLiteError(configured, operation: operation)
        }
        unsafe raw = database
    }

    deinit { close() }

    /// Creates the file with mode 0600, which SQLite copies to the files beside it. Failures are left to SQLite, which tries
    /// the same and has the error.
    private static func create(_ path: String) {
        // mknod does not open the file: closing a descriptor would drop the locks of every connection of the process.
        guard unsafe mknod(path, S_IFREG | 0o600, 0) != 0, errno != EEXIST else { return }
        // File systems without mknod.
        let descriptor = unsafe open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// How long a statement waits for the lock of another connection before it throws; 0 at first.
    package func setBusyTimeout(seconds: Double) {
        guard let raw = unsafe raw else { return }
        let milliseconds = seconds.isNaN ? 0 : min(max(seconds * 1000, 0), Double(Int32.max))
        unsafe sqlite3_busy_timeout(raw, Int32(milliseconds))
    }

    /// Leaves checkpoints to the caller, who sees ``walPageCount``. SQLite makes one inside the commit that passes 1,000
    /// pages (sqlite.org/c3ref/wal_autocheckpoint.html), which may take longer than the commit.
    package func turnOffCheckpoints() {
        guard let raw = unsafe raw else { return }
        let user = unsafe Unmanaged.passUnretained(self).toOpaque()
        // The connection lives as long as its handle, which `deinit` closes.
        unsafe sqlite3_wal_hook(raw, noteWALPages, user)
    }

    /// Runs one or more statements; rows are dropped.
    package func execute(_ sql: String) throws(SQLiteError) {
        guard let raw = unsafe raw else { throw Self.closed(sql) }
        let result = unsafe sqlite3_exec(raw, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw unsafe SQLiteError(raw, result, operation: sql) }
    }

    /// Compiles one statement. The same text gives the same object again, reset and with cleared bindings; it stays compiled
    /// until `close()`, so the texts must be a fixed set.
    package func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        guard let raw = unsafe raw else { throw Self.closed(sql) }
        if let known = statements[sql] {
            known.clear()
            return known
        }
        var compiled: OpaquePointer?
        let utf8 = Array(sql.utf8CString)
        let (result, rest) = unsafe utf8.withUnsafeBufferPointer { text -> (Int32, Int) in
            var tail: UnsafePointer<CChar>?
            let result = unsafe sqlite3_prepare_v3(
                raw, text.baseAddress, Int32(clamping: text.count), UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, &tail)
            guard let tail = unsafe tail, let start = text.baseAddress else { return (result, text.count) }
            return unsafe (result, tail - start)
        }
        guard result == SQLITE_OK else { throw unsafe SQLiteError(raw, result, operation: sql) }
        guard let compiled = unsafe compiled else {
            throw SQLiteError(code: SQLITE_MISUSE, message: "no statement", operation: sql)
        }
        let blanks: [CChar] = [0, 9, 10, 13, 32]
        guard utf8[rest...].allSatisfy(blanks.contains) else {
            unsafe sqlite3_finalize(compiled)
            throw SQLiteError(code: SQLITE_MISUSE, message: "more than one statement", operation: sql)
        }
        let statement = unsafe SQLiteStatement(compiled, sql: sql)
        statements[sql] = statement
        return statement
    }

    /// The row id of the last row that this connection inserted; 0 without one.
    package var lastInsertedRowID: Int64 {
        guard let raw = unsafe raw else { return 0 }
        return unsafe sqlite3_last_insert_rowid(raw)
    }

    /// The number of rows that the last INSERT, UPDATE or DELETE changed.
    package var changedRowCount: Int {
        guard let raw = unsafe raw else { return 0 }
        return unsafe Int(sqlite3_changes64(raw))
    }

    /// Whether a transaction is open. Some errors (a full disk, for one) roll back, others leave it open.
    package var isInTransaction: Bool {
        guard let raw = unsafe raw else { return false }
        return unsafe sqlite3_get_autocommit(raw) == 0
    }

    /// Finalizes the statements and closes the file; an open transaction is rolled back. Later calls throw.
    package func close() {
        for statement in statements.values { statement.finalize() }
        statements = [:]
        unsafe sqlite3_close_v2(raw)
        unsafe raw = nil
    }

    private static func closed(_ sql: String) -> SQLiteError {
        SQLiteError(code: SQLITE_MISUSE, message: "the database is closed", operation: sql)
    }
}

/// The hook of commits in WAL mode.
private func noteWALPages(
    _ user: UnsafeMutableRawPointer?, _ handle: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ pages: Int32
) -> Int32 {
    guard let user = unsafe user else { return SQLITE_OK }
    unsafe Unmanaged<SQLiteDatabase>.fromOpaque(user).takeUnretainedValue().walPageCount = Int(pages)
    return SQLITE_OK
}

@available(*, unavailable, message: "for one thread: it is opened without SQLite's locks")
extension SQLiteDatabase: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why
