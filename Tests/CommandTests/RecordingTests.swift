// `moonrill run --record` and `--replay` through the real binary and the offline provider.

import Foundation
import ProviderSimulator
import Support
import Testing

/// A script whose run is recorded and replayed.
struct RecordedCase: Sendable, CustomTestStringConvertible {
    var name: String
    var script: String
    var options: [String] = ["--mock", "--rate", "0"]
    var status: Int32 = 0
    /// What its output contains, so that the case is known to do what it is for.
    var output: String

    var testDescription: String { name }

    private static let begin = """
        local llm = require "llm"
        local client = llm.client { model = "moonrill-chat" }

        """

    init(
        _ name: String, _ script: String, _ options: [String] = ["--mock", "--rate", "0"], status: Int32 = 0,
        output: String
    ) {
        (self.name, self.script, self.options, self.status, self.output) = (
            name, Self.begin + script, options, status, output
        )
    }

    static let all = [
        RecordedCase(
            "parallel tasks",
            """
            local tasks = {}
            for number = 1, 6 do
              tasks[number] = llm.spawn(function()
                llm.sleep(0.02 * math.random())
                local reply = client:ask("Task " .. number, { on_token = function(text) io.write(number, text) end })
                print(number, reply.text, reply.total_time, llm.now())
              end)
            end
            for _, task in ipairs(tasks) do task:wait() end
            print "all"
            """, output: "all\n"),
        RecordedCase(
            "flow.map and race",
            """
            for _, reply in ipairs(llm.flow.map({ "a", "b", "c", "d" }, function(x) return client:ask(x).text end, { limit = 2 })) do
              print(reply)
            end
            local race = llm.flow.race {
              function() return client:ask("first").text end, function() return client:ask("second").text end }
            print(race and "raced")
            """, ["--mock", "--rate", "300"], output: "raced\n"),
        RecordedCase(
            "tools",
            """
            local add = llm.tool { name = "add", description = "Adds.", parameters = { type = "object", properties = { a = { type = "number" } } },
              run = function(input) return "sum " .. os.time() .. " " .. math.random(1000) end }
            print(client:ask("Use add with 1", { tools = { add } }).text, "tool done")
            """, output: "tool done\n"),
        RecordedCase(
            "clocks, random numbers and sleeps",
            """
            print(os.time(), os.date(), os.date("!%H:%M"), os.date("*t").yday, os.clock(), llm.now())
            print(math.random(0), math.random(), math.randomseed())
            math.randomseed(42)
            print(math.random(1 << 40))
            local start = llm.now()
            llm.sleep(0.05)
            print(llm.now() - start, os.tmpname())
            """, output: "\n"),
        RecordedCase(
            "order of pairs",
            """
            local keys, t = {}, { 1, 2, [10] = 3, [1.5] = 4, [true] = 5, [false] = 6 }
            for number = 1, 200 do t["key" .. number * 7919 % 1000] = number end
            for key, value in pairs(t) do
              keys[#keys + 1] = tostring(key) .. "=" .. tostring(value)
              t[key] = nil
            end
            print(next(t), table.concat(keys, " "))
            for key in pairs(setmetatable({}, { __pairs = function() return function(_, k) return not k and "own" or nil end end })) do print(key) end
            print(pcall(function() for key in pairs(nil) do end end))
            """, output: "own\n"),
        RecordedCase(
            "stop from a callback",
            """
            local count = 0
            local reply = client:ask("A story", { on_token = function() count = count + 1; if count == 5 then return false end end })
            print(reply.finish_reason, reply.text)
            for event in client:stream("Another story") do if event.type == "token" then io.write(event.text) break end end
            print "left"
            """, ["--mock", "--rate", "500"], output: "cancelled\t"),
        RecordedCase(
            "cancelled task",
            """
            local task = llm.spawn(function()
              local guard <close> = setmetatable({}, { __close = function() llm.sleep(0.01) print "closed" end })
              return client:ask("A long story", { on_token = io.write })
            end)
            llm.sleep(0.1)
            task:cancel()
            print(task:wait())
            """, ["--mock", "--rate", "200"], output: "closed\n"),
        RecordedCase(
            "budget",
            """
            print(llm.budget { tokens = 200 }:run(function()
              for number = 1, 20 do print(assert(client:ask("Question " .. number)).text) end
            end))
            """, output: "budget"),
        RecordedCase("error", "print(client:ask('x').text) error('boom')", status: 1, output: "\n"),
        RecordedCase(
            "os.exit in a callback", "client:ask('x', { on_token = function(text) io.write(text) os.exit(7) end })",
            status: 7, output: ""),
        RecordedCase(
            "os.exit with cleanup",
            """
            local guard <close> = setmetatable({}, { __close = function() llm.sleep(0.01) print "closed" end })
            os.exit(3, true)
            """, status: 3, output: "closed\n"),
        RecordedCase(
            "time limit in a stream",
            """
            local guard <close> = setmetatable({}, { __close = function() print "closed" end })
            client:ask("A long story", { on_token = io.write })
            """, ["--mock", "--rate", "10", "--timeout", "3"], status: 124, output: "closed\n"),
        RecordedCase(
            "time limit in a loop", "print 'begun' while true do end", ["--mock", "--timeout", "3"], status: 124,
            output: "begun\n"),
        RecordedCase(
            "retries",
            "local reply = client:ask('x', { on_retry = function(r) print(r.attempt, r.delay, r.error) end }) print(reply.text, reply.attempts)",
            ["--mock", "--fault", "429:2@0", "--rate", "0"], output: "\t3\n"),
        RecordedCase(
            "cut stream", "print(client:ask('x', { on_token = io.write }))",
            ["--mock", "--fault", "eof@900", "--rate", "0"],
            output: "truncated"),
        RecordedCase(
            "stalled stream",
            "local reply, err = client:ask('x', { on_token = io.write, timeout = { idle = 0.2 }, retry = { max = 0 } }) print(reply, err)",
            ["--mock", "--fault", "stall@700:5", "--rate", "0"], output: "timeout"),
        RecordedCase(
            "budget of seconds",
            "print(llm.budget { seconds = 0.3 }:run(function() return client:ask('A long story', { on_token = io.write }) end))",
            ["--mock", "--rate", "20"], output: "budget"),
    ]
}

