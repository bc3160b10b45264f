// Every fault, seen from the other end of the socket.

import Foundation
import ProviderSimulator
import Testing

/// Each fault, by what a client sees of it.
@Suite struct FaultTests {
    private static let body = chat("Explain moonlight", model: "r1")

    private func faulty<T>(_ plan: String, rate: Double = 0, _ body: (SimulatorServer) throws -> T) throws -> T {
        let faults = try FaultPlan.parse(plan)
        return try withServer({ ($0.faults, $0.rate) = (faults, rate) }, body)
    }

    /// The whole body without faults.
    private func reference() throws -> [UInt8] { try withServer { try ask($0, Self.body).body } }

    /// Head and the raw bytes after it, up to the end of the connection.
    private func raw(_ server: SimulatorServer, _ body: String = body) throws -> (
        head: Response, rest: [UInt8], wasReset: Bool
    ) {
        let client = try RawClient(port: server.port)
        try client.send(post(body))
        let head = try client.readHead()
        let (rest, wasReset) = try client.readAll()
        return (head, rest, wasReset)
    }

    /// The data of raw chunks, whole or cut.
    private func unchunked(_ raw: [UInt8]) throws -> [UInt8] {
        var rest = raw[...]
        var body: [UInt8] = []
        while let end = rest.firstIndex(of: 13) {
            let size = try #require(Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16))
            rest = rest[(end + 2)...]
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return body
    }

    @Test(arguments: [
        (400, "invalid_request_error"), (401, "invalid_api_key"), (403, "forbidden"), (404, "model_not_found"),
        (408, "timeout"), (409, "conflict"), (422, "invalid_request_error"), (429, "rate_limit_exceeded"),
        (500, "server_error"), (502, "server_error"), (503, "overloaded"), (504, "server_error"), (529, "overloaded"),
    ])
    func statuses(status: Int, word: String) throws {
        try faulty("\(status):2") { server in
            for _ in 1...2 {
                let response = try ask(server, Self.body)
                #expect(response.status == status)
                #expect(response.text.contains(word))
                #expect(try response.json()["error"] is [String: Any])
                #expect(response.headers["retry-after"] == nil)
            }
            #expect(try ask(server, Self.body).status == 200)
        }
    }

    @Test func statusFaultsAreUsedUpInOrder() throws {
        try faulty("429:2@1.5,quota:1,503:1@ms:1500,cut@10x1") { server in
            let replies = try (0..<4).map { _ in try ask(server, Self.body) }
            #expect(replies.map(\.status) == [429, 429, 429, 503])
            #expect(replies[0].headers["retry-after"] == "1.5")
            #expect(replies[2].text.contains("insufficient_quota"))
            #expect(replies[3].headers["retry-after-ms"] == "1500")
            #expect(try raw(server).wasReset)
            #expect(try ask(server, Self.body).events.last == "[DONE]")
        }
    }

    @Test func retryAfterAsDateAndAsNonsense() throws {
        try faulty("429:1@date:3,429:1@raw:soon,429:1@+") { server in
            let format = DateFormatter()
            format.locale = Locale(identifier: "en_US_POSIX")
            format.timeZone = TimeZone(identifier: "GMT")
            format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            let response = try ask(server, Self.body)
            let now = try #require(response.headers["date"].flatMap(format.date(from:)))
            let later = try #require(response.headers["retry-after"].flatMap(format.date(from:)))
            #expect(later.timeIntervalSince(now) == 3)
            #expect(abs(now.timeIntervalSinceNow) < 5)
            #expect(try ask(server, Self.body).headers["retry-after"] == "soon")
            #expect(try ask(server, Self.body).headers["retry-after"] == "1")
        }
    }

    @Test(arguments: [0, 1, 300, 1_000])
    func cutResets(at: Int) throws {
        let reference = try reference()
        let (head, rest, wasReset) = try faulty("cut@\(at)") { try raw($0) }
        #expect(head.headers["transfer-encoding"] == "chunked")
        #expect(wasReset)
        #expect(try unchunked(rest) == Array(reference.prefix(at)))
    }

    @Test(arguments: [0, 300, 1_000])
    func eofEndsWithoutFraming(at: Int) throws {
        let reference = try reference()
        let (head, rest, wasReset) = try faulty("eof@\(at)") { try raw($0) }
        #expect(head.headers["transfer-encoding"] == nil && head.headers["content-length"] == nil)
        #expect(head.headers["connection"] == "close")
        #expect(!wasReset)
        #expect(rest == Array(reference.prefix(at)))
    }

    @Test(arguments: [1, 300, 1_000])
    func chunkcutEndsInsideAChunk(at: Int) throws {
        let reference = try reference()
        let (_, rest, wasReset) = try faulty("chunkcut@\(at)") { try raw($0) }
        #expect(!wasReset)
        #expect(!String(decoding: rest, as: UTF8.self).hasSuffix("\r\n"))
        #expect(try unchunked(rest) == Array(reference.prefix(at)))
    }

    @Test func shortLengthPromisesMore() throws {
        let (head, rest, wasReset) = try faulty("short-length@70") { try raw($0) }
        #expect(rest.count == 70)
        let length = try #require(head.headers["content-length"].flatMap { Int($0) })
        #expect(length > 70)
        #expect(!wasReset)
    }

    /// A body that is shorter than the fault's offset is sent whole.
    @Test func offsetsBeyondTheBodyDoNothing() throws {
        let reference = try reference()
        #expect(try faulty("cut@1000000,stall@1000000:9") { try ask($0, Self.body).body } == reference)
    }

    @Test func stallPausesAtTheByte() throws {
        try faulty("stall@400:0.2x1") { server in
            let client = try RawClient(port: server.port)
            try client.send(post(Self.body))
            let start = Date()
            let response = try client.response()
            #expect(Date().timeIntervalSince(start) >= 0.2)
            #expect(response.chunks[0].count == 400)
            #expect(response.events.last == "[DONE]")
        }
    }

    @Test func slowHeadWaits() throws {
        try faulty("slow-head:0.15") { server in
            let start = Date()
            let response = try ask(server, Self.body)
            #expect(response.status == 200)
            #expect(Date().timeIntervalSince(start) >= 0.15)
        }
    }

    @Test(arguments: [1, 7])
    func dripWritesFewBytesAtATime(size: Int) throws {
        try faulty("drip:\(size)") { server in
            let response = try ask(server, chat("hi", ",\"max_tokens\":1"))
            #expect(response.chunks.allSatisfy { $0.count <= size })
            #expect(response.events.last == "[DONE]")
        }
    }

    @Test func splitUTF8CutsCharactersAndEvents() throws {
        let body = chat("写一首诗")
        let reference = try withServer { try ask($0, body).body }
        let response = try faulty("split-utf8") { try ask($0, body) }
        #expect(response.body == reference)
        #expect(response.chunks.contains { $0.first.map { $0 & 0xC0 == 0x80 } ?? false })
        #expect(response.chunks.contains { $0 == Array("dat".utf8) })
        let whole = response.chunks.count { String(validating: $0, as: UTF8.self) != nil }
        #expect(whole < response.chunks.count)
    }

    @Test func garbageIsNoHTTP() throws {
        try faulty("garbagex1") { server in
            let client = try RawClient(port: server.port)
            try client.send(post(Self.body))
            let bytes = try client.readAll().bytes
            #expect(!bytes.isEmpty && !bytes.starts(with: Array("HTTP/".utf8)))
            #expect(try ask(server, Self.body).status == 200)
        }
    }

    @Test func pages() throws {
        let page = try faulty("html") { try ask($0, Self.body) }
        #expect(page.status == 200 && page.headers["content-type"]?.hasPrefix("text/html") == true)
        #expect(page.text.contains("<html>"))
        let nothing = try faulty("empty") { try ask($0, Self.body) }
        #expect(nothing.status == 200 && nothing.body.isEmpty && nothing.headers["content-length"] == "0")
    }

    @Test(arguments: [0, 1, 5])
    func errorFrameEndsTheStream(after: Int) throws {
        let events = try faulty("error-frame@\(after)") { try ask($0, Self.body).events }
        #expect(events.count == after + 1)
        #expect(events.last?.contains("overloaded_error") == true)
    }

    @Test func badJSONBreaksOneEvent() throws {
        let events = try faulty("bad-json@3") { try ask($0, Self.body).events }
        let broken = events.indices.filter { events[$0] != "[DONE]" && (try? Delta(events[$0])) == nil }
        #expect(broken == [3])
        #expect(events.last == "[DONE]")
    }

    @Test func endsMayBeLeftOut() throws {
        let noDone = try faulty("no-done") { try ask($0, Self.body) }
        #expect(!noDone.text.contains("[DONE]") && noDone.text.contains("\"finish_reason\":\"stop\""))
        let noFinish = try faulty("no-finish") { try ask($0, Self.body) }
        #expect(noFinish.text.contains("[DONE]") && !noFinish.text.contains("\"finish_reason\":\""))
        let neither = try faulty("no-done,no-finish") { try ask($0, Self.body) }
        #expect(neither.events.last?.contains("\"finish_reason\":null") == true)
    }

    @Test func wholeBodyThoughAStreamWasAsked() throws {
        let response = try faulty("whole") { try ask($0, Self.body) }
        #expect(try response.json()["object"] as? String == "chat.completion")
    }

    @Test func commentsBetweenSlowDeltas() throws {
        try faulty("comments:0.02", rate: 5) { server in
            let client = try RawClient(port: server.port)
            try client.send(post(Self.body, ["X-Moonrill-Deltas": "2"]))
            let text = try client.response().text
            #expect(text.components(separatedBy: ": keep-alive\n\n").count > 3)
            #expect(text.contains("tok2"))
        }
    }

    @Test func headerFaultsFallOnOneRequest() throws {
        try faulty("503:1") { server in
            #expect(try ask(server, Self.body, ["X-Moonrill-Fault": "429:1@+"]).status == 429)
            #expect(try ask(server, Self.body, ["X-Moonrill-Fault": ""]).status == 200)
            let wrong = try ask(server, Self.body, ["X-Moonrill-Fault": "nope@3"])
            #expect(wrong.status == 400 && wrong.text.contains("nope@3"))
            #expect(try ask(server, Self.body).status == 503)
            #expect(try ask(server, Self.body).status == 200)
        }
    }
}
