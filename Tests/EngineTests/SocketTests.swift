// The engine over real sockets: HTTP/1.1 faults byte by byte, and what the server sees.

import Base
import Chat
import Foundation
import Testing
import Transport

@testable import Engine

let streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

func chunk(_ text: String) -> String { String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n" }

func chunked(_ payloads: String..., end: Bool = true) -> String {
    streamHead + "Transfer-Encoding: chunked\r\n\r\n" + payloads.map { chunk("data: \($0)\n\n") }.joined()
        + (end ? "0\r\n\r\n" : "")
}

// Serialized: some measure time, and together they would need too many descriptors.
@Suite(.serialized) struct SocketTests {
    let once = RetryPolicy(max: 0)

    /// A server that answers each request with the next of `answers` on its own connection, and closes.
    func server(_ answers: [String], reset: Bool = false) -> LoopbackServer {
        LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(answers[min(connection.number, answers.count - 1)])
            if reset { connection.reset() }
        }
    }

    @Test func aStreamAndItsConnectionAgain() throws {
        let server = LoopbackServer { connection in
            while connection.readRequest() != nil {
                connection.send(chunked("t:Hello", "t:, moon", "finish:stop", "[DONE]"))
            }
        }
        let driver = try Driver()
        for _ in 0..<3 {
            let outcome = driver.ask(EngineHarness.spec(baseURL: server.baseURL))
            #expect(outcome.reply?.text == "Hello, moon")
            #expect(outcome.text == "Hello, moon")
            // The end of the body follows at once: the connection returns to the pool within its grace period.
            driver.run { $0.engine.transferCount == 0 }
        }
        #expect(server.connectionCount == 1)
    }

    // MARK: Faults before the head

    @Test func nothingListens() throws {
        let closed = try #require(closedPort())
        let outcome = try Driver().ask(
            EngineHarness.spec(baseURL: "http://127.0.0.1:\(closed)", retry: RetryPolicy(max: 2, base: 0.01)))
        #expect(outcome.failure?.kind == .network)
        #expect(outcome.retries.count == 2)
        #expect(outcome.failure?.attempts == 3)
        #expect(outcome.failure?.isRetryable == true)
    }

    /// A port that was just freed.
    private func closedPort() -> Int? {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(socket, $0, length) == 0, getsockname(socket, $0, &length) == 0 else { return nil }
                return Int(UInt16(bigEndian: pointer.pointee.sin_port))
            }
        }
    }

    @Test func acceptsAndNeverAnswers() throws {
        let server = LoopbackServer { $0.waitForClose() }
        let start = SystemClock.now()
        let outcome = try Driver().ask(
            EngineHarness.spec(baseURL: server.baseURL, retry: once, timeouts: Timeouts(first: 0.2)))
        #expect(outcome.failure?.kind == .timeout)
        #expect(outcome.failure?.phase == .first)
        #expect((0.19...0.6).contains(SystemClock.now() - start))
    }

    @Test func headersThatDrip() throws {
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            for byte in "HTTP/1.1 200 OK\r\nX: " + String(repeating: "y", count: 1000) {
                guard connection.send(String(byte)) else { return }
                usleep(10_000)
            }
        }
        let outcome = try Driver().ask(
            EngineHarness.spec(baseURL: server.baseURL, retry: once, timeouts: Timeouts(first: 0.2)))
        #expect(outcome.failure?.phase == .first)
    }

    static let heads: [(name: String, answer: String, kind: ErrorKind, attempts: Int)] = [
        ("headers cut", "HTTP/1.1 200 OK\r\nContent-Type: text/ev", .network, 3),
        ("empty reply", "", .network, 2),
        ("not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", .protocol, 1),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n", .protocol, 1),
        ("206", "HTTP/1.1 206 Partial\r\nContent-Length: 0\r\n\r\n", .protocol, 1),
        ("redirect", "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.2:9/\r\nContent-Length: 0\r\n\r\n", .protocol, 1),
        ("empty body", streamHead + "Content-Length: 0\r\n\r\n", .protocol, 1),
        ("HTML", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", .protocol, 1),
        ("401", "HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", .invalidRequest, 1),
        ("500", "HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 2\r\n\r\noh", .overloaded, 3),
        ("429", "HTTP/1.1 429 Slow\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", .rateLimit, 3),
        ("error without framing", "HTTP/1.1 503 Busy\r\n\r\nbusy", .overloaded, 3),
        ("Content-Length short", streamHead + "Content-Length: 900\r\n\r\ndata: t", .truncated, 3),
        ("bad chunk size", streamHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", .truncated, 3),
        ("chunks cut", chunked("start:1", end: false), .truncated, 3),
        ("closed without end mark", streamHead + "\r\ndata: start:1\n\n", .truncated, 3),
        ("error in the stream", chunked("error:provider no"), .provider, 1),
        ("overloaded in the stream", chunked("error:overloaded no"), .overloaded, 3),
    ]

    @Test(arguments: heads.indices) func faultsBeforeOutput(index: Int) throws {
        let row = Self.heads[index]
        let server = server([row.answer])
        let outcome = try Driver().ask(
            EngineHarness.spec(baseURL: server.baseURL, retry: RetryPolicy(max: 2, base: 0.01)))
        let failure = try #require(outcome.failure, "\(row.name): \(String(describing: outcome.reply))")
        #expect(failure.kind == row.kind, "\(row.name): \(failure.message)")
        #expect(failure.attempts == row.attempts, "\(row.name): \(failure.message)")
        #expect(outcome.retries.count == row.attempts - 1, "\(row.name)")
        #expect(server.connectionCount == row.attempts, "\(row.name)")
        #expect(outcome.terminals == 1)
        #expect(failure.partial == nil)
    }

    @Test func earlyHintsAndBothFramings() throws {
        let hinted = server(["HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + chunked("t:x", "[DONE]")])
        #expect(try Driver().ask(EngineHarness.spec(baseURL: hinted.baseURL)).reply?.text == "x")
        let smuggled = server([
            streamHead + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("data: t:x\n\n")
                + chunk("data: [DONE]\n\n") + "0\r\n\r\n"
        ])
        #expect(try Driver().ask(EngineHarness.spec(baseURL: smuggled.baseURL, retry: once)).reply?.text == "x")
    }

    @Test func retryAfterThenSuccess() throws {
        let server = server([
            "HTTP/1.1 429 Slow\r\nRetry-After: 0.3\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            chunked("t:x", "[DONE]"),
        ])
        let start = SystemClock.now()
        let outcome = try Driver().ask(EngineHarness.spec(baseURL: server.baseURL))
        #expect(outcome.reply?.text == "x")
        #expect(outcome.retries.first?.delay == 0.3)
        #expect((0.3...0.8).contains(SystemClock.now() - start))
    }

    // MARK: Broken streams

    /// Forty events, broken at each byte of the body by a reset and by a clean close, under each policy. All cuts of
    /// one policy run concurrently in one engine.
    @Test(arguments: AfterOutput.allCases, [true, false])
    func cutAtEveryByte(policy: AfterOutput, isReset: Bool) throws {
        let tokens = (0..<40).map { "\($0)," }
        let body = tokens.map { "data: t:\($0)\n\n" }.joined() + "data: finish:stop\n\ndata: [DONE]\n\n"
        let whole = tokens.joined()
        let bytes = Array(body.utf8)
        let endMark = bytes.count - "data: [DONE]\n\n".utf8.count
        let seen = Mailbox<Int>()
        let server = LoopbackServer { connection in
            // The path names the cut; a second attempt gets the complete reply.
            guard let request = connection.readRequest(),
                let target = request.split(separator: " ").dropFirst().first,
                let cut = target.split(separator: "/").first.flatMap({ Int($0) })
            else { return }
            let asked = request.components(separatedBy: "\r\n\r\n").last ?? ""
            connection.send(streamHead + "\r\n")
            guard !seen.all.contains(cut) else {
                let known = asked.filter { $0 == "," }.count
                connection.send(body.components(separatedBy: "\n\n").dropFirst(known).joined(separator: "\n\n"))
                return
            }
            seen.put(cut)
            connection.send(Array(bytes[..<cut]))
            // A reset discards unread bytes: give most of them time to be read.
            usleep(2000)
            if isReset { connection.reset() }
        }
        let driver = try Driver(maxTransfers: 32)
        for cut in 0...bytes.count {
            let spec = EngineHarness.spec(
                baseURL: server.baseURL + "/\(cut)", retry: RetryPolicy(max: 1, base: 0, afterOutput: policy))
            driver.client.submit(.start(RequestID(UInt64(cut)), spec))
        }
        driver.run()
        for cut in 0...bytes.count {
            let outcome = Outcome(driver.events[RequestID(UInt64(cut))] ?? [])
            #expect(outcome.terminals == 1, "cut at \(cut)")
            if let reply = outcome.reply {
                #expect(reply.text == whole, "cut at \(cut)")
                if outcome.resets == 0 { #expect(outcome.text == whole, "cut at \(cut)") }
                if outcome.retries.isEmpty { #expect(cut >= endMark, "whole without its end mark, cut at \(cut)") }
            } else if cut == 0, !isReset {
                #expect(outcome.failure?.message.contains("empty stream") == true)
            } else {
                #expect(policy == .fail || policy == .auto, "not tried again, cut at \(cut): \(outcome)")
                #expect(outcome.failure?.kind == .truncated, "cut at \(cut): \(outcome)")
                #expect(whole.hasPrefix(outcome.text) && !outcome.text.isEmpty, "cut at \(cut)")
                #expect(outcome.failure?.partial?.text == outcome.text, "cut at \(cut)")
                #expect(cut < endMark || isReset, "cut at \(cut)")
            }
        }
    }

    @Test func silenceAfterTokens() throws {
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(chunked("t:x", end: false))
            connection.waitForClose()
        }
        let outcome = try Driver().ask(
            EngineHarness.spec(baseURL: server.baseURL, timeouts: Timeouts(first: 5, idle: 0.2)))
        #expect(outcome.failure?.phase == .idle)
        #expect(outcome.failure?.partial?.text == "x")
    }

    // MARK: What the server sees

    @Test(arguments: [true, false]) func endingARequestClosesItsSocket(isStop: Bool) throws {
        let closed = Mailbox<Bool>()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(chunked("t:one ", "t:two", end: false))
            connection.waitForClose()
            closed.put(true)
        }
        let driver = try Driver()
        let id = RequestID(1)
        driver.client.submit(.start(id, EngineHarness.spec(baseURL: server.baseURL)))
        driver.run { $0.events[id]?.count ?? 0 >= 2 }
        driver.client.submit(isStop ? .stop(id, undelivered: Undelivered([.text(TextBatch("two"))])) : .cancel(id))
        driver.run()
        let outcome = Outcome(driver.events[id] ?? [])
        #expect(closed.wait(for: 1) == [true])
        if isStop { #expect(outcome.reply?.text == "one ") } else { #expect(outcome.failure?.kind == .cancelled) }
    }

    @Test func anEndlessStreamStopsAtTheReader() throws {
        let sent = Mailbox<Int>()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(streamHead + "\r\n")
            let piece = String(repeating: "data: t:" + String(repeating: "x", count: 1000) + "\n\n", count: 16)
            while connection.send(piece) { sent.put(piece.utf8.count) }
        }
        let driver = try Driver()
        let id = RequestID(1)
        driver.client.submit(.start(id, EngineHarness.spec(baseURL: server.baseURL)))
        // Nothing is taken: the server stalls once inbox and kernel buffers are full.
        var last = -1
        var still = 0
        driver.run(taking: false) { _ in
            let now = sent.all.count
            still = now == last && now > 0 ? still + 1 : 0
            last = now
            return still > 40
        }
        let waiting = driver.client.take(id)
        let limits = RequestLimits()
        #expect(waiting.count <= limits.inboxEvents + 64)
        #expect(waiting.count >= 64)
        // Taken: it flows again.
        driver.run { _ in sent.all.count > last + 10 }
        driver.client.submit(.cancel(id))
        driver.run()
        #expect(Outcome(driver.events[id] ?? []).failure?.kind == .cancelled)
    }

    @Test func pauseAndResume() throws {
        let go = Mailbox<Int>()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(chunked("t:a", end: false))
            _ = go.wait(for: 1)
            connection.send(chunk("data: t:b\n\ndata: [DONE]\n\n") + "0\r\n\r\n")
            go.put(2)
            connection.waitForClose()
        }
        let driver = try Driver()
        let id = RequestID(1)
        driver.client.submit(
            .start(id, EngineHarness.spec(baseURL: server.baseURL, timeouts: Timeouts(first: 0.3, idle: 0.3))))
        driver.run { $0.events[id]?.count ?? 0 >= 1 }
        driver.client.submit(.pause(id))
        go.put(1)
        _ = go.wait(for: 2)
        let until = SystemClock.now() + 0.4
        driver.run { _ in SystemClock.now() > until }
        #expect(driver.events[id]?.count == 1, "nothing comes while paused, and no timeout")
        driver.client.submit(.resume(id))
        driver.run()
        #expect(Outcome(driver.events[id] ?? []).reply?.text == "ab")
    }

    @Test func aByteAtATime() throws {
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            for byte in Array(chunked("t:é量", "finish:stop", "[DONE]").utf8) {
                connection.send([byte])
                usleep(300)
            }
        }
        #expect(try Driver().ask(EngineHarness.spec(baseURL: server.baseURL)).reply?.text == "é量")
    }

    @Test func tenThousandEventsInOnePacket() throws {
        let server = server([
            streamHead + "\r\n" + (0..<10_000).map { "data: t:\($0),\n\n" }.joined() + "data: [DONE]\n\n"
        ])
        let outcome = try Driver().ask(EngineHarness.spec(baseURL: server.baseURL))
        #expect(outcome.reply?.text == (0..<10_000).map { "\($0)," }.joined())
        #expect(outcome.reply?.text == outcome.text)
    }

    @Test func anEndlessLine() throws {
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(streamHead + "\r\ndata: ")
            while connection.send(String(repeating: "x", count: 65536)) {}
        }
        var spec = EngineHarness.spec(baseURL: server.baseURL)
        spec.limits.maxEventBytes = 1 << 20
        let outcome = try Driver().ask(spec)
        #expect(outcome.failure?.kind == .protocol)
        #expect(outcome.failure?.message.contains("1048576") == true)
    }

    @Test func anEndlessReply() throws {
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(streamHead + "\r\n")
            while connection.send("data: t:" + String(repeating: "x", count: 1000) + "\n\n") {}
        }
        var spec = EngineHarness.spec(baseURL: server.baseURL)
        spec.limits.maxBodyBytes = 1 << 20
        let outcome = try Driver().ask(spec)
        #expect(outcome.failure?.kind == .truncated)
        #expect(outcome.failure?.isRetryable == false)
        #expect(outcome.failure?.partial?.text.isEmpty == false)
    }

    @Test func manyAtOnce() throws {
        let server = LoopbackServer { connection in
            while connection.readRequest() != nil { connection.send(chunked("t:a", "t:b", "[DONE]")) }
        }
        let driver = try Driver(maxTransfers: 50)
        for id in 0..<500 {
            driver.client.submit(.start(RequestID(UInt64(id)), EngineHarness.spec(baseURL: server.baseURL)))
        }
        driver.run()
        #expect(driver.events.count == 500)
        #expect(driver.events.values.allSatisfy { Outcome($0).reply?.text == "ab" })
    }
}
