// Runs a script in this process against the offline provider, and shows what came of both. For tests of Script.

import Foundation
import JSON
import Moonrill
import ProviderSimulator
import Support
import Testing

/// A script and the output that it must have.
struct ScriptCase: Sendable, CustomTestStringConvertible {
    var name: String
    var faults = ""
    var rate = 0.0
    var lua: String
    /// The lines that it prints.
    var prints: [String]
    var testDescription: String { name }

    init(_ name: String, faults: String = "", rate: Double = 0, prints: [String], _ lua: String) {
        self.name = name
        self.faults = faults
        self.rate = rate
        self.lua = lua
        self.prints = prints
    }
}

/// What came of a run.
struct ScriptHarness {
    var result: ScriptResult
    var requests: [ObservedRequest]
    var statistics: SimulatorStatistics

    /// The lines printed, with a space where print puts a tab.
    var lines: [String] {
        result.output.replacing("\t", with: " ").split(separator: "\n").map(String.init)
    }

    /// The message of a script that failed; "" for one that did not.
    var failure: String {
        if case .failed(let message, _) = result.ending { message } else { "" }
    }

    /// The bodies of the requests, in order.
    var bodies: [JSONValue] {
        requests.map { request in (try? JSONReader.value(request.body)) ?? .null }
    }

    /// The first line of every script of these tests, so that the script proper begins in line 2. The client's replies
    /// are "tok1 tok2 tok3 ", unless a request says otherwise.
    static let prelude =
        "local llm = require 'llm' local client = llm.client { headers = { ['X-Moonrill-Deltas'] = '3' } } "
        + "local function count(n) return { ['X-Moonrill-Deltas'] = tostring(n) } end "
        + "local function fault(f, n) return { ['X-Moonrill-Fault'] = f, ['X-Moonrill-Deltas'] = tostring(n or 3) } end\n"

    /// Runs `lua` with the offline provider as the default.
    static func run(
        _ lua: String, faults: String = "", rate: Double = 0, limit: Double? = nil, tellsLimit: Bool = true,
        prelude: String = ScriptHarness.prelude,
        directory: URL? = nil, settleAborts: Int = 0, _ configure: (inout ScriptHost) -> Void = { _ in }
    ) throws -> ScriptHarness {
        let seen = RequestLog()
        var options = SimulatorOptions()
        options.rate = rate
        options.limit = limit
        options.tellsLimit = tellsLimit
        options.faults = try FaultPlan.parse(faults)
        options.onRequest = { seen.add($0) }
        let server = try SimulatorServer.start(options)
        defer { server.stop() }
        var host = ScriptHost()
        host.offlineBaseURL = server.baseURL
        host.timeLimit = 30
        // What the server has seen so far, for scripts that wait for it.
        host.register("requests") { _ in [.int(Int64(seen.all.count))] }
        host.register("aborted") { _ in [.int(Int64(server.statistics().aborted))] }
        configure(&host)
        let result: ScriptResult
        if let directory {
            let file = directory.appendingPathComponent("main.lua")
            try Data((prelude + lua).utf8).write(to: file)
            result = try host.run(file: file.path)
        } else {
            result = try host.run(source: prelude + lua, name: "test.lua")
        }
        // The server learns of a closed connection from its own loop: give it the time that it asks for, bounded.
        let deadline = Date().addingTimeInterval(5)
        while server.statistics().aborted < settleAborts, Date() < deadline { usleep(2_000) }
        return ScriptHarness(result: result, requests: seen.all, statistics: server.statistics())
    }
}

extension ScriptHarness {
    /// Runs a case and compares.
    static func check(_ test: ScriptCase) throws {
        let run = try run(test.lua, faults: test.faults, rate: test.rate)
        #expect(run.result.ending == .finished)
        #expect(run.lines == test.prints)
        #expect(run.result.errorOutput == "")
    }
}

/// The requests that the offline provider saw.
final class RequestLog: Sendable {
    private let requests = Locked([ObservedRequest]())
    func add(_ request: ObservedRequest) { requests.withLock { $0.append(request) } }
    var all: [ObservedRequest] { requests.withLock { $0 } }
}

/// A folder for one test, gone with the last reference to it.
final class TemporaryFolder: Sendable {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")

    init(_ files: [String: String] = [:]) throws {
        for (path, text) in files {
            let file = url.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}
