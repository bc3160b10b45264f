// A blocking HTTP/1.1 client that sends bytes as they are given.

import Glibc
import NIOCore
import Support

struct TestResponse: Equatable {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: String
}

/// One connection. Reads give up after a minute.
final class TestClient {
    let descriptor: Int32
    private var buffer: [UInt8] = []

    struct Closed: Error {}
    struct Reset: Error {}
    struct Failed: Error { var code: Int32 }

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        guard let descriptor = LoopbackSocket.connect(port: port, receiveBuffer: receiveBuffer) else {
            throw Failed(code: errno)
        }
        self.descriptor = descriptor
    }

    init(unixPath: String) throws {
        let address = try SocketAddress(unixDomainSocketPath: unixPath)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let descriptor = descriptor
        guard address.withSockAddr({ Glibc.connect(descriptor, $0, socklen_t($1)) }) == 0 else {
            throw Failed(code: errno)
        }
    }

    deinit { Glibc.close(descriptor) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Closed() }
            sent += count
        }
    }

    /// Sends FIN, and still reads.
    func closeWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends RST at the end of `self`.
    func resetOnClose() {
        // struct linger { int l_onoff; int l_linger; }
        var linger: (Int32, Int32) = (1, 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<(Int32, Int32)>.size))
    }

    /// One recv(2). Empty at a clean end.
    func receive() throws -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count < 0 {
            if errno == ECONNRESET { throw Reset() }
            throw Failed(code: errno)
        }
        return Array(chunk[..<count])
    }

    /// All bytes up to a clean end.
    func readAll() throws -> String {
        var bytes = buffer
        buffer = []
        while true {
            let part = try receive()
            if part.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += part
        }
    }

    func read(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try more() }
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            try more()
        }
    }

    func head() throws -> (status: Int, headers: [String: String]) {
        let words = try line().split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw Closed() }
        var headers: [String: String] = [:]
        while true {
            let line = try line()
            guard let colon = line.firstIndex(of: ":") else { return (status, headers) }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
    }

    func chunk() throws -> String {
        let size = Int(try line(), radix: 16) ?? 0
        let bytes = try read(size)
        _ = try line()
        return String(decoding: bytes, as: UTF8.self)
    }

    func response(toHead isHead: Bool = false) throws -> TestResponse {
        let (status, headers) = try head()
        var body = ""
        if !isHead {
            if let length = headers["content-length"].flatMap({ Int($0) }) {
                body = String(decoding: try read(length), as: UTF8.self)
            } else if headers["transfer-encoding"] == "chunked" {
                while case let piece = try chunk(), !piece.isEmpty { body += piece }
            }
        }
        return TestResponse(status: status, headers: headers, body: body)
    }

    /// Sends a request without a body, and reads the response.
    func get(_ target: String, _ fields: String = "") throws -> TestResponse {
        try send("GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        return try response()
    }

    private func more() throws {
        let part = try receive()
        if part.isEmpty { throw Closed() }
        buffer += part
    }
}
