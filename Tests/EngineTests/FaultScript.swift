// Servers of HTTP/1.1 by value: what a connection does, step by step, and the request that meets it. For the tables of
// faults.

import Chat
import Foundation
import Testing

@testable import Engine

/// One thing that a server does to a connection, once it has read a request.
enum Step: Sendable {
    case send(String)
    case sendBytes([UInt8])
    /// Waits until the client's reader has taken the first token.
    case awaitToken
    /// A byte every ten milliseconds, for as long as the client is there.
    case drip(String)
    /// Again and again, for as long as the client is there.
    case endless(String)
    /// Nothing, for as long as the client is there.
    case silence
    /// Ends the connection by a reset; else it is closed.
    case reset
}

/// A fault of HTTP/1.1, and what must come of it.
struct FaultCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What each connection does; those behind the last do what the last does.
    var connections: [[Step]]
    var expected: Expected
    /// Attempts after the first that the policy allows.
    var retries = 2
    var timeouts = Timeouts(connect: 2, first: 10, idle: 10)
    var limits = RequestLimits()

    init(
        _ name: String, _ connections: [Step]..., expect expected: Expected, retries: Int = 2,
        timeouts: Timeouts = Timeouts(connect: 2, first: 10, idle: 10), limits: RequestLimits = RequestLimits()
    ) {
        testDescription = name
        self.connections = connections
        self.expected = expected
        self.retries = retries
        self.timeouts = timeouts
        self.limits = limits
    }

    /// Plays it, asks, and compares.
    func check() throws {
        let go = Mailbox<Bool>()
        let server = LoopbackServer { [connections] connection in
            guard connection.readRequest() != nil else { return }
            for step in connections[min(connection.number, connections.count - 1)] {
                connection.play(step, go)
            }
        }
        var spec = EngineHarness.spec(
            dialect: "openai", baseURL: server.baseURL, retry: RetryPolicy(max: retries, base: 0.01),
            timeouts: timeouts)
        spec.limits = limits
        let (outcome, seconds) = try Driver().time(spec) { go.put(true) }
        expected.check(outcome, took: seconds)
        #expect(server.connectionCount == expected.attempts, "one connection an attempt, and no hidden one")
    }
}

extension LoopbackServer.Connection {
    fileprivate func play(_ step: Step, _ go: Mailbox<Bool>) {
        switch step {
        case .send(let text): send(text)
        case .sendBytes(let bytes): send(bytes)
        case .awaitToken: _ = go.wait(for: 1)
        case .drip(let text):
            for byte in text.utf8 {
                guard send([byte]) else { return }
                usleep(10_000)
            }
        case .endless(let text): while send(text) {}
        case .silence: waitForClose()
        case .reset: reset()
        }
    }
}

/// The stream of Chat Completions in pieces.
enum Chat {
    static func token(_ text: String) -> String { DialectEngineTests.piece(text) }
    static let finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    static let done = "data: [DONE]\n\n"
    /// "moon", and the end.
    static let moon = token("moon") + finish + done
    /// The head of a stream whose end is the end of the connection.
    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    /// The head of a stream in chunks.
    static let chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// A whole answer that is no stream.
    static func answer(_ status: String, _ body: String = "", type: String = "application/json", headers: [String] = [])
        -> Step
    {
        let fields = ["Content-Type: \(type)", "Content-Length: \(body.utf8.count)", "Connection: close"] + headers
        return .send("HTTP/1.1 \(status)\r\n" + fields.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    static func error(_ type: String, _ message: String = "said the provider") -> String {
        "{\"error\":{\"message\":\"\(message)\",\"type\":\"\(type)\",\"code\":null}}"
    }
}
