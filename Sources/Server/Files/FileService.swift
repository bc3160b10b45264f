// Files of a folder: conditional and range requests, media types, and paths that never leave the folder.

internal import Base
internal import Chat
internal import Glibc
internal import HTTP

/// A request for a file.
struct FileRequest: Sendable {
    /// Decoded segments below the folder. Names that begin with a dot, "." and ".." among them, are not found.
    var path: [String]
    var isHead = false
    var ifNoneMatch: String?
    var range: String?
    var ifRange: String?

    init(path: [String]) { self.path = path }

    init(path: [String], method: String, headers: HTTPHeaders) {
        self.path = path
        isHead = method == "HEAD"
        ifNoneMatch = headers["if-none-match"]
        // Range is defined for GET only (RFC 9110 section 14.2).
        range = isHead ? nil : headers["range"]
        ifRange = headers["if-range"]
    }
}

/// The answer to a request for a file.
struct FileAnswer: Sendable {
    var response: ServedResponse
    /// The body, which is read in pieces; nil if `response` has it.
    var content: FileContent?
}

/// A part of an open file.
struct FileContent: Sendable {
    /// Bytes that are read at once.
    static let pieceBytes = 64 << 10

    private let file: OpenFile
    private let start: Int
    let count: Int

    fileprivate init(_ file: OpenFile, _ range: Range<Int>) {
        self.file = file
        start = range.lowerBound
        count = range.count
    }

    /// The bytes from an offset into this part on, at most `pieceBytes`. Blocks while it reads.
    /// - Returns: nil if they cannot be read: the file may have become shorter.
    func piece(at offset: Int) -> [UInt8]? {
        let wanted = min(Self.pieceBytes, count - offset)
        guard wanted > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: wanted)
        let read = pread(file.descriptor, &bytes, wanted, start + offset)
        guard read > 0 else { return nil }
        bytes.removeLast(wanted - read)
        return bytes
    }
}

/// Closes its descriptor at the end of its life.
private final class OpenFile: Sendable {
    let descriptor: CInt

    init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}

/// Serves the files below a folder.
struct FileService {
    private let root: String

    /// - Parameter directory: its path; relative to the working directory unless it begins with "/".
    init(directory: String) { root = directory }

    /// Opens the file of a request. Blocks while it reads: call it on a thread that may.
    func answer(_ request: FileRequest) -> FileAnswer {
        var segments = request.path
        if segments.last?.isEmpty ?? true { segments = segments.dropLast() + ["index.html"] }
        // Names that begin with a dot are not served: .git, .env.
        guard segments.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }), let root = Self.realPath(root),
            let file = Self.realPath(root + "/" + segments.joined(separator: "/")),
            root == "/" || file.hasPrefix(root + "/")
        else { return Self.notFound }
        return Self.open(file, request)
    }

    private static let notFound = FileAnswer(
        response: ServedResponse(status: 404, type: "text/plain; charset=utf-8", Array("not found\n".utf8)))

    /// The path without symbolic links, which may lead out of the folder.
    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func open(_ path: String, _ request: FileRequest) -> FileAnswer {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { return notFound }
        let file = OpenFile(descriptor: descriptor)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return notFound }
        let size = Int(status.st_size)
        let tag = "\"\(size)-\(status.st_mtim.tv_sec)-\(status.st_mtim.tv_nsec)\""
        var response = ServedResponse(headers: [
            "content-type": mediaType(path), "etag": tag, "cache-control": "no-cache", "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
        ])
        if let field = request.ifNoneMatch, matches(field, tag) {
            response.status = 304
            response.headers["content-type"] = nil
            return FileAnswer(response: response)
        }
        var part = 0..<size
        if let field = request.range, request.ifRange == nil || request.ifRange == tag {
            switch ByteRange(field, size: size) {
            case .ignored: break
            case .unsatisfiable:
                response.status = 416
                response.headers["content-type"] = nil
                response.headers["content-range"] = "bytes */\(size)"
                return FileAnswer(response: response)
            case .part(let range):
                response.status = 206
                response.headers["content-range"] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
                part = range
            }
        }
        let content = FileContent(file, part)
        if !request.isHead, content.count <= FileContent.pieceBytes, let bytes = content.piece(at: 0),
            bytes.count == content.count
        {
            response.body = bytes
            return FileAnswer(response: response)
        }
        return FileAnswer(response: response, content: content)
    }

    /// Weak comparison with a list of tags, or "*" for any (RFC 9110 section 13.1.2). Our tags hold no comma.
    private static func matches(_ field: String, _ tag: String) -> Bool {
        field.split(separator: ",").contains { part in
            let text = Snippet.trimmed(String(part))
            return text == "*" || text == tag || text == "W/" + tag
        }
    }

    /// The media type by the file's extension.
    static func mediaType(_ path: String) -> String {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return "application/octet-stream" }
        return types[path[path.index(after: dot)...].lowercased()] ?? "application/octet-stream"
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8",
        "csv": "text/csv; charset=utf-8", "xml": "application/xml", "svg": "image/svg+xml", "png": "image/png",
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "ico": "image/x-icon",
        "woff": "font/woff", "woff2": "font/woff2", "pdf": "application/pdf", "wasm": "application/wasm",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "webm": "video/webm", "wav": "audio/wav",
    ]
}

/// A field `Range` with one range of bytes (RFC 9110 section 14.1.2).
enum ByteRange: Equatable {
    /// Another unit, several ranges, or no valid field: the whole file is the answer.
    case ignored
    case unsatisfiable
    case part(Range<Int>)

    /// - Parameter size: bytes of the file.
    init(_ field: String, size: Int) {
        let words = field.split(separator: "=", omittingEmptySubsequences: false)
        guard words.count == 2, words[0].lowercased() == "bytes" else {
            self = .ignored
            return
        }
        let ends = words[1].split(separator: "-", omittingEmptySubsequences: false).map { Snippet.trimmed(String($0)) }
        guard ends.count == 2 else {
            self = .ignored
            return
        }
        switch (Self.number(ends[0]), Self.number(ends[1])) {
        case (let first?, let last?) where first <= last: self = Self.part(first, last, size)
        case (let first?, nil) where ends[1].isEmpty: self = Self.part(first, size - 1, size)
        case (nil, let count?) where ends[0].isEmpty:
            self = count == 0 ? .unsatisfiable : Self.part(max(size - count, 0), size - 1, size)
        default: self = .ignored
        }
    }

    private static func part(_ first: Int, _ last: Int, _ size: Int) -> ByteRange {
        first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
    }

    private static func number(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        // A number that does not fit is larger than every file.
        return Int(text) ?? .max
    }
}
