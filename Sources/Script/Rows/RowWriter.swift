// Appends rows to a file of JSON lines (llm.jsonl.writer), each key once. A row is on the disk when `write` returns.

internal import Glibc
internal import JSON

/// A file of JSON lines that is being written.
final class RowWriter {
    /// write(2): the bytes written, or -1 and errno.
    typealias SystemWrite = (Int32, [UInt8]) -> Int

    let path: String
    /// -1 once closed.
    private var file: Int32 = -1
    /// Nil if no row is skipped.
    private var keys: RowKeys?
    private let systemWrite: SystemWrite

    /// Opens the file, locks it, and reads the keys of its rows. A last line that is cut off is removed.
    /// - Parameter key: the members that identify a row; empty for none.
    init(
        path: String, key: [String], warn: (String) -> Void,
        systemWrite: @escaping SystemWrite = { Glibc.write($0, $1, $1.count) }
    ) throws(RowProblem) {
        self.path = path
        self.systemWrite = systemWrite
        keys = key.isEmpty ? nil : RowKeys(members: key)
        do throws(RowProblem) {
            try openFile()
            try lock()
            try readRows(warn)
        } catch {
            closeFile()
            throw error
        }
    }

    deinit { closeFile() }

    /// Appends a row.
    /// - Returns: false if the file has a row with that key.
    func write(_ row: JSONValue) throws(RowProblem) -> Bool {
        guard file >= 0 else { throw .misuse("the writer is closed") }
        let key = try keys?.key(of: row)
        if let key, keys?.contains(key) == true { return false }
        try append(JSONWriter.bytes(row) + [0x0A])
        if let key { keys?.insert(key) }
        return true
    }

    /// Whether the file has a row with that key.
    func has(_ values: [JSONValue]) throws(RowProblem) -> Bool {
        guard file >= 0 else { throw .misuse("the writer is closed") }
        guard let keys else {
            throw .misuse("the writer has no key; write llm.jsonl.writer { path = ..., key = \"id\" }")
        }
        return keys.contains(try keys.key(values))
    }

    /// Closes the file, which unlocks it.
    func closeFile() {
        if file >= 0 { close(file) }
        file = -1
    }

    // MARK: Opening

    private func openFile() throws(RowProblem) {
        let flags = O_RDWR | O_APPEND | O_CLOEXEC
        file = open(path, flags)
        if file < 0, errno == ENOENT {
            file = open(path, flags | O_CREAT, 0o644)
            if file >= 0 { WholeFile.syncFolder(of: path) }
        }
        guard file >= 0 else {
            let hint = errno == ENOENT ? "; make its folder first" : ""
            throw problem(.last, hint)
        }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw problem(.last) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .file("\(path): it is no regular file") }
    }

    private func lock() throws(RowProblem) {
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw problem(.last, "; the file cannot be locked") }
            throw .file(
                "\(path): another process, or another writer of this script, writes to it; one writer serves all tasks")
        }
    }

    /// Reads the keys, and makes the file end with a line feed.
    private func readRows(_ warn: (String) -> Void) throws(RowProblem) {
        var lines = LineReader(file)
        let json = JSONReader()
        while true {
            let line: LineReader.Line?
            do throws(WholeFile.Problem) { line = try lines.next() } catch { throw problem(error) }
            guard let line else { return }
            if line.isTerminated, keys == nil || line.isBlank { continue }
            let row: JSONValue
            do throws(JSONError) { row = try json.strictValue(line.bytes) } catch {
                guard !line.isTerminated else {
                    throw .file("\(RowReader.message(error, of: line, in: path)); correct or remove the line")
                }
                guard ftruncate(file, off_t(line.offset)) == 0 else { throw problem(.last) }
                if !line.isBlank { warn("\(path):\(line.number): the last line was cut off, and is removed") }
                return
            }
            try note(row, line)
            if !line.isTerminated { try append([0x0A]) }
        }
    }

    private func note(_ row: JSONValue, _ line: LineReader.Line) throws(RowProblem) {
        do throws(RowProblem) {
            if let key = try keys?.key(of: row) { keys?.insert(key) }
        } catch {
            throw .file("\(path):\(line.number): \(error.message); correct the key, or write to another file")
        }
    }

    // MARK: Appending

    /// Appends bytes with one write, and waits until they are on the disk. If that fails, the file is as before.
    private func append(_ bytes: [UInt8]) throws(RowProblem) {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw problem(.last) }
        var rest = bytes
        repeat {
            let count = systemWrite(file, rest)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw undo(to: status.st_size, count == 0 ? WholeFile.Problem(number: ENOSPC) : .last)
            }
            // The rest of a partial write: it succeeds, or tells why the first did not.
            rest.removeFirst(count)
        } while !rest.isEmpty
        guard fdatasync(file) == 0 else { throw undo(to: status.st_size, .last) }
    }

    private func undo(to size: off_t, _ reason: WholeFile.Problem) -> RowProblem {
        let isUndone = ftruncate(file, size) == 0
        return problem(reason, isUndone ? "; the row was not written" : "; the file ends with a part of the row")
    }

    private func problem(_ reason: WholeFile.Problem, _ hint: String = "") -> RowProblem {
        .file("\(path): \(reason.reason)\(hint)")
    }
}
