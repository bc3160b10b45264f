// HTTP/2 faults of streams and connections.

import Chat
import Foundation
import Support
import Testing

@testable import Engine

/// Tests that need a TLS server: Support/Servers/tls.py and the openssl command.
let canServeTLS = ChildServer.isInstalled("openssl") && ChildServer.isInstalled("python3")

/// Asks a server that plays `scenario`, and checks the outcome.
func withTLSServer(
    _ scenario: String, certificateFor name: String = "IP:127.0.0.1", isExpired: Bool = false, isTrusted: Bool = true,
    _ body: (ChildServer, Driver, RequestSpec) throws -> Void
) throws -> [String] {
    var log: [String] = []
    try withCertificate(for: name, isExpired: isExpired) { directory in
        let server = try ChildServer(tls: scenario, in: directory)
        defer { log = server.stop().filter { $0.hasPrefix("request") } }
        let driver = try Driver(keys: ["TLS_KEY": "sk-0123456789"], caFile: isTrusted ? directory + "/cert.pem" : nil)
        var spec = EngineHarness.spec(
            dialect: "openai", baseURL: "https://127.0.0.1:\(server.port)", retry: RetryPolicy(max: 2, base: 0.01),
            timeouts: Timeouts(connect: scenario == "handshake-stalls" ? 1 : 20, first: 20, idle: 20))
        spec.endpoint.keyVariable = "TLS_KEY"
        try body(server, driver, spec)
    }
    return log
}

@Suite(.serialized, .enabled(if: canServeTLS, "openssl or python3 is not installed")) struct HTTP2FaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var scenario: String
        var expected: Expected
        /// Complete requests at the server.
        var requests: Int
        /// Connections that carried them.
        var connections: Int
    }

    static let whole = "one two three"

    static let cases = [
        Case(
            testDescription: "no fault", scenario: "plain", expected: .reply(whole), requests: 1, connections: 1),
        Case(
            testDescription: "the stream is reset before its head", scenario: "reset-before-head-once",
            expected: .reply(whole, attempts: 2), requests: 2, connections: 1),
        Case(
            testDescription: "the stream is reset behind output", scenario: "reset-in-stream",
            expected: .failure(.truncated, partial: "one ", says: ["cut"]), requests: 1, connections: 1),
        Case(
            testDescription: "the stream is refused once", scenario: "refused-once",
            expected: .reply(whole, attempts: 2), requests: 2, connections: 2),
        Case(
            testDescription: "the stream is refused always", scenario: "refused-always",
            expected: .failure(.network, attempts: 2, says: ["before the answer began"]), requests: 2,
            connections: 2),
        Case(
            testDescription: "the connection goes without having seen the stream", scenario: "goaway-below-stream",
            expected: .reply(whole, attempts: 2), requests: 2, connections: 2),
        Case(
            testDescription: "every connection goes without having seen the stream",
            scenario: "goaway-below-stream-always", expected: .failure(.network, attempts: 3), requests: 3,
            connections: 3),
        Case(
            testDescription: "the connection goes, and brings the stream to its end", scenario: "goaway-in-stream",
            expected: .reply(whole), requests: 1, connections: 1),
        Case(
            testDescription: "the connection goes in anger behind output", scenario: "calm-in-stream",
            expected: .failure(.truncated, partial: "one "), requests: 1, connections: 1),
        Case(
            testDescription: "the connection is closed behind output", scenario: "closed-in-stream",
            expected: .failure(.truncated, partial: "one "), requests: 1, connections: 1),
        Case(
            testDescription: "the connection is closed before the head", scenario: "closed-before-head",
            expected: .failure(.network, attempts: 2), requests: 2, connections: 2),
        Case(
            testDescription: "the stream ends cleanly, the reply does not", scenario: "ended-without-done",
            expected: .failure(.truncated, partial: "one "), requests: 1, connections: 1),
        Case(
            testDescription: "overloaded", scenario: "overloaded",
            expected: .failure(.overloaded, attempts: 3, says: ["too busy"]), requests: 3, connections: 1),
        Case(
            testDescription: "a key that is refused", scenario: "refuses-status",
            expected: .failure(.auth, says: ["who?"]), requests: 1, connections: 1),
    ]

    @Test(arguments: cases) func fault(_ test: Case) throws {
        let log = try withTLSServer(test.scenario) { server, driver, spec in
            let (outcome, seconds) = driver.time(spec, onToken: server.release)
            test.expected.check(outcome, took: seconds)
        }
        #expect(log.count == test.requests, "\(log)")
        #expect(Set(log.map { $0.split(separator: " ")[1] }).count == test.connections, "\(log)")
    }

    /// A connection after GOAWAY carries no further request.
    @Test func afterGoawayTheNextRequestOpensAConnection() throws {
        let log = try withTLSServer("goaway-in-stream") { server, driver, spec in
            for id: UInt64 in 1...2 {
                let (outcome, seconds) = driver.time(spec, id: id, onToken: server.release)
                Expected.reply(Self.whole).check(outcome, took: seconds)
                driver.run { $0.engine.transferCount == 0 }
            }
        }
        #expect(log == ["request 0 1", "request 1 1"])
    }

    /// curl would send a request again whose kept connection dies, and the provider would charge it twice.
    @Test func dyingConnectionsGetEachRequestOnce() throws {
        let rounds: UInt64 = 250
        let log = try withTLSServer("closed-at-second") { _, driver, spec in
            var spec = spec
            spec.retry = RetryPolicy(max: 0)
            for id in 1...2 * rounds {
                let (outcome, seconds) = driver.time(spec, id: id)
                if id % 2 == 1 {
                    Expected.reply(Self.whole).check(outcome, took: seconds)
                } else {
                    Expected.failure(.network).check(outcome, took: seconds)
                }
                driver.run { $0.engine.transferCount == 0 }
            }
        }
        #expect(log.count == 2 * rounds)
    }

    @Test func requestsShareAConnection() throws {
        let log = try withTLSServer("plain") { server, driver, spec in
            for id: UInt64 in 1...3 {
                let (outcome, seconds) = driver.time(spec, id: id, onToken: server.release)
                Expected.reply(Self.whole).check(outcome, took: seconds)
                driver.run { $0.engine.transferCount == 0 }
            }
        }
        #expect(log == ["request 0 1", "request 0 3", "request 0 5"])
    }
}
