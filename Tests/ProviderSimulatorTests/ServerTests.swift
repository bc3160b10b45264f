// The server as an HTTP server: requests, connections, pacing, crowds.

import Foundation
import Glibc
import HTTP
import ProviderSimulator
import Support
import Testing

@Suite struct RequestTests {
    @Test(arguments: [
        ("{\"model\":\"m\",\"messages\":[", 400, "parse"), ("[]", 400, "object"), ("{\"messages\":[{}]}", 400, "model"),
        ("{\"model\":\"m\"}", 400, "messages"), ("{\"model\":\"m\",\"messages\":[]}", 400, "messages"),
        ("{\"model\":\"m\",\"messages\":[{\"role\":\"king\"}]}", 400, "messages[0].role"),
        ("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":4}]}", 400, "messages[0].content"),
        ("{\"model\":\"m\",\"max_tokens\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "max_tokens"),
        ("{\"model\":\"m\",\"stream\":1,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "stream"),
        ("{\"model\":\"m\",\"n\":129,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "'n'"),
        ("{\"a\":\"\\ud800\\u0041\",\"b\":01}", 400, "parse"), ("{\"a\":\"\u{1}\"}", 400, "parse"),
        ("{} x", 400, "parse"),
    ])
    func refusesBadBodies(body: String, status: Int, word: String) throws {
        let response = try withServer { try ask($0, body) }
        #expect(response.status == status)
        let error = try #require(try response.json()["error"] as? [String: Any])
        #expect(error["type"] as? String == "invalid_request_error")
        #expect((error["message"] as? String)?.contains(word) == true || error["param"] as? String == word)
    }

    @Test func refusesDeepNesting() throws {
        let body = String(repeating: "[", count: 100_000)
        #expect(try withServer { try ask($0, body) }.text.contains("nested"))
    }

    @Test(arguments: [
        ("GET", "/v1/models", 200), ("GET", "/v1/models/moonrill-chat", 200), ("GET", "/v1/models/other", 404),
        ("POST", "/v1/models", 405), ("GET", "/v1/chat/completions", 405), ("GET", "/", 404), ("POST", "/v2/x?y", 404),
    ])
    func routes(method: String, path: String, status: Int) throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            try client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            let response = try client.response()
            #expect(response.status == status)
            #expect((try response.json()["error"] == nil) == (status == 200))
            #expect((response.headers["allow"] != nil) == (status == 405))
        }
    }

    @Test(arguments: [("bad", 401), ("invalid-key", 401), ("sk-anything", 200)])
    func keys(key: String, status: Int) throws {
        let response = try withServer { try ask($0, chat("hi"), ["Authorization": "Bearer \(key)"]) }
        #expect(response.status == status)
        #expect(!response.text.contains(key))
    }

    @Test(arguments: [
        ("X-Moonrill-Deltas", "-1"), ("X-Moonrill-Deltas", "99999999999"), ("X-Moonrill-Rate", "fast"),
        ("X-Moonrill-Seed", "-4"),
    ])
    func namesTheWrongControl(header: String, value: String) throws {
        let response = try withServer { try ask($0, chat("hi"), [header: value]) }
        #expect(response.status == 400 && response.text.contains(header))
    }

    @Test func bytesThatAreNoRequest() throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            try client.send("\u{16}\u{3}\u{1}not a request\r\n\r\n")
            #expect(try client.response().status == 400)
            #expect(try client.readAll().bytes.isEmpty)
        }
    }

    @Test func largeBodyWithContinue() throws {
        try withServer { server in
            let body = chat(String(repeating: "moon ", count: 300_000))
            let client = try RawClient(port: server.port)
            let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n"
            try client.send(head + "Expect: 100-continue\r\n\r\n")
            #expect(try client.readHead().status == 100)
            try client.send(body)
            #expect(try client.response().events.last == "[DONE]")
        }
    }

    @Test func bodyBeyondTheLimit() throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            let size = (64 << 20) + 1
            try client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
            let part = [UInt8](repeating: 0x20, count: 1 << 20)
            // The server may close as soon as it has seen enough.
            do { for _ in 0...64 { try client.send(part) } } catch is RawClient.Closed {}
            #expect(server.statistics().requests == 0)
            #expect(eventually { server.statistics().openConnections == 0 })
            #expect(try ask(server, chat("hi")).status == 200)
        }
    }
}

