// Servers of other makes (OpenSSL, nghttp2, and our own in Python) as child processes on kernel-chosen ports, with
// temporary certificates.

internal import Foundation

/// A child process that serves until `stop`.
public final class ChildServer {
    /// The port that it listens on.
    public let port: Int
    private let process: Process
    private let output = Pipe()
    private let input = Pipe()
    private var text = ""

    /// Starts `program` (found on the path) and waits for a line that contains `mark`.
    public init(_ program: String, _ arguments: [String], until mark: String) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = input
        try process.run()
        while !text.contains(mark) || text.last != "\n" {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { throw Failure("\(program) said nothing like \(mark): \(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
        // Our own print their port.
        let said = text.split(whereSeparator: \.isWhitespace)
        if let place = said.firstIndex(of: mark[...]), said.indices.contains(place + 1), let port = Int(said[place + 1])
        {
            self.port = port
            return
        }
        // The kernel's table may skip a line while other tests open and close sockets: read until ours appears.
        let deadline = Date.now + 300
        var found = try Self.listeningPort(of: process.processIdentifier)
        while found == nil, Date.now < deadline {
            // Other tests need the processor to get on.
            usleep(20_000)
            found = try Self.listeningPort(of: process.processIdentifier)
        }
        guard let found else {
            kill(process.processIdentifier, SIGKILL)
            throw Failure("\(program) listens nowhere")
        }
        port = found
    }

    /// The server of Support/Servers/tls.py.
    public convenience init(tls scenario: String, in directory: String) throws {
        let script = MoonrillBinary.packageRoot + "/Tests/Support/Servers/tls.py"
        try self.init(
            "python3", [script, directory + "/cert.pem", directory + "/key.pem", scenario], until: "ready")
    }

    /// Closes its standard input: tls.py waits for that after the first token.
    public func release() { try? input.fileHandleForWriting.close() }

    /// Ends it. Returns its lines of standard output, for a server that writes little.
    @discardableResult
    public func stop() -> [String] {
        // A child inherits the signal mask of a pool thread, which may block SIGTERM.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    /// Whether `program` is on the path or in a server directory.
    public static func isInstalled(_ program: String) -> Bool {
        ["/usr/bin/", "/usr/sbin/", "/usr/local/bin/"].contains { access($0 + program, X_OK) == 0 }
    }

    /// The TCP port on which the process listens, from /proc.
    private static func listeningPort(of pid: Int32) throws -> Int? {
        let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
        let links = files.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)")
        }
        let table = try contents(ofKernelTable: "/proc/net/tcp")
        // Listening sockets come first in the table; hundreds of closed ones may follow.
        for line in table.split(separator: "\n", maxSplits: 1000).dropFirst() {
            let fields = line.split(separator: " ", maxSplits: 10)
            guard fields.count > 9, fields[3] == "0A" else { break }
            guard links.contains("socket:[\(fields[9])]") else { continue }
            guard let port = fields[1].split(separator: ":").last.flatMap({ Int($0, radix: 16) }) else { continue }
            return port
        }
        return nil
    }

    /// The text of a file in /proc. Foundation stops at the first short read, and a table comes in several.
    private static func contents(ofKernelTable path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("\(path): errno \(errno)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// A server that did not start.
    public struct Failure: Error, CustomStringConvertible {
        /// The reason.
        public let description: String
        init(_ description: String) { self.description = description }
    }
}

/// A directory with a key (key.pem) and a self-signed certificate (cert.pem), removed after `body`.
/// - Parameter isExpired: the certificate expired years ago.
public func withCertificate(
    for name: String, isExpired: Bool = false, _ body: (_ directory: String) throws -> Void
) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let request = [
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-subj",
        "/CN=test", "-addext", "subjectAltName=\(name)",
    ]
    if isExpired {
        let authority = """
            [ca]
            default_ca = own
            [own]
            database = index.txt
            new_certs_dir = .
            rand_serial = yes
            default_md = sha256
            policy = any
            copy_extensions = copy
            [any]
            commonName = supplied
            """
        try Data(authority.utf8).write(to: directory.appending(path: "ca.cnf"))
        try Data().write(to: directory.appending(path: "index.txt"))
        try openssl(request + ["-out", "request.pem"], in: directory)
        try openssl(
            [
                "ca", "-batch", "-selfsign", "-config", "ca.cnf", "-keyfile", "key.pem", "-in", "request.pem", "-out",
                "cert.pem", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z",
            ], in: directory)
    } else {
        try openssl(request + ["-x509", "-days", "2", "-out", "cert.pem"], in: directory)
    }
    try body(directory.path)
}

private func openssl(_ arguments: [String], in directory: URL) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.currentDirectoryURL = directory
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ChildServer.Failure("openssl \(arguments[0]) failed") }
}
