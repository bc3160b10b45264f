// A scripted TCP server: a closure controls each accepted connection byte by byte. Blocking sockets on threads, on a
// kernel-chosen loopback port.

internal import Foundation
internal import Glibc

/// A server that does what its script does.
public final class RawServer: Sendable {
    /// One accepted connection, owned by its script. Closed when the script returns.
    public final class Connection: Sendable {
        /// 0 for the first connection the server accepted, then 1, 2, ...
        public let index: Int
        private let server: RawServer
        private let socket: Locked<Int32>
        private let leftover = Locked<[UInt8]>([])

        fileprivate init(index: Int, socket: Int32, server: RawServer) {
            self.index = index
            self.socket = Locked(socket)
            self.server = server
        }

        /// Reads one complete request: headers, and the body by Content-Length or chunks. Nil if the client closed or
        /// reset first.
        public func readRequest() -> RawRequest? {
            guard let head = readUntil("\r\n\r\n") else { return nil }
            var lines = head.components(separatedBy: "\r\n")
            let requestLine = lines.removeFirst()
            let headers = lines.compactMap { line -> (String, String)? in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                return (String(line[..<colon]), value)
            }
            var request = RawRequest(line: requestLine, headers: headers, body: [])
            if let length = request["content-length"].flatMap({ Int($0) }) {
                guard let body = readExactly(length) else { return nil }
                request.body = body
            } else if request["transfer-encoding"]?.lowercased() == "chunked" {
                guard let body = readChunks() else { return nil }
                request.body = body
            }
            server.seen.withLock { $0.requests.append(request) }
            return request
        }

        /// Reads available bytes, at least one; nil if the client closed or reset first.
        public func readSome() -> [UInt8]? {
            guard leftover.withLock({ !$0.isEmpty }) || fill() else { return nil }
            return leftover.withLock { bytes in
                defer { bytes = [] }
                return bytes
            }
        }

        /// Sends all bytes; false if the client is gone.
        @discardableResult
        public func write(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }

        /// Sends the text as UTF-8; false if the client is gone.
        @discardableResult
        public func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        /// Sends a complete 200 response with Content-Length.
        @discardableResult
        public func answer(_ body: String, status: String = "200 OK", headers: [String] = []) -> Bool {
            let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers
            return write(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        }

        /// How the client left.
        public enum Departure: Sendable, Equatable {
            /// It closed its side (FIN).
            case closed
            /// It reset the connection (RST).
            case reset
        }

        /// Reads and drops bytes until the client is gone.
        public func waitForDeparture() -> Departure {
            while true {
                var space = [UInt8](repeating: 0, count: 4096)
                let count = recv(descriptor, &space, space.count, 0)
                if count == 0 { return .closed }
                if count < 0, errno != EINTR { return .reset }
            }
        }

        /// Resets the connection (RST).
        public func reset() {
            var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            close()
        }

        /// Shuts down the sending side (FIN); reading is still possible.
        public func closeWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

        /// Closes both sides. Unread bytes of the client turn this into a reset, as TCP requires.
        public func close() {
            socket.withLock { raw in
                guard raw >= 0 else { return }
                Glibc.close(raw)
                raw = -1
            }
        }

        fileprivate func interrupt() {
            socket.withLock { raw in
                if raw >= 0 { _ = shutdown(raw, Int32(SHUT_RDWR)) }
            }
        }

        private var descriptor: Int32 { socket.withLock { $0 } }

        private func fill() -> Bool {
            var space = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = recv(descriptor, &space, space.count, 0)
                if count > 0 {
                    leftover.withLock { $0 += space[..<count] }
                    return true
                }
                if count == 0 || errno != EINTR { return false }
            }
        }

        private func readExactly(_ count: Int) -> [UInt8]? {
            while leftover.withLock({ $0.count }) < count { guard fill() else { return nil } }
            return leftover.withLock { bytes in
                defer { bytes.removeFirst(count) }
                return Array(bytes.prefix(count))
            }
        }

