// The log of requests and the jobs, through the real binary and the offline provider.

import Foundation
import HTTP
import JSON
import ProviderSimulator
import SQLite
import Support
import Testing

@Suite struct LogTests {
    /// A folder for the default store and the configuration.
    final class Home {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        let environment: [String: String]
        var store: String { folder.path + "/moonrill/moonrill.db" }

        init(configuration: String? = nil) throws {
            let path = folder.path
            environment = ["XDG_STATE_HOME": path, "XDG_CONFIG_HOME": path + "/config"]
            try FileManager.default.createDirectory(
                atPath: path + "/config/moonrill", withIntermediateDirectories: true)
            try configuration?.write(
                toFile: path + "/config/moonrill/config.lua", atomically: true, encoding: .utf8)
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        @discardableResult func run(
            _ arguments: [String], stdin: [UInt8]? = nil, _ more: [String: String] = [:]
        ) throws -> MoonrillBinary.Result {
            try MoonrillBinary.run(arguments, stdin: stdin, environment: environment.merging(more) { $1 })
        }

        func run(_ arguments: String...) throws -> MoonrillBinary.Result { try run(arguments) }

        /// Asks the offline provider.
        @discardableResult func ask(_ prompt: String, _ options: String...) throws -> MoonrillBinary.Result {
            try run(["ask", "--mock", "--rate", "0"] + options + [prompt])
        }

        /// The objects of the output, one a line.
        func objects(_ arguments: String...) throws -> [JSONValue] {
            let result = try run(arguments)
            #expect(result.status == 0, "\(result.errorOutput)")
            return try result.output.split(separator: "\n").map { try JSONReader.value(String($0)) }
        }

        /// The prompts in the log, the newest first.
        func prompts(_ options: String...) throws -> [String] {
            let result = try run(["logs", "--json"] + options)
            #expect(result.status == 0, "\(result.errorOutput)")
            return try result.output.split(separator: "\n").compactMap {
                try JSONReader.value(String($0))["prompt_start"]?.string
            }
        }
    }

