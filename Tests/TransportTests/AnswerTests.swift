// Complete and broken responses: heads, bytes and ends.

import Foundation
import HTTP
import Support
import Testing
import Transport

@Suite struct AnswerTests {
    @Test func wholeAnswer() throws {
        try withServer(answering("hello")) { server in
            let (heard, end) = try Multi().fetch(post(server.url + "/v1/x?y=1", "{\"a\":1}"))
            #expect(end.result == .complete)
            #expect(heard.heads.map(\.status) == [200])
            #expect(heard.heads.first?.version == "1.1")
            #expect(heard.heads.first?.headers["content-length"] == "5")
            #expect(heard.text == "hello")
            #expect(end.bodyBytes == 5)
            #expect(end.sawHead && end.headComplete)
            #expect(!end.reusedConnection)
            #expect(end.remoteAddress == "127.0.0.1:\(server.port)")
            #expect(end.connectSeconds > 0)
            #expect(try #require(end.firstByteSeconds) <= end.totalSeconds)
            #expect(heard.ends.count == 1)
        }
    }

    @Test func requestOnTheWire() throws {
        try withServer(answering("")) { server in
            let multi = try Multi()
            let body = String(repeating: "x", count: 200_000)
            var request = post(server.url + "/v1/chat", body)
            request.headers.add("X-Empty", "")
            request.headers.add("X-Twice", "1")
            request.headers.add("X-Twice", "2")
            let (_, end) = try multi.fetch(request)
            let seen = try #require(server.requests.first)
            #expect(seen.line == "POST /v1/chat HTTP/1.1")
            #expect(seen.text == body)
            let names = seen.headers.map { $0.name.lowercased() }.sorted()
            // Only these: no Expect, User-Agent or Accept that the caller did not set.
            let wanted = ["accept-encoding", "content-length", "content-type", "host", "x-empty", "x-twice", "x-twice"]
            #expect(names == wanted)
            #expect(seen["accept-encoding"] == "identity")
            #expect(seen["content-type"] == "application/json")
            #expect(seen["x-empty"] == "")
            #expect(end.requestBytesSent > body.utf8.count)
        }
    }

    @Test(arguments: ["GET", "HEAD", "DELETE", "PUT", "POST", "PATCH"])
    func methods(_ method: String) throws {
        try withServer({ connection in
            while connection.readRequest() != nil { connection.write("HTTP/1.1 204 No Content\r\n\r\n") }
        }) { server in
            let multi = try Multi()
            let body: [UInt8] = method == "PUT" || method == "PATCH" ? Array("b".utf8) : []
            let (heard, end) = try multi.fetch(HTTPRequest(method: method, url: server.url, body: body))
            #expect(end.result == .complete)
            #expect(heard.heads.first?.status == 204)
            #expect(server.requests.map(\.line) == ["\(method) / HTTP/1.1"])
            #expect(server.requests.first?.body == body)
        }
    }

