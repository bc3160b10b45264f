// Requests on which two servers could disagree, or which exceed a limit: one response, and the end of the connection.

import Chat
import Foundation
import HTTP
import NIOCore
import Testing

@testable import Server

@Suite struct BrokenRequestTests {
    /// What follows the broken request must never be taken for a request.
    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    private static let broken: [(name: String, request: String, status: Int)] = [
        (
            "length and chunks",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
        ),
        (
            "chunks and length",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400
        ),
        ("two lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400),
        ("equal lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        ("list of lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400),
        ("signed length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400),
        ("hexadecimal length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx", 400),
        ("huge length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\nx", 400),
        (
            "two codings",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400
        ),
        (
            "coding after chunked",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400
        ),
        ("unknown coding", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        ("other coding", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("chunks in 1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (
            "bad chunk size", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
            400
        ),
        (
            "chunk without line end",
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy0\r\n\r\n", 400
        ),
        ("bare LF in a chunk", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n", 400),
        ("folded field", "GET /a HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        ("space before colon", "GET /a HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("space before name", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("bare LF", "GET /a HTTP/1.1\nHost: a\n\n", 400),
        ("bare LF in a field", "GET /a HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", 400),
        ("bare CR in a field", "GET /a HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", 400),
        ("NUL in a field", "GET /a HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
        ("name without colon", "GET /a HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        ("empty name", "GET /a HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        ("lower-case method", "get /a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("method with a bad byte", "G@T /a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("target with a control byte", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("target with a byte beyond ASCII", "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("target with a space", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("target with a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("authority", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("other scheme", "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("user in the target", "GET http://u@a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("no host", "GET /a HTTP/1.1\r\n\r\n", 400),
        ("two hosts", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("host with a path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("host list", "GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("HTTP/0.9", "GET /a\r\n\r\n", 400),
        ("HTTP/2.0", "GET /a HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        ("HTTP/1.2", "GET /a HTTP/1.2\r\nHost: a\r\n\r\n", 400),
        ("preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("TLS on a plain port", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n", 400),
        ("unknown expectation", "GET /a HTTP/1.1\r\nHost: a\r\nExpect: much\r\n\r\n", 417),
    ]

    @Test(.timeLimit(.minutes(1)), arguments: broken.indices) func getsOneResponseAndTheEnd(index: Int) throws {
        let (name, request, status) = Self.broken[index]
        try withServer { server in
            let client = try server.connect()
            try client.send(request + Self.smuggled)
            let text = try client.readAll()
            #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(name): \(text)")
            #expect(text.components(separatedBy: "\r\ncontent-length: ").count == 2, "\(name): \(text)")
            #expect(text.contains("connection: close\r\n"), "\(name): \(text)")
            #expect(!server.log.all.contains("request /smuggled"), "\(name)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func answersTheRequestsBeforeABrokenOne() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            try server.log.wait(for: "request /hold")
            try server.onWriter { $0.respond(ServedResponse(type: "text/plain", Array("first".utf8))) }
            #expect(try client.response().body == "first")
            #expect(try client.response().status == 400)
            #expect(try client.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func takesPathAndHostOfAnAbsoluteTarget() throws {
        try withServer { server in
            let client = try server.connect()
            #expect(try client.get("http://b.example:81/c?d").body == "GET /c?d ")
            #expect(try client.get("http://b.example?d").body == "GET /?d ")
            let hosts = try server.onLoop { $0.heads.map { $0.headers["host"] ?? "" } }
            #expect(hosts == ["b.example:81", "b.example"])
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("a head that never ends", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "x", 431),
            ("spaces before a value", "GET / HTTP/1.1\r\nHost: a\r\nX:", " ", 431),
            ("many fields", "GET / HTTP/1.1\r\nHost: a\r\n", "A: b\r\n", 431),
            ("a long target", "GET /", "x", 414),
            ("a long method", "", "X", 400),
            ("a long chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", 431),
            ("long trailers", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 431),
        ]) func boundsHeads(name: String, start: String, repeated: String, status: Int) throws
    {
        try withServer { spec in
            spec.limits.headBytes = 2_000
            spec.limits.targetBytes = 1_000
        } _: { server in
            let client = try server.connect()
            try client.send(start + String(repeating: repeated, count: 60_000 / repeated.utf8.count))
            let text = try client.readAll()
            #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(name): \(text)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func acceptsAHeadWithinTheLimits() throws {
        try withServer { spec in
            spec.limits.headBytes = 2_000
            spec.limits.targetBytes = 1_000
        } _: { server in
            let client = try server.connect()
            let target = "/" + String(repeating: "x", count: 999)
            #expect(try client.get(target, "X: \(String(repeating: "x", count: 900))\r\n").status == 200)
            #expect(try client.get(target + "x").status == 414)
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nabcde\r\n",
        ]) func refusesALargeBody(request: String) throws
    {
        try withServer {
            $0.limits.bodyBytes = 10
        } _: { server in
            let client = try server.connect()
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789")
            #expect(try client.response().status == 200)
            try client.send(request)
            #expect(try client.response().status == 413)
            #expect(try client.readAll() == "")
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("GET / HTTP/1.1\r\nHos", 408), ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 408),
        ]) func doesNotWaitForASlowRequest(request: String, status: Int) throws
    {
        try withServer { spec in
            spec.limits.headSeconds = 0.1
            spec.limits.bodySeconds = 0.1
        } _: { server in
            let client = try server.connect()
            try client.send(request)
            #expect(try client.response().status == status)
            #expect(try client.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func closesSilentConnections() throws {
        try withServer {
            $0.limits.headSeconds = 0.1
        } _: { server in
            let client = try server.connect()
            #expect(try client.readAll() == "")
        }
        try withServer {
            $0.limits.idleSeconds = 0.1
        } _: { server in
            let client = try server.connect()
            #expect(try client.get("/a").status == 200)
            #expect(try client.readAll() == "")
            // No request runs, and none is late.
            #expect(!server.log.all.contains("broken 408"))
        }
    }

    @Test(.timeLimit(.minutes(1))) func countsTheTimeOfALaterHeadFromItsFirstByte() throws {
        try withServer {
            $0.limits.headSeconds = 0.1
        } _: { server in
            let client = try server.connect()
            #expect(try client.get("/a").status == 200)
            try client.send("GET / HT")
            #expect(try client.response().status == 408)
        }
    }
}
