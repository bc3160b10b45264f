// The process around a script: keys that its commands do not get, commands that end with it, and an end that needs no Lua.

import Foundation
import HTTP
import ProviderSimulator
import Support
import Testing

@Suite struct ProcessTests {
    static let key = "sk-moonrill-marked-0123456789abcdef"

    // MARK: Keys

    static let look = """
        print(io.popen("env"):read("a")) os.execute("env") print(io.open("/proc/self/environ", "rb"):read("a"))
        print(os.getenv("OPENAI_API_KEY"), os.getenv("OTHER"), os.getenv("MY_KEY"), os.getenv("HOME"))
        """

    /// Children, os.getenv and /proc/self/environ show no key: of a preset, of config.lua, of a variable that a script
    /// names, or of a variable that holds one of these besides other text. What holds none stays.
    @Test(arguments: [
        (["OPENAI_API_KEY": key], ""), (["DEEPSEEK_API_KEY": key, "HF_TOKEN": key + "2"], ""),
        (["MY_KEY": key], "require('llm').client { base_url = 'http://127.0.0.1:1', key_env = 'MY_KEY', model = 'm' }"),
        (
            ["MY_KEY": key],
            "require('llm').provider { name = 'mine', base_url = 'http://127.0.0.1:1', key_env = 'MY_KEY' }"
        ),
        (["OPENAI_API_KEY": key, "OTHER": "Authorization: Bearer \(key)"], ""), (["CONFIGURED": key], ""),
    ])
    func keysAreTakenOut(environment: [String: String], script: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        let place = folder.appendingPathComponent("moonrill")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = "llm.provider { name = 'own', base_url = 'https://own.example', key_env = 'CONFIGURED' }"
        try Data(text.utf8).write(to: place.appendingPathComponent("config.lua"))
        let result = try MoonrillBinary.run(
            script: script + "\n" + Self.look,
            environment: environment.merging(["XDG_CONFIG_HOME": folder.path, "KEPT": "ordinary"]) { $1 })
        #expect(result.status == 0, "\(result.errorOutput)")
        #expect(!result.output.contains("marked") && !result.errorOutput.contains("marked"))
        #expect(result.output.components(separatedBy: "KEPT=ordinary").count == 4)
    }

    /// The key is in its request all the same, also where another variable held the same.
    @Test(arguments: ["OPENAI_API_KEY", "MY_KEY", "COPY"]) func keysAreSent(variable: String) throws {
        let seen = Locked("")
        var options = SimulatorOptions()
        options.rate = 0
        options.onRequest = { request in seen.withLock { $0 = request.headers["Authorization"] ?? "" } }
        let server = try SimulatorServer.start(options)
        defer { server.stop() }
        let script = """
            local client = require("llm").client { base_url = "\(server.baseURL)", key_env = "\(variable)", model = "m" }
            assert(client:ask("x")) os.execute("env") print(io.open("/proc/self/environ"):read("a"))
            """
        let result = try MoonrillBinary.run(
            script: script, environment: ["OPENAI_API_KEY": Self.key, "MY_KEY": Self.key, "COPY": Self.key])
        #expect(result.status == 0, "\(result.errorOutput)")
        #expect(seen.withLock { $0 } == "Bearer \(Self.key)")
        #expect(!result.output.contains("marked"))
    }

    @Test func aVariableIsPassedOnWhereTheUserSaysSo() throws {
        let result = try MoonrillBinary.run(
            script: "print(os.getenv('HF_TOKEN')) os.execute('echo $HF_TOKEN $OPENAI_API_KEY')",
            ["--pass-env", "HF_TOKEN"], environment: ["HF_TOKEN": "passed-on-token", "OPENAI_API_KEY": Self.key])
        #expect(result.output == "passed-on-token\npassed-on-token\n")
    }

    /// The offline provider is sent no key; the script's own variable is hidden all the same.
    @Test func aKeyThatIsNotNeededIsHiddenToo() throws {
        let script = """
            require("llm").client { key_env = "MY_KEY" }
            print(os.getenv("MY_KEY")) os.execute('echo "$MY_KEY"')
            """
        let result = try MoonrillBinary.run(script: script, ["--mock"], environment: ["MY_KEY": Self.key])
        #expect(result.output == "nil\n\n")
    }

    /// No core file once a key is there; children get the limit that the process was started with.
    @Test(.disabled(if: isSanitized, "the address sanitizer sets the limit of core files itself"))
    func noCoreFileHoldsAKey() throws {
        let line = """
            ulimit -c unlimited; export OPENAI_API_KEY=\(Self.key); echo 'local f = io.open("/proc/self/limits")
            print(f:read("a"):match("Max core file size%s+(%S+)")) os.execute("ulimit -c")' | $0 run -
            """
        let result = try MoonrillBinary.run(shell: line)
        #expect(result.output == "0\nunlimited\n")
    }