        private func readUntil(_ mark: String) -> String? {
            let mark = Data(mark.utf8)
            while true {
                let found = leftover.withLock { bytes -> String? in
                    guard let range = Data(bytes).range(of: mark) else { return nil }
                    defer { bytes.removeFirst(range.upperBound) }
                    return String(decoding: bytes[..<range.lowerBound], as: UTF8.self)
                }
                if let found { return found }
                guard fill() else { return nil }
            }
        }

        private func readChunks() -> [UInt8]? {
            var body: [UInt8] = []
            while true {
                guard let line = readUntil("\r\n"), let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
                    return nil
                }
                guard let chunk = readExactly(size + 2) else { return nil }
                if size == 0 { return body }
                body += chunk.dropLast(2)
            }
        }
    }

    private struct Seen {
        /// Each retains the server; released when it stops.
        var connections: [Connection] = []
        var connectionCount = 0
        var requests: [RawRequest] = []
        var isStopping = false
    }

    /// The port the kernel chose.
    public let port: Int
    private let listener: Int32
    private let threads = DispatchGroup()
    private let seen = Locked(Seen())

    /// Listens on 127.0.0.1 and runs `script` on its own thread for each connection. `sendBuffer` (bytes) shrinks the
    /// kernel's buffer, so that back-pressure shows early.
    public init(sendBuffer: Int32? = nil, _ script: @escaping @Sendable (Connection) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw POSIXError(.EMFILE) }
        if var sendBuffer { setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &sendBuffer, socklen_t(4)) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        let isBound = withUnsafeMutableBytes(of: &address) { raw in
            guard let generic = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return false }
            return bind(listener, generic, size) == 0 && getsockname(listener, generic, &size) == 0
        }
        guard isBound, listen(listener, 1024) == 0 else {
            close(listener)
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        run { self.acceptAll(script) }
    }

    /// "http://127.0.0.1:" and the port.
    public var url: String { "http://127.0.0.1:\(port)" }

    /// Accepted connections so far.
    public var connectionCount: Int { seen.withLock { $0.connectionCount } }

    /// Complete requests so far, in order of arrival.
    public var requests: [RawRequest] { seen.withLock { $0.requests } }

    /// Stops listening, cuts each connection, and waits for each script to return. Scripts must only wait for their
    /// connection at this point.
    public func stop() {
        let connections = seen.withLock { seen in
            seen.isStopping = true
            defer { seen.connections = [] }
            return seen.connections
        }
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in connections { connection.interrupt() }
        threads.wait()
    }

    private func run(_ body: @escaping @Sendable () -> Void) {
        threads.enter()
        let thread = Thread {
            body()
            self.threads.leave()
        }
        thread.stackSize = 256 * 1024
        thread.start()
    }

    private func acceptAll(_ script: @escaping @Sendable (Connection) -> Void) {
        defer { close(listener) }
        while true {
            let socket = accept(listener, nil, nil)
            if socket < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
            let connection = seen.withLock { seen -> Connection? in
                guard !seen.isStopping else { return nil }
                let connection = Connection(index: seen.connectionCount, socket: socket, server: self)
                seen.connections.append(connection)
                seen.connectionCount += 1
                return connection
            }
            guard let connection else {
                close(socket)
                return
            }
            run {
                script(connection)
                connection.close()
            }
        }
    }
}

/// A request as received.
public struct RawRequest: Sendable {
    /// "POST /v1/chat/completions HTTP/1.1".
    public var line: String
    /// Header lines in order.
    public var headers: [(name: String, value: String)]
    /// The body, without its framing.
    public var body: [UInt8]

    /// A request with the given parts.
    public init(line: String, headers: [(String, String)], body: [UInt8]) {
        self.line = line
        self.headers = headers.map { (name: $0.0, value: $0.1) }
        self.body = body
    }

    /// The first value of the header `name`, ignoring case.
    public subscript(name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
}
