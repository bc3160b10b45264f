// One connection to a store, opened on first use.

internal import Base
internal import Glibc
internal import SQLite

/// A connection to the store's file. It belongs to one queue.
final class StoreConnection {
    /// How long another process may hold the store, in seconds.
    private static let patience = 30.0

    let path: String
    private let vfs: String?
    private let access: SQLiteDatabase.Access
    private let retryDelay: Double
    private var opened: SQLiteDatabase?
    /// Whether a commit waits for the disk.
    private var isDurable = false

    init(path: String, vfs: String?, access: SQLiteDatabase.Access = .readWrite, retryDelay: Double) {
        self.path = path
        self.vfs = vfs
        self.access = access
        self.retryDelay = retryDelay
    }

    /// The open database. The first use makes the file, its folder and its tables.
    /// - Throws: ``StoreError`` or ``SQLiteError``.
    func database() throws -> SQLiteDatabase {
        if let opened { return opened }
        let database = try Self.retried {
            if access == .readWrite { try Self.makeFolder(of: path) }
            try Self.refuseFolder(path)
            let database = try SQLiteDatabase(path: path, access: access, vfs: vfs)
            do {
                database.setBusyTimeout(seconds: Self.patience)
                // Before anything is changed: it may be the file of another program.
                try StoreSchema.check(database, path: path)
                // Before the first page is written: a file keeps the mode that it was made with. So what is removed can be
                // given back to the system a piece at a time, without the lock and the copy that VACUUM needs.
                if access == .readWrite { try database.execute("PRAGMA auto_vacuum = INCREMENTAL") }
                // In WAL mode readers never wait for a writer (sqlite.org/wal.html).
                if access != .readOnly {
                    let mode = try database.prepare("PRAGMA journal_mode = WAL")
                    _ = try mode.step()
                    mode.reset()
                }
                try database.execute("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000; PRAGMA mmap_size = 0")
                switch access {
                case .readWrite:
                    try StoreSchema.prepare(database, path: path)
                    database.turnOffCheckpoints()
                case .existing, .readOnly: try StoreSchema.check(database, path: path)
                }
            } catch {
                database.close()
                throw error
            }
            return database
        }
        opened = database
        return database
    }

    /// Makes each commit wait until it is on the disk, or lets it.
    private func setDurable(_ wanted: Bool, _ database: SQLiteDatabase) throws {
        guard wanted != isDurable else { return }
        try database.execute("PRAGMA synchronous = \(wanted ? "FULL" : "NORMAL")")
        isDurable = wanted
    }

    /// Runs `body` in a transaction, which is rolled back if it throws. A failed one is tried again: SQLite writes all its
    /// pages again, because a failed fsync may have dropped them (fsync(2)).
    /// - Parameter isDurable: whether the commit waits until it is on the disk.
    func transaction(isDurable: Bool, _ body: (SQLiteDatabase) throws -> Void) throws {
        try retrying {
            let database = try database()
            // Set on each attempt: a reopened connection has the default.
            try setDurable(isDurable, database)
            try database.execute("BEGIN IMMEDIATE")
            do {
                try body(database)
                try database.execute("COMMIT")
            } catch {
                // After some errors SQLite has rolled back by itself. The first error is the one to report.
                if database.isInTransaction { try? database.execute("ROLLBACK") }
                throw error
            }
        }
    }

    /// Makes a checkpoint if the write-ahead log has at least `pages` pages of 4 KiB.
    func checkpoint(above pages: Int) {
        guard let opened, opened.walPageCount >= pages else { return }
        // What cannot be copied now stays in the log, where every reader finds it; the next commit tries again.
        guard let statement = try? opened.prepare("PRAGMA wal_checkpoint(PASSIVE)") else { return }
        // As above.
        _ = try? statement.step()
        statement.reset()
    }

    /// Runs `body`, three times at most while it throws an error of SQLite that another attempt may not have.
    func retrying<Answer>(_ body: () throws -> Answer) throws -> Answer {
        for attempt in 1...2 {
            do {
                return try body()
            } catch let error as SQLiteError where !error.isCorrupt {
                // A connection whose file has had an error is not used again.
                if error.isIO || error.isCannotOpen { close() }
                usleep(UInt32(retryDelay * Double(attempt) * 1e6))
            }
        }
        return try body()
    }

    func close() {
        opened?.close()
        opened = nil
        isDurable = false
    }

    deinit { close() }

    /// Opening meets other processes that make or recover the same file: SQLite reports that at once, not after its timeout.
    private static func retried(_ open: () throws -> SQLiteDatabase) throws -> SQLiteDatabase {
        let start = SystemClock.now()
        while true {
            do {
                return try open()
            } catch let error as SQLiteError where error.isBusy && SystemClock.now() - start < patience {
                usleep(20_000)
            }
        }
    }

    /// SQLite's error for a folder speaks of the disk.
    private static func refuseFolder(_ path: String) throws(StoreError) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
        throw StoreError(.unusable, "the store \(path) is a folder: name a file with --store")
    }

    /// Makes the missing folders of the path, for this user alone.
    static func makeFolder(of path: String) throws(StoreError) {
        var folder = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
            folder += part + "/"
            guard mkdir(folder, 0o700) != 0, errno != EEXIST, errno != EISDIR, Glibc.access(folder, F_OK) != 0 else {
                continue
            }
            throw StoreError(
                .disk,
                "the folder \(folder) of the store cannot be made: \(String(cString: strerror(errno))); name "
                    + "another file with --store")
        }
    }
}
