// `moonrill ask`: one answer, streamed to the terminal. It is a Lua script like any other.

internal import ArgumentParser
internal import Glibc
internal import Moonrill
internal import MoonrillMock

struct Ask: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask",
        abstract: "Stream one answer to the terminal.",
        discussion: """
            The answer goes to standard output, reasoning (dimmed on a terminal) to standard error. What is piped in
            becomes context:

              git diff | moonrill ask "Write a commit message"
            """)

    @OptionGroup var options: SharedOptions

    @Option(help: "The system prompt.")
    var system: String?

    @Flag(help: "Do not show reasoning.")
    var quiet = false

    @Argument(help: "The prompt.")
    var prompt: [String]

    func run() throws {
        var text = prompt.joined(separator: " ")
        // Only what is piped or redirected is context; a terminal, or a closed descriptor, is not.
        var status = stat()
        if fstat(STDIN_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFIFO || status.st_mode & S_IFMT == S_IFREG {
            let context = String(decoding: Descriptor.readAll(STDIN_FILENO), as: UTF8.self)
            if !context.isEmpty { text = context + "\n\n" + text }
        }
        let output = StandardOutput()
        let (host, server) = try options.host(output)
        let result: ScriptResult
        do throws(ScriptHostError) {
            result = try host.run(
                source: Self.script, name: "moonrill ask",
                arguments: [text, system ?? "", quiet ? "quiet" : "", StandardError.isTerminal ? "terminal" : ""])
        } catch {
            throw CommandFailure(message: error.message, status: ExitStatus.failure)
        }
        server?.stop()
        finish(result, output)
    }

    static let script = """
        local llm = require "llm"
        local prompt, system, quiet, terminal = ...
        local made, client = pcall(llm.client, {})
        if not made then
          io.stderr:write("moonrill: ", (tostring(client):gsub("^.-llm%.client: ", "")), "\\n")
          os.exit(1)
        end
        local dim, plain = "", ""
        if terminal ~= "" then dim, plain = "\\27[2m", "\\27[0m" end
        local reasoned, last = false, "\\n"
        local reply, err = client:ask(prompt, {
          system = system ~= "" and system or nil,
          on_reasoning = quiet == "" and function(text)
            if not reasoned then io.stderr:write(dim) end
            reasoned = true
            io.stderr:write(text)
          end or nil,
          on_token = function(text)
            if reasoned then io.stderr:write(plain, "\\n\\n") reasoned = false end
            io.write(text)
            last = text
          end,
          on_retry = function(info)
            io.stderr:write(string.format("moonrill: %s; next attempt in %.1f s\\n", info.err, info.delay))
          end,
        })
        if reasoned then io.stderr:write(plain, "\\n") end
        if last:sub(-1) ~= "\\n" then io.write("\\n") end
        if not reply then
          io.stderr:write("moonrill: ", tostring(err), "\\n")
          os.exit(1)
        end
        if reply.refusal and reply.text == "" then io.stderr:write("moonrill: refused: ", reply.refusal, "\\n") end
        if reply.finish_reason == "length" then io.stderr:write("moonrill: the reply was cut by its token limit\\n") end
        """
}
