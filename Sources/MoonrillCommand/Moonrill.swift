// The command `moonrill`: its subcommands, error messages and exit statuses.

internal import ArgumentParser
internal import Base
internal import CProcess
internal import Glibc

@main
struct MoonrillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "moonrill",
        abstract: "Runs Lua scripts that stream language models.",
        discussion: """
            Try it without a key and without network:

              moonrill ask --mock "Write a poem about the moon"

            Ask a provider, with the key in its environment variable:

              export DEEPSEEK_API_KEY=...
              moonrill ask "Write a poem about the moon"

            Run a Lua script:

              moonrill run script.lua [arguments...]

            Exit status: 0 success; 1 the script failed or its output was lost; 64 wrong usage; 66 the script cannot \
            be read; 69 the port of the mock is taken; 75 another process runs the job; 124 the time limit was reached; 130 and 143 stopped by SIGINT \
            and SIGTERM; 141 standard output was closed.
            """,
        version: Product.version,
        subcommands: [Run.self, Ask.self, Serve.self, Probe.self, Mock.self, Providers.self, Logs.self, Jobs.self])

    static func main() {
        ProcessSetup.prepare()
        do {
            let words = CommandLine.arguments.dropFirst()
            if let run = ScriptRun(withoutOptions: words) {
                try run.run()
            } else {
                try checkSubcommand(words.first)
                var command = try parseAsRoot()
                try command.run()
            }
        } catch let error as CommandFailure {
            if error.status != ExitStatus.outOfTime || mp_claim_message() { StandardError.say(error.message) }
            ProcessSetup.end(error.status)
        } catch {
            exit(withError: error)
        }
    }
}

extension MoonrillCommand {
    /// Suggests a subcommand for a mistyped one, which the parser reports as an unexpected argument.
    /// - Throws: ``CommandFailure`` if `word` is neither an option nor a subcommand.
    private static func checkSubcommand(_ word: String?) throws(CommandFailure) {
        let names = configuration.subcommands.map { $0._commandName }
        guard let word, !word.hasPrefix("-"), word != "help", !names.contains(word) else { return }
        var hint = NearestName.suggestion(for: word, among: names).map { " (did you mean '\($0)'?)" } ?? ""
        if word.hasSuffix(".lua") { hint = " (did you mean 'moonrill run \(word)'?)" }
        throw CommandFailure(
            message: "unknown subcommand '\(word)'\(hint); moonrill --help lists them", status: ExitStatus.usage)
    }
}

/// An error that ends the process with a message and an exit status.
struct CommandFailure: Error {
    var message: String
    var status: Int32
}

/// Exit statuses, from BSD's sysexits.h where it defines one.
enum ExitStatus {
    static let failure: Int32 = 1
    static let usage: Int32 = 64
    static let noInput: Int32 = 66
    static let unavailable: Int32 = 69
    /// EX_TEMPFAIL.
    static let tryAgain: Int32 = 75
    static let outOfTime: Int32 = 124
    /// The status that a shell reports for SIGPIPE.
    static let outputClosed: Int32 = 128 + SIGPIPE
}
