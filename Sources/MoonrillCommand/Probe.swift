// `moonrill probe`: one short request of a Lua script, and a report of the response on the wire.

internal import ArgumentParser
internal import CProcess
internal import Formats
internal import Glibc
internal import JSON
internal import Moonrill
internal import ProviderSimulator
internal import Providers

struct Probe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Ask a provider one short question and show what it really sends.",
        discussion: """
            Shows the status, headers, times, chunks and frames of the response, each path in its JSON with how \
            Moonrill reads it, and the quirks of the server. For a provider that Moonrill does not know:

              moonrill probe --base-url https://llm.example/v1 --key-env LLM_KEY -m MODEL

            With --mock it explains every wire format with replies of the offline provider, or the one of --dialect.

            Exit status: 0 a reply came; 1 the request failed or the reply was empty; others as in moonrill --help.
            """)

    @OptionGroup var options: SharedOptions

    @Option(help: "The environment variable with the key of a provider that Moonrill does not know.")
    var keyEnv: String?

    @Flag(help: "Ask for reasoning.")
    var reasoning = false

    @Flag(help: "Offer a tool, and ask a question that needs it.")
    var tools = false

    @Flag(
        help: ArgumentHelp(
            "Print JSON.",
            discussion: """
                One object; with --mock and without --dialect an array of them. Members: url, dialect, looks_like, \
                status, http_version, headers [{name, value}], seconds {head, first_byte, first_token, total}, body \
                {bytes, pieces, piece_bytes, gaps, piece_frames, buffering}, frames [{kind, count}], paths [{type, \
                path, count, example, reading}], end_marker, quirks, outputs, attempts, and reply or error. A spread \
                is {min, median, p95, max}; gaps are seconds. Unknown values are null.
                """))
    var json = false

    @Option(
        help: ArgumentHelp(
            "Write the response to a new file, without the key.",
            discussion: """
                An HTTP message: status line, headers, an empty line and the body without its transfer coding, at \
                most 4 MB. Key and cookies are left out.
                """,
            valueName: "file"))
    var save: String?

    @Flag(help: "With --save: overwrite an existing file.")
    var force = false

    func validate() throws {
        if force, save == nil { throw ValidationError("--force is for --save.") }
        if save != nil, isTour { throw ValidationError("--save takes one reply: add --dialect.") }
        if let keyEnv, !KeyVariable.isName(keyEnv) { throw ValidationError("--key-env takes a variable's name.") }
    }

    /// True to probe every format of the offline provider.
    private var isTour: Bool {
        options.mock && options.dialect == nil && options.provider == nil && options.baseURL == nil
    }

    func run() throws {
        let keys = try options.settings.begin()
        let file = try save.map { (path) throws(CommandFailure) in try RecordingFile(path, overwrites: force) }
        var trials: [ProbeTrial] = []
        for dialect in isTour ? FormatCatalog.names.map(Optional.some) : [try chosenDialect()] {
            let trial = try ProbeTrial.run(self, dialect: dialect, keys)
            trials.append(trial)
            if !json { try StandardOutput.write(text(of: trial)) }
            // Stopped by a signal or the time limit; the output so far has been shown.
            if !trial.isOver { break }
        }
        if json {
            let objects = trials.map(\.json)
            try StandardOutput.write(JSONWriter.text(isTour ? .array(objects) : objects[0]) + "\n")
        }
        if let file, let bytes = trials[0].recording { try file.write(bytes) }
        trials[trials.count - 1].end(options.settings.limit)
    }

    private func text(of trial: ProbeTrial) -> String {
        let text = ProbeText(trial.report, reply: trial.reply, failure: trial.failure, explains: options.mock).text
        return isTour ? "== \(trial.report.dialect) ==\n\n\(text)\n" : text
    }

    /// The dialect where neither it nor a provider is named: that of the provider whose address this is.
    private func chosenDialect() throws -> String? {
        guard options.dialect == nil, options.provider == nil, let url = options.baseURL else { return options.dialect }
        let endpoints = (try ownProviders() + ProviderCatalog.all).flatMap(\.endpoints).filter { !$0.baseURL.isEmpty }
        let known = endpoints.first { url == $0.baseURL || url.hasPrefix($0.baseURL + "/") }
        StandardError.say(
            known.map { "no --dialect: \"\($0.dialect)\", as for the provider with that address" }
                ?? "no --dialect: \"openai\" is tried", level: "info")
        return known?.dialect ?? "openai"
    }

    static let script = """
        local llm, host = require "llm", require "host"
        local prompt, key_env, reasoning, tools = ...
        local made, client = pcall(llm.client, { retry = { max = 0 }, key_env = key_env ~= "" and key_env or nil })
        if not made then
          host.say("error", (tostring(client):gsub("^.-llm%.client: ", "")))
          os.exit(1)
        end
        if not client.model then
          host.say("error", "no model is named: add -m MODEL")
          os.exit(1)
        end
        host.asks(client.dialect)
        -- What a format cannot express is left out. A small model may never stop by itself.
        local options = { lenient = true, max_tokens = reasoning ~= "" and 3000 or 600 }
        if reasoning ~= "" then
          local counts = { anthropic = true, gemini = true, cohere = true }
          if counts[client.dialect] then options.thinking = 1024 else options.reasoning_effort = "low" end
        end
        if tools ~= "" then
          options.tools = { { name = "get_weather", description = "The weather in a city, now.", parameters = {
            type = "object", properties = { city = { type = "string" } }, required = llm.json.array { "city" } } } }
        end
        local reply, err = client:ask(prompt, options)
        if reply then
          local calls = llm.json.array {}
          for index, call in ipairs(reply.tool_calls) do calls[index] = { id = call.id, name = call.name } end
          host.came {
            text = reply.text, reasoning = reply.reasoning, refusal = reply.refusal, tool_calls = calls, model = reply.model,
            finish_reason = reply.finish_reason, finish_reason_raw = reply.finish_reason_raw, usage = reply.usage,
          }
          os.exit(reply.text == "" and reply.reasoning == "" and #calls == 0 and 1 or 0)
        end
        host.failed { kind = err.kind, message = tostring(err.message), status = err.status, code = err.code,
          retry_after = err.retry_after, request_id = err.request_id }
        os.exit(1)
        """
}

