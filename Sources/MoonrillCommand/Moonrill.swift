// The command `moonrill`: what the program understands, and how its subcommands are called.

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
            A first look, with no key and no network:

              moonrill ask --mock "Write a poem about the moon"

            The same from a provider, once its key is set:

              export DEEPSEEK_API_KEY=...
              moonrill ask "Write a poem about the moon"

            A script of your own (require "llm"; client:ask, on_token, on_finish ...):

              moonrill run script.lua [arguments...]

            Exit status: 0 fine; 1 the script failed, or its output was lost; 64 wrong usage; 66 no script to read;
            69 the mock's port is taken; 124 out of time; 130 and 143 stopped by SIGINT and SIGTERM; 141 nobody reads
            standard output any more.
            """,
        version: Product.version,
        subcommands: [Run.self, Ask.self, Probe.self, Mock.self, Providers.self])

    static func main() {
        ProcessSetup.prepare()
        do {
            try checkSubcommand(CommandLine.arguments.dropFirst().first)
            var command = try parseAsRoot()
            try command.run()
        } catch let error as CommandFailure {
            if error.status != ExitStatus.outOfTime || mp_claim_message() { StandardError.say(error.message) }
            ProcessSetup.end(error.status)
        } catch {
            exit(withError: error)
        }
    }
}

extension MoonrillCommand {
    /// The parser calls a mistyped subcommand an unexpected argument; this says what was meant.
    /// - Throws: ``CommandFailure`` when `word` is neither an option nor a subcommand.
    private static func checkSubcommand(_ word: String?) throws(CommandFailure) {
        let names = configuration.subcommands.map { $0._commandName }
        guard let word, !word.hasPrefix("-"), word != "help", !names.contains(word) else { return }
        var hint = NearestName.suggestion(for: word, among: names).map { " (did you mean '\($0)'?)" } ?? ""
        if word.hasSuffix(".lua") { hint = " (did you mean 'moonrill run \(word)'?)" }
        throw CommandFailure(
            message: "unknown subcommand '\(word)'\(hint); moonrill --help lists them", status: ExitStatus.usage)
    }
}

/// A failure that ends the process with a message and a status.
struct CommandFailure: Error {
    var message: String
    var status: Int32
}

/// Exit statuses, after BSD's sysexits.h where it has a word for it.
enum ExitStatus {
    static let failure: Int32 = 1
    static let usage: Int32 = 64
    static let noInput: Int32 = 66
    static let unavailable: Int32 = 69
    static let outOfTime: Int32 = 124
    /// As a shell shows a program that ended by SIGPIPE.
    static let outputClosed: Int32 = 128 + SIGPIPE
}
