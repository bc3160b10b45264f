// `moonrill serve` through the real binary: what clients see, who is cancelled when they leave, and how it ends.

import Foundation
import HTTP
import ProviderSimulator
import Support
import Testing

@Suite struct ServeTests {
    /// A running `moonrill serve` on a port that the kernel chose.
    final class Server {
        let run: MoonrillBinary.Running
        /// The first line of its output.
        let url: String
        private let folder: URL

        init(_ options: [String] = [], script: String? = nil, environment: [String: String] = [:]) throws {
            folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            var arguments = ["serve"] + (options.contains("--unix") ? [] : ["--port", "0"]) + options
            if let script {
                let file = folder.appendingPathComponent("app.lua")
                try Data(("local llm = require 'llm'\n" + script).utf8).write(to: file)
                arguments.append(file.path)
            }
            run = try MoonrillBinary.start(arguments, environment: environment)
            run.waitForOutput()
            url = run.outputSoFar.split(separator: "\n").first.map(String.init) ?? ""
            try #require(url.contains(":"), "\(run.errorOutputSoFar)")
        }

        deinit {
            run.kill()
            try? FileManager.default.removeItem(at: folder)
        }

        var port: Int { URL(string: url)?.port ?? 0 }
        var process: String { "/proc/\(run.processIdentifier)" }

        /// Open descriptors of the process.
        var descriptors: Int { (try? FileManager.default.contentsOfDirectory(atPath: process + "/fd").count) ?? 0 }

        func open(
            _ method: String, _ target: String, headers: [String: String] = [:], body: String = ""
        ) throws -> WebClient {
            try WebClient(port: port, method, target, headers: headers, body: body)
        }

        func fetch(
            _ method: String, _ target: String, headers: [String: String] = [:], body: String = ""
        ) throws -> (status: Int, headers: [String: String], body: String) {
            try WebClient.fetch(port: port, method, target, headers: headers, body: body)
        }

        /// Whether a new request is refused.
        var refuses: Bool {
            guard let answer = try? fetch("GET", "/healthz") else { return true }
            return answer.status == 503
        }

        /// The value of a gauge.
        func gauge(_ name: String) throws -> Int? {
            let line = try fetch("GET", "/metrics").body.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            return line?.split(separator: " ").last.flatMap { Int($0) }
        }

        func stop(_ signal: Int32 = SIGTERM) -> MoonrillBinary.Result {
            run.send(signal)
            return run.wait(timeout: 30)
        }
    }

    /// An offline provider in this process.
    static func provider(rate: Double, _ onRequest: (@Sendable (ObservedRequest) -> Void)? = nil) throws
        -> SimulatorServer
    {
        var options = SimulatorOptions()
        options.rate = rate
        options.onRequest = onRequest
        return try SimulatorServer.start(options)
    }

    /// A script that serves a model at every path, with replies of `count` deltas.
    static func script(_ provider: SimulatorServer, count: String, _ rest: String = "") -> String {
        """
        local client = llm.client { base_url = "\(provider.baseURL)", model = "m", key_env = "MOON_KEY",
          headers = { ["X-Moonrill-Deltas"] = "\(count)" } }
        local closed = 0
        assert(llm.serve { models = { m = client }, routes = {
          ["GET /ask"] = function() return client:ask "x" end,
          ["GET /flow"] = function()
            return llm.flow.all { function() return client:ask "a" end, function() return client:ask "b" end } (1)
          end,
          ["GET /spawned"] = function()
            return (llm.spawn(function() return client:ask "x" end):wait())
          end,
          \(rest)
        } })
        """
    }

    static let key = "sk-moonrill-marked-0123456789abcdef"
    static let chat = #"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#

    // MARK: Service