/// One request of a probe.
struct ProbeTrial {
    var report: ProbeReport
    var reply: JSONValue?
    var failure: JSONValue?
    var recording: [UInt8]?
    private var result: ScriptResult
    private var output: StandardOutput

    /// The results that the script reports.
    private final class Outcome {
        var dialect = "openai"
        var reply: JSONValue?
        var failure: JSONValue?
    }

    static func run(_ probe: Probe, dialect: String?, _ keys: KeyStore) throws -> ProbeTrial {
        var options = probe.options.settings
        options.dialect = dialect
        if options.mock || options.fault != nil { options.rate = options.rate ?? 100 }
        let output = StandardOutput()
        var (host, server) = try options.host(output, keys)
        let recorder = WireRecorder()
        let outcome = Outcome()
        host.recorder = recorder
        host.register("asks") { arguments in
            outcome.dialect = arguments.first?.string ?? outcome.dialect
            return []
        }
        host.register("came") { arguments in
            outcome.reply = arguments.first
            return []
        }
        host.register("failed") { arguments in
            outcome.failure = arguments.first
            return []
        }
        host.register("say") { arguments in
            StandardError.say(arguments.last?.string ?? "", level: arguments.first?.string ?? "error")
            return []
        }
        if let variable = probe.keyEnv, server == nil,
            !(host.isKeySet?(variable) ?? (host.credentials(variable) != nil))
        {
            throw CommandFailure(message: "--key-env: the variable \(variable) is not set", status: ExitStatus.failure)
        }
        let prompt =
            probe.tools
            ? "What is the weather in Paris? Use the tool." : "Count from one to twenty, in words, on one line."
        let result: ScriptResult
        do throws(ScriptHostError) {
            result = try host.run(
                source: Probe.script, name: "moonrill probe",
                arguments: [prompt, probe.keyEnv ?? "", probe.reasoning ? "on" : "", probe.tools ? "on" : ""])
        } catch {
            throw CommandFailure(message: error.message, status: ExitStatus.failure)
        }
        server?.stop()
        let reply = outcome.reply.map(recorder.withoutKeys)
        let trial = ProbeTrial(
            report: recorder.report(dialect: outcome.dialect, reply: reply), reply: reply,
            failure: outcome.failure.map(recorder.withoutKeys), recording: recorder.recording, result: result,
            output: output)
        // No client was made; the script has printed the error.
        if trial.isOver, trial.reply == nil, trial.failure == nil { trial.end(options.limit) }
        return trial
    }

    /// True if the script was not stopped.
    var isOver: Bool {
        switch result.ending {
        case .exited, .finished: true
        default: false
        }
    }

    var json: JSONValue {
        var object = report.json
        object["reply"] = reply ?? .null
        object["error"] = failure ?? .null
        return .object(object)
    }

    /// Ends the process with the status of the run.
    func end(_ limit: TimeLimit?) -> Never { finish(result, output, limit) }
}

/// The file of a recording, made when it is written.
private struct RecordingFile {
    private let path: String
    private let overwrites: Bool

    /// - Throws: ``CommandFailure`` if the file exists and must not be overwritten, or cannot be written.
    init(_ path: String, overwrites: Bool) throws(CommandFailure) {
        self.path = path
        self.overwrites = overwrites
        var status = stat()
        if lstat(path, &status) == 0 {
            guard overwrites else { throw failure(EEXIST) }
            guard access(path, W_OK) == 0 else { throw failure(errno) }
        } else {
            guard errno == ENOENT else { throw failure(errno) }
            let end = path.lastIndex(of: "/")
            let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            guard access(folder, W_OK | X_OK) == 0 else { throw failure(errno) }
        }
    }

    func write(_ bytes: [UInt8]) throws(CommandFailure) {
        // A symbolic link is refused, because its target may belong to another user.
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (overwrites ? 0 : O_EXCL)
        let descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
        // Devices and pipes are written without truncation.
        if status.st_mode & S_IFMT == S_IFREG {
            // An existing file may be readable by others.
            if status.st_uid == geteuid(), fchmod(descriptor, 0o600) != 0 { throw failure(errno) }
            guard ftruncate(descriptor, 0) == 0 else { throw failure(errno) }
        }
        let problem = Descriptor.write(bytes, to: descriptor)
        guard problem == 0 else { throw failure(problem) }
    }

    private func failure(_ code: Int32) -> CommandFailure {
        let reason =
            switch code {
            case EEXIST: "the file exists (--force writes over it)"
            case ELOOP: "it is a symbolic link"
            default: Descriptor.reason(code)
            }
        return CommandFailure(message: "cannot write \(path): \(reason)", status: ExitStatus.failure)
    }
}