@Suite struct ConnectionTests {
    @Test func keepsTheConnection() throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            for prompt in ["one", "two", "three"] {
                try client.send(post(chat(prompt)))
                #expect(try client.response().events.last == "[DONE]")
            }
            #expect(server.statistics().connections == 1)
            #expect(server.statistics().paths == ["/v1/chat/completions": 3])
        }
    }

    @Test func answersPipelinedRequestsInOrder() throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            let counts = [3, 0, 70, 1, 5]
            try client.send(counts.map { post(chat("x"), ["X-Moonrill-Deltas": "\($0)"]) }.joined())
            for count in counts { #expect(try client.response().deltas().pieces == count) }
        }
    }

    @Test(arguments: ["HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\n"])
    func closesWhenAsked(version: String) throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            let body = chat("hi")
            try client.send("POST /v1/chat/completions \(version)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(try client.response().events.last == "[DONE]")
            #expect(try client.readAll().bytes.isEmpty)
        }
    }

    @Test func noticesAClientThatLeaves() throws {
        try withServer({ $0.rate = 1_000 }) { server in
            var client: RawClient? = try RawClient(port: server.port)
            try client?.send(post(chat("x"), ["X-Moonrill-Deltas": "inf"]))
            _ = try client?.readHead()
            #expect(server.statistics().open == 1)
            client = nil
            #expect(eventually { server.statistics().aborted == 1 })
            let statistics = server.statistics()
            #expect(statistics.open == 0 && statistics.finished == 0 && statistics.openConnections == 0)
            #expect(statistics.connectionsClosed.count == 1)
        }
    }

    /// A reader that stands still stops the writer: what was written stays within the socket's buffers.
    @Test func pressesBackOnASlowReader() throws {
        try withServer { server in
            let client = try RawClient(port: server.port, receiveBuffer: 16_384)
            try client.send(post(chat("x"), ["X-Moonrill-Deltas": "inf"]))
            var last = -1
            #expect(
                eventually {
                    defer { last = server.statistics().events }
                    usleep(20_000)
                    return server.statistics().events == last && last > 0
                })
            #expect(last < 100_000)
            for _ in 0..<200 { _ = try client.receive() }
            #expect(eventually { server.statistics().events > last })
            #expect(try ask(server, chat("hi")).status == 200)
        }
    }

    @Test func stopClosesEverything() throws {
        let clients = try withServer({ $0.rate = 10 }) { server in
            let clients = try (0..<5).map { _ in try RawClient(port: server.port) }
            for client in clients.dropFirst() { try client.send(post(chat("x"), ["X-Moonrill-Deltas": "inf"])) }
            for client in clients.dropFirst() { _ = try client.readHead() }
            server.stop()
            server.stop()
            #expect(server.statistics().openConnections == 0)
            #expect(server.statistics().aborted == 0)
            #expect(throws: RawClient.Refused(code: ECONNREFUSED)) { try RawClient(port: server.port) }
            return clients
        }
        for client in clients { _ = try client.readAll() }
    }

    @Test func observesRequests() throws {
        let seen = Locked([ObservedRequest]())
        try withServer({ $0.onRequest = { request in seen.withLock { $0.append(request) } } }) { server in
            _ = try ask(server, chat("hi"), ["X-Test": "one"])
            let request = try #require(seen.withLock { $0.first })
            #expect(request.method == "POST" && request.path == "/v1/chat/completions")
            #expect(request.headers["x-test"] == "one")
            #expect(request.body == Array(chat("hi").utf8))
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            #expect(abs(Double(now.tv_sec) - request.time) < 30)
        }
    }

    @Test func namesAPortInUse() throws {
        try withServer { server in
            let error = try #require(throws: SimulatorError.self) { try withServer({ $0.port = server.port }) { _ in } }
            #expect(error == .portInUse(host: "127.0.0.1", port: server.port))
            #expect("\(error)".contains("\(server.port)") && "\(error)".contains("choose another"))
        }
        #expect(throws: SimulatorError.self) { try withServer({ $0.rate = -1 }) { _ in } }
        #expect(throws: SimulatorError.self) { try withServer({ $0.port = 70_000 }) { _ in } }
        #expect(throws: SimulatorError.self) { try withServer({ $0.host = "203.0.113.9" }) { _ in } }
    }

    @Test func startsFromAsyncCode() async throws {
        let server = try await SimulatorServer.start()
        #expect(server.baseURL == "http://127.0.0.1:\(server.port)/v1")
        server.stop()
    }
}

