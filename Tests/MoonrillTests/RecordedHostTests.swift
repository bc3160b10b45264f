// Recordings as an embedding program uses them.

import Foundation
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct RecordedHostTests {
    private struct Refusal: Error, CustomStringConvertible { var description: String { "refused by Swift" } }

    private let script = """
        local llm, host = require "llm", require "host"
        local client = llm.client { provider = "own" }
        print(host.count(), host.count(), host.bytes("x"), pcall(host.refuse))
        print(client.model, client:ask("Hello").text)
        """

    /// Records the script with a provider of its own. Returns the result and how often `count` was called.
    private func record(_ workshop: RecordingWorkshop, _ provider: SimulatorServer) throws -> (ScriptResult, Int) {
        let calls = Locked(0)
        var host = host(calls)
        host.providers = [
            Provider(
                name: "own", title: "Own", endpoint: Provider.Endpoint(dialect: "anthropic", baseURL: provider.baseURL),
                keyVariable: "OWN_KEY", model: "moonrill-chat")
        ]
        host.credentials = { $0 == "OWN_KEY" ? "sk-own-0123456789" : nil }
        host.recording = RecordingSettings(.record, path: workshop.recording)
        return (try host.run(source: script, name: "own.lua"), calls.withLock { $0 })
    }

    private func host(_ calls: Locked<Int>) -> ScriptHost {
        var host = ScriptHost()
        host.credentials = { _ in nil }
        host.register("count") { _ in
            calls.withLock { $0 += 1 }
            return [.int(Int64(calls.withLock { $0 }))]
        }
        host.register("bytes") { _ in [.string("ü"), .null, .double(2)] }
        host.register("refuse") { _ in throw Refusal() }
        return host
    }

    @Test func functionsProvidersAndSettingsAreInTheRecording() throws {
        var options = SimulatorOptions()
        options.rate = 0
        let provider = try SimulatorServer.start(options)
        let workshop = try RecordingWorkshop()
        let (recorded, count) = try record(workshop, provider)
        provider.stop()
        #expect(recorded.isSuccess && recorded.recordingFailure == nil, "\(recorded.ending) \(recorded.errorOutput)")
        #expect(recorded.output.hasPrefix("1\t2\tü\t"), "\(recorded.output)")
        #expect(recorded.output.contains("refuse: refused by Swift") && recorded.output.contains("\nmoonrill-chat\t"))
        #expect(count == 2)
        #expect(!workshop.recordingText.contains("sk-own"))

        let calls = Locked(0)
        let notices = Locked<[String]>([])
        var replaying = host(calls)
        replaying.recording = RecordingSettings(.replay, path: workshop.recording)
        replaying.recording?.notice = { line in notices.withLock { $0.append(line) } }
        let again = try replaying.replay()
        #expect(again.output == recorded.output && again.ending == recorded.ending)
        #expect(calls.withLock { $0 } == 0 && notices.withLock { $0 } == [])
    }

    @Test func aDifferenceIsNamed() throws {
        let workshop = try RecordingWorkshop()
        var host = ScriptHost()
        host.recording = RecordingSettings(.record, path: workshop.recording)
        #expect(try host.run(source: "print(1)").isSuccess)
        let notices = Locked<[String]>([])
        host.recording = RecordingSettings(.replay, path: workshop.recording)
        host.recording?.notice = { line in notices.withLock { $0.append(line) } }
        #expect(try host.run(source: "print(2)").output == "2\n")
        #expect(notices.withLock { $0 } == ["the output differs from that of the recorded run"])
    }

    @Test func whatCannotBeIsRefused() throws {
        let workshop = try RecordingWorkshop()
        var host = ScriptHost()
        #expect(throws: ScriptHostError.self) { try host.replay() }
        host.recording = RecordingSettings(.record, path: workshop.recording)
        #expect(throws: ScriptHostError.self) { try host.replay() }
        host.journal = JournalSettings(path: workshop.path("store.db"))
        host.journal?.job = JournalSettings.Job(name: "night")
        let job = #expect(throws: ScriptHostError.self) { try host.run(source: "print(1)") }
        #expect(job?.message.contains("a job cannot be recorded or replayed") == true)
        host.journal = nil
        host.recording = RecordingSettings(.replay, path: workshop.path("missing.rec"))
        let missing = #expect(throws: ScriptHostError.self) { try host.replay() }
        #expect(missing?.message.contains("missing.rec cannot be read: No such file or directory") == true)
    }

    @Test func aReplayLoadsNoMoreCModulesThanItsHostAllows() throws {
        let workshop = try RecordingWorkshop()
        var host = ScriptHost()
        host.allowsNativeModules = true
        host.recording = RecordingSettings(.record, path: workshop.recording)
        let script = "print((select(2, pcall(require, 'no_such_module')):find('C modules are turned off')))"
        #expect(try host.run(source: script).output == "nil\n")
        host.allowsNativeModules = false
        host.recording = RecordingSettings(.replay, path: workshop.recording)
        #expect(try host.replay().output != "nil\n")
    }
}