    /// Without root, a script cannot read the memory that holds a key, from its first line on.
    @Test(.disabled(if: isSanitized, "the leak sanitizer traces its own process, which this forbids"))
    func theMemoryIsNotReadable() throws {
        let line = """
            export OPENAI_API_KEY=\(Self.key); drop="setpriv --reuid 65534 --clear-groups"
            if [ "$(id -u)" != 0 ]; then drop=; elif ! $drop test -x "$0"; then echo cannot; exit; fi
            echo 'print(io.open("/proc/self/mem", "rb"))' | $drop "$0" run -
            """
        let result = try MoonrillBinary.run(shell: line)
        // A checkout that only root can read cannot be tested in this way.
        #expect(
            result.output == "cannot\n" || result.output.hasPrefix("nil\t"), "\(result.output)\(result.errorOutput)")
    }

    // MARK: Children

    /// As stock Lua's: results, file handles, modes.
    @Test(arguments: [
        ("print(os.execute())", "true\n"), ("print(os.execute('exit 3'))", "nil\texit\t3\n"),
        ("print(os.execute('true'))", "true\texit\t0\n"), ("print(os.execute('kill -9 $$'))", "nil\tsignal\t9\n"),
        ("local p = io.popen('echo a; exit 4') print(p:read('l'), p:close())", "a\tnil\texit\t4\n"),
        ("local p = io.popen('kill -15 $$') print(p:read('a'), p:close())", "\tnil\tsignal\t15\n"),
        ("for line in io.popen('printf \"1\\n2\\n\"'):lines() do print(line) end", "1\n2\n"),
        ("local p = io.popen('cat', 'w') p:write('x\\n') print(p:close())", "x\ntrue\texit\t0\n"),
        ("print(pcall(io.popen, 'x', 'rw'))", "false\tbad argument #2 to 'io.popen' (invalid mode)\n"),
        (
            "local p = io.popen('true') p:close() print(io.type(p), pcall(p.read, p))",
            "closed file\tfalse\tattempt to use a closed file\n"
        ),
        ("do local p <close> = io.popen('echo closed', 'w') end print('after')", "closed\nafter\n"),
        ("print(select(2, pcall(io.popen)))", "bad argument #1 to 'io.popen' (string expected, got no value)\n"),
        ("io.popen('cat >/dev/null', 'w'):write('never closed')", ""),
    ])
    func behavesAsInStockLua(script: String, output: String) throws {
        let result = try MoonrillBinary.run(script: script)
        #expect(result.output == output && result.status == 0, "\(result.errorOutput)")
    }

    /// What was written before a command comes out before what the command writes.
    @Test(arguments: [
        "print('1') os.execute('echo 2') print('3')", "io.write('1\\n') os.execute('echo 2') io.stdout:write('3\\n')",
        "print('1') io.popen('echo 2', 'w'):close() print('3')",
        "print('1') local p = io.popen('cat', 'w') p:write('2\\n') p:close() print('3')",
        "print('1') require('llm').spawn(function() os.execute('echo 2') end):wait() print('3')",
    ])
    func outputKeepsItsOrder(script: String) throws {
        #expect(try MoonrillBinary.run(script: script).output == "1\n2\n3\n")
    }

    /// SIGPIPE as it is by default, the limit of open files that the process was started with, and no descriptor of
    /// the host's.
    @Test func childrenStartAsIfFromAShell() throws {
        let line = """
            ulimit -Sn 300; exec 5</dev/null; list='ls /proc/self/fd | tr "\\n" " "'
            echo "local llm = require 'llm' local client = llm.client()
            assert(client:ask('x')) os.execute('ulimit -Sn; yes | head -n 1; grep -c SigIgn:.*[02468ace]...\\$ /proc/self/status')
            os.execute[[$list]]" | $0 run --mock --rate 0 -; echo; echo | eval "$list"
            """
        let result = try MoonrillBinary.run(shell: line)
        #expect(result.errorOutput == "")
        let lines = result.output.split(separator: "\n")
        try #require(lines.count == 5, "\(result.output)")
        #expect(lines[..<3] == ["300", "y", "1"])
        #expect(lines[3] == lines[4])
    }

    /// On a terminal a command is in the script's own process group: another group could not read the terminal.
    @Test func aCommandReadsTheTerminal() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString).lua")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("os.execute('read line; echo got $line')".utf8).write(to: file)
        let result = try MoonrillBinary.run(
            shell: "echo hello | TERM=xterm script -qec \"$0 run --timeout 30 \(file.path)\" /dev/null")
        #expect(result.output.contains("got hello"), "\(result.output)")
    }

    // MARK: The end

    static let endless = [
        "os.execute('sleep 600')", "os.execute('trap \"\" TERM; sleep 600; sleep 600')",
        "io.popen('sleep 600'):read('a')", "io.popen('sleep 600', 'w'):close()", "io.popen('sleep 600')",
        "print(('a'):rep(40):find(('a?'):rep(26) .. ('a'):rep(40) .. 'b'))",
        "require('llm').spawn(function() os.execute('sleep 600') end) require('llm').sleep(600)",
        "pcall(function() while true do pcall(os.execute, 'sleep 600') end end)",
    ]

    /// Whatever a script is inside of, the time limit ends it, and what it had printed is kept.
    @Test(arguments: endless) func theTimeLimitEndsIt(script: String) throws {
        let result = try MoonrillBinary.run(script: "print('kept')\n" + script, ["--timeout", "0.5"], timeout: 60)
        #expect(result.status == 124 && result.signal == nil)
        #expect(result.output == "kept\n")
        #expect(result.errorOutput == "moonrill: out of time: the script did not end within 0.5 s\n")
    }

    /// The thread sanitizer holds a signal back for as long as a C function runs.
    private static let endableBySignals = isSanitized ? endless.filter { !$0.contains("find") } : endless

    @Test(arguments: endableBySignals, [SIGTERM, SIGINT]) func signalsEndIt(script: String, signal: Int32) throws {
        let run = try MoonrillBinary.start(
            ["run", "-"], stdin: Array("print('kept') io.stdout:flush()\n\(script)".utf8))
        run.waitForOutput()
        run.send(signal)
        let result = run.wait(timeout: 60)
        #expect(result.status == 128 + signal && result.signal == nil)
        #expect(result.output == "kept\n")
        #expect(result.errorOutput == "")
    }

    /// All of a command's processes end with it, those in its background too: the pipe they hold is closed.
    @Test(arguments: ["(sleep 600 &); sleep 600", "sleep 600 & wait", #"sh -c "sleep 600; true"; true"#])
    func noProcessIsLeft(command: String) throws {
        // Nobody reads on after the last writer of the pipe has gone; cat would wait for a process that was left.
        let result = try MoonrillBinary.run(
            shell:
                "echo 'os.execute([[\(command)]])' | timeout 120 $0 run --timeout 0.5 - 2>&1 | cat; echo ${PIPESTATUS[1]}"
        )
        #expect(result.output.hasSuffix("\n124\n"))
    }

    /// A line of bash with a FIFO as `$fifo`. Opened for both ways, it never comes to its end.
    private func run(withFIFO line: String) throws -> MoonrillBinary.Result {
        try MoonrillBinary.run(
            shell: "folder=$(mktemp -d); fifo=$folder/fifo; mkfifo $fifo; \(line); rm -r $folder")
    }

    /// A descriptor that stays open, or a file that cannot be read, is neither an endless wait nor an empty script.
    @Test(arguments: [
        ("$0 run --timeout 0.5 - <>$fifo", 124, "out of time"), ("$0 run --timeout 0.5 $fifo", 124, "out of time"),
        ("$0 ask --mock --timeout 0.5 x <>$fifo", 124, "out of time"), ("$0 run - <&-", 66, "Bad file descriptor"),
        ("$0 run - </tmp", 66, "Is a directory"), ("$0 run /tmp", 66, "Is a directory"),
        ("$0 ask --mock x </tmp", 66, "Is a directory"), ("$0 run /no/such", 66, "no script"),
    ])
    func standardInputIsReadInTime(line: String, status: Int, message: String) throws {
        let result = try run(withFIFO: "\(line) 2>&1 >/dev/null; echo status $?")
        #expect(result.output.contains(message), "\(result.output)")
        #expect(result.output.contains("status \(status)\n"), "\(result.output)")
    }

    @Test func aLongWaitForStandardInputIsTold() throws {
        let result = try run(withFIFO: "$0 ask --mock --timeout 4.5 x <>$fifo 2>&1")
        #expect(result.output.contains("waiting for the end of standard input"))
    }

    // MARK: Messages

    @Test(arguments: [
        ("error('boom')", 1, "boom"), ("error({ code = 1 })", 1, "code"), ("x x", 1, "syntax"),
        ("require('llm').sleep(60)", 124, "out of time"),
        ("require('llm').log.warning('\\27[2J\\nmoonrill: \\u{9b}')", 0, "moonrill"),
    ])
    func everyLineIsJSONWhereAskedFor(script: String, status: Int32, message: String) throws {
        let result = try MoonrillBinary.run(script: script, ["--log-format", "json", "--timeout", "5"])
        #expect(result.status == status)
        let lines = result.errorOutput.split(separator: "\n")
        #expect(!lines.isEmpty)
        for line in lines {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["level"] is String && object["message"] is String && object["time"] is Double)
        }
        #expect(result.errorOutput.contains(message))
        #expect(
            !result.errorOutput.unicodeScalars.contains {
                $0 != "\n" && ($0.value < 32 || (127...159).contains($0.value))
            })
    }

    @Test func textLogLinesCannotBeForged() throws {
        let result = try MoonrillBinary.run(
            script:
                "require('llm').log.warning('a\\27[2J\\nmoonrill: forged\\r\\u{9b}') error('b\\nmoonrill: forged\\27', 0)"
        )
        #expect(
            result.errorOutput.hasPrefix(
                "moonrill: warning: a\\x1b[2J\\nmoonrill: forged\\r\\x9b\nmoonrill: b\n  moonrill: forged\\x1b\n"))
    }
}

private let isSanitized: Bool = {
    #if SANITIZED
        true
    #else
        false
    #endif
}()
