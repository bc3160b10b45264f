// Options of `run` for recordings of runs.

internal import ArgumentParser
internal import Moonrill

struct RecordingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Record the run in one file: script, requests, events, clocks, random numbers, input.", valueName: "file"))
    var record: String?

    @Option(
        help: ArgumentHelp(
            "Run against that recording, without network and waiting. Without a script: the recorded one.",
            valueName: "file"))
    var replay: String?

    @Flag(help: "Send requests that are not in the recording. Without it the first one ends the run.")
    var replayNew = false

    @Option(help: ArgumentHelp("Replay at the recorded pace (1), or n times as fast.", valueName: "n"))
    var speed: Double?

    /// Whether a recording is made or played.
    var isUsed: Bool { record != nil || replay != nil }

    func validate() throws {
        if record != nil, replay != nil { throw ValidationError("Give one of --record and --replay.") }
        if replayNew, replay == nil { throw ValidationError("--replay-new is for a replay: add --replay FILE.") }
        if speed != nil, replay == nil { throw ValidationError("--speed is for a replay: add --replay FILE.") }
        if let speed, !(speed > 0 && speed <= 1e6) { throw ValidationError("--speed takes a number above 0.") }
    }

    /// Refuses what has a record of its own.
    func validate(job: String?, _ store: StoreOptions) throws {
        guard isUsed else { return }
        let option = record != nil ? "--record" : "--replay"
        if job != nil {
            throw ValidationError("\(option) and --job cannot be combined: a job has its own record in the store.")
        }
        if store.cache || store.refresh || store.logRequests || store.store != nil {
            throw ValidationError(
                "\(option) cannot be combined with --store, --cache, --refresh and --log-requests: the store is not used."
            )
        }
    }

    var settings: RecordingSettings? {
        guard let path = record ?? replay else { return nil }
        var settings = RecordingSettings(record != nil ? .record : .replay, path: path)
        settings.asksNew = replayNew
        settings.speed = speed
        settings.notice = { StandardError.say($0, level: "warning") }
        return settings
    }
}
