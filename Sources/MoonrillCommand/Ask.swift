// `moonrill ask`: streams one answer to the terminal, with a Lua script.

internal import ArgumentParser
internal import Base
internal import Glibc
internal import Moonrill
internal import ProviderSimulator

struct Ask: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask",
        abstract: "Stream one answer to the terminal.",
        discussion: """
            The answer goes to standard output, reasoning (dimmed on a terminal) to standard error. Piped standard \
            input goes before the prompt:

              git diff | moonrill ask "Write a commit message"

            The request and the answer are recorded; see moonrill logs.
            """)

    @OptionGroup var options: SharedOptions

    @OptionGroup var storeOptions: StoreOptions

    @Option(help: "The system prompt.")
    var system: String?

    @Flag(help: "Do not show reasoning.")
    var quiet = false

    @Flag(help: "Show the control characters of the answer as they come, on a terminal too.")
    var raw = false

    @Argument(help: "The prompt.")
    var prompt: [String]

    func run() throws {
        let keys = try options.settings.begin()
        let text = try context() + prompt.joined(separator: " ")
        let output = StandardOutput(escapesControls: StandardOutput.isTerminal && !raw)
        let configuration = try ownConfiguration()
        var (host, server) = try options.settings.host(output, keys, configuration: configuration)
        registerDisplay(&host)
        host.journal = try storeOptions.settings.journal("ask", logs: configuration.log ?? true)
        let result: ScriptResult
        do throws(ScriptHostError) {
            result = try host.run(
                source: Self.script, name: "moonrill ask",
                arguments: [text, system ?? "", quiet ? "quiet" : ""])
        } catch {
            throw CommandFailure(message: error.message, status: ExitStatus.failure)
        }
        server?.stop()
        finish(result, output, options.settings.limit)
    }

    /// Piped or redirected standard input with a blank line after it; "" for a terminal or a closed descriptor.
    private func context() throws(CommandFailure) -> String {
        var status = stat()
        guard fstat(STDIN_FILENO, &status) == 0 else { return "" }
        switch status.st_mode & S_IFMT {
        case S_IFIFO, S_IFREG, S_IFDIR:
            let bytes = try StandardInput.readAll(purpose: "what the question is about", limit: options.settings.limit)
            let repair = UTF8Repair(bytes)
            if repair.replacedBytes > 0 {
                StandardError.say(
                    "standard input is not UTF-8: \(repair.replacedBytes) bytes were replaced", level: "warning")
            }
            return repair.text.isEmpty ? "" : repair.text + "\n\n"
        default: return ""
        }
    }

    /// Registers the functions with which the script shows everything but the answer.
    private func registerDisplay(_ host: inout ScriptHost) {
        let escapesControls = StandardError.isTerminal && !raw
        host.register("show_reasoning") { arguments in
            StandardError.showReasoning(arguments.first?.string ?? "", escapesControls: escapesControls)
            return []
        }
        host.register("begin_answer") { _ in
            StandardError.beginLine()
            StandardError.write("\n")
            return []
        }
        host.register("say") { arguments in
            StandardError.say(arguments.last?.string ?? "", level: arguments.first?.string ?? "error")
            return []
        }
    }

    static let script = """
        local llm, host = require "llm", require "host"
        local prompt, system, quiet = ...
        local made, client = pcall(llm.client, {})
        if not made then
          host.say("error", (tostring(client):gsub("^.-llm%.client: ", "")))
          os.exit(1)
        end
        if not client.model then
          host.say("error", "no model is named: add -m MODEL")
          os.exit(1)
        end
        local reasoned, last = false, "\\n"
        local reply, err = client:ask(prompt, {
          system = system ~= "" and system or nil,
          on_reasoning = quiet == "" and function(text)
            reasoned = true
            host.show_reasoning(text)
          end or nil,
          on_token = function(text)
            if reasoned then host.begin_answer() reasoned = false end
            io.write(text)
            last = text
          end,
          on_retry = function(info)
            host.say("warning", string.format("%s; next attempt in %.1f s", info.err, info.delay))
          end,
        })
        if last:sub(-1) ~= "\\n" then io.write("\\n") end
        io.stdout:flush()
        if not reply then
          host.say("error", tostring(err))
          os.exit(1)
        end
        local reason, raw = reply.finish_reason, reply.finish_reason_raw
        local why = reason .. (raw and raw ~= reason and ": " .. raw or "")
        if reply.refusal then
          host.say("error", "refused: " .. reply.refusal)
          os.exit(1)
        elseif reason == "content_filter" then
          host.say("error", "the provider refused or filtered the answer (" .. why .. ")")
          os.exit(1)
        elseif reason == "length" then
          host.say("warning", "the answer was cut by its token limit (" .. why .. ")")
        elseif reply.text == "" then
          local call = reply.tool_calls[1]
          host.say("error", call and "no answer: the model calls the tool '" .. tostring(call.name) .. "', and ask runs no tools"
            or "no answer: the reply has no text (" .. why .. ")")
          os.exit(1)
        elseif reason == "other" and raw then
          host.say("warning", "the answer ended with " .. raw)
        end
        """
}
