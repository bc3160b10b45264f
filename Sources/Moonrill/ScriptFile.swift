// Reading script files, with messages that name the problem of the path.

internal import Glibc

/// Script files.
enum ScriptFile {
    /// The bytes of a file.
    /// - Throws: ``ScriptHostError`` with path and problem.
    static func read(_ path: String) throws(ScriptHostError) -> [UInt8] {
        guard let file = fopen(path, "re") else {
            let isMissing = errno == ENOENT || errno == ENOTDIR
            throw ScriptHostError(
                message: isMissing ? "no script at \(path)" : "cannot read \(path): \(reason(errno))",
                isMissingScript: true)
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            bytes += buffer[..<count]
            if count == buffer.count { continue }
            guard ferror(file) == 0 else {
                throw ScriptHostError(message: "cannot read \(path): \(reason(errno))", isMissingScript: true)
            }
            return bytes
        }
    }

    /// The folder of a path.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func reason(_ number: Int32) -> String {
        strerror(number).map { String(cString: $0) } ?? "error \(number)"
    }
}
