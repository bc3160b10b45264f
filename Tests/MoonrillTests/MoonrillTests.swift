// The library as an embedding program uses it: scripts with captured output, Swift functions, and streams as
// AsyncSequences.

import Base
import Chat
import Engine
import Foundation
import Journal
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct ScriptHostTests {
    @Test func capturesOutputAndPassesArguments() throws {
        let result = try ScriptHost().run(source: "print(...) io.stderr:write('err') return 1", arguments: ["a", "b"])
        #expect(result.output == "a\tb\n" && result.errorOutput == "err" && result.isSuccess)
    }

    @Test func streamsOutput() throws {
        let written = Locked("")
        var host = ScriptHost()
        host.output = .streamed(
            standard: { bytes in
                written.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
                return true
            }, error: { _ in true })
        let result = try host.run(source: "print('streamed')")
        #expect(written.withLock { $0 } == "streamed\n" && result.output == "")
    }

    /// C modules are off unless the program turns them on; LUA_CPATH is that of its `environment`.
    @Test func nativeModulesAreOptIn() throws {
        let lua = "print(select(2, pcall(require, 'lpeg'))) print(package.cpath) print((package.loadlib('/x', 'y')))"
        var host = ScriptHost()
        let refused = try host.run(source: lua).output
        #expect(refused.contains("C modules are turned off\n\nnil\n"), "\(refused)")
        host.allowsNativeModules = true
        host.environment = { $0 == "LUA_CPATH" ? "/own/?.so;;" : nil }
        let allowed = try host.run(source: lua).output
        #expect(allowed.hasPrefix("table: ") && allowed.contains("\n/own/?.so;/usr/"), "\(allowed)")
    }

    @Test func callsSwift() throws {
        struct Refusal: Error, CustomStringConvertible { var description: String { "refused by Swift" } }
        var host = ScriptHost()
        host.register("add") { arguments in
            [.int((arguments[0].int ?? 0) + (arguments[1].int ?? 0)), ["list": [1, 2]]]
        }
        host.register("refuse") { _ in throw Refusal() }
        let result = try host.run(
            source: "local h = require 'host' local n, t = h.add(40, 2) print(n, #t.list) print(pcall(h.refuse))",
            name: "a.lua")
        #expect(result.output == "42\t2\nfalse\ta.lua:1: refuse: refused by Swift\n")
    }

    @Test func saysHowItEnded() throws {
        var host = ScriptHost()
        guard case .failed(let message, let traceback) = try host.run(source: "x = = 1", name: "bad.lua").ending else {
            Issue.record("it did not fail")
            return
        }
        #expect(message == "bad.lua:1: unexpected symbol near '='\n1 | x = = 1\n        ^" && traceback == "")
        #expect(try host.run(source: "os.exit(3)").ending == .exited(3))
        host.timeLimit = 0.05
        #expect(try host.run(source: "while true do end").ending == .timedOut(seconds: 0.05))
        host.memoryLimit = 4 << 20
        host.timeLimit = nil
        guard case .failed(let memory, _) = try host.run(source: "local t = {} for i = 1, 1e9 do t[i] = {} end").ending
        else {
            Issue.record("it did not fail")
            return
        }
        #expect(memory.contains("not enough memory"))
        #expect(throws: ScriptHostError.self) { try host.run(file: "/nonexistent.lua") }
    }

    /// The Nth allocation of a script that streams, spawns and errors fails: a clean end, and the next script runs.
    @Test func everyFailedAllocationEndsCleanly() throws {
        let server = try Self.server()
        defer { server.stop() }
        var host = ScriptHost()
        host.offlineBaseURL = server.baseURL
        host.model = "moonrill-chat"
        host.timeLimit = 30
        let script = """
            local llm = require 'llm'
            local client = llm.client {}
            local t = llm.spawn(function() return client:ask('x', { on_token = function(s) return s .. s end }) end)
            local n = 0
            for e in client:stream('y', { headers = { ['X-Moonrill-Deltas'] = '5' } }) do n = n + (e.type == 'token' and 1 or 0) end
            pcall(error, { 'z' })
            assert(t:wait())
            print(n)
            """
        var failed = 0
        for nth in Array(1...120) + Array(stride(from: 121, to: 900, by: 7)) {
            host.failingAllocation = nth
            let result = try host.run(source: script)
            switch result.ending {
            case .finished: #expect(result.output == "5\n")
            case .failed(let message, _):
                failed += 1
                #expect(message.contains("not enough memory"), "allocation \(nth): \(message)")
            default: Issue.record("allocation \(nth): \(result.ending)")
            }
        }
        #expect(failed > 40)
        host.failingAllocation = 0
        #expect(try host.run(source: script).output == "5\n")
    }

    static func server(_ faults: String = "", rate: Double = 0) throws -> SimulatorServer {
        var options = SimulatorOptions()
        options.rate = rate
        options.faults = try FaultPlan.parse(faults.isEmpty ? "" : faults)
        return try SimulatorServer.start(options)
    }
}

@Suite struct ChatClientTests {
    private func text(_ stream: ChatStream) async throws -> (text: String, reasoning: String, reply: Reply?) {
        var text = ""
        var reasoning = ""
        var reply: Reply?
        for try await event in stream {
            switch event {
            case .text(let batch) where batch.kind == .reasoning: reasoning += batch.text
            case .text(let batch): text += batch.text
            case .finish(let whole): reply = whole
            default: break
            }
        }
        return (text, reasoning, reply)
    }

