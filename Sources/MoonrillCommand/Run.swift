// `moonrill run`: a script, to its end.

internal import ArgumentParser
internal import Glibc
internal import Moonrill
internal import MoonrillMock

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a Lua script.",
        discussion: """
            Options stand before the script; everything after it belongs to the script (arg[1], arg[2], ... and ...).
            A first line that begins with #! is skipped, so a script can start itself:

              #!/usr/bin/env -S moonrill run

            The least script:

              local llm = require "llm"
              local client = llm.client { model = "deepseek-reasoner" }
              assert(client:ask("Hello", { on_token = io.write }))
            """)

    @OptionGroup var options: SharedOptions

    @Flag(help: "Load no C modules: require finds Lua files alone.")
    var noNative = false

    @Argument(help: "The script's file; \"-\" reads it from standard input.")
    var script: String

    @Argument(parsing: .captureForPassthrough, help: "The script's arguments.")
    var arguments: [String] = []

    func run() throws {
        let output = StandardOutput()
        var (host, server) = try options.host(output)
        host.allowsNativeModules = !noNative
        let result: ScriptResult
        do throws(ScriptHostError) {
            if script == "-" {
                let source = String(decoding: Descriptor.readAll(STDIN_FILENO), as: UTF8.self)
                result = try host.run(source: source, name: "stdin", arguments: arguments)
            } else {
                result = try host.run(file: script, arguments: arguments)
            }
        } catch {
            throw CommandFailure(
                message: error.message, status: error.isMissingScript ? ExitStatus.noInput : ExitStatus.failure)
        }
        server?.stop()
        finish(result, output)
    }
}

/// Says how a run ended, and ends the process with the status for it. Lost output is a failure.
func finish(_ result: ScriptResult, _ output: StandardOutput) -> Never {
    if let loss = output.loss { StandardError.write("moonrill: \(loss)\n") }
    switch result.ending {
    case .finished, .outputClosed, .exited(0): ProcessSetup.end(output.loss == nil ? 0 : ExitStatus.failure)
    case .exited(let code): ProcessSetup.end(Int32(truncatingIfNeeded: code))
    case .failed(let message, let traceback):
        StandardError.write("moonrill: \(message)\n" + (traceback.isEmpty ? "" : "\(traceback)\n"))
        ProcessSetup.end(ExitStatus.failure)
    case .timedOut(let seconds):
        StandardError.write("moonrill: out of time: the script did not end within \(seconds) s\n")
        ProcessSetup.end(ExitStatus.outOfTime)
    case .interrupted(let signal): ProcessSetup.end(128 + Int32(signal))
    }
}
