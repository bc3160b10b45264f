// TLS and HTTP/2 against the servers of OpenSSL and nghttp2.

import Foundation
import HTTP
import Support
import Testing
import Transport

@Suite(.enabled(if: ChildServer.isInstalled("openssl"), "openssl is not installed")) struct TLSTests {
    /// Runs `body` with an HTTPS server whose certificate names `name`.
    private func withTLSServer(for name: String, _ body: (_ url: String, _ caFile: String) throws -> Void) throws {
        try withCertificate(for: name) { directory in
            let server = try ChildServer(
                "openssl",
                [
                    "s_server", "-accept", "127.0.0.1:0", "-www", "-key", directory + "/key.pem", "-cert",
                    directory + "/cert.pem",
                ], until: "ACCEPT")
            defer { server.stop() }
            try body("https://127.0.0.1:\(server.port)/", directory + "/cert.pem")
        }
    }

    @Test func selfSignedIsRefusedUnlessTrusted() throws {
        try withTLSServer(for: "IP:127.0.0.1") { url, caFile in
            let multi = try Multi()
            let (heard, refused) = try multi.fetch(post(url))
            #expect(refused.error?.code == .tls, "\(refused)")
            #expect(refused.error?.message.contains("certificate") == true)
            #expect(refused.requestBytesSent == 0)
            #expect(heard.heads.isEmpty)
            let (_, accepted) = try multi.fetch(get(url)) { $0.caFile = caFile }
            #expect(accepted.result == .complete, "\(accepted)")
            #expect(accepted.bodyBytes > 0)
            // A connection verified with one trust store must not serve a transfer with another.
            let (_, again) = try multi.fetch(get(url))
            #expect(again.error?.code == .tls)
        }
    }

    @Test func folderOfCertificatesByHash() throws {
        try withTLSServer(for: "IP:127.0.0.1") { url, caFile in
            let folder = URL(fileURLWithPath: caFile).deletingLastPathComponent().appendingPathComponent("trusted").path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let (_, refused) = try Multi().fetch(get(url)) { $0.caFolder = folder }
            #expect(refused.error?.code == .tls)
            try FileManager.default.copyItem(atPath: caFile, toPath: folder + "/one.pem")
            let rehash = Process()
            rehash.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            rehash.arguments = ["rehash", folder]
            try rehash.run()
            rehash.waitUntilExit()
            let (_, accepted) = try Multi().fetch(get(url)) { $0.caFolder = folder }
            #expect(accepted.result == .complete, "\(accepted)")
        }
    }

    @Test func certificateOfAnotherHostIsRefused() throws {
        try withTLSServer(for: "DNS:example.com") { url, caFile in
            let (_, end) = try Multi().fetch(get(url)) { $0.caFile = caFile }
            #expect(end.error?.code == .tls, "\(end)")
        }
    }

    @Test func trustStoreThatIsNotThere() throws {
        try withTLSServer(for: "IP:127.0.0.1") { url, _ in
            let (_, end) = try Multi().fetch(get(url)) { $0.caFile = "/nonexistent/ca.pem" }
            #expect(end.error?.code == .tls, "\(end)")
        }
    }

    @Test func handshakeThatIsCut() throws {
        try withServer({ connection in
            _ = connection.readSome()
        }) { server in
            let (_, end) = try Multi().fetch(post("https://127.0.0.1:\(server.port)/"))
            #expect(end.error?.code == .tlsHandshake, "\(end)")
            #expect(end.requestBytesSent == 0)
        }
    }

    @Test func handshakeThatStallsMeetsTheConnectTimeout() throws {
        try withServer({ connection in
            _ = connection.waitForDeparture()
        }) { server in
            let (_, end) = try Multi().fetch(post("https://127.0.0.1:\(server.port)/")) { $0.connectTimeout = 0.2 }
            #expect(end.error?.code == .connectTimeout, "\(end)")
        }
    }
}