    @Test func askIsRecordedAndShown() throws {
        let home = try Home()
        let empty = try home.run("logs")
        #expect(empty.status == 0 && empty.output == "no requests are recorded yet\n")
        let none = try home.run("logs", "show", "7")
        #expect(none.status == 1 && none.errorOutput == "moonrill: no request 7: no requests are recorded yet\n")
        #expect(!FileManager.default.fileExists(atPath: home.store))

        let answer = try home.ask("Write a poem about the moon", "--system", "In rhymes").output
        try home.ask("Another\nline about a wide 月亮")
        let list = try home.run("logs").output.split(separator: "\n")
        #expect(list.count == 4)
        #expect(list[0].hasPrefix("ID  STARTED (UTC)        MODEL"))
        #expect(list[1].hasSuffix("Another line about a wide 月亮") && list[1].hasPrefix(" 2  "))
        #expect(list[2].hasSuffix("Write a poem about the moon") && list[2].contains("finished"))
        #expect(list[3].hasPrefix("total: 2 requests, "))

        let shown = try home.run("logs", "show", "1")
        #expect(shown.status == 0)
        for part in [
            "request 1: finished", "first output after", "tokens a second", "asked:\n{",
            "sent:\nPOST http://offline.invalid",
            "\"stream\": true", "\"content\": \"In rhymes\"", "reasoning:\n", "reply:\n" + answer.dropLast(),
        ] { #expect(shown.output.contains(part), "no \(part) in \(shown.output)") }
        #expect(shown.output.components(separatedBy: "127.0.0.1").count == 1)

        let last = try #require(try home.objects("logs", "last", "--json").first)
        #expect(last["id"] == 2 && last["state"] == "finished" && last["asked"]?["messages"]?.array?.count == 1)
        #expect(last["sent"]?["body"]?["stream"] == true && last["reply"]?["text"]?.string?.isEmpty == false)
        #expect(try home.run("logs", "last").output.hasPrefix("request 2: finished\n"))

        let full = try home.run("logs", "--full", "--limit", "1").output
        #expect(full.contains("  prompt:\n    Another\n    line about a wide 月亮\n") && full.contains("  reply:\n"))
        #expect(full.hasSuffix(", 1 shown\n"))
        let missing = try home.run("logs", "show", "99")
        #expect(missing.status == 1 && missing.errorOutput.contains("no request 99 is in the log"))
    }

    @Test func failedRequestsShowTheirAttempts() throws {
        let home = try Home()
        try home.ask("good")
        try home.ask("retried", "--fault", "429:1")
        try home.ask("bad", "--fault", "401")
        #expect(try home.prompts("--failed") == ["bad"])
        #expect(try home.prompts() == ["bad", "retried", "good"])
        let bad = try home.run("logs", "show", "3").output
        #expect(bad.contains("request 3: failed") && bad.contains("error (auth, status 401):\n"))
        let retried = try home.run("logs", "show", "2").output
        #expect(retried.contains("attempts  2") && retried.contains("failed attempts:\n1. "), "\(retried)")
        #expect(retried.contains("rate_limit, status 429"))
        #expect(try home.run("logs", "list").output.contains("total: 3 requests, 1 failed"))
    }

    @Test func filtersChooseRequests() throws {
        let home = try Home()
        try home.ask("one", "-m", "moonrill-chat")
        try home.ask("two")
        #expect(try home.prompts("--model", "moonrill-chat") == ["one"])
        #expect(try home.prompts("--provider", "mock", "--limit", "1") == ["two"])
        #expect(try home.prompts("--since", "30m") == ["two", "one"])
        #expect(try home.prompts("--since", "2100-01-01") == [])
        #expect(try home.prompts("--since", "2020-02-29T08:30Z") == ["two", "one"])
        #expect(try home.prompts("--run", "2") == ["two"])
        #expect(try home.run("logs", "--run", "9").output == "no request matches\n")
        for wrong in [
            ["--since", "yesterday"], ["--since", "2026-02-30"], ["--since", "-3d"], ["--since", "2026-01-01T25:00"],
            ["--since", "99999999999999999999d"], ["--limit", "0"], ["--unknown"], ["--run", "x"], ["stray"],
        ] { #expect(try home.run(["logs"] + wrong).status == 64, "\(wrong)") }
    }

    @Test func searchTakesAnyText() throws {
        let home = try Home()
        try home.ask("The \"quick\" fox-trot")
        try home.ask("Der schnelle Fuchs")
        func found(_ text: String, _ options: String...) throws -> String {
            let result = try home.run(["logs", "search"] + options + ["--", text])
            #expect(result.status == 0, "\(text): \(result.errorOutput)")
            return result.output
        }
        #expect(try found("fox").contains("[fox]"))
        #expect(try found("\"fox trot\"").contains("found: 1 request\n"))
        #expect(try found("fox fuchs") == "no request matches\n")
        #expect(try found("schnel*").contains("[schnelle]"))
        let odd = ["fox\"", "fox AND", "NOT fox", "fox*)", "(fox", "prompt:fox", "-fox", "fox^", "NEAR(fox", "'fox"]
        for text in odd { _ = try found(text) }
        #expect(try home.run("logs", "search", "\"").status == 64)
        let object = try #require(try home.objects("logs", "search", "--json", "trot").first)
        #expect(object["id"] == 1 && object["snippet"]?.string?.contains("[trot]") == true)
    }

    @Test func theLogIsTurnedOffAndOn() throws {
        let home = try Home()
        #expect(try home.run("logs", "path").output == home.store + "\n")
        #expect(try home.run("logs", "off").status == 0)
        try home.ask("not recorded")
        #expect(!FileManager.default.fileExists(atPath: home.store))
        #expect(try home.run("logs", "status").output.hasPrefix("log:       off\n"))
        try home.ask("recorded all the same", "--log-requests")
        #expect(try home.run("logs", "on").status == 0)
        try home.ask("not recorded", "--no-log")
        try home.ask("recorded")
        #expect(try home.prompts() == ["recorded", "recorded all the same"])
        let status = try #require(try home.objects("logs", "status", "--json").first)
        #expect(status["on"] == true && status["requests"] == 2 && status["path"] == .string(home.store))
        #expect(status["bytes"]?.int ?? 0 > 10_000 && status["first"]?.string?.hasSuffix("Z") == true)
        #expect(try home.run("ask", "--mock", "--log-requests", "--no-log", "x").status == 64)
    }

    @Test(
        arguments: [
            ("", [], false), ("log = true", [], true), ("log = false", [], false), ("log = true", ["--no-log"], false),
            ("", ["--log-requests"], true),
        ] as [(String, [String], Bool)])
    func runIsRecordedOnDemand(configuration: String, options: [String], isRecorded: Bool) throws {
        let home = try Home(configuration: configuration)
        let script = "assert(require 'llm'.client {}:ask('from a script'))"
        let result = try home.run(["run", "--mock"] + options + ["-"], stdin: Array(script.utf8))
        #expect(result.status == 0, "\(result.errorOutput)")
        #expect(try home.prompts() == (isRecorded ? ["from a script"] : []))
        #expect(FileManager.default.fileExists(atPath: home.store) == isRecorded)
        guard configuration == "log = true", isRecorded else { return }
        #expect(try home.run("logs", "off").status == 0)
        try home.run(["run", "--mock", "-"], stdin: Array(script.utf8))
        #expect(try home.prompts().count == 1)
    }

    @Test func theConfigurationMayForbidTheLogOfAsk() throws {
        let home = try Home(configuration: "log = false")
        try home.ask("not recorded")
        #expect(try home.prompts() == [])
        let wrong = try Home(configuration: "log = 'yes'")
        let result = try wrong.ask("x")
        #expect(result.status == 1 && result.errorOutput.contains("config.lua: log takes true or false, not a string"))
    }

    @Test func askAnswersIfNothingCanBeRecorded() throws {
        let home = try Home()
        // A file where a folder is needed.
        let result = try home.run(
            ["ask", "--mock", "--rate", "0", "--store", "/dev/null/store.db", "Hello"])
        #expect(result.status == 0 && !result.output.isEmpty)
        let warnings = result.errorOutput.components(separatedBy: "requests are not recorded").count - 1
        #expect(warnings == 1, "\(result.errorOutput)")
    }

    @Test func controlsOfModelsDoNotReachATable() throws {
        let home = try Home()
        try home.ask("red \u{1B}[31m text\u{202E}")
        let list = try home.run("logs").output
        #expect(list.contains("red \\x1b[31m text\\u{202e}") && !list.contains("\u{1B}"))
        let command = "\(MoonrillBinary.path) logs last --store \(home.store)"
        for options in ["", " --json"] {
            let shown = try MoonrillBinary.run(shell: "script -qec '\(command)\(options)' /dev/null </dev/null").output
            #expect(shown.contains("red ") && !shown.contains("\u{1B}"), "\(shown)")
        }
        // A file has what was recorded.
        #expect(try home.run("logs", "show", "1", "--json").output.contains("\\u001b[31m"))
    }

    @Test func toolCallsAndCachedRepliesAreShown() throws {
        let home = try Home()
        let script = """
            local llm = require 'llm'
            local tool = llm.tool {
              name = 'lookup', description = 'Looks a word up.',
              parameters = { type = 'object', properties = { word = { type = 'string' } }, required = { 'word' } },
              run = function() return 'an entry' end,
            }
            assert(llm.client { cache = true }:ask('Use the tool lookup', { tools = { tool } }))
            """
        for _ in 1...2 {
            let run = try home.run(
                ["run", "--mock", "--rate", "0", "--log-requests", "-"], stdin: Array(script.utf8))
            #expect(run.status == 0, "\(run.errorOutput)")
        }
        #expect(try home.prompts() == ["an entry", "Use the tool lookup", "an entry", "Use the tool lookup"])
        #expect(try home.run("logs").output.contains("total: 4 requests, 2 cached, "))
        let asked = try home.run("logs", "show", "1").output
        let cached = try home.run("logs", "show", "3").output
        for shown in [asked, cached] {
            #expect(shown.contains("tool calls:\nlookup (") && shown.contains("{\"word\":"))
        }
        #expect(cached.contains("request 3: cached") && cached.contains("the reply of request 1, from the cache"))
        let outputs = try home.objects("logs", "export")
        #expect(outputs.count == 4)
        for output in [outputs[0], outputs[2]] {
            let choice = output["response"]?["body"]?["choices"]?.array?.first
            #expect(choice?["finish_reason"] == "tool_calls" && choice?["message"]?["content"] == .null)
            let call = choice?["message"]?["tool_calls"]?.array?.first
            #expect(call?["function"]?["name"] == "lookup" && call?["function"]?["arguments"]?.string != nil)
        }
        // The source of a cached reply may be removed.
        let database = try SQLiteDatabase(path: home.store, access: .existing)
        try database.execute("UPDATE requests SET started_at = 0 WHERE id <= 2")
        database.close()
        #expect(try home.run("logs", "prune", "--older", "1d").output.hasPrefix("removed 2 requests, "))
        #expect(
            try home.run("logs", "show", "3").output.contains("reply: that of request 1, which is no longer recorded"))
        #expect(try home.run("logs", "export").errorOutput.contains("2 requests of the log have no recorded reply"))
    }

    // MARK: Export

    @Test func exportsAreBatchFiles() throws {
        let home = try Home()
        try home.ask("first", "--system", "S", "-m", "moonrill-chat")
        try home.ask("second", "--dialect", "anthropic")
        try home.ask("third", "--fault", "401")
        let inputs = try home.objects("logs", "export", "--form", "input")
        #expect(inputs.map { $0["custom_id"]?.string } == ["request-1", "request-2", "request-3"])
        for input in inputs {
            #expect(input.object?.members.map(\.key) == ["custom_id", "method", "url", "body"])
            #expect(input["method"] == "POST" && input["url"] == "/v1/chat/completions")
            #expect(input["body"]?["stream"] == nil && input["body"]?["stream_options"] == nil)
            #expect(input["body"]?["model"]?.string != nil)
        }
        #expect(
            inputs[0]["body"]?["messages"] == [
                ["role": "system", "content": "S"], ["content": "first", "role": "user"],
            ] || inputs[0]["body"]?["messages"]?.array?.count == 2)
        let outputs = try home.objects("logs", "export")
        for (output, input) in zip(outputs, inputs) {
            #expect(output["custom_id"] == input["custom_id"])
            #expect(output.object?.members.map(\.key) == ["id", "custom_id", "response", "error"])
        }
        for output in outputs.prefix(2) {
            let response = output["response"]
            #expect(response?["status_code"] == 200 && output["error"] == .null)
            #expect(response?["body"]?["object"] == "chat.completion")
            let choice = response?["body"]?["choices"]?.array?.first
            #expect(choice?["message"]?["content"]?.string?.isEmpty == false && choice?["finish_reason"] == "stop")
            #expect(response?["body"]?["usage"]?["completion_tokens"]?.int ?? 0 > 0)
        }
        #expect(outputs[2]["response"]?["status_code"] == 401)
        #expect(outputs[2]["response"]?["body"]?["error"]?["message"]?.string != nil)
        #expect(try home.objects("logs", "export", "--failed").count == 1)
        #expect(try home.objects("logs", "export", "--limit", "1").first?["custom_id"] == "request-3")
    }

