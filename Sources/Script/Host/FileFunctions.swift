// Host primitives for files: atomic writes.

internal import Glibc
internal import LuaVM

extension ScriptRuntime {
    func setFileFunctions(_ stack: LuaStack) {
        // write_file(path, bytes) -> true | nil, message
        stack.set("write_file") { call throws(LuaError) in
            let path = call.stack.string(at: 1) ?? ""
            do throws(WholeFile.Problem) {
                try WholeFile.write(call.stack.bytes(at: 2) ?? [], to: path)
                call.stack.push(true)
                return .returned(1)
            } catch {
                call.stack.pushNil()
                call.stack.push("\(path): \(error.reason)")
                return .returned(2)
            }
        }
    }
}

/// Atomic writes: a temporary file in the same folder is written, synced and renamed over the old file, so that readers and
/// crashes see the old or the new content.
enum WholeFile {
    /// Why a file was not written.
    struct Problem: Error {
        /// The text of the errno: "Permission denied".
        let reason: String

        /// The current `errno`.
        static var last: Problem { Problem(number: errno) }

        init(number: Int32) { reason = strerror(number).map { String(cString: $0) } ?? "error \(number)" }
    }

    /// Maximum symbolic links of a path, as in Linux.
    private static let maximumLinks = 40

    /// Writes the bytes. A symbolic link is followed and stays a link. An existing file keeps its mode, and its owner if the
    /// process may set it; a new file gets its mode from the umask. Pipes and devices are written directly.
    static func write(_ bytes: [UInt8], to path: String) throws(Problem) {
        let target = try destination(of: path)
        var old = stat()
        guard stat(target, &old) == 0 else {
            guard errno == ENOENT else { throw .last }
            return try replace(target, with: bytes, old: nil)
        }
        guard old.st_mode & S_IFMT == S_IFREG else {
            let file = open(target, O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { throw .last }
            defer { close(file) }
            return try append(bytes, to: file)
        }
        // rename(2) needs no write permission on the file; a file made read-only must stay as it is.
        guard access(target, W_OK) == 0 else { throw .last }
        try replace(target, with: bytes, old: old)
    }

    /// The bytes of a file.
    static func read(_ path: String) throws(Problem) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .last }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 {
                return bytes
            } else if errno != EINTR {
                throw .last
            }
        }
    }

    /// The target of the path's links. The file need not exist.
    private static func destination(of path: String) throws(Problem) -> String {
        var path = path
        for _ in 0..<maximumLinks {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &buffer, buffer.count)
            guard count >= 0 else { return path }
            let link = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            path = link.hasPrefix("/") ? link : folder(of: path) + link
        }
        throw Problem(number: ELOOP)
    }

    /// The path up to and including the last slash; "" without one.
    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }

    private static func replace(_ target: String, with bytes: [UInt8], old: stat?) throws(Problem) {
        let (file, draft) = try makeDraft(in: folder(of: target), mode: old == nil ? 0o666 : 0o600)
        var isRenamed = false
        defer { if !isRenamed { unlink(draft) } }
        do throws(Problem) {
            if let old {
                // Fails in a process without privileges, if the owner differs.
                _ = fchown(file, old.st_uid, old.st_gid)
                guard fchmod(file, old.st_mode & 0o7777) == 0 else { throw Problem.last }
            }
            try append(bytes, to: file)
            guard fsync(file) == 0 else { throw Problem.last }
        } catch {
            close(file)
            throw error
        }
        guard close(file) == 0 else { throw .last }
        guard rename(draft, target) == 0 else { throw .last }
        isRenamed = true
        syncFolder(of: target)
    }

    /// Makes a file with a unique name in the folder.
    private static func makeDraft(in folder: String, mode: mode_t) throws(Problem) -> (file: Int32, path: String) {
        while true {
            let path = "\(folder).moonrill-\(getpid())-\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).tmp"
            let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
            if file >= 0 { return (file, path) }
            guard errno == EEXIST || errno == EINTR else { throw .last }
        }
    }

    private static func append(_ bytes: [UInt8], to file: Int32) throws(Problem) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(1 << 20))
            let count = Glibc.write(file, piece, piece.count)
            if count < 0 {
                guard errno == EINTR else { throw .last }
                continue
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Makes the rename durable. Some file systems cannot sync a folder; the file is complete anyway.
    static func syncFolder(of target: String) {
        let folder = folder(of: target)
        let file = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = fsync(file)
        close(file)
    }
}
