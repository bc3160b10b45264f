// `moonrill run`: runs a script.

internal import ArgumentParser
internal import CProcess
internal import Glibc
internal import Moonrill
internal import ProviderSimulator

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a Lua script.",
        discussion: """
            Options of moonrill go before the script; arguments after it go to the script (arg[1], arg[2], ... and ...).

            A first line that begins with #! is skipped, so that a script can be an executable file:

              #!/usr/bin/env -S moonrill run

            Minimal script:

              local llm = require "llm"
              local client = llm.client { model = "deepseek-reasoner" }
              assert(client:ask("Hello", { on_token = io.write }))
            """)

    @OptionGroup var options: SharedOptions

    @OptionGroup var storeOptions: StoreOptions

    @Option(
        help: ArgumentHelp(
            "Record the run under this name. After a crash or an error the same command goes on where it ended.",
            valueName: "name"))
    var job: String?

    @Flag(help: "Begin the job anew.")
    var again = false

    @OptionGroup var recording: RecordingOptions

    @Flag(help: "Load no C modules: require finds Lua files alone.")
    var noNative = false

    @Argument(help: "The script's file; \"-\" reads it from standard input. With --replay: that of the recording.")
    var script: String?

    @Argument(parsing: .captureForPassthrough, help: "The script's arguments.")
    var arguments: [String] = []

    func validate() throws {
        if again, job == nil { throw ValidationError("--again is for a job: add --job NAME.") }
        if script == nil, recording.replay == nil {
            throw ValidationError("Missing expected argument '<script>'")
        }
        try recording.validate(job: job, storeOptions)
        if let job, job.isEmpty || job.utf8.count > 200 {
            throw ValidationError("--job takes a name of 1 to 200 bytes.")
        }
    }

    func run() throws {
        try ScriptRun(
            settings: options.settings, store: storeOptions.settings, recording: recording.settings, job: job,
            again: again,
            noNative: noNative, script: script, arguments: arguments
        ).run()
    }
}

/// One run of a script: the values of the options of ``Run``.
struct ScriptRun {
    var settings = HostSettings()
    var store = StoreSettings()
    var recording: RecordingSettings?
    var job: String?
    var again = false
    var noNative = false
    /// nil: that of the recording.
    var script: String?
    var arguments: [String] = []

    func run() throws {
        let keys = try settings.begin()
        let source = script == "-" ? try StandardInput.readAll(purpose: "the script", limit: settings.limit) : []
        let output = StandardOutput()
        let configuration = try ownConfiguration()
        var (host, server) = try settings.host(output, keys, configuration: configuration)
        host.allowsNativeModules = !noNative
        host.journal = recording != nil ? nil : try journal(logs: configuration.log ?? false)
        host.recording = recording
        host.recording?.timeLimit = settings.timeout
        if StandardError.isTerminal {
            host.retryNotice = { error, delay in
                let tenths = Int((min(delay, 1e6) * 10).rounded())
                StandardError.say("\(error); next attempt in \(tenths / 10).\(tenths % 10) s", level: "warning")
            }
        }
        let result: ScriptResult
        do throws(ScriptHostError) {
            if script == "-" {
                result = try host.run(source: source, name: "stdin", arguments: arguments)
            } else if let script {
                result = try host.run(file: script, arguments: arguments)
            } else {
                result = try host.replay()
            }
        } catch {
            // A job that is done is no failure of the command that asks for it.
            if error.isJobFinished {
                StandardError.say(error.message, level: "info")
                ProcessSetup.end(0)
            }
            let status =
                error.isMissingScript
                ? ExitStatus.noInput : error.isJobRunning ? ExitStatus.tryAgain : ExitStatus.failure
            throw CommandFailure(message: error.message, status: status)
        }
        server?.stop()
        finish(result, output, settings.limit)
    }

    private func journal(logs: Bool) throws(CommandFailure) -> JournalSettings? {
        var journal = try store.journal("run", logs: logs)
        guard let job else { return journal }
        guard journal != nil else {
            throw CommandFailure(
                message: "no store is known for the job: HOME is not set; name a file with --store",
                status: ExitStatus.usage)
        }
        journal?.job = JournalSettings.Job(name: job, again: again)
        journal?.notice = { StandardError.say($0, level: "info") }
        return journal
    }
}

extension ScriptRun {
    /// `run SCRIPT [ARGUMENT...]`; nil for other words.
    ///
    /// Does not use the argument parser: its first use of each type of option searches all conformances of the binary, which
    /// takes a third of the start of a process.
    init?(withoutOptions words: ArraySlice<String>) {
        guard words.first == "run", let script = words.dropFirst().first, !script.hasPrefix("-") else { return nil }
        self.script = script
        arguments = Array(words.dropFirst(2))
    }
}

/// Reports how a run ended and ends the process with the exit status. Lost output is a failure.
func finish(_ result: ScriptResult, _ output: StandardOutput, _ limit: TimeLimit?) -> Never {
    if let loss = output.loss { StandardError.say(loss) }
    switch result.ending {
    case .finished where result.recordingFailure != nil, .exited(0) where result.recordingFailure != nil:
        // The user has asked for a recording.
        StandardError.say(result.recordingFailure ?? "")
        ProcessSetup.end(ExitStatus.failure)
    case .outputClosed where output.loss == nil: ProcessSetup.end(ExitStatus.outputClosed)
    case .finished, .outputClosed, .exited(0): ProcessSetup.end(output.loss == nil ? 0 : ExitStatus.failure)
    case .exited(let code): ProcessSetup.end(Int32(truncatingIfNeeded: code))
    case .failed where result.unwatchedCount > 0:
        let count = result.unwatchedCount
        StandardError.say(
            (count == 1 ? "a task or request" : "\(count) tasks or requests")
                + " failed while nobody waited for it; the log says how")
        ProcessSetup.end(ExitStatus.failure)
    case .failed(let message, let traceback):
        StandardError.say(message, detail: traceback)
        ProcessSetup.end(ExitStatus.failure)
    case .timedOut(let seconds):
        let failure = (limit ?? TimeLimit(seconds: seconds)).failure
        // Otherwise the watchdog prints it.
        if mp_claim_message() { StandardError.say(failure.message) }
        ProcessSetup.end(failure.status)
    case .interrupted(let signal): ProcessSetup.end(128 + Int32(signal))
    }
}
