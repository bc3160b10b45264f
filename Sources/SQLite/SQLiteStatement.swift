// One compiled statement: bindings, steps, columns.

internal import CSQLite

/// A compiled statement of a `SQLiteDatabase`, for its thread. It fails once the database is closed.
@safe package final class SQLiteStatement {
    /// nil after `finalize()`.
    private var raw: OpaquePointer?
    private let sql: String
    /// The first binding that failed since the last step; the next step throws it.
    private var bindingError: SQLiteError?

    init(_ raw: OpaquePointer, sql: String) {
        unsafe self.raw = raw
        self.sql = sql
    }

    deinit { finalize() }

    func finalize() {
        // Returns the error of the last step once more.
        _ = unsafe sqlite3_finalize(raw)
        unsafe raw = nil
    }

    // MARK: Bindings. Parameters count from 1; nil binds NULL; an error is thrown by the next step.

    /// Binds an integer.
    package func bind(_ value: Int64?, at index: Int) {
        guard let value else { return bindNull(at: index) }
        note(unsafe sqlite3_bind_int64(raw, Int32(clamping: index), value))
    }

    /// Binds an integer.
    package func bind(_ value: Int?, at index: Int) { bind(value.map { Int64($0) }, at: index) }

    /// Binds a number; SQLite stores NaN as NULL.
    package func bind(_ value: Double?, at index: Int) {
        guard let value else { return bindNull(at: index) }
        note(unsafe sqlite3_bind_double(raw, Int32(clamping: index), value))
    }

    /// Binds text.
    package func bind(_ value: String?, at index: Int) {
        guard var value else { return bindNull(at: index) }
        note(
            value.withUTF8 { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe bindText($0, at: index) }
            })
    }

    /// Binds bytes as a blob.
    package func bind(_ value: [UInt8]?, at index: Int) {
        guard let value else { return bindNull(at: index) }
        note(
            unsafe value.withUnsafeBytes { bytes in
                // A null pointer would bind NULL.
                guard let start = bytes.baseAddress, unsafe !bytes.isEmpty else {
                    return unsafe sqlite3_bind_zeroblob(raw, Int32(clamping: index), 0)
                }
                return unsafe csqlite_bind_blob(raw, Int32(clamping: index), start, UInt64(bytes.count))
            })
    }

    /// Binds bytes of UTF-8 as text.
    package func bind(text utf8: [UInt8], at index: Int) {
        note(
            unsafe utf8.withUnsafeBytes { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe bindText($0, at: index) }
            })
    }

    private func bindText(_ bytes: UnsafeBufferPointer<CChar>, at index: Int) -> Int32 {
        // A null pointer would bind NULL.
        guard let start = bytes.baseAddress, !bytes.isEmpty else {
            return unsafe csqlite_bind_text(raw, Int32(clamping: index), "", 0)
        }
        return unsafe csqlite_bind_text(raw, Int32(clamping: index), start, UInt64(bytes.count))
    }

    private func bindNull(at index: Int) { note(unsafe sqlite3_bind_null(raw, Int32(clamping: index))) }

    private func note(_ result: Int32) {
        guard result != SQLITE_OK, bindingError == nil else { return }
        bindingError = SQLiteError(result, operation: sql)
    }

    // MARK: Steps

    /// Runs to the next row and returns true, or to the end and returns false. After the end, and after an error, the
    /// statement is reset: the next step starts again. Until then, and until `reset()`, a row holds a read transaction.
    package func step() throws(SQLiteError) -> Bool {
        guard let raw = unsafe raw else {
            throw SQLiteError(code: SQLITE_MISUSE, message: "the database is closed", operation: sql)
        }
        if let error = bindingError {
            reset()
            bindingError = nil
            throw error
        }
        let result = unsafe sqlite3_step(raw)
        if result == SQLITE_ROW { return true }
        guard result == SQLITE_DONE else {
            let error = unsafe SQLiteError(sqlite3_db_handle(raw), result, operation: sql)
            reset()
            throw error
        }
        reset()
        return false
    }

    /// Runs to the end; rows are dropped.
    package func run() throws(SQLiteError) {
        while try step() {}
    }

    /// Ends the run; the bindings stay.
    package func reset() {
        // Returns the error of the last step once more.
        _ = unsafe sqlite3_reset(raw)
    }

    /// Ends the run and drops the bindings.
    func clear() {
        reset()
        unsafe sqlite3_clear_bindings(raw)
        bindingError = nil
    }

    // MARK: Columns of the current row. They count from 0; without a row every value is NULL.

    /// Whether the value is NULL.
    package func isNull(_ column: Int) -> Bool {
        unsafe sqlite3_column_type(raw, checked(column)) == SQLITE_NULL
    }

    /// The value as an integer; 0 for NULL.
    package func int(_ column: Int) -> Int64 { unsafe sqlite3_column_int64(raw, checked(column)) }

    /// The value as a number; 0 for NULL.
    package func double(_ column: Int) -> Double { unsafe sqlite3_column_double(raw, checked(column)) }

    /// The value as text, invalid UTF-8 repaired; "" for NULL.
    package func text(_ column: Int) -> String {
        let index = checked(column)
        // The pointer first: it may convert the value, which changes the length.
        guard let start = unsafe sqlite3_column_text(raw, index) else { return "" }
        let count = unsafe Int(sqlite3_column_bytes(raw, index))
        return unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// The value as text; nil for NULL.
    package func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }

    /// The value as an integer; nil for NULL.
    package func optionalInt(_ column: Int) -> Int64? { isNull(column) ? nil : int(column) }

    /// The value as a number; nil for NULL.
    package func optionalDouble(_ column: Int) -> Double? { isNull(column) ? nil : double(column) }

    /// The bytes of a blob or of a text; none for NULL.
    package func bytes(_ column: Int) -> [UInt8] {
        let index = checked(column)
        guard let start = unsafe sqlite3_column_blob(raw, index) else { return [] }
        let count = unsafe Int(sqlite3_column_bytes(raw, index))
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    private func checked(_ column: Int) -> Int32 {
        assert(unsafe 0..<Int(sqlite3_column_count(raw)) ~= column, "no column \(column) in \(sql)")
        return Int32(clamping: column)
    }
}

@available(*, unavailable, message: "lives on the thread of its database")
extension SQLiteStatement: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why
