// WebSockets (RFC 6455) over real sockets.

import Chat
import HTTP
import NIOCore
import Testing

@testable import Server

@Suite struct WebSocketTests {
    private static let handshake =
        "GET /s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

    /// A frame of a client, masked.
    private static func frame(_ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, reserved: UInt8 = 0) -> [UInt8] {
        let mask: [UInt8] = [1, 2, 3, 4]
        var bytes = [(fin ? 0x80 : 0) | reserved | opcode]
        switch payload.count {
        case ..<126: bytes.append(0x80 | UInt8(payload.count))
        case ...0xFFFF: bytes += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default: bytes += [0xFF] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        bytes += mask
        for (index, byte) in payload.enumerated() { bytes.append(byte ^ mask[index % 4]) }
        return bytes
    }

    private static func text(_ text: String, fin: Bool = true) -> [UInt8] { frame(1, Array(text.utf8), fin: fin) }

    private static func open(
        _ server: TransportHarness, target: String = "/s", receiveBuffer: Int32? = nil
    ) throws -> TestClient {
        let client = try server.connect(receiveBuffer: receiveBuffer)
        try client.send(handshake.replacing("/s", with: target))
        #expect(try client.head().status == 101)
        return client
    }

    /// Reads a frame of the server, which is not masked.
    private static func read(_ client: TestClient) throws -> (opcode: UInt8, payload: [UInt8]) {
        let start = try client.read(2)
        #expect(start[0] & 0xF0 == 0x80)
        var length = Int(start[1])
        if length == 126 { length = try client.read(2).reduce(0) { $0 << 8 | Int($1) } }
        if length == 127 { length = try client.read(8).reduce(0) { $0 << 8 | Int($1) } }
        return (start[0] & 0x0F, try client.read(length))
    }

    private static func closeCode(_ client: TestClient) throws -> Int {
        let frame = try read(client)
        #expect(frame.opcode == 8)
        return frame.payload.prefix(2).reduce(0) { $0 << 8 | Int($1) }
    }

    @Test func hashesByTheExamples() {
        // FIPS 180-4, and RFC 6455 section 1.3.
        let hash = SHA1.hash(Array("abc".utf8)).map { String($0, radix: 16) }.joined(separator: " ")
        #expect(hash == "a9 99 3e 36 47 6 81 6a ba 3e 25 71 78 50 c2 6c 9c d0 d8 9d")
        #expect(WebSocketHandshake.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(SHA1.hash([UInt8](repeating: 0x61, count: 64)).count == 20)
    }

    @Test(.timeLimit(.minutes(1))) func opensAndEchoes() throws {
        try withServer { server in
            let client = try server.connect()
            // Frames may follow the handshake at once.
            try client.send(Array(Self.handshake.utf8) + Self.text("one"))
            let (status, headers) = try client.head()
            #expect(status == 101)
            #expect(headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(try Self.read(client).payload == Array("one".utf8))
            for length in [0, 125, 126, 65_535, 65_536, 1 << 20] {
                let payload = [UInt8](repeating: 0x78, count: length)
                try client.send(Self.frame(1, payload))
                #expect(try Self.read(client).payload == payload)
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func joinsFragmentsAndPiecesAtEveryByte() throws {
        let whole = Array("a\u{E4}\u{20AC}\u{1F600}z".utf8)
        try withServer { server in
            let client = try Self.open(server)
            for split in 0...whole.count {
                // A ping between fragments is allowed.
                let bytes =
                    Self.frame(1, Array(whole[..<split]), fin: false) + Self.frame(9, [7])
                    + Self.frame(0, Array(whole[split...]))
                let middle = min(split * 2 + 1, bytes.count)
                try client.send(Array(bytes[..<middle]))
                try server.onLoop { _ in }
                try client.send(Array(bytes[middle...]))
                let pong = try Self.read(client)
                #expect(pong.opcode == 10)
                #expect(pong.payload == [7])
                #expect(try Self.read(client).payload == whole)
            }
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("binary", frame(2, [1]), 1003),
            ("invalid UTF-8", frame(1, [0xC3, 0x28]), 1007),
            ("cut UTF-8", frame(1, [0xE2, 0x82]), 1007),
            ("surrogate", frame(1, [0xED, 0xA0, 0x80]), 1007),
            ("no mask", [0x81, 0x01, 0x78], 1002),
            ("reserved bit", frame(1, [0x78], reserved: 0x40), 1002),
            ("reserved opcode", frame(3, []), 1002),
            ("reserved control opcode", frame(11, []), 1002),
            ("long ping", frame(9, [UInt8](repeating: 0, count: 126)), 1002),
            ("fragmented ping", frame(9, [], fin: false), 1002),
            ("continuation of nothing", frame(0, [0x78]), 1002),
            ("message within a message", frame(1, [0x78], fin: false) + frame(1, [0x78]), 1002),
            ("large frame", [0x81, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0], 1009),
            ("enormous frame", [0x81, 0xFF, 0xFF, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0], 1009),
            ("close with one byte", frame(8, [3]), 1002),
            ("close with a bad code", frame(8, [3, 237]), 1002),
            ("close with bad UTF-8", frame(8, [3, 232, 0xFF]), 1007),
            ("close", frame(8, [3, 232]), 1000),
            ("close without a code", frame(8, []), 1000),
        ]) func closes(name: String, bytes: [UInt8], code: Int) throws
    {
        try withServer { server in
            let client = try Self.open(server)
            try client.send(bytes)
            #expect(try Self.closeCode(client) == code, "\(name)")
            #expect(try client.readAll() == "")
            try server.log.wait(for: "closed")
            #expect(!server.log.all.contains { $0.hasPrefix("text") })
        }
    }

    @Test(.timeLimit(.minutes(1))) func refusesALargeMessageOfFragments() throws {
        try withServer { server in
            let client = try Self.open(server)
            let half = [UInt8](repeating: 0x78, count: 600_000)
            try client.send(Self.frame(1, half, fin: false) + Self.frame(0, half, fin: false))
            #expect(try Self.closeCode(client) == 1009)
        }
    }

    @Test(.timeLimit(.minutes(1))) func closesFromTheServer() throws {
        try withServer { server in
            let client = try Self.open(server)
            try server.onLoop { $0.sockets.last?.close(4_000, reason: "enough") }
            let frame = try Self.read(client)
            #expect(frame.payload == [0x0F, 0xA0] + Array("enough".utf8))
            try client.send(Self.frame(8, frame.payload))
            #expect(try client.readAll() == "")
            try server.log.wait(for: "closed")
            // Late messages are dropped.
            try server.onLoop { $0.sockets.last?.send(ByteBuffer(string: "late")) }
        }
    }

    @Test(.timeLimit(.minutes(1))) func seesThatTheClientLeft() throws {
        try withServer { server in
            do { _ = try Self.open(server) }
            try server.log.wait(for: "closed")
        }
    }

    @Test(.timeLimit(.minutes(1))) func saysThatTheServerStops() throws {
        try withServer { server in
            let client = try Self.open(server)
            server.listener.stopAccepting()
            #expect(try Self.closeCode(client) == 1001)
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("/s", "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426),
            ("/s", "Sec-WebSocket-Version: 13\r\n", 400),
            ("/s", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n", 400),
            ("/refused", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 401),
        ]) func refusesAHandshake(target: String, fields: String, status: Int) throws
    {
        try withServer { server in
            let client = try server.connect()
            let response = try client.get(target, "Upgrade: websocket\r\nConnection: Upgrade\r\n" + fields)
            #expect(response.status == status)
            if status == 426 { #expect(response.headers["sec-websocket-version"] == "13") }
            #expect(try client.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func ignoresOtherUpgrades() throws {
        try withServer { server in
            let client = try server.connect()
            let response = try client.get("/a", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n")
            #expect(response.body == "GET /a ")
            #expect(response.headers["connection"] == "close")
        }
    }

    @Test(.timeLimit(.minutes(1))) func handlesNoMessageWhileTheClientDoesNotRead() throws {
        try withServer { server in
            let client = try Self.open(server, target: "/large", receiveBuffer: 4_096)
            let count = 100
            for _ in 0..<count { try client.send(Self.text("a")) }
            try server.wait()
            #expect(server.log.count("text 1") < count)
            for _ in 0..<count { #expect(try Self.read(client).payload.count == 256 << 10) }
            try client.send(Self.frame(9, [1]))
            #expect(try Self.read(client).payload == [1])
        }
    }
}