@Suite(.enabled(if: ChildServer.isInstalled("nghttpd"), "nghttpd (package nghttp2-server) is not installed"))
struct HTTP2Tests {
    /// Runs `body` with an HTTP/2 server for /small and /large that echoes posts.
    private func withHTTP2(_ body: (_ url: String, _ caFile: String, _ large: [UInt8]) throws -> Void) throws {
        try withCertificate(for: "IP:127.0.0.1") { directory in
            let large = FlowTests.pattern(6_000_000, seed: 7)
            try Data("small".utf8).write(to: URL(fileURLWithPath: directory + "/small"))
            try Data(large).write(to: URL(fileURLWithPath: directory + "/large"))
            let server = try ChildServer(
                "nghttpd",
                [
                    "-v", "-a", "127.0.0.1", "-d", directory, "--echo-upload", "0", directory + "/key.pem",
                    directory + "/cert.pem",
                ], until: "listen")
            defer { server.stop() }
            try body("https://127.0.0.1:\(server.port)", directory + "/cert.pem", large)
        }
    }

    @Test func requestAndAnswer() throws {
        try withHTTP2 { url, caFile, _ in
            let multi = try Multi()
            let (heard, end) = try multi.fetch(get(url + "/small")) { $0.caFile = caFile }
            #expect(end.result == .complete, "\(end)")
            #expect(heard.heads.map(\.version) == ["2"])
            #expect(heard.heads.first?.status == 200)
            #expect(heard.text == "small")
            let body = String(repeating: "0123456789", count: 30_000)
            let (echo, posted) = try multi.fetch(post(url + "/echo", body)) { $0.caFile = caFile }
            #expect(posted.result == .complete, "\(posted)")
            #expect(posted.reusedConnection)
            #expect(echo.text == body)
        }
    }

    @Test func manyShareOneConnection() throws {
        try withHTTP2 { url, caFile, _ in
            let multi = try Multi()
            let recorders = (0..<50).map { _ in Recorder() }
            for recorder in recorders { try multi.begin(get(url + "/small"), recorder) { $0.caFile = caFile } }
            multi.run { multi.activeCount == 0 }
            #expect(recorders.allSatisfy { $0.text == "small" && $0.end?.result == .complete })
            #expect(recorders.filter { $0.end?.reusedConnection == false }.count == 1)
        }
    }

    @Test func cancelAndPauseOfOneStreamLeaveTheOthers() throws {
        try withHTTP2 { url, caFile, large in
            let multi = try Multi()
            let (cancelled, paused, free) = (Recorder(), Recorder(), Recorder())
            let first = try multi.begin(get(url + "/large"), cancelled) { $0.caFile = caFile }
            multi.run { !cancelled.bytes.isEmpty }
            multi.cancel(first)
            let second = try multi.begin(get(url + "/large"), paused) { $0.caFile = caFile }
            multi.run { !paused.bytes.isEmpty }
            multi.pause(second)
            let held = paused.bytes.count
            try multi.begin(get(url + "/small"), free) { $0.caFile = caFile }
            multi.run { free.end != nil }
            #expect(free.text == "small")
            #expect(paused.bytes.count == held)
            multi.resume(second)
            multi.run { paused.end != nil }
            #expect(paused.end?.result == .complete, "\(paused.ends)")
            #expect(paused.bytes == large)
            #expect(free.end?.reusedConnection == true && paused.end?.reusedConnection == true)
            #expect(cancelled.ends.isEmpty)
        }
    }

    @Test func traceHoldsNoKey() throws {
        try withHTTP2 { url, caFile, _ in
            let lines = Locked<[String]>([])
            var request = get(url + "/small?key=sk-query")
            request.headers.add("Authorization", "Bearer sk-header")
            _ = try Multi().fetch(request) { options in
                options.caFile = caFile
                options.trace = { line in lines.withLock { $0.append(line) } }
            }
            let text = lines.withLock { $0.joined(separator: "\n") }
            #expect(text.contains("Connected to 127.0.0.1"))
            #expect(!text.contains("sk-"))
            #expect(!text.lowercased().contains("bearer"))
        }
    }
}
