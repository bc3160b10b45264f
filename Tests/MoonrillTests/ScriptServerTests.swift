// ScriptServer: a script behind HTTP, asked in this process and over a socket.

import Foundation
import JSON
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct ScriptServerTests {
    private static let script = """
        local llm = require "llm"
        local client = llm.client { model = "moonrill-chat" }
        assert(llm.serve {
          models = { poet = client },
          routes = {
            ["GET /hello/:name"] = function(request) return "hello " .. request.params.name end,
            ["POST /double"] = function(request) return { status = 201, json = { n = request.json.n * 2 } } end,
            ["GET /wait"] = function() llm.sleep(1000) end,
            ["GET /fails"] = function() error("a secret") end,
          },
        })
        print("served")
        """

    private static func start(_ simulator: SimulatorServer) async throws -> ScriptServer {
        let base = simulator.baseURL
        return try await ScriptServer.start(source: script, listens: false) { $0.offlineBaseURL = base }
    }

    @Test func answersWithoutAPort() async throws {
        let simulator = try await SimulatorServer.start()
        defer { simulator.stop() }
        let server = try await Self.start(simulator)
        #expect(server.url == "local:")
        let hello = try await server.respond(to: ScriptServer.Request(target: "/hello/moon"))
        #expect(hello.status == 200)
        #expect(try await hello.text() == "hello moon")
        let double = try await server.respond(
            to: ScriptServer.Request(method: "POST", target: "/double", body: Array(#"{"n": 21}"#.utf8)))
        #expect(double.status == 201)
        #expect(double.headers["content-type"] == "application/json")
        #expect(try await double.text() == #"{"n":42}"#)
        let failure = try await server.respond(to: ScriptServer.Request(target: "/fails"))
        #expect(failure.status == 500)
        #expect(try await !failure.text().contains("a secret"))
        let result = try await server.stop()
        #expect(result.ending == .finished)
        #expect(result.output == "served\n")
    }

    @Test func streamsAModel() async throws {
        let simulator = try await SimulatorServer.start()
        defer { simulator.stop() }
        let server = try await Self.start(simulator)
        let response = try await server.respond(to: ScriptServer.Request(target: "/stream?prompt=hi"))
        #expect(response.headers["content-type"] == "text/event-stream; charset=utf-8")
        var pieces = 0
        var text = ""
        for try await piece in response.body {
            pieces += 1
            text += String(decoding: piece, as: UTF8.self)
        }
        #expect(pieces > 2)
        #expect(text.contains("event: start\n"))
        #expect(text.contains("event: finish\n"))
        try await server.stop()
    }

    /// A response that nobody reads any more cancels the handler.
    @Test func aCancelledReaderEndsTheHandler() async throws {
        let simulator = try await SimulatorServer.start()
        defer { simulator.stop() }
        let server = try await Self.start(simulator)
        let waiting = Task { try await server.respond(to: ScriptServer.Request(target: "/wait")) }
        while true {
            let metrics = try await server.respond(to: ScriptServer.Request(target: "/metrics")).text()
            if metrics.contains("moonrill_http_exchanges 1\n") { break }
        }
        waiting.cancel()
        await #expect(throws: ScriptHostError.self) { try await waiting.value }
        // It would take the ten seconds of the drain if the handler went on.
        #expect(try await server.stop().ending == .finished)
    }

    @Test func listensOnASocket() async throws {
        let simulator = try await SimulatorServer.start()
        defer { simulator.stop() }
        let base = simulator.baseURL
        let server = try await ScriptServer.start(source: Self.script) {
            $0.offlineBaseURL = base
            $0.server.port = 0
        }
        #expect(server.url.hasPrefix("http://127.0.0.1:"))
        let local = try await server.respond(to: ScriptServer.Request(target: "/v1/models"))
        #expect(try await local.text().contains("poet"))
        try await server.stop()
    }

    @Test func aScriptThatDoesNotServeIsAnError() async throws {
        await #expect {
            try await ScriptServer.start(source: "print(1)")
        } throws: {
            ($0 as? ScriptHostError)?.message == "the script ended without llm.serve"
        }
        await #expect {
            try await ScriptServer.start(source: "error('no', 0)")
        } throws: {
            ($0 as? ScriptHostError)?.message.contains("no") == true
        }
    }
}
