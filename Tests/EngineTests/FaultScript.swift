// Scripted HTTP/1.1 servers, and the requests that meet them.

import Chat
import Foundation
import Testing

@testable import Engine

/// One step of a server after it has read a request.
enum Step: Sendable {
    case send(String)
    case sendBytes([UInt8])
    /// Waits until the client's reader has taken the first token.
    case awaitToken
    /// A byte every ten milliseconds while the client is connected.
    case drip(String)
    /// Repeats while the client is connected.
    case endless(String)
    /// Silence while the client is connected.
    case silence
    /// Ends the connection by a reset instead of a close.
    case reset
}

/// An HTTP/1.1 fault and its outcome.
struct FaultCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Steps of each connection; the last entry repeats.
    var connections: [[Step]]
    var expected: Expected
    /// Retries that the policy allows.
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

    /// Runs the fault and compares the outcome.
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

/// A Chat Completions stream in pieces.
enum Chat {
    static func token(_ text: String) -> String { DialectEngineTests.piece(text) }
    static let finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    static let done = "data: [DONE]\n\n"
    /// "moon" and the end.
    static let moon = token("moon") + finish + done
    /// Head of a stream that ends with the connection.
    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    /// Head of a chunked stream.
    static let chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// A complete body that is not a stream.
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
