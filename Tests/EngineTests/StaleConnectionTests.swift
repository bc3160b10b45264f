// Reused connections that died, over real sockets.

import Chat
import Foundation
import Testing

@testable import Engine

@Suite(.serialized) struct StaleConnectionTests {
    @Test func aConnectionThatDiedIdleCostsNothing() throws {
        let posts = Mailbox<Int>()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(chunked("t:\(connection.number)", "[DONE]"))
            shutdown(connection.socket, Int32(SHUT_RDWR))
            posts.put(connection.number)
        }
        let driver = try Driver()
        let first = driver.ask(EngineHarness.spec(baseURL: server.baseURL))
        _ = posts.wait(for: 1)
        let second = driver.ask(EngineHarness.spec(baseURL: server.baseURL), id: 2)
        #expect(first.reply?.text == "0")
        #expect(second.reply?.text == "1")
        #expect(posts.wait(for: 2) == [0, 1])
    }

    /// The server reads the second request of a reused connection and closes: it may have done the work. Exactly one
    /// more attempt, and it is reported.
    @Test func aConnectionThatDiesOverTheRequestIsTriedOnceAndVisibly() throws {
        let posts = Mailbox<Int>()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(chunked("t:\(connection.number)", "[DONE]"))
            if connection.number == 0, connection.readRequest() != nil { posts.put(connection.number) }
        }
        let driver = try Driver()
        _ = driver.ask(EngineHarness.spec(baseURL: server.baseURL))
        driver.run { $0.engine.transferCount == 0 }
        let outcome = driver.ask(
            EngineHarness.spec(baseURL: server.baseURL, retry: RetryPolicy(max: 4, base: 0.01)), id: 2)
        #expect(outcome.retries.count == 1)
        #expect(outcome.reply?.attempts == 2)
        #expect(outcome.reply?.text != "0")
        #expect(posts.wait(for: 1) == [0], "the second request did reach the first connection")
    }

    /// Four reused connections die on their next request: the second attempt must not use another of them. (curl
    /// itself takes one more from the pool before it finds that it must not resend.)
    @Test func theTryAfterADeadConnectionOpensAFreshOne() throws {
        let kept = 4
        let first = Mailbox<Int>()
        let lost = Mailbox<Int>()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            first.put(connection.number)
            // All run at once, so each has its own connection.
            if connection.number < kept { _ = first.wait(for: kept) }
            connection.send(chunked("t:\(connection.number)", "[DONE]"))
            if connection.number < kept, connection.readRequest() != nil { lost.put(connection.number) }
        }
        let driver = try Driver()
        for id in 0..<kept {
            driver.client.submit(.start(RequestID(UInt64(id)), EngineHarness.spec(baseURL: server.baseURL)))
        }
        driver.run { $0.engine.activeCount == 0 && $0.engine.transferCount == 0 }
        #expect(server.connectionCount == kept)
        let spec = EngineHarness.spec(baseURL: server.baseURL, retry: RetryPolicy(max: 4, base: 0.01))
        let outcome = driver.ask(spec, id: 10)
        let number = try #require(outcome.reply.flatMap { Int($0.text) }, "\(outcome)")
        #expect(number >= kept)
        #expect(outcome.retries.count == 1)
        #expect(lost.all.count == 1, "only one of the kept connections has carried the request")
    }
}
