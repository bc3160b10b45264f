// Servers of other makes for the tests: OpenSSL's and nghttp2's, as child processes on ports the kernel chose, with
// certificates made for the occasion.

import Foundation
import Testing

/// A child process that serves until `stop`.
final class ChildServer {
    let port: Int
    private let process: Process

    /// Starts `program` (found on the path) and waits for a line that contains `mark`.
    init(_ program: String, _ arguments: [String], until mark: String) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = Pipe()
        try process.run()
        var text = ""
        while !text.contains(mark) || text.last != "\n" {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { throw Failure("\(program) said nothing like \(mark): \(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
        // The kernel's table may skip a line while other tests open and close sockets: read it until ours is there.
        let deadline = Date.now + 10
        var found: Int?
        while found == nil, Date.now < deadline {
            found = try Self.listeningPort(of: process.processIdentifier)
        }
        guard let found else {
            kill(process.processIdentifier, SIGKILL)
            throw Failure("\(program) listens nowhere")
        }
        port = found
    }

    func stop() {
        // A child inherits the signal mask of a pool thread, on which SIGTERM may be blocked.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Whether `program` is on the path or where servers are installed.
    static func isInstalled(_ program: String) -> Bool {
        ["/usr/bin/", "/usr/sbin/", "/usr/local/bin/"].contains { access($0 + program, X_OK) == 0 }
    }

    /// The TCP port on which the process listens, from /proc.
    private static func listeningPort(of pid: Int32) throws -> Int? {
        let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
        let links = files.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)")
        }
        let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
        for line in table.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", links.contains("socket:[\(fields[9])]") else { continue }
            guard let port = fields[1].split(separator: ":").last.flatMap({ Int($0, radix: 16) }) else { continue }
            return port
        }
        return nil
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }
}

/// A directory with a key and a self-signed certificate, gone when `body` is done.
func withCertificate(for name: String, _ body: (_ directory: String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "transport-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-keyout", directory + "/key.pem", "-out", directory + "/cert.pem", "-subj", "/CN=test", "-addext",
        "subjectAltName=\(name)",
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    try body(directory)
}
