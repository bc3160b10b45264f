// Tasks: spawned, waited for, cancelled, failed; timers; modules that wait while they load; the end of a script.

import Foundation
import Moonrill
import ProviderSimulator
import Testing

@Suite struct TaskTests {
    @Test(arguments: Self.flows) func flow(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let flows = [
        ScriptCase(
            "wait gives what the task returned", prints: ["3 nil x", "done", "3 nil x"],
            """
            local task = llm.spawn(function(a, b) llm.sleep(0.001) return a + b, nil, "x" end, 1, 2)
            print(task:wait())
            print(task.status)
            print(task:wait())
            """),
        ScriptCase(
            "tasks run side by side", prints: ["true"],
            """
            local before = llm.now()
            local tasks = {}
            for i = 1, 50 do tasks[i] = llm.spawn(llm.sleep, 0.1) end
            for _, task in ipairs(tasks) do task:wait() end
            print(llm.now() - before < 2)
            """),
        ScriptCase(
            "sleepers wake in the order of their times", prints: ["1", "2", "3", "4"],
            """
            local out = {}
            for _, n in ipairs { 3, 1, 4, 2 } do llm.spawn(function() llm.sleep(n * 0.02) print(n) end) end
            """),
        ScriptCase(
            "equal times keep the order in which they were asked", prints: ["1 2 3 4 5"],
            """
            local order, tasks = {}, {}
            for n = 1, 5 do tasks[n] = llm.spawn(function() llm.sleep(0) order[#order + 1] = n end) end
            for _, t in ipairs(tasks) do t:wait() end
            print(table.concat(order, " "))
            """),
        ScriptCase(
            "wait raises what the task raised", prints: ["false 7", "failed", "false 7"],
            """
            local task = llm.spawn(function() llm.sleep(0.001) error({ code = 7 }) end)
            local ok, err = pcall(task.wait, task)
            print(ok, err.code)
            print(task.status)
            local ok, err = pcall(task.wait, task)
            print(ok, err.code)
            """),
        ScriptCase(
            "a cancelled task answers nil and the error", prints: ["closed", "nil cancelled", "cancelled"],
            """
            local task = llm.spawn(function()
              local guard <close> = setmetatable({}, { __close = function() print("closed") end })
              llm.sleep(30)
              print("never")
            end)
            llm.sleep(0.01)
            task:cancel()
            local result, err = task:wait()
            print(result, err.kind)
            print(task.status)
            """),
        ScriptCase(
            "a task cancelled before it ran does not run", prints: ["nil cancelled"],
            """
            local task = llm.spawn(function() print("never") end)
            task:cancel()
            local result, err = task:wait()
            print(result, err.kind)
            """),
        ScriptCase(
            "a cancelled task may clean up, and not wait again",
            prints: ["false cancelled", "false cancelled", "nil cancelled"],
            """
            local task = llm.spawn(function()
              local ok, err = pcall(llm.sleep, 30)
              print(ok, err.kind)
              ok, err = pcall(llm.sleep, 30)
              print(ok, err.kind)
              error(err)
            end)
            llm.sleep(0.01)
            task:cancel()
            local result, err = task:wait()
            print(result, err.kind)
            """),
        ScriptCase(
            "wrong uses are told", prints: ["true", "true", "true", "true"],
            """
            local own
            own = llm.spawn(function() local ok, m = pcall(own.wait, own) print(m:find("cannot wait for itself") ~= nil) end)
            own:wait()
            own = llm.spawn(function() local ok, m = pcall(own.cancel, own) print(m:find("cannot cancel itself") ~= nil) end)
            own:wait()
            local ok, m = pcall(llm.spawn, 5)
            print(m:find("llm.spawn takes a function, not 5") ~= nil)
            local ok, m = pcall(function() table.sort({ 1, 2, 3 }, function(a, b) llm.sleep(0) return a < b end) end)
            print(m:find("cannot wait inside a function called by 'sort'") ~= nil)
            """),
        ScriptCase(
            "waits pass through pcall, metamethods' closers and iterators", prints: ["1", "2", "3", "closed", "true"],
            """
            local function iter(_, n) llm.sleep(0.001) if (n or 0) < 3 then return (n or 0) + 1 end end
            for n in iter do print(n) end
            do local guard <close> = setmetatable({}, { __close = function() llm.sleep(0.001) print("closed") end }) end
            print(xpcall(function() llm.sleep(0.001) end, debug.traceback))
            """),
        ScriptCase(
            "the clocks", prints: ["true", "true"],
            """
            local a = llm.now() llm.sleep(0.02)
            print(llm.now() - a >= 0.02)
            print(math.abs(llm.time() - os.time()) < 3)
            """),
        ScriptCase(
            "a script ends when its tasks have", prints: ["main", "task"],
            "llm.spawn(function() llm.sleep(0.02) print('task') end) print('main')"),
    ]

    @Test func cancellingATaskClosesItsRequest() throws {
        let run = try ScriptHarness.run(
            """
            local task = llm.spawn(function() return client:ask("hi", { headers = count("inf"), on_token = function() seen = true end }) end)
            while not seen do llm.sleep(0.002) end
            task:cancel()
            print(select(2, task:wait()).kind)
            """, settleAborts: 1)
        #expect(run.result.ending == .finished)
        #expect(run.lines == ["cancelled"])
        #expect(run.statistics.aborted == 1)
    }

    @Test func anUnwaitedErrorFailsTheScript() throws {
        let run = try ScriptHarness.run(
            """
            llm.spawn(function()
              error("lost")
            end)
            print("main")
            """)
        #expect(run.lines == ["main"])
        #expect(run.failure.contains("test.lua:3: lost"))
        guard case .failed(_, let traceback) = run.result.ending else { return }
        #expect(traceback.contains("test.lua:3: in function"))
    }

    @Test func anErrorOfMainCancelsTheRest() throws {
        let run = try ScriptHarness.run(
            """
            local seen = {}
            local function endless(name)
              return { headers = count("inf"), on_token = function() seen[name] = true end,
                on_error = function(err) print(err.kind) end }
            end
            llm.spawn(function() llm.sleep(30) print("never") end)
            llm.spawn(function() client:ask("hi", endless("asked")) end)
            client:start("hi", endless("started"))
            while not (seen.asked and seen.started) do llm.sleep(0.002) end
            error("main failed")
            """, settleAborts: 2)
        #expect(run.failure == "test.lua:11: main failed")
        #expect(run.lines == ["cancelled", "cancelled"])
        #expect(run.statistics.aborted == 2)
        #expect(run.result.seconds < 10)
    }

    @Test(arguments: [
        "local a, b a = llm.spawn(function() b:wait() end) b = llm.spawn(function() a:wait() end) a:wait()",
        "local call call = client:start('hi', { on_token = function() call:pause() end }) call:wait()",
        "local a, b a = llm.spawn(function() b:wait() end) b = llm.spawn(function() a:wait() end)",
        "local a, b a = client:start('hi', { on_token = function() b:wait() end }) "
            + "b = client:start('hi', { on_token = function() a:wait() end })",
        "local a, t t = llm.spawn(function() a:wait() end) "
            + "a = client:start('hi', { on_token = function() t:wait() end }) a:wait()",
    ]) func aDeadlockIsTold(_ lua: String) throws {
        let run = try ScriptHarness.run(lua)
        #expect(run.failure.contains("nothing can go on"))
        #expect(run.result.seconds < 10)
    }

    @Test func tracebacksCrossCoroutines() throws {
        let run = try ScriptHarness.run(
            """
            local function inner() llm.sleep(0.001) local x = nil; return x.field end
            local function outer()
              inner()
              print("x")
            end
            outer()
            """)
        guard case .failed(let message, let traceback) = run.result.ending else {
            Issue.record("the script did not fail")
            return
        }
        #expect(message.hasPrefix("test.lua:2: attempt to index a nil value (local 'x')"))
        for line in ["test.lua:2: in ", "test.lua:4: in ", "test.lua:7: in main chunk"] {
            #expect(traceback.contains(line), "\(traceback)")
        }
    }

    @Test func modulesMayWaitAndComeFromTheScriptsFolder() throws {
        let folder = try TemporaryFolder([
            "greeting.lua": "local llm = require 'llm' llm.sleep(0.005) return { text = ..., path = select(2, ...) }",
            "nested/init.lua": "return 'nested'",
            "deep/er.lua": "return 'deeper'",
            "bad.lua": "local x = = 1",
            "loop.lua": "return require 'loop'",
            "raises.lua": "error 'at load'",
        ])
        let run = try ScriptHarness.run(
            """
            local greeting, path = require "greeting"
            print(greeting.text, path:match("[^/]+$"), greeting == require "greeting")
            print(require "nested", (require "deep.er"))
            print(select(2, pcall(require, "bad")):match("bad.lua:1: unexpected symbol"))
            print(select(2, pcall(require, "loop")):match("a loop of requires"))
            print(select(2, pcall(require, "raises")):match("raises.lua:1: at load"))
            print(select(2, pcall(require, "missing")):match("module 'missing' not found"))
            """, directory: folder.url)
        #expect(run.result.ending == .finished)
        #expect(
            run.lines == [
                "greeting greeting.lua true", "nested deeper", "bad.lua:1: unexpected symbol", "a loop of requires",
                "raises.lua:1: at load", "module 'missing' not found",
            ])
    }

    @Test func manyForgottenTasksLeaveNothingBehind() throws {
        let run = try ScriptHarness.run(
            """
            local function round(n)
              local over = 0
              for _ = 1, n do
                llm.spawn(function()
                  local guard <close> = setmetatable({}, { __close = function() over = over + 1 end })
                  llm.sleep(0)
                  return string.rep("x", 1000) .. math.random()
                end)
              end
              while over < n do llm.sleep(0) end
              -- The scheduler holds the tasks of a round until the round is over, and the last ones end in this one.
              llm.sleep(0)
              collectgarbage() collectgarbage()
              return collectgarbage("count")
            end
            round(100)
            local before = round(100)
            local after = round(2000)
            print(after - before < 500)
            """)
        #expect(run.result.ending == .finished)
        #expect(run.lines == ["true"])
    }
}