@Suite struct RecordingTests {
    @Test(arguments: RecordedCase.all)
    func aReplayHasTheSameOutputAndStatus(_ recorded: RecordedCase) throws {
        let workshop = try RecordingWorkshop(script: recorded.script)
        let result = try workshop.record(recorded.options)
        #expect(result.status == recorded.status, "\(result.errorOutput)")
        #expect(
            recorded.output.isEmpty || result.output.contains(recorded.output), "\(result.output) \(result.errorOutput)"
        )
        #expect(try workshop.differences(from: result) == [])
    }

    @Test func inputEnvironmentArgumentsAndModulesAreInTheRecording() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local names = require "names"
                print(names.word, os.getenv("CITY"), os.getenv("NOTHING"), arg[1], ...)
                io.write("name? ")
                print(io.read("l"), io.read("n"), io.read(3), io.stdin:read("l"))
                for line in io.lines() do print("line " .. line) end
                print(io.read("a"), io.read("l"))
                """)
        try workshop.write("#!/usr/bin/lua\nreturn { word = 'moon' }", to: "names.lua")
        let result = try workshop.record(
            arguments: ["a b", "ü"], stdin: "Ada\n42 x\nrest\none\ntwo", environment: ["CITY": "Bern"])
        #expect(
            result.output
                == "moon\tBern\tnil\ta b\ta b\tü\nname? Ada\t42\t x\n\trest\nline one\nline two\n\tnil\n",
            "\(result.errorOutput)")
        try FileManager.default.removeItem(atPath: workshop.path("names.lua"))
        try FileManager.default.removeItem(atPath: workshop.path("script.lua"))
        #expect(try workshop.differences(from: result) == [])
    }

    @Test func aClosedOutputEndsTheReplayToo() throws {
        let workshop = try RecordingWorkshop(
            script: "local llm = require 'llm' for number = 1, 100 do print(number) llm.sleep(0.01) end")
        let recorded = try MoonrillBinary.run(
            shell:
                "$0 run --record '\(workshop.recording)' '\(workshop.path("script.lua"))' | head -n 1; echo ${PIPESTATUS[0]}"
        )
        #expect(recorded.output == "1\n141\n", "\(recorded.errorOutput)")
        let replay = try workshop.replay()
        #expect(replay.status == 141 && replay.output.hasPrefix("1\n") && !replay.output.contains("100"))
        #expect(replay.errorOutput == "")
    }

    /// A faster machine comes further before the recorded stop, and ends with the same status.
    @Test func aLoopThatEndsBeforeItsRecordedStopHasTheSameStatus() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local is_slow = io.open(arg[1])
                print "begun"
                for _ = 1, is_slow and math.huge or 1 do end
                """)
        try workshop.write("", to: "slow")
        let recorded = try workshop.record(["--timeout", "3"], arguments: [workshop.path("slow")])
        #expect(recorded.status == 124 && recorded.output == "begun\n")
        try FileManager.default.removeItem(atPath: workshop.path("slow"))
        let replay = try workshop.replay()
        #expect(replay.status == 124 && replay.output == "begun\n")
        #expect(replay.errorOutput.contains("did not end within 3.0 s"))
    }

    @Test func theTimeOfCleanupEndsAtTheSameStep() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local llm = require "llm"
                local guard <close> = setmetatable({}, { __close = function() print "closing" llm.sleep(10) print "never" end })
                llm.sleep(100)
                """)
        let recorded = try workshop.record(["--timeout", "3"])
        #expect(recorded.status == 124 && recorded.output == "closing\n")
        #expect(try workshop.differences(from: recorded) == [])
    }

    @Test func pairsHasAnOrder() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local t = { [3] = "c", [1] = "a", [2.5] = "b", z = 1, a = 1, B = 1, [""] = 1, [true] = 1, [false] = 1, [-1] = 1 }
                for key in pairs(t) do io.write(tostring(key), " ") end
                """)
        #expect(try workshop.record([]).output == "-1 1 2.5 3  B a z false true ")
    }

    @Test func aSignalEndsTheReplayAtTheSameStep() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local llm = require "llm"
                local guard <close> = setmetatable({}, { __close = function() llm.sleep(0.05) print "closed" end })
                llm.client { model = "moonrill-chat" }:ask("A long story", { on_token = io.write })
                """)
        let running = try MoonrillBinary.start(
            ["run", "--mock", "--rate", "20", "--record", workshop.recording, workshop.path("script.lua")])
        running.waitForOutput()
        running.send(SIGINT)
        let result = running.wait()
        #expect(result.status == 130 && result.output.hasSuffix("closed\n"))
        #expect(try workshop.differences(from: result) == [])
    }

    @Test func aKilledRunLeavesARecordingThatCanBeReplayedUpToItsEnd() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local llm = require "llm"
                llm.client { model = "moonrill-chat" }:ask("A long story", { on_token = io.write })
                """)
        let running = try MoonrillBinary.start(
            ["run", "--mock", "--rate", "20", "--record", workshop.recording, workshop.path("script.lua")])
        running.waitForOutput()
        running.kill()
        let killed = running.wait()
        let replay = try workshop.replay()
        #expect(replay.status == 1)
        #expect(replay.errorOutput.contains("the recording ends here: the recorded run was broken off"))
        // What a step wrote is flushed with the next one.
        #expect(killed.output.hasPrefix(replay.output) || replay.output.hasPrefix(killed.output))
    }

    private static let threeQuestions = """
        local llm = require "llm"
        local client = llm.client { model = "moonrill-chat" }
        for number = 1, 3 do print(number, client:ask("Question " .. number).text) end
        """

    @Test func aChangedPromptIsNamed() throws {
        let workshop = try RecordingWorkshop(script: Self.threeQuestions)
        #expect(try workshop.record().status == 0)
        try workshop.write(
            Self.threeQuestions.replacingOccurrences(of: "\"Question \"", with: "\"Problem \""), to: "new.lua")
        let replay = try workshop.replay(script: workshop.path("new.lua"))
        #expect(replay.status == 1 && replay.output == "")
        #expect(replay.errorOutput.contains("request 1 is not in the recording"))
        #expect(replay.errorOutput.contains("messages[0].content: recorded \"Question 1\", now \"Problem 1\""))
    }

    @Test func aChangedScriptWithTheSameRequestsIsReplayed() throws {
        let workshop = try RecordingWorkshop(script: Self.threeQuestions)
        let recorded = try workshop.record()
        let lines = recorded.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count >= 4)
        try workshop.write(
            Self.threeQuestions.replacingOccurrences(of: "number = 1, 3", with: "number = 3, 1, -1")
                .replacingOccurrences(of: "for number", with: "llm.sleep(1000) for number"), to: "new.lua")
        let replay = try workshop.replay(script: workshop.path("new.lua"))
        #expect(replay.status == 0, "\(replay.errorOutput)")
        #expect(replay.output.hasPrefix("3\t") && replay.output.contains("\n1\t"))
        #expect(replay.errorOutput.contains("the output differs from that of the recorded run"))
    }

    @Test func aChangedScriptMayWaitPauseAndStopElsewhere() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local llm = require "llm"
                local client = llm.client { model = "moonrill-chat" }
                local tasks = {}
                for number = 1, 4 do tasks[number] = llm.spawn(function() return client:ask("Q " .. number).text end) end
                for number = 1, 4 do print(number, tasks[number]:wait()) end
                """)
        let recorded = try workshop.record(["--mock", "--rate", "500"])
        #expect(recorded.status == 0)
        try workshop.write(
            """
            local llm = require "llm"
            local client = llm.client { model = "moonrill-chat" }
            local tasks = {}
            llm.spawn(function() for _ = 1, 30 do llm.sleep(0.1) end end)
            for number = 4, 1, -1 do
              tasks[number] = llm.spawn(function()
                local call
                call = client:start("Q " .. number, { on_token = function()
                  if not call then return end
                  call:pause()
                  llm.spawn(function() llm.sleep(0.05) call:resume() end)
                end })
                return assert(call:wait()).text
              end)
            end
            for number = 1, 4 do print(number, tasks[number]:wait()) end
            """, to: "paused.lua")
        let paused = try workshop.replay(script: workshop.path("paused.lua"))
        #expect(paused.output == recorded.output, "\(paused.errorOutput)")
        try workshop.write(
            """
            local llm = require "llm"
            local client = llm.client { model = "moonrill-chat" }
            local count = 0
            for _ in client:stream("Q 2") do count = count + 1 if count == 5 then break end end
            local reply = client:ask("Q 1", { on_token = function() count = count + 1 if count == 8 then return false end end })
            print(count, reply.finish_reason, #reply.text > 0)
            local task = llm.spawn(function() return client:ask("Q 3") end)
            task:cancel()
            print(llm.budget { seconds = 0.5 }:run(function()
              return client:ask("Q 4", { on_token = function() llm.sleep(0.1) end })
            end))
            local start = llm.now()
            while llm.now() < start + 2 do end
            """, to: "stopped.lua")
        let stopped = try workshop.replay(script: workshop.path("stopped.lua"))
        #expect(stopped.status == 0, "\(stopped.errorOutput)")
        #expect(stopped.output == "8\tcancelled\ttrue\nnil\tthe budget of 0.5 seconds is spent\n")
    }

    @Test func newRequestsAreAskedWithReplayNew() throws {
        let workshop = try RecordingWorkshop(script: Self.threeQuestions)
        let recorded = try workshop.record()
        try workshop.write(Self.threeQuestions.replacingOccurrences(of: "1, 3", with: "1, 4"), to: "new.lua")
        let refused = try workshop.replay(script: workshop.path("new.lua"))
        #expect(refused.status == 1 && refused.output == recorded.output)
        let asked = try workshop.replay(["--replay-new", "--mock", "--rate", "0"], script: workshop.path("new.lua"))
        #expect(asked.status == 0 && asked.output.hasPrefix(recorded.output) && asked.output.contains("\n4\t"))
        #expect(asked.errorOutput.contains("asked: request 4 is not in the recording"))
    }

    @Test func theRecordedPaceIsKept() throws {
        let workshop = try RecordingWorkshop(script: "local llm = require 'llm' print 'a' llm.sleep(0.6) print 'b'")
        #expect(try workshop.record([]).output == "a\nb\n")
        let clock = ContinuousClock()
        var outputs: [String] = []
        let seconds = try clock.measure { outputs.append(try workshop.replay(["--speed", "1"]).output) }
        #expect(seconds >= .milliseconds(600))
        let half = try clock.measure { outputs.append(try workshop.replay(["--speed", "2"]).output) }
        #expect(half >= .milliseconds(300))
        #expect(outputs == ["a\nb\n", "a\nb\n"])
    }

    @Test(arguments: [
        (["--record", "x", "--replay", "y"], "Give one of --record and --replay"),
        (["--record", "x", "--job", "j"], "--record and --job cannot be combined"),
        (
            ["--replay", "x", "--cache"],
            "--replay cannot be combined with --store, --cache, --refresh and --log-requests"
        ),
        (["--replay-new"], "add --replay FILE"), (["--speed", "1"], "add --replay FILE"),
        (["--replay", "x", "--speed", "0"], "--speed takes a number above 0"),
    ])
    func wrongOptionsAreRefused(_ options: [String], _ message: String) throws {
        let result = try MoonrillBinary.run(["run"] + options + ["script.lua"])
        #expect(result.status == 64 && result.errorOutput.contains(message), "\(result.errorOutput)")
    }

    @Test func aServerIsNotRecorded() throws {
        let workshop = try RecordingWorkshop(
            script: "require('llm').serve { routes = { ['/'] = function() return 'x' end } }")
        let result = try workshop.record()
        #expect(result.status == 1 && result.errorOutput.contains("llm.serve: a server cannot be recorded"))
    }

    @Test func aRecordingThatIsNotWholeIsAFailure() throws {
        let result = try MoonrillBinary.run(
            ["run", "--mock", "--record", "/dev/full", "-"], stdin: Array("print 'done'".utf8))
        #expect(result.status == 1 && result.output == "done\n")
        #expect(result.errorOutput.contains("the recording /dev/full cannot be written: No space left on device"))
        let other = try MoonrillBinary.run(
            ["run", "--mock", "--record", "/dev/full", "-"], stdin: Array("os.exit(9)".utf8))
        #expect(other.status == 9)
    }

    @Test func keysAreInNoByte() throws {
        let key = "sk-canary+/0123456789abcdef"
        let workshop = try RecordingWorkshop(
            script: """
                local llm = require "llm"
                local client = llm.client { base_url = arg[1], model = "moonrill-chat", key_env = "MOON_KEY" }
                print(client:ask("The key is " .. arg[2]))
                print(os.getenv("OTHER"), io.read("a"), os.getenv("MOON_KEY"))
                """)
        var options = SimulatorOptions()
        options.rate = 0
        let provider = try SimulatorServer.start(options)
        defer { provider.stop() }
        let recorded = try workshop.record(
            [], arguments: [provider.baseURL, key], stdin: "in \(key)",
            environment: ["MOON_KEY": key, "OTHER": "o \(key)"])
        #expect(recorded.status == 0, "\(recorded.errorOutput)")
        let text = workshop.recordingText
        #expect(!text.contains(key) && !text.contains("0123456789abcdef"))
        #expect(!text.contains(Data(key.utf8).base64EncodedString().dropLast(4)))
        #expect(!text.contains("sk-canary%2B%2F"))
        let replay = try workshop.replay()
        #expect(replay.status == 0, "\(replay.errorOutput)")
        #expect(!replay.output.contains(key))
    }

    /// Recordings of version 1 of the format, made by this version of moonrill: later versions replay them.
    @Test(arguments: ["tasks", "tools", "stopped"])
    func goldenRecordingsAreReplayed(_ name: String) throws {
        let folder = MoonrillBinary.packageRoot + "/Tests/CommandTests/Golden/"
        let result = try MoonrillBinary.run(["run", "--replay", folder + name + ".rec"])
        let expected = try String(contentsOfFile: folder + name + ".out", encoding: .utf8)
        #expect(result.output == expected, "\(result.errorOutput)")
        #expect(result.status == (name == "stopped" ? 124 : 0))
    }

    // MARK: moonrill mock --replay

    /// Runs `body` with the base URL of a server that gives the replies of the recording.
    private func withRecordedReplies(_ workshop: RecordingWorkshop, _ body: (String) throws -> Void) throws {
        let server = try MoonrillBinary.start(["mock", "--replay", workshop.recording, "--rate", "0"])
        defer {
            server.send(SIGTERM)
            _ = server.wait()
        }
        server.waitForOutput()
        try body(server.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static let conversation = """
        local llm = require "llm"
        local client = llm.client { base_url = arg[1], dialect = arg[2], model = "moonrill-reasoner", retry = { max = 1, base = 0.01 } }
        local add = llm.tool { name = "add", description = "Adds.", parameters = { type = "object", properties = { a = { type = "number" } } },
          run = function(input) return "sum " .. input.a end }
        local reply = assert(client:ask("Use add with 1", { tools = { add }, on_reasoning = io.write, on_token = function(text) io.write("|", text) end }))
        print(reply.text, reply.finish_reason)
        local chat = client:chat { system = "Be brief." }
        print(assert(chat:send("One")).text)
        print(assert(chat:send("Two")).text)
        print(assert(client:ask("Same")).text, assert(client:ask("Same")).text)
        """

    @Test(arguments: [
        ("openai", "/v1"), ("responses", "/v1"), ("anthropic", "/v1"), ("gemini", "/v1beta"), ("ollama", ""),
        ("cohere", "/v2"),
    ])
    func recordedRepliesAreGivenInEveryFormat(_ dialect: String, _ path: String) throws {
        let workshop = try RecordingWorkshop(script: Self.conversation)
        var options = SimulatorOptions()
        options.rate = 0
        // The reply after a failure is the one that counts.
        options.faults = try FaultPlan.parse("503:1")
        let provider = try SimulatorServer.start(options)
        defer { provider.stop() }
        let recorded = try workshop.record([], arguments: [provider.baseURL, "openai"])
        #expect(recorded.status == 0, "\(recorded.errorOutput)")
        try withRecordedReplies(workshop) { url in
            let base = url.replacingOccurrences(of: "/v1", with: path)
            let again = try MoonrillBinary.run(["run", workshop.path("script.lua"), base, dialect])
            #expect(again.output == recorded.output, "\(again.errorOutput)")
            #expect(again.status == 0)
        }
    }

    /// A recording that was broken off has no end of standard input: the script must not take one for it.
    @Test func inputBehindABrokenOffRecordingIsNotMadeUp() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local client = require "llm".client {}
                for _ = 1, 2 do print(#client:ask("a").text > 0, io.read("l")) end
                """)
        #expect(try workshop.record(stdin: "one\ntwo\n").output == "true\tone\ntrue\ttwo\n")
        let lines = workshop.recordingText.split(separator: "\n", omittingEmptySubsequences: false)
        let first = try #require(lines.firstIndex { $0.hasPrefix("{\"input\"") })
        try workshop.write(lines[..<first].joined(separator: "\n") + "\n", to: "run.rec")
        let replay = try workshop.replay()
        #expect(replay.status == 1 && !replay.output.contains("nil"), "\(replay.output)")
        #expect(replay.errorOutput.contains("the recording ends here"), "\(replay.errorOutput)")
    }

    @Test func aRequestThatIsNotRecordedIsNamedWithTheNearestOne() throws {
        let workshop = try RecordingWorkshop(script: Self.threeQuestions)
        #expect(try workshop.record().status == 0)
        try workshop.write(
            """
            local llm = require "llm"
            local client = llm.client { base_url = arg[1], model = "other" }
            print(select(2, client:ask("Question 4")))
            print(client:ask("Question 2").model)
            print(client:ask("Question 2").text == client:ask("Question 2").text)
            """, to: "ask.lua")
        try withRecordedReplies(workshop) { url in
            let result = try MoonrillBinary.run(["run", workshop.path("ask.lua"), url])
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 3, "\(result.output) \(result.errorOutput)")
            #expect(lines.first?.contains("(404)") == true && lines.first?.contains("now \"Question 4\"") == true)
            #expect(lines.dropFirst().first == "moonrill-chat")
            // After the last recorded reply that one is given again.
            #expect(lines.last == "true")
        }
    }

    @Test func aRecordedFailureIsAnsweredWithItsStatus() throws {
        let workshop = try RecordingWorkshop(
            script: """
                local llm = require "llm"
                local client = llm.client { base_url = arg[1], model = "moonrill-chat" }
                print(select(2, client:ask("x")))
                """)
        var options = SimulatorOptions()
        options.faults = try FaultPlan.parse("403")
        let provider = try SimulatorServer.start(options)
        defer { provider.stop() }
        let recorded = try workshop.record([], arguments: [provider.baseURL])
        #expect(recorded.output.contains("(403)"))
        try withRecordedReplies(workshop) { url in
            let again = try MoonrillBinary.run(["run", workshop.path("script.lua"), url])
            #expect(again.output == recorded.output, "\(again.errorOutput)")
        }
    }

    @Test func aFileThatIsNoRecordingIsRefused() throws {
        let workshop = try RecordingWorkshop(script: "print(1)")
        let result = try MoonrillBinary.run(["mock", "--replay", workshop.path("script.lua")])
        #expect(result.status == 66 && result.errorOutput.contains("is no recording of moonrill"))
    }
}
