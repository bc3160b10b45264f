// Records a run of the real binary and replays it: output and status must be the same, byte by byte.

import Foundation

/// A folder with a script and its recording.
public final class RecordingWorkshop {
    /// The folder, removed with the value.
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")

    /// A folder with that script.
    public init(script: String = "") throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try write(script, to: "script.lua")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// The path of a file in the folder.
    public func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// Writes a file.
    public func write(_ text: String, to name: String) throws {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    }

    /// The path of the recording.
    public var recording: String { path("run.rec") }

    /// The recording as text; empty if there is none.
    public var recordingText: String { (try? String(contentsOfFile: recording, encoding: .utf8)) ?? "" }

    /// Records the script, or the file at `script`.
    public func record(
        _ options: [String] = ["--mock", "--rate", "0"], script: String? = nil, arguments: [String] = [],
        stdin: String? = nil, environment: [String: String] = [:]
    ) throws -> MoonrillBinary.Result {
        try MoonrillBinary.run(
            ["run"] + options + ["--record", recording, script ?? path("script.lua")] + arguments,
            stdin: stdin.map { Array($0.utf8) }, environment: environment)
    }

    /// Replays the recorded script, or that file.
    public func replay(
        _ options: [String] = [], script: String? = nil, within launcher: [String] = [],
        environment: [String: String] = [:]
    ) throws -> MoonrillBinary.Result {
        try MoonrillBinary.start(
            ["run"] + options + ["--replay", recording] + (script.map { [$0] } ?? []), within: launcher,
            environment: environment
        ).wait()
    }

    /// How often each recording is replayed.
    public static var replays: Int { Int(ProcessInfo.processInfo.environment["MOONRILL_REPLAYS"] ?? "") ?? 2 }

    /// A launcher without network; none where the system does not allow it.
    public static let withoutNetwork: [String] = {
        let unshare = ["/usr/bin/unshare", "-rn"]
        let process = Process()
        process.executableURL = URL(fileURLWithPath: unshare[0])
        process.arguments = ["-rn", "true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return [] }
        process.waitUntilExit()
        return process.terminationStatus == 0 ? unshare : []
    }()

    /// The replays that differ from the recorded run, as text.
    public func differences(from recorded: MoonrillBinary.Result) throws -> [String] {
        var differences: [String] = []
        for number in 1...Self.replays {
            let replay = try replay(within: number % 2 == 0 ? Self.withoutNetwork : [])
            if replay.output != recorded.output || replay.status != recorded.status {
                differences.append(
                    "replay \(number): status \(replay.status), recorded \(recorded.status)\n\(replay.errorOutput)\n"
                        + "--- recorded:\n\(recorded.output.suffix(2000))\n--- replayed:\n\(replay.output.suffix(2000))"
                )
            }
        }
        return differences
    }
}