    @Test func streamsInOrder() async throws {
        let server = try ScriptHostTests.server()
        defer { server.stop() }
        let client = try ChatClient(model: "moonrill-reasoner", baseURL: server.baseURL)
        let got = try await text(client.stream("Tell me about rivers."))
        #expect(!got.text.isEmpty && got.text == got.reply?.text)
        #expect(!got.reasoning.isEmpty && got.reasoning == got.reply?.reasoning)
        #expect(try await client.ask("Tell me about rivers.").text == got.text)
    }

    @Test func throwsWhatWentWrong() async throws {
        let server = try ScriptHostTests.server("401")
        defer { server.stop() }
        let client = try ChatClient(model: "m", baseURL: server.baseURL)
        let failure = await #expect(throws: RequestFailure.self) { try await client.ask("x") }
        #expect(failure?.status == 401 && failure?.kind == .auth)
        #expect(throws: ChatClientError.self) { try ChatClient(provider: "deepsek") }
    }

    @Test func manyAtOnce() async throws {
        let server = try ScriptHostTests.server("429:3@0")
        defer { server.stop() }
        let client = try ChatClient(model: "moonrill-chat", baseURL: server.baseURL)
        let texts = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await client.ask("the same").text } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(texts.count == 1)
    }

    /// A store in a folder that goes with the value.
    private final class StoreFolder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)").path
        var settings: JournalSettings { JournalSettings(path: path + "/store.db") }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func recordedRepliesAnswer() async throws {
        let server = try ScriptHostTests.server()
        defer { server.stop() }
        let folder = StoreFolder()
        var journal = folder.settings
        journal.caching = .on
        var texts: [String] = []
        for round in 1...2 {
            let client = try ChatClient(model: "moonrill-reasoner", baseURL: server.baseURL, journal: journal)
            // Several at once: each waits for its own look-up.
            let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
                for number in 0..<20 { group.addTask { try await client.ask("question \(number)") } }
                return try await group.reduce(into: [Reply]()) { $0.append($1) }
            }
            #expect(replies.allSatisfy { $0.isCached == (round == 2) && !$0.text.isEmpty })
            texts.append(replies.map(\.text).sorted().joined())
            if round == 1 { try await waitForRecords(20, in: journal.path) }
        }
        #expect(texts[0] == texts[1])
        #expect(server.statistics().requests == 20)
    }

    /// Without a job nothing waits for the store: a request is recorded shortly after its end.
    private func waitForRecords(_ count: Int, in path: String) async throws {
        var recorded = 0
        let deadline = ContinuousClock.now + .seconds(60)
        while recorded < count {
            await Task.yield()
            try #require(ContinuousClock.now < deadline, "\(recorded) of \(count) requests are recorded after a minute")
            guard let log = try RequestLog.open(path) else { continue }
            defer { log.close() }
            recorded = try log.requests(RequestFilter(), limit: count).count { $0.endedAt != nil }
        }
    }

    @Test func aJobGoesOnWithTheNextClient() async throws {
        let server = try ScriptHostTests.server()
        defer { server.stop() }
        let folder = StoreFolder()
        var journal = folder.settings
        journal.job = JournalSettings.Job(name: "night")
        var texts: [String] = []
        for _ in 1...2 {
            // The job is locked until the thread of the first client has ended.
            var client: ChatClient?
            while client == nil {
                do throws(ChatClientError) {
                    client = try ChatClient(model: "moonrill-chat", baseURL: server.baseURL, journal: journal)
                } catch {
                    guard error.message.contains("is being run by process") else { throw error }
                    await Task.yield()
                }
            }
            let got = try await text(#require(client).stream("a"))
            texts.append(got.text)
        }
        #expect(texts[0] == texts[1] && !texts[0].isEmpty)
        #expect(server.statistics().requests == 1)
    }

    @Test func aStoreThatCannotBeMadeIsNamed() throws {
        var journal = JournalSettings(path: "/dev/null/store.db")
        journal.job = JournalSettings.Job(name: "night")
        let error = #expect(throws: ChatClientError.self) {
            try ChatClient(model: "m", baseURL: "http://127.0.0.1:1", journal: journal)
        }
        #expect(error?.message.contains("/dev/null/store.db") == true)
    }

    @Test func cancellingClosesTheConnection() async throws {
        let server = try ScriptHostTests.server(rate: 100)
        defer { server.stop() }
        let client = try ChatClient(
            model: "moonrill-chat", baseURL: server.baseURL, headers: ["X-Moonrill-Deltas": "inf"])
        for try await event in client.stream("x") {
            if case .text = event { break }
        }
        let deadline = SystemClock.now() + 20
        while server.statistics().aborted < 1, SystemClock.now() < deadline { await Task.yield() }
        #expect(server.statistics().aborted == 1)
    }
}

/// The program in examples/swift, as a reader of it would run it.
@Suite struct EmbedExampleTests {
    @Test func runs() throws {
        let server = try ScriptHostTests.server()
        defer { server.stop() }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: MoonrillBinary.path).deletingLastPathComponent()
            .appendingPathComponent("EmbedExample")
        process.arguments = [server.baseURL]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text == "script: STOP\ttrue\nstream: true stop\n")
        #expect(process.terminationStatus == 0)
    }
}
