// Writes a recording: lines that are appended as things happen, without keys.

internal import Base
internal import Chat
internal import Glibc
internal import JSON

/// Why a recording cannot be written or read.
package struct RecordingError: Error, Hashable, Sendable {
    /// What failed, and what to do.
    package var message: String

    package init(_ message: String) { self.message = message }
}

/// A recording that is being written. After the first error nothing more is written.
final class RecordingFile {
    /// Bytes that are collected at most.
    private static let bufferSize = 1 << 18

    private let path: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    private(set) var scrubber = KeyScrubber()
    /// Why nothing more is written.
    private(set) var failure: RecordingError?
    var onFailure: ((RecordingError) -> Void)?

    /// Makes the file, readable for its owner alone. A file that is no recording is not replaced.
    init(path: String) throws(RecordingError) {
        self.path = path
        try Self.check(path)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error(path, "cannot be written") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            Glibc.close(descriptor)
            throw RecordingError("the recording \(path) is being written by another process: name another file")
        }
        var state = stat()
        guard fstat(descriptor, &state) == 0, state.st_mode & S_IFMT == S_IFREG else { return }
        // An existing file may have been readable for others.
        guard fchmod(descriptor, 0o600) == 0, ftruncate(descriptor, 0) == 0 else {
            let error = Self.error(path, "cannot be replaced")
            Glibc.close(descriptor)
            throw error
        }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    private static func error(_ path: String, _ what: String, _ number: Int32 = errno) -> RecordingError {
        let reason = strerror(number).map { String(cString: $0) } ?? "error \(number)"
        return RecordingError("the recording \(path) \(what): \(reason)")
    }

    /// A slip of the command line must not replace a script.
    private static func check(_ path: String) throws(RecordingError) {
        var state = stat()
        guard stat(path, &state) == 0, state.st_mode & S_IFMT == S_IFREG, state.st_size > 0 else { return }
        let old = open(path, O_RDONLY | O_CLOEXEC)
        guard old >= 0 else { throw error(path, "cannot be replaced") }
        defer { Glibc.close(old) }
        let beginning = Array("{\"moonrill_recording\":".utf8)
        var bytes = [UInt8](repeating: 0, count: beginning.count)
        guard read(old, &bytes, bytes.count) == bytes.count, bytes == beginning else {
            throw RecordingError("\(path) exists and is no recording: name another file, or remove it")
        }
    }

    /// Keeps a key out of the file. What was written before this is scrubbed.
    func hide(_ key: String) {
        let old = scrubber
        scrubber.add(key)
        guard failure == nil else { return }
        flush()
        var state = stat()
        guard fstat(descriptor, &state) == 0, state.st_mode & S_IFMT == S_IFREG, state.st_size > 0,
            old.scrub(key) == key
        else { return }
        rewrite(size: Int(state.st_size))
    }

    /// Replaces the content by the same without keys, if it has any.
    private func rewrite(size: Int) {
        var bytes = [UInt8](repeating: 0, count: size)
        guard pread(descriptor, &bytes, size, 0) == size else { return fail("cannot be read again") }
        var lines: [[UInt8]] = []
        var hasChanged = false
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // Only whole lines that this object has written are in the file.
            guard let value = try? JSONReader.value(Array(line)) else { continue }
            let scrubbed = scrubber.scrub(value)
            hasChanged = hasChanged || scrubbed != value
            lines.append(JSONWriter.bytes(scrubbed))
        }
        guard hasChanged else { return }
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
            return fail("cannot be written again")
        }
        for line in lines { buffer += line + [UInt8(ascii: "\n")] }
        flush()
    }

    /// Appends a line.
    func append(_ line: JSONValue) {
        guard failure == nil else { return }
        JSONWriter.append(scrubber.scrub(line), to: &buffer)
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= Self.bufferSize { flush() }
    }

    /// Writes what was collected.
    func flush() {
        guard failure == nil, !buffer.isEmpty else { return }
        var rest = buffer[...]
        buffer.removeAll(keepingCapacity: true)
        while !rest.isEmpty {
            let count =
                rest.withContiguousStorageIfAvailable { Glibc.write(descriptor, $0.baseAddress, $0.count) } ?? -1
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return fail("cannot be written")
            }
        }
    }

    func fail(_ what: String) {
        let error = Self.error(path, what)
        failure = error
        onFailure?(error)
    }

    /// Writes the rest and closes the file.
    func close() {
        flush()
        guard descriptor >= 0 else { return }
        if Glibc.close(descriptor) != 0, failure == nil { fail("cannot be written") }
        descriptor = -1
    }
}