    @Test func thePageTheStreamAndTheModels() throws {
        let server = try Server(["--mock", "--rate", "0"])
        #expect(server.url == "http://127.0.0.1:\(server.port)/")
        let page = try server.fetch("GET", "/")
        #expect(page.status == 200 && page.body.contains("<title>Moonrill</title>"))
        let stream = try server.open("GET", "/stream?prompt=hi&model=moonrill-chat").events()
        #expect(stream.first?.name == "start" && stream.last?.name == "finish" && stream.count > 5)
        let last = try #require(stream.dropLast(2).last)
        let rest = try server.open("GET", "/stream", headers: ["Last-Event-ID": last.id]).events()
        #expect(rest == Array(stream.suffix(2)))
        let reply = try server.fetch(
            "POST", "/v1/chat/completions",
            body: #"{"model":"moonrill-chat","messages":[{"role":"user","content":"hi"}]}"#)
        #expect(reply.status == 200 && reply.body.contains("\"choices\""))
        #expect(try server.fetch("GET", "/v1/models").body.contains("moonrill-reasoner"))
        let result = server.stop()
        #expect(result.status == 128 + SIGTERM)
        #expect(result.output == server.url + "\n")
        #expect(result.errorOutput.contains("GET /stream 200"))
        // A query may hold a prompt or a token.
        #expect(!result.errorOutput.contains("prompt"))
    }

    @Test func errorsOfHandlers() throws {
        let server = try Server(
            ["--mock"],
            script: "assert(llm.serve { routes = { ['GET /boom'] = function() error('secret detail') end } })")
        let answer = try server.fetch("GET", "/boom")
        #expect(answer.status == 500)
        let id = try #require(answer.headers["x-request-id"])
        #expect(answer.body.contains(id))
        #expect(!answer.body.contains("secret") && !answer.body.contains("app.lua"))
        let result = server.stop()
        #expect(result.errorOutput.contains("the handler of GET /boom failed (request \(id))"))
        #expect(result.errorOutput.contains("app.lua:2: secret detail"))
        #expect(result.errorOutput.contains("stack traceback"))
        #expect(!result.output.contains("secret"))
    }

    // MARK: Clients that leave

    @Test(arguments: [
        ("GET", "/stream?prompt=x", 1), ("GET", "/ask", 1), ("GET", "/flow", 2), ("GET", "/spawned", 1),
        ("POST", "/v1/chat/completions", 1),
    ])
    func aClientThatLeavesCancelsItsRequests(method: String, target: String, count: Int) throws {
        let provider = try Self.provider(rate: 50)
        defer { provider.stop() }
        let server = try Server(
            script: Self.script(provider, count: "inf"), environment: ["MOON_KEY": Self.key])
        let client = try server.open(method, target, body: method == "POST" ? Self.chat : "")
        #expect(waitUntil { provider.statistics().open == count })
        #expect(provider.statistics().aborted == 0)
        let start = Date()
        client.close()
        #expect(waitUntil { provider.statistics().aborted == count })
        // It takes 100 ms at most, and more where other tests have the processor.
        #expect(Date().timeIntervalSince(start) < 3)
        #expect(waitUntil { (try? server.gauge("moonrill_http_exchanges")) == 0 })
        #expect(try server.gauge("moonrill_streams") == 0)
        let result = server.stop()
        #expect(result.status == 128 + SIGTERM)
        #expect(!result.errorOutput.contains("failed"), "\(result.errorOutput)")
    }

    /// Whenever they leave, nothing is left over: no request, no stream, no descriptor.
    @Test func twoHundredClientsThatLeave() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let provider = try Self.provider(rate: 200)
        defer { provider.stop() }
        let server = try Server(script: Self.script(provider, count: "inf"), environment: ["MOON_KEY": Self.key])
        func isQuiet() -> Bool {
            provider.statistics().open == 0 && (try? server.gauge("moonrill_http_exchanges")) == 0
        }
        try server.open("GET", "/stream?prompt=x").event().map { #expect($0.name == "start") }
        #expect(waitUntil { provider.statistics().requests > 0 && isQuiet() })
        let before = server.descriptors
        let targets = ["/stream?prompt=x", "/ask", "/flow", "/v1/chat/completions"]
        let problems = Locked([String]())
        let port = server.port
        for round in 0..<10 {
            DispatchQueue.concurrentPerform(iterations: 20) { index in
                var random = SeededGenerator(seed: seed &+ UInt64(round * 20 + index))
                do {
                    let target = targets[Int.random(in: 0..<4, using: &random)]
                    let isPost = target.hasPrefix("/v1")
                    let client = try WebClient(
                        port: port, isPost ? "POST" : "GET", target, body: isPost ? Self.chat : "")
                    let count = Int.random(in: 0..<8, using: &random)
                    if isPost || target.hasPrefix("/stream") { for _ in 0..<count { _ = try client.event() } }
                    client.close()
                } catch {
                    problems.withLock { $0.append("\(error)") }
                }
            }
        }
        #expect(problems.withLock { $0 } == [], "seed \(seed)")
        #expect(waitUntil { isQuiet() }, "seed \(seed)")
        let statistics = provider.statistics()
        #expect(statistics.finished == 0 && statistics.aborted > 20, "seed \(seed): \(statistics)")
        #expect(try server.gauge("moonrill_streams") == 0, "seed \(seed)")
        #expect(waitUntil { server.descriptors <= before }, "seed \(seed): \(server.descriptors) > \(before)")
        #expect(server.stop().status == 128 + SIGTERM)
    }

    /// An EventSource that is cut and comes back has all of a reply whose request was never repeated.
    @Test func aCutStreamIsResumed() throws {
        let provider = try Self.provider(rate: 200)
        defer { provider.stop() }
        let server = try Server(script: Self.script(provider, count: "40"), environment: ["MOON_KEY": Self.key])
        let fields = ["Accept": "text/event-stream", "Cache-Control": "no-cache"]
        let client = try server.open("GET", "/stream?prompt=x", headers: fields)
        var events: [WebClient.Event] = []
        for _ in 0..<10 { events.append(try #require(try client.event())) }
        client.close()
        let last = try #require(events.last?.id)
        let again = try server.open("GET", "/stream?prompt=x", headers: fields.merging(["Last-Event-ID": last]) { $1 })
        events += try again.events()
        let stream = try #require(events.first?.id.dropLast(2))
        #expect(events.map(\.id) == (1...events.count).map { "\(stream)-\($0)" })
        #expect(events.last?.name == "finish")
        let text = events.filter { $0.name == "message" }.map { $0.data.dropFirst(12).dropLast(2) }.joined()
        #expect(text == (1...40).map { "tok\($0) " }.joined())
        #expect(provider.statistics().requests == 1 && provider.statistics().aborted == 0)
    }

    // MARK: The end

    /// New requests are refused, and a stream that runs ends as it would have.
    @Test func aSignalLetsStreamsEnd() throws {
        let provider = try Self.provider(rate: 40)
        defer { provider.stop() }
        let server = try Server(script: Self.script(provider, count: "40"), environment: ["MOON_KEY": Self.key])
        let client = try server.open("GET", "/stream?prompt=x")
        #expect(try client.event()?.name == "start")
        #expect(try client.event()?.name == "message")
        server.run.send(SIGTERM)
        #expect(waitUntil { server.refuses })
        let events = try client.events()
        #expect(events.last?.name == "finish")
        #expect(events.count { $0.name == "message" } == 39)
        #expect(server.run.wait(timeout: 30).status == 128 + SIGTERM)
        #expect(provider.statistics().aborted == 0)
    }

    @Test func afterTheDrainStreamsFail() throws {
        let provider = try Self.provider(rate: 40)
        defer { provider.stop() }
        let server = try Server(
            ["--drain", "0.3"], script: Self.script(provider, count: "inf"), environment: ["MOON_KEY": Self.key])
        let client = try server.open("GET", "/stream?prompt=x")
        #expect(try client.event()?.name == "start")
        let whole = try server.open("GET", "/ask")
        #expect(waitUntil { provider.statistics().open == 2 })
        server.run.send(SIGTERM)
        let last = try client.events().last
        #expect(last?.name == "failure")
        #expect(last?.data.contains("the server stops") == true)
        #expect(throws: WebClient.Failure.self) { try whole.text() }
        let result = server.run.wait(timeout: 30)
        #expect(result.status == 128 + SIGTERM, "\(result)")
        #expect(waitUntil { provider.statistics().aborted == 2 })
    }

    @Test func aSecondSignalEndsTheDrain() throws {
        let provider = try Self.provider(rate: 40)
        defer { provider.stop() }
        let server = try Server(
            ["--drain", "600"], script: Self.script(provider, count: "inf"), environment: ["MOON_KEY": Self.key])
        let client = try server.open("GET", "/stream?prompt=x")
        #expect(try client.event()?.name == "start")
        #expect(try client.event()?.name == "message")
        server.run.send(SIGINT)
        #expect(waitUntil { server.refuses })
        server.run.send(SIGINT)
        // The process may end before the failure is written.
        while let event = try? client.event() { if event.name == "failure" { break } }
        #expect(server.run.wait(timeout: 30).status == 128 + SIGINT)
        #expect(waitUntil { provider.statistics().aborted == 1 })
    }

    // MARK: Addresses and access

    @Test func aPortInUse() throws {
        let server = try Server(["--mock"])
        let result = try MoonrillBinary.run(["serve", "--mock", "--port", "\(server.port)"])
        #expect(result.status == 69)
        #expect(result.output == "")
        #expect(result.errorOutput.contains("\(server.port)"), "\(result.errorOutput)")
    }

    @Test func anExposedAddressNeedsAToken() throws {
        let refused = try MoonrillBinary.run(["serve", "--mock", "--host", "0.0.0.0", "--port", "0"])
        #expect(refused.status == 1)
        #expect(refused.output == "")
        #expect(refused.errorOutput.contains("--token-env"), "\(refused.errorOutput)")
        let open = try Server(["--mock", "--host", "0.0.0.0", "--open"])
        #expect(try open.fetch("GET", "/healthz").status == 200)
        #expect(open.stop().errorOutput.contains("open"))
    }

    @Test func aTokenThatIsNotSet() throws {
        let result = try MoonrillBinary.run(["serve", "--mock", "--port", "0", "--token-env", "NO_SUCH_TOKEN"])
        #expect(result.status == 1)
        #expect(result.errorOutput.contains("NO_SUCH_TOKEN"))
    }

    @Test func theToken() throws {
        let token = "tok-marked-0123456789"
        let server = try Server(["--mock", "--token-env", "MOON_TOKEN"], environment: ["MOON_TOKEN": token])
        #expect(try server.fetch("GET", "/v1/models").status == 401)
        #expect(try server.fetch("GET", "/v1/models", headers: ["Authorization": "Bearer \(token)x"]).status == 401)
        #expect(try server.fetch("GET", "/v1/models", headers: ["Authorization": "Bearer \(token)"]).status == 200)
        #expect(try server.fetch("GET", "/v1/models?token=\(token)").status == 200)
        #expect(try server.fetch("GET", "/healthz").status == 200)
        #expect(try !server.fetch("GET", "/").body.contains(token))
        for file in ["environ", "cmdline"] {
            let bytes = try #require(FileManager.default.contents(atPath: "\(server.process)/\(file)"))
            #expect(!String(decoding: bytes, as: UTF8.self).contains(token))
        }
        #expect(!server.stop().errorOutput.contains(token))
    }

    @Test func aUnixSocket() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path + "/s"
        let server = try Server(["--mock", "--unix", path])
        #expect(server.url == "unix:\(path)")
        #expect(try WebClient(unix: path, "GET", "/healthz").text() == "ok\n")
        #expect(server.stop().status == 128 + SIGTERM)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    /// SIGHUP reads the certificate again; one that cannot be read changes nothing.
    @Test func theCertificateIsReadAgain() throws {
        try withCertificate(for: "DNS:localhost") { one in
            try withCertificate(for: "DNS:localhost") { two in
                let server = try Server(["--mock", "--tls-cert", one + "/cert.pem", "--tls-key", one + "/key.pem"])
                #expect(server.url.hasPrefix("https://"))
                let first = try fingerprint(server.port)
                #expect(first.contains("="))
                for name in ["cert.pem", "key.pem"] {
                    try Data(contentsOf: URL(fileURLWithPath: "\(two)/\(name)"))
                        .write(to: URL(fileURLWithPath: "\(one)/\(name)"))
                }
                #expect(try fingerprint(server.port) == first)
                server.run.send(SIGHUP)
                #expect(waitUntil { server.run.errorOutputSoFar.contains("the certificate was read again") })
                let second = try fingerprint(server.port)
                #expect(second != first && second.contains("="))
                try Data("nonsense".utf8).write(to: URL(fileURLWithPath: one + "/cert.pem"))
                server.run.send(SIGHUP)
                #expect(waitUntil { server.run.errorOutputSoFar.contains("the old certificate stays in use") })
                #expect(try fingerprint(server.port) == second)
                #expect(server.stop().status == 128 + SIGTERM)
            }
        }
    }

    private func fingerprint(_ port: Int) throws -> String {
        let line = "echo | openssl s_client -connect 127.0.0.1:\(port) 2>/dev/null | openssl x509 -noout -fingerprint"
        return try MoonrillBinary.run(shell: line).output
    }

    // MARK: Keys

    /// The provider repeats the key wherever it can; no client, log or other process sees it.
    @Test(arguments: ["401 Unauthorized", "400 Bad Request", "500 Internal Server Error", "200 OK"])
    func theKeyNeverAppears(status: String) throws {
        let provider = try KeySecrecyTests.echo(status: status, stream: true)
        defer { provider.stop() }
        let script = """
            local client = llm.client { base_url = "\(provider.url)/v1", model = "m", key_env = "MOON_KEY",
              retry = { max = 0 } }
            assert(llm.serve { models = { m = client }, routes = {
              ["GET /"] = llm.serve.page {}, ["GET /ask"] = function() return client:ask "x" end,
              ["GET /boom"] = function() error(select(2, client:ask "x")) end,
              ["GET /env"] = function() return tostring(os.getenv "MOON_KEY") .. io.popen("env"):read "a" end,
            } })
            """
        let server = try Server(
            ["--log-level", "trace"], script: script, environment: ["MOON_KEY": KeySecrecyTests.key])
        var seen = ""
        for target in ["/", "/ask", "/boom", "/env", "/stream?prompt=x", "/v1/models", "/metrics"] {
            let answer = try server.fetch("GET", target)
            seen += "\(answer)"
        }
        for target in ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/stream"] {
            for body in [Self.chat, #"{"model":"m","input":"x","max_tokens":9}"#] {
                let answer = try server.fetch("POST", target, body: body)
                seen += "\(answer)"
            }
        }
        #expect(provider.requests.contains { $0["Authorization"] == "Bearer \(KeySecrecyTests.key)" })
        for file in ["environ", "cmdline"] {
            seen += String(
                decoding: FileManager.default.contents(atPath: "\(server.process)/\(file)") ?? Data(), as: UTF8.self)
        }
        let result = server.stop()
        #expect(result.errorOutput.contains("GET /ask"))
        for text in [seen, result.output, result.errorOutput] { #expect(!text.contains("marked"), "\(text)") }
    }
}

/// Waits for a condition, 20 seconds at most.
private func waitUntil(_ condition: () -> Bool) -> Bool {
    let deadline = Date().addingTimeInterval(20)
    while !condition() {
        if Date() > deadline { return false }
        usleep(2_000)
    }
    return true
}
