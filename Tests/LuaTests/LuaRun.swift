// Runs a Lua test case in this process against the provider simulator.

import Foundation
import Moonrill
import ProviderSimulator
import ScriptSupport
import Support

extension LuaCase {
    /// Tests/Lua.
    static let folder = MoonrillBinary.packageRoot + "/Tests/Lua"

    /// Modules that test scripts require. Files in it are no tests.
    static let modules = "lib"

    /// Runs the script to its end.
    func run() throws -> LuaOutcome {
        let log = LogLines()
        let simulated = try SimulatedHost(
            faults: settings.faults, rate: settings.rate, limit: settings.limit,
            announcesLimit: settings.announcesLimit, host: ScriptHost(logger: log.logger))
        defer { simulated.stop() }
        configure(&simulated.host)
        let module = LuaHostModule(simulated.server, simulated.received, log)
        defer { module.stop() }
        module.register(in: &simulated.host)
        let isComparedWithStockLua = expectations.contains { if case .stockLua = $0.kind { true } else { false } }
        let file = Self.folder + "/" + path
        let result =
            isComparedWithStockLua
            ? try simulated.host.run(file: file, arguments: settings.arguments)
            : try simulated.host.run(source: source, name: chunkName, arguments: settings.arguments)
        simulated.waitForAborts(expectations.reduce(0) { if case .aborted(let count) = $1.kind { count } else { $0 } })
        return LuaOutcome(
            ending: result.ending, output: Self.lines(result.output), errorOutput: result.errorOutput, log: log.all,
            requests: simulated.received.all.count, aborted: simulated.server.statistics().aborted,
            unwatched: result.unwatchedCount, stockOutput: isComparedWithStockLua ? try stockOutput(file) : [])
    }

    private func configure(_ host: inout ScriptHost) {
        host.timeLimit = settings.timeLimit
        host.memoryLimit = settings.memoryLimit
        host.allowsNativeModules = settings.allowsNativeModules
        host.dialect = settings.dialect
        if !settings.hasProvider { host.offlineBaseURL = nil }
        let keys = settings.keys
        let path = Self.folder + "/" + Self.modules + "/?.lua;;"
        let variables = settings.environment.merging(keys) { $1 }.merging(["LUA_PATH": path]) { $1 }
        let hasOthers = settings.environment.isEmpty && keys.isEmpty
        host.environment = { variables[$0] ?? (hasOthers ? ProcessInfo.processInfo.environment[$0] : nil) }
        if !hasOthers { host.credentials = { keys[$0] } }
    }

    static func lines(_ output: String) -> [String] {
        var lines = output.replacing("\t", with: " ").split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last == "" { lines.removeLast() }
        return lines.map(String.init)
    }

    /// What lua5.4 prints for the file.
    private func stockOutput(_ file: String) throws -> [String] {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["lua5.4", file]
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw LuaFileError(line: line, message: "lua5.4 failed: " + String(decoding: data, as: UTF8.self))
        }
        return Self.lines(String(decoding: data, as: UTF8.self))
    }
}
