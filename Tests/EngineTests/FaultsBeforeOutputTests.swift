// Faults before the first token, over real sockets: connection, status, headers. Each row is a fault, its outcome and
// its duration.

import Chat
import Foundation
import Testing
import Transport

@testable import Engine

@Suite(.serialized) struct FaultsBeforeOutputTests {
    @Test(arguments: beforeTheHead) func noHead(_ row: FaultCase) throws { try row.check() }
    @Test(arguments: statuses) func status(_ row: FaultCase) throws { try row.check() }
    @Test(arguments: waits) func wait(_ row: FaultCase) throws { try row.check() }
    @Test(arguments: bodies) func body(_ row: FaultCase) throws { try row.check() }

    static let whole: [Step] = [.send(Chat.head + Chat.moon)]
    static let moon = Expected.reply("moon", attempts: 2)
    static let short = Timeouts(connect: 0.3, first: 0.3, idle: 10)

    static let beforeTheHead = [
        FaultCase("no fault", whole, expect: .reply("moon")),
        FaultCase(
            "accepts and never answers", [.silence],
            expect: .failure(.timeout, .first, attempts: 3, seconds: 0.85...5), timeouts: short),
        FaultCase(
            "headers that drip", [.drip("HTTP/1.1 200 OK\r\nX: " + String(repeating: "y", count: 1000))],
            expect: .failure(.timeout, .first, attempts: 3, seconds: 0.85...5), timeouts: short),
        FaultCase(
            "headers cut in the middle", [.send("HTTP/1.1 200 OK\r\nContent-Type: text/ev")],
            expect: .failure(.network, attempts: 3)),
        FaultCase("headers cut once", [.send("HTTP/1.1 200 OK\r\nContent-Ty")], whole, expect: moon),
        FaultCase("an empty reply, twice", [], expect: .failure(.network, attempts: 2)),
        FaultCase("an empty reply, once", [], whole, expect: moon),
        FaultCase("a reset instead of an answer", [.reset], whole, expect: moon),
        FaultCase("no HTTP", [.send("SSH-2.0-OpenSSH_9.2\r\n")], expect: .failure(.protocol)),
        FaultCase(
            "headers without end",
            [.send("HTTP/1.1 200 OK\r\n"), .endless("X-Pad: " + String(repeating: "p", count: 991) + "\r\n")],
            expect: .failure(.protocol, says: ["headers"])),
        FaultCase(
            "hints before the answer",
            [.send("HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\n\r\n" + Chat.head + Chat.moon)],
            expect: .reply("moon")),
    ]

    static let statuses =
        [
            ("400 Bad Request", "invalid_request_error", ErrorKind.invalidRequest),
            ("401 Unauthorized", "invalid_request_error", .auth), ("403 Forbidden", "forbidden", .permission),
            ("404 Not Found", "model_not_found", .invalidRequest),
            ("422 Unprocessable", "invalid_request_error", .invalidRequest),
            ("429 Too Many Requests", "insufficient_quota", .quota),
        ].map { (status, type, kind) in
            FaultCase(
                "\(status), \(type)", [Chat.answer(status, Chat.error(type))],
                expect: .failure(kind, says: ["said the provider"]))
        }
        + [
            "408 Request Timeout", "409 Conflict", "429 Too Many Requests", "500 Oh", "502 Oh", "503 Oh", "504 Oh",
            "529 Overloaded",
        ].map { FaultCase($0, [Chat.answer($0, Chat.error("server_error"))], whole, expect: moon) }
        + [
            FaultCase("503 for ever", [Chat.answer("503 Busy")], expect: .failure(.overloaded, attempts: 3)),
            FaultCase(
                "500 that says not to come back", [Chat.answer("500 Oh", headers: ["x-should-retry: false"])],
                expect: .failure(.provider)),
            FaultCase(
                "400 that says to come back", [Chat.answer("400 Oh", headers: ["x-should-retry: true"])], whole,
                expect: moon),
            FaultCase(
                "an error without framing", [.send("HTTP/1.1 503 Busy\r\n\r\n" + Chat.error("x"))], whole,
                expect: moon),
            FaultCase("204", [.send("HTTP/1.1 204 No Content\r\n\r\n")], expect: .failure(.protocol, says: ["204"])),
            FaultCase("206", [Chat.answer("206 Partial", Chat.moon)], expect: .failure(.protocol, says: ["206"])),
            FaultCase(
                "407 in place of an answer", [Chat.answer("407 Proxy Authentication Required")],
                expect: .failure(.network, says: ["Proxy"])),
        ]