@Suite struct PacingTests {
    /// Delta k never comes before start + k / rate, and the last one does not lag behind by the sum of small delays.
    @Test(arguments: [100.0, 1_000, 5_000])
    func followsTheSchedule(rate: Double) throws {
        try withServer({ $0.rate = rate }) { server in
            let count = Int(rate / 5)
            let client = try RawClient(port: server.port)
            let start = Date()
            try client.send(post(chat("x"), ["X-Moonrill-Deltas": "\(count)"]))
            var text = ""
            while !text.hasSuffix("0\r\n\r\n") {
                text += String(decoding: try client.receive(), as: UTF8.self)
                let elapsed = Date().timeIntervalSince(start)
                #expect(Double(text.components(separatedBy: "\"tok").count - 1) <= elapsed * rate + 1.001)
            }
            let elapsed = Date().timeIntervalSince(start)
            #expect(elapsed >= Double(count - 1) / rate - 0.001)
            #expect(elapsed < 0.2 + 2, "the schedule drifted")
        }
    }

    /// While the server's thread was kept busy the schedule went on: what is late comes at once.
    @Test func catchesUpAfterAPause() throws {
        try withServer({ options in
            options.rate = 100
            options.onRequest = { if $0.path == "/v1/models" { usleep(200_000) } }
        }) { server in
            let (client, other) = (try RawClient(port: server.port), try RawClient(port: server.port))
            try client.send(post(chat("x"), ["X-Moonrill-Deltas": "31"]))
            try other.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try client.response()
            #expect(try other.response().status == 200)
            #expect(try response.deltas().pieces == 31)
            let most = response.chunks.map {
                String(decoding: $0, as: UTF8.self).components(separatedBy: "\"tok").count
            }
            #expect(try #require(most.max()) > 10)
        }
    }

    @Test func aStoppedServerLetsGoOfItsStreams() throws {
        final class Token: Sendable {}
        weak var seen: Token?
        do {
            let token = Token()
            seen = token
            try withServer({ options in
                options.rate = 0.1
                options.onRequest = { _ in withExtendedLifetime(token) {} }
            }) { server in
                let client = try RawClient(port: server.port)
                try client.send(post(chat("x"), ["X-Moonrill-Deltas": "inf"]))
                while server.statistics().events == 0 { sched_yield() }
            }
        }
        // The last to go is the thread of the server, which ends behind the stop.
        #expect(eventually { seen == nil })
    }

    @Test func fiveHundredStreamsAtOnce() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(7), &limit)
        try withServer({ $0.rate = 200 }) { server in
            let clients = try (0..<500).map { _ in try RawClient(port: server.port) }
            for client in clients { try client.send(post(chat("x"), ["X-Moonrill-Deltas": "100"])) }
            for client in clients { #expect(try client.response().deltas().pieces == 100) }
            let statistics = server.statistics()
            #expect(statistics.finished == 500 && statistics.open == 0 && statistics.aborted == 0)
            #expect(statistics.openPeak > 1)
            #expect(statistics.events == 500 * 103)
        }
    }
}
