// Stopping a script from outside: `<close>` variables run, waits in them work, and nothing outlasts its time.

import Foundation
import Support
import Testing

@Suite struct StopTests {
    /// What a script is doing when it is stopped; each prints "ready" before.
    static let activities = [
        "llm.sleep(60)", "while true do end", "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do pcall(llm.sleep, 0.01) end", "local ok = pcall(llm.sleep, 60) print('never', ok)",
        "llm.client{}:ask('x')", "llm.spawn(llm.sleep, 60):wait()",
        "coroutine.wrap(function() while true do end end)()", "coroutine.wrap(function() llm.sleep(60) end)()",
        "table.sort({ 1, 2, 3 }, function() while true do end end)", "llm.flow.all { function() llm.sleep(60) end }(1)",
        "local co = coroutine.create(function() pcall(coroutine.yield) while true do end end) "
            + "coroutine.resume(co) coroutine.resume(co)",
    ]

    static func script(_ activity: String) -> String {
        """
        local llm = require "llm"
        local main <close> = setmetatable({}, { __close = function()
          llm.sleep(0.01)
          print("saved", llm.spawn(function() llm.sleep(0.01) return "by a task" end):wait())
        end })
        print("ready") io.stdout:flush() llm.sleep(0)
        \(activity)
        """
    }

    @Test(arguments: activities, [SIGINT, SIGTERM]) func aSignalUnwinds(activity: String, signal: Int32) throws {
        let run = try MoonrillBinary.start(
            ["run", "--fault", "slow-head:60", "-"], stdin: Array(Self.script(activity).utf8))
        run.waitForOutput()
        run.send(signal)
        let result = run.wait(timeout: 20)
        #expect(result.output == "ready\nsaved\tby a task\n", "\(result)")
        #expect(result.status == 128 + signal)
        #expect(result.errorOutput == "")
    }

    @Test(arguments: activities) func theTimeLimitUnwinds(activity: String) throws {
        let result = try MoonrillBinary.run(
            script: Self.script(activity), ["--timeout", "0.5", "--fault", "slow-head:60"])
        #expect(result.output == "ready\nsaved\tby a task\n", "\(result)")
        #expect(result.status == 124)
        #expect(result.errorOutput == "moonrill: out of time: the script did not end within 0.5 s\n")
    }