    static let waits =
        [
            FaultCase(
                "Retry-After in seconds", [Chat.answer("429 Slow", headers: ["Retry-After: 0.4"])], whole,
                expect: .reply("moon", attempts: 2, seconds: 0.4...5)),
            FaultCase(
                "retry-after-ms goes before Retry-After",
                [Chat.answer("429 Slow", headers: ["Retry-After: 60", "retry-after-ms: 400"])], whole,
                expect: .reply("moon", attempts: 2, seconds: 0.4...5)),
            FaultCase(
                "Retry-After as a date, by the server's own clock",
                [
                    Chat.answer(
                        "429 Slow",
                        headers: ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:49:38 GMT"])
                ], whole, expect: .reply("moon", attempts: 2, seconds: 1...6)),
            FaultCase(
                "Retry-After of a day", [Chat.answer("429 Slow", headers: ["Retry-After: 86400"])],
                expect: .failure(.rateLimit, says: ["86400"])),
            FaultCase(
                "two Retry-After that contradict each other",
                [Chat.answer("429 Slow", headers: ["Retry-After: 60", "Retry-After: 86400"])], whole, expect: moon),
        ]
        + ["1e309", "-5", "NaN", "soon", ""].map {
            FaultCase(
                "Retry-After: \($0)", [Chat.answer("429 Slow", headers: ["Retry-After: \($0)"])], whole, expect: moon)
        }

    static let bodies = [
        FaultCase(
            "an error document under 200", [Chat.answer("200 OK", Chat.error("invalid_request_error"))],
            expect: .failure(.invalidRequest, says: ["said the provider"])),
        FaultCase(
            "an error document under 200 that may heal", [Chat.answer("200 OK", Chat.error("overloaded_error"))],
            whole, expect: moon),
        FaultCase(
            "a web page", [Chat.answer("200 OK", "<html><title>Log in</title>", type: "text/html")],
            expect: .failure(.protocol, says: ["text/html", "Log in"])),
        FaultCase(
            "an empty body", [Chat.answer("200 OK", type: "text/event-stream")],
            expect: .failure(.protocol, says: ["empty stream"])),
        FaultCase(
            "a strange charset",
            [
                .send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=latin-1\r\n\r\n"
                        + Chat.token("é量") + Chat.finish + Chat.done)
            ], expect: .reply("é量")),
        FaultCase(
            "gzip that nobody asked for",
            [
                .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"),
                .sendBytes(gzip(Chat.moon)),
            ], expect: .reply("moon")),
        FaultCase(
            "gzip that is none",
            [
                .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"),
                .send(Chat.moon),
            ], expect: .failure(.protocol)),
        FaultCase(
            "both framings: chunks win",
            [
                .send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 3\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n" + chunk(Chat.moon) + "0\r\n\r\n")
            ], expect: .reply("moon")),
        FaultCase(
            "headers twice, and folded",
            [
                .send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Type: text/html\r\nX-A: 1\r\n 2\r\n"
                        + "\r\n" + Chat.moon)
            ], expect: .reply("moon")),
        FaultCase(
            "a NUL in a header", [.send("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n" + Chat.moon)],
            expect: .failure(.protocol)),
    ]

    /// A key belongs to one host: redirects are not followed.
    @Test(arguments: ["307 Temporary Redirect", "308 Permanent Redirect"])
    func redirectsAreNotFollowed(status: String) throws {
        let other = LoopbackServer { _ = $0.readRequest() }
        try FaultCase(
            status, [Chat.answer(status, headers: ["Location: \(other.baseURL)/v1"])],
            expect: .failure(.protocol, says: ["127.0.0.1:\(other.port)", "not followed"])
        ).check()
        #expect(other.connectionCount == 0)
    }

    @Test func redirectsInACircleEndAtTheFirst() throws {
        try FaultCase(
            "circle", [Chat.answer("302 Found", headers: ["Location: /v1/chat/completions"])],
            expect: .failure(.protocol)
        ).check()
    }
}

/// The text as gzip, stored without compression (RFC 1951 section 3.2.4, RFC 1952).
private func gzip(_ text: String) -> [UInt8] {
    func little(_ value: UInt32, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) } }
    let bytes = Array(text.utf8)
    var sum: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    let size = UInt32(bytes.count)
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1] + little(size, 2) + little(~size, 2) + bytes + little(~sum, 4)
        + little(size, 4)
}
