// HTTP/1.1 over real sockets: framing, order, keep-alive, and the ends of connections.

import Chat
import HTTP
import NIOCore
import Testing

@testable import Server

@Suite struct HTTP1Tests {
    private static let post = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

    @Test(.timeLimit(.minutes(1))) func answersSeveralRequestsOnOneConnection() throws {
        try withServer { server in
            let client = try server.connect()
            for index in 0..<3 {
                let response = try client.get("/\(index)")
                #expect(response.status == 200)
                #expect(response.body == "GET /\(index) ")
                #expect(response.headers["date"]?.hasSuffix(" GMT") == true)
                #expect(response.headers["connection"] == nil)
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func answersPipelinedRequestsInOrder() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            try server.log.wait(for: "request /hold")
            let requests = (0..<2_000).map { "POST /\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy" }
            try client.send(requests.joined())
            #expect(server.log.all == ["request /hold"])
            try server.onWriter { $0.respond(.init(type: "text/plain", Array("first".utf8))) }
            #expect(try client.response().body == "first")
            for index in 0..<2_000 { #expect(try client.response().body == "POST /\(index) xy") }
        }
    }

    @Test(.timeLimit(.minutes(1))) func readsARequestInTwoPiecesAtEveryByte() throws {
        let chunked =
            "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        try withServer { server in
            let client = try server.connect()
            for (request, body) in [(Self.post, "POST /a hello"), (chunked, "POST /c hello")] {
                let bytes = Array(request.utf8)
                for split in 1..<bytes.count {
                    try client.send(Array(bytes[..<split]))
                    // The server has read the first piece once it answers another connection on the same thread.
                    try server.onLoop { _ in }
                    try client.send(Array(bytes[split...]))
                    let response = try client.response()
                    #expect(response.body == body, "split at \(split)")
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func answersHeadWithTheHeadOfGet() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try client.response(toHead: true)
            #expect(response.headers["content-length"] == "8")
            #expect(try client.get("/b").body == "GET /b ")
        }
    }

    @Test(.timeLimit(.minutes(1))) func closesWhenTheClientAsksForIt() throws {
        try withServer { server in
            let client = try server.connect()
            let response = try client.get("/a", "Connection: close\r\n")
            #expect(response.headers["connection"] == "close")
            #expect(try client.readAll() == "")
            let old = try server.connect()
            try old.send("GET /a HTTP/1.0\r\n\r\n")
            #expect(try old.response().body == "GET /a ")
            #expect(try old.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func sendsContinueOnlyForAnAcceptedRequest() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            #expect(try client.head().status == 100)
            try client.send("hi")
            #expect(try client.response().body == "POST /a hi")
            try client.send("POST /refused HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            let refusal = try client.response()
            #expect(refusal.status == 401)
            #expect(refusal.headers["connection"] == "close")
            #expect(try client.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func deliversARefusalAlthoughTheBodyIsStillSent() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n")
            try client.send([UInt8](repeating: 0x78, count: 400_000))
            #expect(try client.response().status == 401)
            #expect(try client.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func keepsTheConnectionAfterARefusalWithoutBody() throws {
        try withServer { server in
            let client = try server.connect()
            #expect(try client.get("/refused").status == 401)
            #expect(try client.get("/a").status == 200)
        }
    }

    @Test(.timeLimit(.minutes(1))) func streamsInChunks() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.head().headers["transfer-encoding"] == "chunked")
            for piece in ["one", "two"] {
                try server.onWriter { $0.write(ByteBuffer(string: piece)) }
                #expect(try client.chunk() == piece)
            }
            let large = String(repeating: "x", count: 20_000)
            try server.onWriter {
                $0.write(ByteBuffer(string: large))
                $0.end()
                $0.write(ByteBuffer(string: "late"))
            }
            #expect(try client.chunk() == large)
            #expect(try client.chunk() == "")
            #expect(try client.get("/a").body == "GET /a ")
        }
    }

    @Test(.timeLimit(.minutes(1))) func streamsToHTTP10UntilTheEnd() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            try server.log.wait(for: "request /stream")
            try server.onWriter {
                $0.write(ByteBuffer(string: "one"))
                $0.end()
            }
            let text = try client.readAll()
            #expect(text.hasSuffix("\r\n\r\none"))
            #expect(!text.contains("chunked"))
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true]) func seesThatTheClientLeft(byReset: Bool) throws {
        try withServer { server in
            for target in ["/stream", "/hold"] {
                do {
                    let client = try server.connect()
                    try client.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
                    try server.log.wait(for: "request \(target)")
                    if byReset { client.resetOnClose() }
                }
                try server.log.wait(for: "gone \(target)")
            }
            // Late calls do nothing.
            try server.onWriter { $0.respond(.init()) }
        }
    }

    @Test(.timeLimit(.minutes(1))) func resetsTheConnectionOfAnAbortedResponse() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.head()
            try server.onWriter { $0.abort() }
            #expect(throws: TestClient.Reset.self) { try client.readAll() }
            #expect(!server.log.all.contains("gone /stream"))
        }
    }

    @Test(.timeLimit(.minutes(1))) func reportsWritability() throws {
        try withServer { server in
            let client = try server.connect(receiveBuffer: 4_096)
            try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.head()
            let piece = String(repeating: "x", count: 64 << 10)
            var sent = 0
            while !server.log.all.contains("full") {
                try server.onWriter { if $0.isWritable { $0.write(ByteBuffer(string: piece)) } }
                sent += 1
                try #require(sent < 1_000)
            }
            for _ in 0..<sent where !server.log.all.contains("writable") { _ = try client.chunk() }
            try server.log.wait(for: "writable")
        }
    }

    @Test(.timeLimit(.minutes(1))) func seesThatAClientLeftWhichHadPipelined() throws {
        try withServer { server in
            do {
                let client = try server.connect()
                try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
                try server.log.wait(for: "request /stream")
            }
            try server.log.wait(for: "gone /stream")
            #expect(!server.log.all.contains("request /b"))
        }
    }

    @Test(.timeLimit(.minutes(1))) func takesNoPipelinedRequestWhileTheClientDoesNotRead() throws {
        try withServer { server in
            let client = try server.connect(receiveBuffer: 4_096)
            let count = 100
            try client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: count))
            try server.wait()
            #expect(server.log.count("request /large") < count)
            for _ in 0..<count { #expect(try client.response().body.utf8.count == 256 << 10) }
            #expect(try client.get("/a").body == "GET /a ")
        }
    }

    @Test(.timeLimit(.minutes(1))) func beginsTheIdleTimeWhenTheResponseIsRead() throws {
        try withServer {
            $0.limits.idleSeconds = 0.2
        } _: { server in
            let client = try server.connect(receiveBuffer: 4_096)
            try client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 100))
            // The idle time of a second connection passes.
            let other = try server.connect()
            _ = try other.get("/a")
            #expect(try other.readAll() == "")
            for _ in 0..<100 { #expect(try client.response().status == 200) }
            #expect(try client.readAll() == "")
        }
    }
}
