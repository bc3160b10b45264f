// Errors of SQLite, with the extended result code, and the version of the library.

internal import CSQLite
internal import Glibc

/// A failed operation on a database.
package struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// SQLite's extended result code.
    package let code: Int32
    /// SQLite's text; for a file that cannot be opened, followed by the system's.
    package let message: String
    /// The SQL, or "open PATH".
    package let operation: String

    package init(code: Int32, message: String, operation: String) {
        self.code = code
        self.message = message
        self.operation = operation
    }

    /// The primary result code, in the low byte of the extended one.
    package var primary: Int32 { code & 0xff }

    /// Another connection holds a lock.
    package var isBusy: Bool { primary == SQLITE_BUSY || primary == SQLITE_LOCKED }
    /// The disk, or the database, is full.
    package var isFull: Bool { primary == SQLITE_FULL }
    /// The file is damaged or not a database.
    package var isCorrupt: Bool { primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB }
    /// The system reported an error on a file.
    package var isIO: Bool { primary == SQLITE_IOERR }
    /// The database cannot be written.
    package var isReadOnly: Bool { primary == SQLITE_READONLY }
    /// A file cannot be opened.
    package var isCannotOpen: Bool { primary == SQLITE_CANTOPEN }

    package var description: String { "\(operation): \(message) (SQLite \(code))" }
}

extension SQLiteError {
    /// The last error of a connection; nil for one that could not be allocated. `isOpening` adds the system's error, which
    /// SQLite notes for some failures only: on a connection in use it may be that of an earlier one.
    init(_ database: OpaquePointer?, _ result: Int32, operation: String, isOpening: Bool = false) {
        guard let database = unsafe database, unsafe sqlite3_extended_errcode(database) != SQLITE_OK else {
            self.init(result, operation: operation)
            return
        }
        var message = unsafe String(cString: sqlite3_errmsg(database))
        let system = unsafe isOpening ? sqlite3_system_errno(database) : 0
        if system != 0, let text = unsafe strerror(system) { message += unsafe ": " + String(cString: text) }
        self.init(code: unsafe sqlite3_extended_errcode(database), message: message, operation: operation)
    }

    /// The error for a result code alone.
    init(_ result: Int32, operation: String) {
        self.init(code: result, message: unsafe String(cString: sqlite3_errstr(result)), operation: operation)
    }
}

/// The linked library.
package enum SQLiteLibrary {
    /// "3.40.1".
    package static var version: String { unsafe String(cString: sqlite3_libversion()) }
}
