// Hosts that cannot be reached, half reached, or reached through a proxy only. Loopback plays them all.

import Dialects
import Foundation
import Support
import Testing

@testable import Engine

@Suite(.serialized) struct ConnectFaultTests {
    static func spec(_ baseURL: String, retries: Int = 2, connect: Double = 10) -> RequestSpec {
        World.spec(
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

    // The environment belongs to the whole process, so each of these runs in a process of its own.

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

    @Test func aProxyThatIsNotThere() async {
        await #expect(processExitsWith: .success) {
            let server = try RawServer { _ in }
            server.stop()
            useProxy(server.port)
            let (outcome, seconds) = try Driver().time(Self.spec("https://far.invalid"))
            let failure = try #require(outcome.failure)
            try #require(failure.kind == .network && failure.attempts == 3 && seconds < 5, "\(failure)")
            try #require(failure.message.contains("127.0.0.1 port \(server.port)"), "\(failure)")
        }
    }
}

/// Sends all requests of this process through a proxy.
private func useProxy(_ port: Int) {
    for name in ["no_proxy", "NO_PROXY"] { unsetenv(name) }
    for name in ["http_proxy", "https_proxy"] { setenv(name, "http://127.0.0.1:\(port)", 1) }
}
