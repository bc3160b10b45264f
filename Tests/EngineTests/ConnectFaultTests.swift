// Unreachable and half reachable hosts, and hosts behind a proxy, all on loopback.

import Chat
import Formats
import Foundation
import Support
import Testing

@testable import Engine

@Suite(.serialized) struct ConnectFaultTests {
    static func spec(_ baseURL: String, retries: Int = 2, connect: Double = 10) -> RequestSpec {
        EngineHarness.spec(
            dialect: "openai", baseURL: baseURL, retry: RetryPolicy(max: retries, base: 0.01),
            timeouts: Timeouts(connect: connect, first: 20, idle: 20))
    }

    static func server() -> LoopbackServer {
        LoopbackServer { connection in
            if connection.readRequest() != nil { connection.send(Chat.head + Chat.moon) }
        }
    }

    @Test func nothingListens() throws {
        let server = try RawServer { _ in }
        server.stop()
        let (outcome, seconds) = try Driver().time(Self.spec(server.url))
        Expected.failure(.network, attempts: 3, says: ["Couldn't connect", "127.0.0.1:\(server.port)"])
            .check(outcome, took: seconds)
        #expect(outcome.failure?.isRetryable == true)
    }

    @Test func packetsThatAreDroppedMeetTheConnectTimeout() throws {
        let listener = try FullListener()
        let (outcome, seconds) = try Driver().time(
            Self.spec("http://127.0.0.1:\(listener.port)", retries: 1, connect: 0.3))
        Expected.failure(.timeout, .connect, attempts: 2, says: ["no connection within 0.3 s"], seconds: 0.55...5)
            .check(outcome, took: seconds)
    }

    // The environment belongs to the process, so each of these runs in its own process.

