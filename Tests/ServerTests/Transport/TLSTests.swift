// TLS, HTTP/2 and the reloading of certificates, with curl as the client.

import Chat
import Foundation
import HTTP
import NIOCore
import Support
import Testing

@testable import Server

@Suite struct TLSTests {
    /// A running curl.
    private final class Curl {
        private let process = Process()
        private let output = Pipe()

        /// - Parameter trust: the file of the only certificate that is trusted; nil for any.
        init(_ arguments: [String], trust: String? = nil) throws {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                ["curl", "-s", "--noproxy", "*", "-m", "60"] + (trust.map { ["--cacert", $0] } ?? ["-k"]) + arguments
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }

        func text() -> String {
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return String(decoding: data, as: UTF8.self)
        }

        func kill() { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    private static func withTLS(
        longestStall: TimeAmount = .seconds(120), _ configure: (inout ServerSpec) -> Void = { _ in },
        _ body: (_ server: TransportHarness, _ directory: String) throws -> Void
    ) throws {
        try withCertificate(for: "IP:127.0.0.1") { directory in
            try withServer(longestStall: longestStall) {
                configure(&$0)
                $0.certificate = CertificateFiles(chain: directory + "/cert.pem", key: directory + "/key.pem")
            } _: { server in
                try body(server, directory)
            }
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["--http1.1", "--http2"]) func answers(version: String) throws {
        try Self.withTLS { server, _ in
            let url = server.listener.address.url
            #expect(url.hasPrefix("https://"))
            let body = String(repeating: "x", count: 200_000)
            let text = try Curl([version, "-w", " %{http_version}", "-d", "hello", url + "a"]).text()
            #expect(text == "POST /a hello \(version == "--http2" ? "2" : "1.1")")
            let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
            try Data(body.utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let upload = try Curl([version, "--data-binary", "@" + file.path, url + "a"]).text()
            #expect(upload == "POST /a " + body)
            #expect(try Curl([version, "-w", "%{http_code}", url + "refused"]).text() == "refused401")
            #expect(try Curl([version, "-I", url + "a"]).text().contains("content-length: 8\r\n"))
            let heads = try server.onLoop { $0.heads }
            #expect(heads.allSatisfy { $0.isTLS && $0.remoteAddress == "127.0.0.1" })
            #expect(heads.allSatisfy { $0.headers["host"] == "127.0.0.1:\(server.port)" })
            #expect(heads.allSatisfy { $0.version == (version == "--http2" ? "HTTP/2" : "HTTP/1.1") })
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["--http1.1", "--http2"]) func streams(version: String) throws {
        try Self.withTLS { server, _ in
            let curl = try Curl([version, server.listener.address.url + "stream"])
            try server.log.wait(for: "request /stream")
            try server.onWriter { $0.write(ByteBuffer(string: "one")) }
            try server.onWriter {
                $0.write(ByteBuffer(string: "two"))
                $0.end()
            }
            #expect(curl.text() == "onetwo")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["--http1.1", "--http2"]) func seesThatTheClientLeft(
        version: String
    ) throws {
        try Self.withTLS { server, _ in
            let curl = try Curl([version, server.listener.address.url + "stream"])
            try server.log.wait(for: "request /stream")
            curl.kill()
            try server.log.wait(for: "gone /stream")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["--http1.1", "--http2"]) func finishesStreamsWhenItStops(
        version: String
    ) throws {
        try Self.withTLS { server, _ in
            let curl = try Curl([version, server.listener.address.url + "stream"])
            try server.log.wait(for: "request /stream")
            server.listener.stopAccepting()
            try server.onWriter {
                $0.write(ByteBuffer(string: "one"))
                $0.end()
            }
            #expect(curl.text() == "one")
            let log = server.log
            server.listener.whenEmpty { log.add("empty") }
            try log.wait(for: "empty")
        }
    }

    @Test(.timeLimit(.minutes(1))) func resetsAnAbortedStream() throws {
        try Self.withTLS { server, _ in
            let curl = try Curl(["--http2", "-w", "%{exitcode}", server.listener.address.url + "stream"])
            try server.log.wait(for: "request /stream")
            try server.onWriter { $0.abort() }
            // CURLE_HTTP2_STREAM
            #expect(curl.text() == "92")
            #expect(!server.log.all.contains("gone /stream"))
        }
    }

    /// Requests that NIOHTTP2 cannot translate to HTTP/1.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            [(":method", "GET"), (":scheme", "https"), (":path", "/a")], [(":method", "CONNECT"), (":authority", "a")],
        ])
    func resetsAStreamWithoutAWholeHead(fields: [(String, String)]) throws {
        try Self.withTLS {
            $0.limits.idleSeconds = 0.2
        } _: { server, _ in
            let client = try HTTP2Client(port: server.port)
            try client.send([HTTP2Client.request(1, fields), HTTP2Client.get(3, "/a")])
            var frames: [HTTP2Client.Frame] = []
            // The connection ends when it has been idle.
            while let frame = try client.receive() { frames.append(frame) }
            #expect(frames.filter { $0.stream == 1 }.map(\.type) == [HTTP2Client.FrameType.reset])
            #expect(frames.contains { $0.stream == 3 && $0.payload == Array("GET /a ".utf8) })
        }
    }

    @Test(.timeLimit(.minutes(1))) func takesNoStreamWhileTheClientDoesNotRead() throws {
        try Self.withTLS { server, _ in
            let client = try HTTP2Client(port: server.port, window: 1 << 30)
            let streams = (0..<90).map { UInt32(2 * $0 + 1) }
            try client.send(
                [HTTP2Client.windowUpdate(0, 1 << 30)] + streams[..<60].map { HTTP2Client.get($0, "/large") })
            try server.log.wait(for: "request /large", count: 60)
            try client.send(streams[60...].map { HTTP2Client.get($0, "/large") })
            let curl = try Curl([server.listener.address.url + "a"])
            #expect(curl.text() == "GET /a ")
            #expect(server.log.count("request /large") < streams.count)
            var bytes = 0
            while bytes < streams.count * 256 << 10, let frame = try client.receive() {
                if frame.type == HTTP2Client.FrameType.data { bytes += frame.payload.count }
            }
            #expect(bytes == streams.count * 256 << 10)
        }
    }

    /// A stream whose client grants no window is reset, although the connection is alive.
    @Test(.timeLimit(.minutes(1))) func resetsStreamsThatStall() throws {
        try Self.withTLS(longestStall: .milliseconds(200)) { server, _ in
            let client = try HTTP2Client(port: server.port, window: 0)
            try client.send([HTTP2Client.get(1, "/large"), HTTP2Client.get(3, "/stream")])
            try server.log.wait(for: "request /stream")
            try server.onWriter { $0.write(ByteBuffer(string: "one")) }
            var reset: Set<UInt32> = []
            while reset.count < 2, let frame = try client.receive() {
                #expect(frame.type != HTTP2Client.FrameType.data)
                if frame.type == HTTP2Client.FrameType.reset { reset.insert(frame.stream) }
            }
            #expect(reset == [1, 3])
            try server.log.wait(for: "gone /stream")
            let ping = HTTP2Client.Frame(type: HTTP2Client.FrameType.ping, payload: Array(0..<8))
            try client.send([ping])
            while let frame = try client.receive(), frame.payload != ping.payload {
                try #require(frame.type != HTTP2Client.FrameType.data)
            }
            try client.send([HTTP2Client.get(5, "/a"), HTTP2Client.windowUpdate(5, 100)])
            while let frame = try client.receive(), frame.payload != Array("GET /a ".utf8) {
                try #require(frame.stream == 0 || frame.stream == 5)
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func readsTheCertificateAgain() throws {
        try Self.withTLS { server, directory in
            let url = server.listener.address.url + "a"
            let certificate = directory + "/cert.pem"
            try withCertificate(for: "IP:127.0.0.1") { other in
                let files = FileManager.default
                for name in ["cert.pem", "key.pem"] {
                    try files.removeItem(atPath: "\(directory)/\(name)")
                    // The key does not belong to the certificate until both are copied.
                    if name == "key.pem" {
                        #expect(throws: ServerFailure.self) { try server.listener.reloadCertificate() }
                    }
                    try files.copyItem(atPath: "\(other)/\(name)", toPath: "\(directory)/\(name)")
                }
                let arguments = ["-w", "%{exitcode}", "-o", "/dev/null", url]
                // CURLE_PEER_FAILED_VERIFICATION
                #expect(try Curl(arguments, trust: certificate).text() == "60")
                try server.listener.reloadCertificate()
                #expect(try Curl(arguments, trust: certificate).text() == "0")
            }
        }
    }

    @Test func saysWhyACertificateCannotBeUsed() throws {
        try withCertificate(for: "IP:127.0.0.1") { first in
            try withCertificate(for: "IP:127.0.0.1") { second in
                for (chain, key, reason) in [
                    ("/no/file", first + "/key.pem", "no PEM certificates can be read from \"/no/file\""),
                    (first + "/cert.pem", "/no/file", "no unencrypted PEM key can be read from \"/no/file\""),
                    (first + "/cert.pem", second + "/key.pem", "does not belong to the certificate"),
                ] {
                    do throws(ServerFailure) {
                        _ = try CertificateStore(CertificateFiles(chain: chain, key: key))
                        Issue.record("\(reason) was not found")
                    } catch {
                        #expect(error.message.contains(reason))
                    }
                }
            }
        }
    }
}