    /// All tasks are unwound, not the main one alone.
    @Test func tasksAndRequestsAreUnwound() throws {
        let result = try MoonrillBinary.run(
            script: """
                local llm = require "llm"
                local function guard(name)
                  return setmetatable({}, { __close = function() llm.sleep(0.01) print(name) end })
                end
                for i = 1, 2 do llm.spawn(function() local g <close> = guard("task") llm.sleep(60) end) end
                llm.client{}:start("x", { on_error = function(err) print(err.kind) end })
                llm.sleep(60)
                """, ["--timeout", "0.5", "--fault", "slow-head:60"])
        #expect(
            result.output.split(separator: "\n").sorted() == ["cancelled", "task", "task"], "\(result)")
        #expect(result.status == 124)
    }

    /// A coroutine that a stop ends is closed, however it was resumed; its handlers cannot wait.
    @Test(arguments: ["coroutine.wrap(work)()", "local co = coroutine.create(work) coroutine.resume(co) llm.sleep(60)"])
    func aStoppedCoroutineIsClosed(call: String) throws {
        for body in ["llm.sleep(60)", "while true do end"] {
            let result = try MoonrillBinary.run(
                script: """
                    local llm = require "llm"
                    local function work()
                      local x <close> = setmetatable({}, { __close = function(_, err)
                        for i = 1, 10000 do end
                        print("closed", err.kind)
                        print(pcall(llm.sleep, 0))
                      end })
                      \(body)
                    end
                    \(call)
                    """, ["--timeout", "0.5"])
            let refusal = "cannot wait inside a __close handler of a coroutine that is being closed"
            #expect(result.output.hasPrefix("closed\tcancelled\nfalse\t"), "\(result)")
            #expect(result.output.contains(refusal), "\(result)")
            #expect(result.status == 124)
        }
    }

    @Test(arguments: [
        "__close = function() print('closing') io.stdout:flush() llm.sleep(60) end",
        "__close = function() print('closing') io.stdout:flush() while true do end end",
        "__close = function() print('closing') io.stdout:flush() while true do pcall(llm.sleep, 1) end end",
        "__close = function() print('closing') io.stdout:flush() llm.shield(llm.sleep, 60) end",
    ])
    func cleanupIsBounded(handler: String) throws {
        let start = Date()
        let result = try MoonrillBinary.run(
            script: "local llm = require 'llm' local x <close> = setmetatable({}, { \(handler) }) llm.sleep(60)",
            ["--timeout", "0.2"])
        #expect(result.output == "closing\n", "\(result)")
        #expect(result.status == 124)
        #expect(Date().timeIntervalSince(start) < 20)
    }

    @Test func aSecondSignalEndsAtOnce() throws {
        let script = """
            local llm = require "llm"
            local x <close> = setmetatable({}, { __close = function()
              print("closing") io.stdout:flush() llm.sleep(1) print("never") end })
            local pid = io.open("/proc/self/stat"):read("n")
            os.execute("(sleep 0.2; kill -TERM " .. pid .. ") &")
            llm.sleep(60)
            """
        let run = try MoonrillBinary.start(["run", "-"], stdin: Array(script.utf8))
        run.waitForOutput()
        run.send(SIGINT)
        let result = run.wait(timeout: 20)
        #expect(result.status == 128 + SIGINT)
        #expect(result.output == "closing\n")
    }

    @Test(arguments: [
        ("os.exit(7, true)", "main\n"), ("pcall(os.exit, 7, true) print('never')", "main\n"),
        ("xpcall(os.exit, print, 7, true) print('never')", "main\n"),
        ("llm.spawn(function() local g <close> = guard('task') os.exit(7, true) end) llm.sleep(60)", "task\nmain\n"),
        ("coroutine.wrap(function() os.exit(7, true) end)()", "main\n"),
        ("table.sort({ 1, 2 }, function() os.exit(7, true) end)", "main\n"),
        ("llm.client{}:ask('x', { on_token = function() os.exit(7, true) end })", "main\n"),
        ("os.exit(7)", ""), ("os.exit(7, false)", ""),
    ])
    func exitCloses(call: String, output: String) throws {
        let result = try MoonrillBinary.run(
            script: """
                local llm = require "llm"
                local function guard(name) return setmetatable({}, { __close = function() print(name) end }) end
                local main <close> = guard("main")
                \(call)
                """, ["--mock"])
        #expect(result.status == 7)
        #expect(result.output == output, "\(result)")
        #expect(result.errorOutput == "")
    }

    @Test(arguments: ["while true do print(1) end", "while true do print(1) llm.sleep(0) end"])
    func closedOutputUnwinds(loop: String) throws {
        let script = """
            local llm = require 'llm' local x <close> = setmetatable({}, { __close = function()
            llm.sleep(0.01) io.stderr:write('closed') end }) \(loop)
            """
        let result = try MoonrillBinary.run(shell: "echo \"\(script)\" | timeout 20 $0 run - | head -n 1")
        #expect(result.output == "1\n")
        #expect(result.errorOutput == "closed")
    }

    /// What stopped the script keeps its status, and a handler's exit is no failed cleanup.
    @Test(arguments: ["os.exit(0)", "os.exit(7)", "os.exit(7, true)"], [true, false])
    func anExitInAHandlerChangesNoStatus(call: String, isSignal: Bool) throws {
        let run = try MoonrillBinary.start(
            ["run"] + (isSignal ? [] : ["--timeout", "0.5"]) + ["-"],
            stdin: Array(
                """
                local llm = require "llm"
                llm.spawn(function()
                  local x <close> = setmetatable({}, { __close = function() \(call) end })
                  llm.sleep(60)
                end)
                print("ready") io.stdout:flush()
                llm.sleep(60)
                """.utf8))
        run.waitForOutput()
        if isSignal { run.send(SIGTERM) }
        let result = run.wait(timeout: 20)
        #expect(result.status == (isSignal ? 128 + SIGTERM : 124), "\(result)")
        #expect(!result.errorOutput.contains("failed"), "\(result)")
    }

    @Test func unwatchedFailuresAreToldOnce() throws {
        let result = try MoonrillBinary.run(
            script: """
                local llm = require "llm"
                for i = 1, 2 do llm.spawn(function() error("lost") end) end
                """)
        #expect(result.status == 1)
        #expect(result.errorOutput.split(separator: "\n").count == 3, "\(result.errorOutput)")
    }
}