    @Test func theProxyOfTheEnvironmentCarriesTheRequest() async {
        await #expect(processExitsWith: .success) {
            let proxy = Self.server()
            useProxy(proxy.port)
            let (outcome, _) = try Driver().time(Self.spec("http://far.invalid"))
            try #require(outcome.reply?.text == "moon", "\(outcome)")
        }
    }

    @Test func aProxyThatWantsAPassword() async {
        await #expect(processExitsWith: .success) {
            for scheme in ["http", "https"] {
                let proxy = LoopbackServer { connection in
                    guard connection.readRequest() != nil else { return }
                    connection.send("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
                }
                useProxy(proxy.port)
                let (outcome, seconds) = try Driver().time(Self.spec("\(scheme)://far.invalid"))
                let failure = try #require(outcome.failure)
                try #require(failure.kind == .network && failure.attempts == 1, "\(failure)")
                try #require(!failure.isRetryable && seconds < 5, "\(failure)")
                try #require(proxy.connectionCount == 1)
                try #require(failure.message.contains("the proxy"), "\(failure)")
                try #require(failure.message.contains("407"), "\(failure)")
            }
        }
    }

    /// A temporary refusal is retried like one of the server, after the delay that the proxy requests.
    @Test func aProxyThatRefusesForNow() async {
        await #expect(processExitsWith: .success) {
            for (status, attempts) in [(503, 3), (502, 3), (504, 3), (429, 3), (408, 3), (403, 1), (404, 1), (407, 1)] {
                let proxy = LoopbackServer { connection in
                    guard connection.readRequest() != nil else { return }
                    connection.send("HTTP/1.1 \(status) No\r\nretry-after-ms: 120\r\nContent-Length: 0\r\n\r\n")
                }
                useProxy(proxy.port)
                let (outcome, seconds) = try Driver().time(Self.spec("https://far.invalid"))
                let failure = try #require(outcome.failure)
                try #require(failure.kind == .network && failure.attempts == attempts, "\(failure)")
                try #require(failure.message.contains("the proxy 127.0.0.1:\(proxy.port)"), "\(failure)")
                try #require(attempts == 1 || seconds >= 0.24 && failure.retryAfter == 0.12, "\(failure)")
            }
        }
    }

    /// SOCKS5 (RFC 1928): 5 is "connection refused", 2 is "not allowed by ruleset".
    @Test func aSOCKSProxyThatRefuses() async {
        await #expect(processExitsWith: .success) {
            for (reply, attempts) in [(5, 3), (4, 3), (2, 1)] as [(UInt8, Int)] {
                let proxy = try RawServer { connection in
                    guard connection.readSome() != nil else { return }
                    connection.write([5, 0])
                    guard connection.readSome() != nil else { return }
                    connection.write([5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
                    _ = connection.waitForDeparture()
                }
                defer { proxy.stop() }
                useProxy(proxy.port, scheme: "socks5h")
                let (outcome, _) = try Driver().time(Self.spec("http://far.invalid"))
                let failure = try #require(outcome.failure)
                try #require(failure.kind == .network && failure.attempts == attempts, "\(failure)")
                try #require(failure.message.contains("the proxy 127.0.0.1:\(proxy.port)"), "\(failure)")
            }
        }
    }

    @Test func aProxysOwnErrorNamesIt() async {
        await #expect(processExitsWith: .success) {
            for head in ["502 Bad Gateway", "302 Found", "200 OK"] {
                let proxy = LoopbackServer { connection in
                    guard connection.readRequest() != nil else { return }
                    connection.send("HTTP/1.1 \(head)\r\nContent-Type: text/html\r\n\r\n<html>no</html>")
                }
                useProxy(proxy.port)
                let (outcome, _) = try Driver().time(Self.spec("http://far.invalid", retries: 0))
                let failure = try #require(outcome.failure)
                try #require(failure.message.contains("through the proxy 127.0.0.1:\(proxy.port)"), "\(failure)")
            }
        }
    }

    @Test func aProxysPasswordIsNotShown() async {
        await #expect(processExitsWith: .success) {
            for (url, secret) in [
                ("http://user:pa/ss#w0rd@127.0.0.1:3128", "ss#w0rd"), ("http://user:12345/x@127.0.0.1:3128", "12345"),
                ("http://user:correcthorse9@127.0.0.1:99999", "correcthorse9"),
                ("http://user:open sesame8@127.0.0.1:3128", "sesame8"),
                ("user:correcthorse9@127.0.0.1:x", "correcthorse9"),
                ("http://user:correct@horse9@127.0.0.1:3128", "horse9"),
                ("socks5://user:correct?horse9@127.0.0.1:3128", "horse9"),
                ("socks9://user:correcthorse9@127.0.0.1:3128", "correcthorse9"),
                ("http://user:correcthorse9@127.0.0.1:9", "correcthorse9"),
                ("http://user:correct%20horse9@127.0.0.1:9", "horse9"),
            ] {
                useProxy(url: url)
                for scheme in ["http", "https"] {
                    let (outcome, _) = try Driver().time(Self.spec("\(scheme)://far.invalid", retries: 0))
                    let failure = try #require(outcome.failure)
                    try #require(!failure.message.contains(secret), "\(failure)")
                    try #require(failure.message.contains("proxy"), "\(failure)")
                    try #require(failure.message.contains("\(scheme)_proxy") == !url.hasSuffix(":9"), "\(failure)")
                }
            }
        }
    }

    @Test func theServerOfThisProcessIsAskedDirectly() async {
        await #expect(processExitsWith: .success) {
            let server = Self.server()
            useProxy(9)
            for own in ["http://127.0.0.1:\(server.port)/v1", nil] {
                var configuration = EngineConfiguration(
                    credentials: { _ in nil }, format: { _ in WireFormat.openAIChat })
                configuration.ownServer = own
                let engine = try Engine(configuration)
                let client = engine.attach()
                client.submit(.start(RequestID(1), Self.spec("http://127.0.0.1:\(server.port)", retries: 0)))
                var isOver = false
                while !isOver {
                    engine.turn(waitingUpTo: 5)
                    for event in client.take(RequestID(1)) where event.isTerminal {
                        isOver = true
                        if case .finish = event { try #require(own != nil) } else { try #require(own == nil) }
                    }
                }
            }
        }
    }

    @Test func aProxyThatIsNotThere() async {
        await #expect(processExitsWith: .success) {
            let server = try RawServer { _ in }
            server.stop()
            useProxy(server.port)
            let (outcome, seconds) = try Driver().time(Self.spec("https://far.invalid"))
            let failure = try #require(outcome.failure)
            try #require(failure.kind == .network && failure.attempts == 3 && seconds < 5, "\(failure)")
            try #require(failure.message.contains("the proxy 127.0.0.1:\(server.port)"), "\(failure)")
        }
    }
}

/// Sends all requests of this process through a proxy.
private func useProxy(_ port: Int, scheme: String = "http") { useProxy(url: "\(scheme)://127.0.0.1:\(port)") }

private func useProxy(url: String) {
    for name in ["no_proxy", "NO_PROXY"] { unsetenv(name) }
    for name in ["http_proxy", "https_proxy"] { setenv(name, url, 1) }
}