    /// The lines of an input file are requests that a server of Chat Completions answers.
    @Test func anExportedInputCanBeSent() throws {
        let home = try Home()
        try home.ask("first", "--system", "S", "-m", "moonrill-chat")
        let input = try #require(try home.objects("logs", "export", "--form", "input").first)
        let server = try SimulatorServer.start(SimulatorOptions())
        defer { server.stop() }
        let port = server.port
        let answer = try WebClient.fetch(
            port: port, "POST", input["url"]?.string ?? "", headers: ["Content-Type": "application/json"],
            body: JSONWriter.text(try #require(input["body"])))
        let reply = try JSONReader.value(answer.body)
        #expect(reply["object"] == "chat.completion" && reply["choices"]?.array?.count == 1, "\(answer.body)")
    }

    @Test func aClosedReaderEndsTheExport() throws {
        let home = try Home()
        for number in 1...3 { try home.ask("prompt \(number)") }
        let result = try MoonrillBinary.run(
            shell: "XDG_STATE_HOME=\(home.folder.path) $0 logs export | head -n 0; echo ${PIPESTATUS[0]}")
        #expect(["0\n", "141\n"].contains(result.output) && result.errorOutput == "")
    }

    // MARK: Prune

    @Test func pruneRemovesOldRequests() throws {
        let home = try Home()
        for number in 1...3 { try home.ask("prompt \(number)") }
        let database = try SQLiteDatabase(path: home.store, access: .existing)
        try database.execute("UPDATE requests SET started_at = started_at - 86400 * 40 WHERE id <= 2")
        database.close()
        #expect(try home.run("logs", "prune").status == 64)
        #expect(try home.run("logs", "prune", "--older", "x").status == 64)
        for size in ["-1", "", "G", "1.2.3", "99999999999T", "nan"] {
            #expect(try home.run("logs", "prune", "--max-size=\(size)").status == 64, "\(size)")
        }
        let dry = try home.run("logs", "prune", "--older", "30d", "--dry-run")
        #expect(dry.output.hasPrefix("would remove 2 requests of a store of ") && dry.status == 0)
        #expect(try home.prompts().count == 3)
        let result = try home.run("logs", "prune", "--older", "30d", "--max-size", "1G")
        #expect(result.output.hasPrefix("removed 2 requests, "), "\(result)")
        #expect(try home.prompts() == ["prompt 3"])
        #expect(try home.run("logs", "search", "prompt").output.contains("found: 1 request\n"))
    }

    // MARK: Keys

    @Test func noKeyIsInTheStoreOrInAnyOutput() throws {
        let key = "sk-moonrill-marked-0123456789abcdef"
        let home = try Home()
        let provider = try SimulatorServer.start(SimulatorOptions())
        defer { provider.stop() }
        let script = """
            local client = require 'llm'.client { base_url = arg[1], model = 'm', key_env = 'MOON_KEY',
              headers = { ['x-secret'] = arg[2] } }
            assert(client:ask('the key is ' .. arg[2]))
            """
        try script.write(toFile: home.folder.path + "/s.lua", atomically: true, encoding: .utf8)
        let run = try home.run(
            ["run", "--log-requests", home.folder.path + "/s.lua", provider.baseURL, key], ["MOON_KEY": key])
        #expect(run.status == 0, "\(run.errorOutput)")
        for arguments in [
            ["logs"], ["logs", "--full"], ["logs", "--json", "--full"], ["logs", "last"], ["logs", "last", "--json"],
            ["logs", "export"], ["logs", "export", "--form", "input"], ["logs", "search", "key"],
            ["logs", "search", "--json", "marked"],
        ] {
            let result = try home.run(arguments)
            #expect(result.status == 0)
            #expect(!(result.output + result.errorOutput).contains("marked"), "\(arguments): \(result.output)")
        }
        #expect(try home.run("logs", "last").output.contains("the key is [key]"))
        for suffix in ["", "-wal"] {
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: home.store + suffix))) ?? Data()
            #expect(bytes.range(of: Data(key.utf8)) == nil)
        }
    }

