// The command line through the real binary and real sockets: statuses, messages, signals, and keys that stay secret.

import Foundation
import ProviderSimulator
import Support
import Testing

@Suite struct CommandTests {
    // MARK: How a run ends

    @Test(arguments: [
        ("print('fine')", 0, "fine\n", ""),
        ("io.write('no newline')", 0, "no newline", ""),
        ("print(...) print(arg[0], #arg)", 0, "\nstdin\t0\n", ""),
        ("os.exit(7)", 7, "", ""),
        ("io.write('kept') os.exit(true)", 0, "kept", ""),
        ("os.exit(false)", 1, "", ""),
        ("error('broken')", 1, "", "moonrill: stdin:1: broken\nstack traceback:\n"),
        (
            "local function inner() error('deep') end\ninner()", 1, "",
            "stdin:1: in upvalue 'inner'|stdin:1: in local 'inner'"
        ),
        ("error({ code = 1 })", 1, "", "moonrill: (error object is a table value: {\"code\":1})"),
        ("#!/usr/bin/env -S moonrill run\nprint('started')", 0, "started\n", ""),
        ("print('a'\nprint('b')", 1, "", "  2 | print('b')\n      ^"),
        ("require('llm').spawn(function() error('in a task') end)", 1, "", "in a task"),
        (
            "local llm = require 'llm' local t = llm.spawn(function() error('waited') end) print(pcall(t.wait, t))", 0,
            "false\tstdin:1: waited\n", ""
        ),
        (
            "local llm = require 'llm' llm.spawn(function() llm.sleep(0.01) print('task') end) print('main')", 0,
            "main\ntask\n", ""
        ),
        ("local llm = require 'llm' llm.spawn(function() llm.sleep(60) end) error('main')", 1, "", "main"),
    ])
    func ends(script: String, status: Int, output: String, message: String) throws {
        let result = try MoonrillBinary.run(script: script)
        #expect(result.status == Int32(status))
        #expect(result.output == output)
        if message.isEmpty {
            #expect(result.errorOutput == "")
        } else {
            #expect(
                message.split(separator: "|", maxSplits: script.contains("inner") ? 1 : 0).contains {
                    result.errorOutput.contains($0)
                }, "\(result.errorOutput)")
        }
    }

    @Test(arguments: [
        "while true do end", "require('llm').sleep(60)", "require('llm').client{}:ask('x', { on_token = print })",
    ])
    func outOfTime(script: String) throws {
        let result = try MoonrillBinary.run(script: script, ["--timeout", "0.2", "--fault", "slow-head:60"])
        #expect(result.status == 124)
        #expect(result.errorOutput == "moonrill: out of time: the script did not end within 0.2 s\n")
    }

    /// A signal ends the run whatever it is doing, and what was printed is kept.
    @Test(
        arguments: [SIGINT, SIGTERM],
        [
            "while true do end", "require('llm').sleep(60)",
            "while true do pcall(function() while true do end end) end", "require('llm').client{}:ask('x')",
        ])
    func signals(signal: Int32, script: String) throws {
        // The script has itself signalled, so that the signal finds it with output pending.
        let start = """
            io.write('pending')
            local pid = io.open('/proc/self/stat'):read('n')
            os.execute('(sleep 0.2; kill -\(signal) ' .. pid .. ') &')
            \(script)
            """
        let result = try MoonrillBinary.run(script: start, ["--fault", "slow-head:60"], timeout: 20)
        #expect(result.status == 128 + signal)
        #expect(result.signal == nil)
        #expect(result.output == "pending")
        #expect(result.errorOutput == "")
    }

    /// What has read enough closes the pipe: nothing to complain about, but a script did not do its job (141, as a shell
    /// shows a program that ended by SIGPIPE).
    @Test(arguments: [
        "echo 'while true do print(1) end' | timeout 20 $0 run - | head -n 1",
        "echo 'print(1) pcall(function() while true do print(1) end end) io.stderr:write(2)' | timeout 20 $0 run - | head -n 1",
        "timeout 20 $0 ask --fault 429:1@0 --rate 50 hello 2>/dev/null | head -c 1",
        "timeout 20 $0 ask --mock --quiet --rate 50 hello | head -c 1", "timeout 20 $0 providers | head -n 1",
    ])
    func aClosedPipeEndsQuietly(line: String) throws {
        let result = try MoonrillBinary.run(shell: "\(line); echo \" ${PIPESTATUS[@]: -2:1}\"")
        let status = line.contains("providers") ? 0 : 141
        #expect(result.output.hasSuffix(" \(status)\n") && result.output.count > 3, "\(result.output)")
        #expect(result.errorOutput == "")
    }

    /// A full disk is no closed pipe: whoever relies on the status must learn of it.
    @Test(arguments: [
        "echo 'print(1)' | $0 run - > /dev/full", "echo 'while true do print(1) end' | $0 run - > /dev/full",
        "echo 'print(1) os.exit(0)' | $0 run - > /dev/full", "$0 ask --mock --quiet --rate 0 hello > /dev/full",
        "$0 providers > /dev/full", "$0 mock > /dev/full", "echo 'print(1)' | $0 run - >&-",
    ])
    func lostOutputIsAFailure(line: String) throws {
        let result = try MoonrillBinary.run(shell: line)
        #expect(result.status == 1)
        let reason = line.hasSuffix("-") ? "Bad file descriptor" : "No space left on device"
        #expect(result.errorOutput == "moonrill: cannot write to standard output: \(reason)\n")
    }

    /// The offline provider is inside the process: it is asked past every proxy.
    @Test func theOfflineProviderNeedsNoProxy() throws {
        let result = try MoonrillBinary.run(
            ["ask", "--mock", "--quiet", "--rate", "0", "hello"],
            environment: ["NO_PROXY": "", "http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://u:p/w@127.0.0.1:9"])
        #expect(result.status == 0 && !result.output.isEmpty, "\(result)")
    }

    @Test func anInterruptedAnswerKeepsWhatHadCome() throws {
        let run = try MoonrillBinary.start([
            "ask", "--mock", "-m", "moonrill-chat", "--rate", "5", "Tell me of rivers.",
        ])
        run.waitForOutput()
        run.send(SIGINT)
        let result = run.wait(timeout: 20)
        #expect(result.status == 130)
        #expect(!result.output.isEmpty)
        #expect(result.errorOutput == "")
    }

    // MARK: Bad input: the thing, the place, the way out

    static let client = "local llm = require 'llm'\n"

    @Test(arguments: [
        (
            client + "llm.client { provider = 'deepsek' }",
            ["stdin:2: llm.client: unknown provider \"deepsek\" (did you mean \"deepseek\"?)", "base_url"]
        ),
        (
            client + "llm.client { modle = 'x' }",
            ["stdin:2: llm.client: unknown option 'modle' (did you mean 'model'?)"]
        ),
        (client + "llm.client { model = 1 }", ["option 'model' must be a string, not 1"]),
        (client + "llm.client { base_url = 'ftp://x' }", ["stdin:2: llm.client:", "ftp", "http"]),
        (
            client + "llm.client { base_url = 'http://127.0.0.1:1', headers = { ['X-A'] = 'a\\r\\nX-B: b' } }",
            ["stdin:2: llm.client: headers:", "X-A"]
        ),
        (client + "llm.client { retry = { after_output = 'restrat' } }", ["(did you mean \"restart\"?)"]),
        (client + "llm.client { timeout = { frist = 1 } }", ["unknown option 'frist' (did you mean 'first'?)"]),
        (
            client + "llm.client { dialect = 'opanai', base_url = 'http://127.0.0.1:1' }",
            ["unknown dialect \"opanai\" (did you mean \"openai\"?)"]
        ),
        (client + "llm.client {}", ["no provider is chosen", "MOONRILL_PROVIDER", "--mock"]),
        (
            client + "assert(llm.client { provider = 'deepseek' }:ask('x'))",
            ["DEEPSEEK_API_KEY", "export DEEPSEEK_API_KEY"]
        ),
        (
            client
                + "llm.client { base_url = 'http://127.0.0.1:1', model = 'm' }:ask({ { role = 'usr', content = 'x' } })",
            ["message 1: unknown role \"usr\" (did you mean 'user'?)"]
        ),
        (
            client + "llm.client { base_url = 'http://127.0.0.1:1', model = 'm' }:ask('x', { temprature = 1 })",
            ["unknown option 'temprature' (did you mean 'temperature'?)", "params"]
        ),
        (client + "llm.client { base_url = 'http://127.0.0.1:1', model = 'm' }.ask('x')", ["client:ask is a method"]),
        (
            client
                + "llm.client { base_url = 'http://127.0.0.1:1', model = 'm' }:ask('x', { params = { a = { b = print } } })",
            ["params.a.b: a function cannot be written as JSON"]
        ),
        (client + "table.sort({ 1, 2 }, function() llm.sleep(0) end)", ["llm.sleep has to wait", "'sort'"]),
        ("require 'nowhere'", ["stdin:1: module 'nowhere' not found", "no file './nowhere.lua'"]),
    ])
    func misuse(script: String, pieces: [String]) throws {
        let result = try MoonrillBinary.run(script: script)
        #expect(result.status == 1)
        for piece in pieces { #expect(result.errorOutput.contains(piece), "\(piece) in \(result.errorOutput)") }
        #expect(!result.errorOutput.contains(".swift"))
    }

    @Test(arguments: [
        (["run", "/nonexistent/script.lua"], 66, "moonrill: no script at /nonexistent/script.lua"),
        (["run"], 64, "Missing expected argument"), (["run", "--nonsense", "x"], 64, "Unknown option '--nonsense'"),
        (["run", "--timeout", "0", "x"], 64, "--timeout takes a number of seconds above 0"),
        (["run", "--fault", "nonsense", "x"], 64, "--fault: "), (["mock", "--port", "99999"], 64, "--port"),
        (["frobnicate"], 64, "frobnicate"), (["runn", "x"], 64, "unknown subcommand 'runn' (did you mean 'run'?)"),
        (["story.lua"], 64, "(did you mean 'moonrill run story.lua'?)"),
        (["run", "--modle", "m", "x"], 64, "Unknown option '--modle'. Did you mean '--model'?"),
        (["run", "--log-level", "loud", "x"], 64, "'trace', 'debug', 'info', 'warning' or 'error'"),
        (["run", "--timeout", "soon", "x"], 64, "The value 'soon' is invalid for '--timeout"),
        (["run", "--rate", "5", "x"], 64, "--rate is for the offline provider: add --mock."),
        (["run", "--mock", "--rate=-1", "x"], 64, "--rate takes a number of 0 or more."),
        (["mock", "--fault", "429:x"], 64, "fault \"429:x\": after the colon stands a number of requests"),
        (["ask", "--mock"], 64, "Missing expected argument '<prompt> ...'"),
        (["ask", "--mock", "--timeout", "0.2", "--fault", "slow-head:60", "x"], 124, "did not end within 0.2 s"),
        (["providers", "all"], 64, "Unexpected argument 'all'"),
        (["ask", "hello"], 1, "moonrill: no provider is chosen; write provider = "),
        (
            ["ask", "--provider", "deepsek", "x"], 1,
            "moonrill: unknown provider \"deepsek\" (did you mean \"deepseek\"?)"
        ),
        (["ask", "--provider", "deepseek", "x"], 1, "export DEEPSEEK_API_KEY="),
        (["ask", "--base-url", "ftp://x", "x"], 1, "base_url must begin with http:// or https://, not ftp://"),
    ])
    func wrongUsage(arguments: [String], status: Int, message: String) throws {
        let result = try MoonrillBinary.run(arguments)
        #expect(result.status == Int32(status))
        #expect(result.errorOutput.contains(message), "\(result.errorOutput)")
        #expect(result.output.trimmingCharacters(in: .newlines) == "")
    }

    @Test func theDefaultProviderOfTheEnvironmentIsChecked() throws {
        let result = try MoonrillBinary.run(["ask", "x"], environment: ["MOONRILL_PROVIDER": "deepsek"])
        #expect(result.status == 1)
        #expect(result.errorOutput.hasPrefix("moonrill: unknown provider \"deepsek\" (did you mean \"deepseek\"?)"))
    }

    @Test func aPortInUseIsNamed() throws {
        let server = try SimulatorServer.start(SimulatorOptions())
        defer { server.stop() }
        let result = try MoonrillBinary.run(["mock", "--port", "\(server.port)"])
        #expect(result.status == 69)
        #expect(result.errorOutput.contains("\(server.port)") && result.errorOutput.contains("in use"))
    }

    // MARK: Commands

    @Test func mockPrintsItsURLAndServesUntilStopped() throws {
        let run = try MoonrillBinary.start(["mock"])
        run.waitForOutput()
        run.send(SIGTERM)
        let result = run.wait(timeout: 20)
        #expect(result.status == 0)
        #expect(result.output.hasPrefix("http://127.0.0.1:") && result.output.hasSuffix("/v1\n"))
    }

    @Test func providersSayWhichHaveAKeyAndNeverTheKey() throws {
        let result = try MoonrillBinary.run(["providers"], environment: ["GROQ_API_KEY": "gsk-secret-1234"])
        #expect(result.status == 0)
        #expect(result.output.split(separator: "\n").contains { $0.hasPrefix("groq *") && $0.contains(" set ") })
        #expect(result.output.contains("DEEPSEEK_API_KEY"))
        #expect(!(result.output + result.errorOutput).contains("secret"))
    }

    /// The argument parser lays help out for 80 columns: no paragraph is broken by hand.
    @Test(arguments: [[], ["run"], ["ask"], ["probe"], ["mock"], ["providers"]])
    func helps(command: [String]) throws {
        let result = try MoonrillBinary.run(command + ["--help"], environment: ["COLUMNS": "80"])
        #expect(result.status == 0)
        #expect(result.output.contains("OVERVIEW: ") && result.output.contains("USAGE: moonrill"))
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.count <= 80 })
        for (line, next) in zip(lines, lines.dropFirst()) where !line.hasPrefix(" ") && !next.hasPrefix(" ") {
            guard let word = next.split(separator: " ").first, !line.isEmpty else { continue }
            #expect(line.count + 1 + word.count >= 80, "broken by hand: \(line)")
        }
    }

    @Test func mockHelpListsEachFault() throws {
        let help = try MoonrillBinary.run(["mock", "--help"]).output
        for form in FaultPlan.forms { #expect(help.contains("\n        \(form.syntax)"), "no \(form.syntax)") }
    }

    @Test func askStreamsTheAnswerAndTakesAPipeAsContext() throws {
        let result = try MoonrillBinary.run(
            ["ask", "--mock", "--rate", "0", "Summarise", "this."], stdin: Array("A text about rivers.".utf8))
        #expect(result.status == 0)
        #expect(result.output.hasSuffix("\n") && result.output.count > 20)
        #expect(result.errorOutput.contains("user"))
        let failed = try MoonrillBinary.run(["ask", "--fault", "401", "hello"])
        #expect(failed.status == 1)
        #expect(failed.errorOutput.contains("auth (401)") && !failed.errorOutput.contains("traceback"))
    }

    @Test func logsAsTextAndJSON() throws {
        let script = "require('llm').log.info('hello', 1)"
        #expect(
            try MoonrillBinary.run(script: script, ["--log-level", "info"]).errorOutput == "moonrill: info: hello 1\n")
        #expect(try MoonrillBinary.run(script: script).errorOutput == "")
        let json = try MoonrillBinary.run(script: script, ["--log-level", "info", "--log-format", "json"]).errorOutput
        #expect(json.contains("\"level\":\"info\"") && json.contains("\"message\":\"hello 1\""))
    }
}
