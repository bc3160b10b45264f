// A small blocking HTTP/1.1 client: whole responses, and event streams one event at a time.

internal import Foundation
internal import Glibc

/// One request on a connection of its own.
public final class WebClient: @unchecked Sendable {  // used by one thread at a time
    private var socket: Int32
    private var buffer: [UInt8] = []
    private var body: [UInt8] = []
    private var isChunked = false
    private var left: Int?
    private var isAtEnd = false

    /// The status of the response.
    public private(set) var status = 0
    /// The header fields of the response, names in lower case.
    public private(set) var headers: [String: String] = [:]

    /// The connection failed or ended too early.
    public struct Failure: Error, CustomStringConvertible {
        /// What failed.
        public let description: String
    }

    /// An event of an event stream.
    public struct Event: Equatable, Sendable {
        /// Its id, type ("message" by default) and data.
        public var id = "", name = "message", data = ""
    }

    /// Connects to a port of this machine and sends a request.
    public convenience init(
        port: Int, _ method: String, _ target: String, headers: [String: String] = [:], body: String = "",
        receiveBuffer: Int32? = nil
    ) throws {
        guard let socket = LoopbackSocket.connect(port: port, receiveBuffer: receiveBuffer) else {
            throw Failure(description: "cannot connect to port \(port): errno \(errno)")
        }
        try self.init(socket, method, target, ["Host": "127.0.0.1:\(port)"].merging(headers) { $1 }, body)
    }

    /// Connects to a Unix socket and sends a request.
    public convenience init(unix path: String, _ method: String, _ target: String) throws {
        guard let socket = LoopbackSocket.connect(unix: path) else {
            throw Failure(description: "cannot connect to \(path): errno \(errno)")
        }
        try self.init(socket, method, target, ["Host": "any"], "")
    }

    private init(
        _ socket: Int32, _ method: String, _ target: String, _ headers: [String: String], _ body: String
    ) throws {
        self.socket = socket
        var text = "\(method) \(target) HTTP/1.1\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        try send(Array((text + "\r\n" + body).utf8))
    }

    deinit { close() }

    /// Sends one request and reads the whole response.
    public static func fetch(
        port: Int, _ method: String, _ target: String, headers: [String: String] = [:], body: String = ""
    ) throws -> (status: Int, headers: [String: String], body: String) {
        let client = try WebClient(port: port, method, target, headers: headers, body: body)
        let text = try client.text(isHead: method == "HEAD")
        return (client.status, client.headers, text)
    }

    /// Ends the connection. With unread bytes the other side sees a reset.
    public func close() {
        if socket >= 0 { Glibc.close(socket) }
        socket = -1
    }

    // MARK: Reading

    /// Reads the head of the response.
    @discardableResult
    public func readHead() throws -> Int {
        if status != 0 { return status }
        let line = try readLine()
        guard let number = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure(description: "no status: \(line)")
        }
        while true {
            let line = try readLine()
            if line.isEmpty { break }
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        isChunked = headers["transfer-encoding"] == "chunked"
        left = headers["content-length"].flatMap { Int($0) }
        isAtEnd = number == 204 || number == 304
        status = number
        return number
    }

    /// The whole body.
    public func text(isHead: Bool = false) throws -> String {
        try readHead()
        if isHead { return "" }
        while try readPiece() {}
        return String(decoding: body, as: UTF8.self)
    }

    /// The next event; nil at the end of the response.
    public func event() throws -> Event? {
        try readHead()
        while true {
            if let end = body.firstRange(of: [10, 10]) {
                let block = String(decoding: body[..<end.lowerBound], as: UTF8.self)
                body.removeSubrange(..<end.upperBound)
                if let event = Self.event(block) { return event }
            } else if try !readPiece() {
                return nil
            }
        }
    }

    /// All further events.
    public func events() throws -> [Event] {
        var events: [Event] = []
        while let event = try event() { events.append(event) }
        return events
    }

    private static func event(_ block: String) -> Event? {
        var event = Event()
        var hasData = false
        for line in block.split(separator: "\n") {
            if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
            if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
            guard line.hasPrefix("data: ") else { continue }
            event.data += (hasData ? "\n" : "") + line.dropFirst(6)
            hasData = true
        }
        return hasData ? event : nil
    }

    /// Reads some of the body; false at its end.
    private func readPiece() throws -> Bool {
        if isAtEnd { return false }
        if isChunked {
            guard let size = Int(try readLine(), radix: 16) else { throw Failure(description: "no size of a chunk") }
            while buffer.count < size + 2 {
                guard try fill() else { throw Failure(description: "the response was cut") }
            }
            body += buffer[..<size]
            buffer.removeFirst(size + 2)
            isAtEnd = size == 0
            return !isAtEnd
        }
        if let left, left <= buffer.count {
            body += buffer[..<left]
            isAtEnd = true
            return false
        }
        if try fill() { return true }
        guard left == nil else { throw Failure(description: "the response was cut") }
        body += buffer
        isAtEnd = true
        return false
    }

    private func readLine() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            guard try fill() else { throw Failure(description: "the connection ended") }
        }
    }

    private func fill() throws -> Bool {
        var space = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &space, space.count, 0)
        guard count >= 0 else { throw Failure(description: "recv: errno \(errno)") }
        buffer += space[..<count]
        return count > 0
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(description: "send: errno \(errno)") }
            sent += count
        }
    }
}