    // MARK: Jobs

    @Test func jobsAreListedShownAndRemoved() throws {
        let home = try Home()
        #expect(try home.run("jobs").output == "no jobs are recorded yet\n")
        #expect(try home.run("jobs", "rm", "x").status == 1)
        let script = """
            local llm = require 'llm'
            llm.step('s', function() return 1 end)
            assert(llm.client {}:ask('from a job'))
            if arg[1] == 'wait' then print 'waits' io.stdout:flush() llm.sleep(1000) end
            """
        let path = home.folder.path + "/s.lua"
        try script.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try home.run("run", "--mock", "--job", "night", path).status == 0)
        // Any name, also that of a subcommand, and with a line break.
        #expect(try home.run("run", "--mock", "--job", "list", path).status == 0)
        #expect(try home.run("run", "--mock", "--job", "two\nlines", path).status == 0)
        let running = try MoonrillBinary.start(
            ["run", "--mock", "--job", "runs", path, "wait"], environment: home.environment)
        defer { running.kill() }
        running.waitForOutput()

        let list = try home.run("jobs").output.split(separator: "\n")
        #expect(list.count == 5 && list[0].hasPrefix("NAME"))
        #expect(list[1].contains("running (pid \(running.processIdentifier))"))
        #expect(list[2].hasPrefix("two lines") || list[2].hasPrefix("two\\nlines"))
        let shown = try home.run("jobs", "show", "night").output
        #expect(shown.contains("state:     finished") && shown.contains("requests:  1 finished, 0 failed"))
        #expect(shown.contains("steps:     1") && shown.contains("script:    " + path))
        let objects = try home.objects("jobs", "--json")
        #expect(objects.count == 4 && objects[0]["pid"]?.int == Int64(running.processIdentifier))
        #expect(objects[1]["name"] == "two\nlines")

