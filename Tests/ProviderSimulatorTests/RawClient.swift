// A small blocking HTTP/1.1 client that keeps the bytes as they came: what the tests look at the server with.

import Foundation
import Glibc
import ProviderSimulator
import Support
import Testing

/// One connection. Reads give up after a minute.
final class RawClient {
    let socket: Int32
    private var buffer: [UInt8] = []

    struct Closed: Error {}
    struct Reset: Error {}
    struct Refused: Error, Equatable { var code: Int32 }

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        guard let socket = LoopbackSocket.connect(port: port, receiveBuffer: receiveBuffer) else {
            throw Refused(code: errno)
        }
        self.socket = socket
    }

    deinit { close(socket) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Closed() }
            sent += count
        }
    }

    /// One recv(2). Empty at a clean end.
    func receive() throws -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &chunk, chunk.count, 0)
        if count < 0, errno == ECONNRESET { throw Reset() }
        try #require(count >= 0, "recv: \(errno)")
        return Array(chunk[..<count])
    }

    /// Everything up to the end of the connection, and whether that was a reset.
    func readAll() throws -> (bytes: [UInt8], wasReset: Bool) {
        var bytes = buffer
        buffer = []
        while true {
            do {
                let part = try receive()
                if part.isEmpty { return (bytes, false) }
                bytes += part
            } catch is Reset {
                return (bytes, true)
            }
        }
    }

    private func more() throws {
        let part = try receive()
        if part.isEmpty { throw Closed() }
        buffer += part
    }

    private func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            try more()
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try more() }
        let bytes = Array(buffer[..<count])
        buffer.removeSubrange(..<count)
        return bytes
    }

    func readHead() throws -> Response {
        let status = try line().split(separator: " ", maxSplits: 2)
        try #require(status.count >= 2 && status[0] == "HTTP/1.1")
        var response = Response(status: try #require(Int(status[1])))
        while case let field = try line(), !field.isEmpty {
            let parts = field.split(separator: ":", maxSplits: 1)
            response.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        return response
    }

    /// Reads one response whole, by its own framing.
    func response() throws -> Response {
        var response = try readHead()
        if response.headers["transfer-encoding"] == "chunked" {
            while case let size = try #require(Int(try line(), radix: 16)), size > 0 {
                response.chunks.append(try take(size))
                #expect(try line() == "")
            }
            #expect(try line() == "")
        } else if let length = response.headers["content-length"].flatMap({ Int($0) }) {
            response.chunks = [try take(length)]
        } else {
            response.chunks = [try readAll().bytes]
        }
        return response
    }
}

struct Response {
    var status: Int
    var headers: [String: String] = [:]
    var chunks: [[UInt8]] = []

    var body: [UInt8] { chunks.flatMap { $0 } }
    var text: String { String(decoding: body, as: UTF8.self) }

    func json() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    }

    /// The payloads of the stream's events.
    var events: [String] {
        text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
    }

    func deltas() throws -> [Delta] {
        try events.filter { $0 != "[DONE]" }.map { try Delta($0) }
    }
}

/// One chunk of a Chat Completions stream.
struct Delta {
    var choice: Int?
    var role: String?
    var content: String?
    var reasoning: String?
    var call: [String: Any]?
    var finish: String?
    var usage: [String: Any]?

    init(_ event: String) throws {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(event.utf8)) as? [String: Any])
        usage = object["usage"] as? [String: Any]
        let choices = try #require(object["choices"] as? [[String: Any]])
        guard let first = choices.first else { return }
        choice = first["index"] as? Int
        finish = first["finish_reason"] as? String
        let delta = try #require(first["delta"] as? [String: Any])
        role = delta["role"] as? String
        content = delta["content"] as? String
        reasoning = delta["reasoning_content"] as? String
        call = (delta["tool_calls"] as? [[String: Any]])?.first
    }
}

extension [Delta] {
    func text(_ choice: Int = 0) -> String { filter { $0.choice == choice }.compactMap(\.content).joined() }
    var reasoning: String { compactMap(\.reasoning).joined() }
    var finish: String? { compactMap(\.finish).last }
    /// Deltas that carry text, reasoning or a tool call.
    var pieces: Int { count { ($0.content ?? "") != "" || ($0.reasoning ?? "") != "" || $0.call != nil } }
}

/// The bytes of a request for a reply.
func post(_ body: String, _ headers: [String: String] = [:], path: String = "/v1/chat/completions") -> String {
    let fields = headers.map { "\($0): \($1)\r\n" }.joined()
    return "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}

/// A chat body: `extra` is JSON members, with a comma before each.
func chat(_ prompt: String, model: String = "moonrill-chat", stream: Bool = true, _ extra: String = "") -> String {
    "{\"model\":\"\(model)\",\"stream\":\(stream),\"messages\":[{\"role\":\"user\",\"content\":\"\(prompt)\"}]\(extra)}"
}

/// Starts a server that does not pace, runs `body` with it, stops it.
func withServer<T>(_ change: (inout SimulatorOptions) -> Void = { _ in }, _ body: (SimulatorServer) throws -> T) throws
    -> T
{
    var options = SimulatorOptions()
    options.rate = 0
    change(&options)
    let server = try SimulatorServer.start(options)
    defer { server.stop() }
    return try body(server)
}

/// One request on a connection of its own.
func ask(_ server: SimulatorServer, _ body: String, _ headers: [String: String] = [:]) throws -> Response {
    let client = try RawClient(port: server.port)
    try client.send(post(body, headers))
    return try client.response()
}

/// Waits for something that another thread brings about; false after ten seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let end = Date(timeIntervalSinceNow: 10)
    while Date() < end {
        if try condition() { return true }
        usleep(500)
    }
    return false
}