    /// Server behavior and the result.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: String
        var code: TransportError.Code?
        var status: [Int] = [200]
        var text = ""
        var headComplete = true
    }

    static let okHead = "HTTP/1.1 200 OK\r\n"
    static let cases = [
        Case(testDescription: "no framing, clean close", bytes: okHead + "\r\nabc", text: "abc"),
        Case(
            testDescription: "chunked, whole",
            bytes: okHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n", text: "abc"),
        Case(
            testDescription: "chunked, cut", bytes: okHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            code: .partialBody, text: "abc"),
        Case(
            testDescription: "chunked, cut inside a chunk",
            bytes: okHead + "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", code: .partialBody, text: "abc"),
        Case(
            testDescription: "bad chunk size", bytes: okHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
            code: .receive),
        Case(
            testDescription: "Content-Length short", bytes: okHead + "Content-Length: 10\r\n\r\nabc",
            code: .partialBody, text: "abc"),
        Case(
            testDescription: "Content-Length and chunked: chunked wins",
            bytes: okHead + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", text: "abc"),
        Case(
            testDescription: "cut inside the headers", bytes: okHead + "Content-Type: text/ev", code: .receive,
            status: [], headComplete: false),
        Case(
            testDescription: "cut between two header lines", bytes: okHead + "Content-Type: text/plain\r\n",
            code: .receive, status: [], headComplete: false),
        Case(testDescription: "nothing", bytes: "", code: .emptyReply, status: [], headComplete: false),
        Case(
            testDescription: "not HTTP", bytes: "SSH-2.0-OpenSSH_9.2\r\nand more\r\n", code: .badResponse, status: [],
            headComplete: false),
        Case(
            testDescription: "NUL in a header", bytes: okHead + "X: a\0b\r\nContent-Length: 0\r\n\r\n",
            code: .badResponse, status: [], headComplete: false),
        Case(
            testDescription: "early hints first",
            bytes: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okHead + "Content-Length: 2\r\n\r\nok", text: "ok"
        ),
        Case(
            testDescription: "only an interim answer", bytes: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            code: .emptyReply, status: [], headComplete: false),
        Case(
            testDescription: "error status with a body",
            bytes: "HTTP/1.1 529 \r\nContent-Length: 4\r\n\r\nbusy", status: [529], text: "busy"),
        Case(
            testDescription: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\n\r\nold", text: "old"),
        Case(
            testDescription: "an encoding nobody knows",
            bytes: okHead + "Content-Encoding: rot13\r\nContent-Length: 3\r\n\r\nnop", code: .badResponse),
        Case(
            testDescription: "gzip that is none",
            bytes: okHead + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nnop", code: .badResponse),
    ]

    @Test(arguments: cases)
    func answers(_ example: Case) throws {
        try withServer(sending(example.bytes)) { server in
            let (heard, end) = try Multi().fetch(post(server.url))
            #expect(end.error?.code == example.code, "\(end)")
            #expect((end.result == .complete) == (example.code == nil))
            #expect(heard.heads.map(\.status) == example.status)
            #expect(heard.text == example.text)
            #expect(end.bodyBytes == example.text.utf8.count)
            #expect(end.headComplete == example.headComplete)
            #expect(end.requestBytesSent > 0)
            #expect(server.requests.count == 1)
            if let error = end.error {
                #expect(error.message.hasPrefix("127.0.0.1:\(server.port): "))
            }
        }
    }

    @Test func interimHeadersAreDroppedAndFoldedOnesJoined() throws {
        let script = sending(
            "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-A:  one \r\n\ttwo\r\nX-B: 1\r\n"
                + "X-B: 2\r\nContent-Length: 0\r\n\r\n")
        try withServer(script) { server in
            let (heard, end) = try Multi().fetch(get(server.url))
            #expect(end.result == .complete)
            let fields = heard.heads.first.map { $0.headers.map { "\($0.name)=\($0.value)" } }
            #expect(fields == ["X-A=one two", "X-B=1", "X-B=2", "Content-Length=0"])
        }
    }

    @Test func resetInMidBody() throws {
        let seen = DispatchSemaphore(value: 0)
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            seen.wait()
            connection.reset()
        }) { server in
            let recorder = Recorder()
            recorder.onBody = { _, _ in
                seen.signal()
                return .taken
            }
            let multi = try Multi()
            try multi.begin(post(server.url), recorder)
            multi.run { recorder.end != nil }
            #expect(recorder.text == "abc")
            #expect(recorder.end?.error?.code == .receive, "\(recorder.ends)")
        }
    }

    @Test(arguments: [100_000, 500_000])
    func headersWithoutMeasure(_ size: Int) throws {
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n")
            var sent = 0
            while sent < size, connection.write("X-Pad: " + String(repeating: "p", count: 991) + "\r\n") {
                sent += 1000
            }
            connection.write("Content-Length: 0\r\n\r\n")
            _ = connection.waitForDeparture()
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            let transfer = try multi.begin(get(server.url), recorder) { $0.maxHeaderBytes = 200_000 }
            multi.run { recorder.end != nil }
            multi.cancel(transfer)
            if size < 200_000 {
                #expect(recorder.end?.result == .complete)
                #expect(recorder.heads.first?.headers.fields.count == 101)
            } else {
                #expect(recorder.end?.error?.code == .badResponse)
                #expect(recorder.end?.error?.message.contains("larger than 200000 bytes") == true)
                #expect(recorder.heads.isEmpty)
            }
        }
    }

    @Test func endlessInterimAnswersAreBounded() throws {
        try withServer({ connection in
            _ = connection.readRequest()
            while connection.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") {}
        }) { server in
            let (_, end) = try Multi().fetch(get(server.url))
            #expect(end.error?.code == .badResponse)
        }
    }

    @Test func gzipNobodyAskedForIsUndone() throws {
        let packed = try gzip("hello hello hello")
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n\r\n")
            connection.write(packed)
        }) { server in
            let (heard, end) = try Multi().fetch(get(server.url))
            #expect(end.result == .complete, "\(end)")
            #expect(heard.text == "hello hello hello")
            #expect(end.bodyBytes == 17)
        }
    }

    @Test func redirectIsAnAnswerAndNoSecondRequest() throws {
        try withServer(answering("secret place")) { other in
            try withServer({ connection in
                while connection.readRequest() != nil {
                    connection.answer("", status: "307 Temporary Redirect", headers: ["Location: \(other.url)/x"])
                }
            }) { server in
                var request = post(server.url)
                request.headers.add("x-api-key", "key")
                let (heard, end) = try Multi().fetch(request)
                #expect(end.result == .complete)
                #expect(heard.heads.map(\.status) == [307])
                #expect(heard.heads.first?.headers["location"] == other.url + "/x")
                #expect(server.requests.count == 1)
            }
            #expect(other.connectionCount == 0)
        }
    }

    @Test func serverDownAndNameUnknown() throws {
        let server = try RawServer { _ in }
        server.stop()
        let multi = try Multi()
        let (_, refused) = try multi.fetch(post(server.url))
        #expect(refused.error?.code == .connect)
        #expect(refused.requestBytesSent == 0)
        #expect(refused.error?.message.contains("127.0.0.1:\(server.port)") == true)
        let (_, unknown) = try multi.fetch(post("http://no-such-host.invalid/"))
        // Without a reachable name server the name may exist.
        #expect([.resolve, .resolver].contains(unknown.error?.code), "\(unknown)")
        #expect(unknown.error?.message.contains("no-such-host.invalid") == true)
    }

    /// curl leaves a handle with a failed lookup in a state that rejects options.
    @Test func aFailedLookupSpoilsNoLaterTransfer() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            for _ in 0..<2 {
                let (_, unknown) = try multi.fetch(post("http://no-such-host.invalid/"))
                #expect([.resolve, .resolver].contains(unknown.error?.code), "\(unknown)")
                let (_, end) = try multi.fetch(post(server.url))
                #expect(end.result == .complete, "\(end)")
            }
        }
    }

    /// A listener with a full queue drops the SYN: no connection is established.
    @Test func connectTimeout() throws {
        let listener = try FullListener()
        let (_, end) = try Multi().fetch(post("http://127.0.0.1:\(listener.port)/")) { $0.connectTimeout = 0.2 }
        #expect(end.error?.code == .connectTimeout)
        #expect(end.requestBytesSent == 0)
        #expect(end.totalSeconds >= 0.19)
    }
}

/// The bytes as the gzip program packs them.
private func gzip(_ text: String) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-n"]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    input.fileHandleForWriting.write(Data(text.utf8))
    try input.fileHandleForWriting.close()
    let packed = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Array(packed)
}