        let refused = try home.run("jobs", "rm", "runs")
        #expect(refused.status == 75 && refused.errorOutput.contains("process \(running.processIdentifier)"))
        running.send(SIGINT)
        #expect(running.wait(timeout: 30).status == 130)
        #expect(try home.run("jobs", "show", "runs").output.contains("state:     open"))
        for name in ["runs", "list", "two\nlines"] { #expect(try home.run("jobs", "rm", name).status == 0) }
        #expect(try home.objects("jobs", "--json").map { $0["name"] } == ["night"])
        // The requests stay.
        #expect(try home.prompts() == Array(repeating: "from a job", count: 4))
        #expect(try home.run("logs", "show", "2").output.contains("which is removed"))
        #expect(try home.run("jobs", "show", "runs").status == 1)
    }

    // MARK: Help

    @Test(
        arguments: [
            ["logs"], ["logs", "list"], ["logs", "last"], ["logs", "show"], ["logs", "search"], ["logs", "export"],
            ["logs", "prune"], ["logs", "on"], ["logs", "off"], ["logs", "status"], ["logs", "path"], ["jobs"],
            ["jobs", "list"], ["jobs", "show"], ["jobs", "rm"],
        ])
    func everyCommandHasHelp(command: [String]) throws {
        let result = try MoonrillBinary.run(command + ["--help"], environment: ["COLUMNS": "80"])
        #expect(result.status == 0 && result.output.hasPrefix("OVERVIEW: "))
        #expect(result.output.contains("USAGE: moonrill " + command.joined(separator: " ")))
        let lines = result.output.split(separator: "\n").filter { !$0.hasPrefix("USAGE: ") }
        #expect(lines.allSatisfy { $0.count <= 80 })
    }
}
