// Cleanup in cancelled tasks: waits inside `__close`, llm.shield, and tasks that swallow their cancellation.

import Foundation
import Moonrill
import ProviderSimulator
import Testing

@Suite struct CleanupTests {
    /// A guard whose __close waits, a request in it, and a step that is cancelled while it sleeps.
    static let guards = """
        local function guard(name)
          return setmetatable({}, { __close = function()
            print(name, "begins") llm.sleep(0.01) print(name, client:ask("bye").text) end })
        end
        local function work() local g <close> = guard("work") llm.sleep(60) end
        local function soon(...) llm.sleep(0.02) return ... end

        """

    /// Each way to be cancelled; `work` is the step that is.
    static let ways: [(name: String, lua: String)] = [
        ("task:cancel", "local t = llm.spawn(work) llm.sleep(0.02) t:cancel() t:wait()"),
        ("race", "llm.flow.race { work, soon }(1)"),
        ("all", "llm.flow.all { a = work, b = function() return soon(nil, 'failed') end }(1)"),
        ("timeout", "llm.flow.timeout(0.02, work)(1)"),
        ("hedge", "llm.flow.hedge(work, soon, { after = 0 })(1)"),
        ("map", "llm.flow.map({ 1, 2 }, function(n) if n == 1 then return work() end return soon(nil, 'failed') end)"),
        ("vote", "llm.flow.vote(function(_, n) if n == 1 then work() end return soon('x') end, { n = 3 })(1)"),
        ("inside another combinator", "llm.flow.timeout(0.02, llm.flow.seq(llm.flow.all { a = work }))(1)"),
        (
            "inside a coroutine's caller",
            "llm.flow.timeout(0.02, function() local g <close> = guard('work') "
                + "coroutine.wrap(function() llm.sleep(60) end)() end)(1)"
        ),
        (
            "behind a pcall",
            "llm.flow.timeout(0.02, function() local g <close> = guard('work') "
                + "local ok, err = pcall(llm.sleep, 60) error(err, 0) end)(1)"
        ),
        (
            "where the block ends by itself",
            "llm.flow.timeout(0.02, function() do local g <close> = guard('work') "
                + "pcall(llm.sleep, 60) end end)(1)"
        ),
        (
            "in a callback", "llm.flow.timeout(0.1, function() client:ask('x', { on_token = work }) end)(1)"
        ),
        ("the main function's error", "llm.spawn(work) soon() error('main')"),
    ]

    @Test(arguments: ways.indices) func waitsInsideCloseWork(index: Int) throws {
        let run = try ScriptHarness.run(Self.guards + Self.ways[index].lua)
        #expect(run.lines == ["work begins", "work tok1 tok2 tok3 "], "\(Self.ways[index].name): \(run.result)")
    }

    @Test func nestedGuardsCloseInOrder() throws {
        let run = try ScriptHarness.run(
            Self.guards + """
                local t = llm.spawn(function()
                  local a <close> = guard("outer")
                  local ok, err = pcall(function() local b <close> = guard("inner") llm.sleep(60) end)
                  print(ok, err.kind)
                  print(pcall(llm.sleep, 0))
                end)
                llm.sleep(0.02)
                t:cancel()
                print(t:wait())
                """)
        #expect(
            run.lines == [
                "inner begins", "inner tok1 tok2 tok3 ", "false cancelled", "false the task was cancelled",
                "outer begins", "outer tok1 tok2 tok3 ",
            ], "\(run.result)")
    }

    @Test(.timeLimit(.minutes(1))) func cleanupIsBounded() throws {
        let run = try ScriptHarness.run(
            """
            local began
            local t = llm.spawn(function()
              local a <close> = setmetatable({}, { __close = function() print("a", pcall(llm.sleep, 60)) end })
              local b <close> = setmetatable({}, { __close = function() began = llm.now() llm.sleep(60) end })
              llm.sleep(60)
            end)
            llm.sleep(0.02)
            t:cancel()
            t:wait()
            local took = llm.now() - began
            print(took >= 4.9 and took < 20)
            """)
        #expect(run.lines == ["a false the task was cancelled", "true"])
    }

    static let shields = [
        ScriptCase(
            "a shielded block goes on, and the first wait after it raises",
            prints: ["inside", "tok1 tok2 tok3 ", "child", "closed", "nil cancelled"],
            """
            local t = llm.spawn(function()
              local g <close> = setmetatable({}, { __close = function() llm.sleep(0.001) print("closed") end })
              llm.shield(function()
                llm.sleep(0.05)
                print("inside")
                print(client:ask("x"))
                print(llm.spawn(function() llm.sleep(0.01) return "child" end):wait())
              end)
              llm.sleep(0)
              print("never")
            end)
            llm.sleep(0.01)
            t:cancel()
            local result, err = t:wait()
            print(result, err.kind)
            """),
        ScriptCase(
            "its results and errors pass", prints: ["1 nil 3", "false test.lua:3: broken"],
            """
            print(llm.shield(function(...) return ... end, 1, nil, 3))
            print(pcall(llm.shield, function() error("broken") end))
            llm.sleep(0)
            """),
        ScriptCase(
            "it holds inside a combinator that is left", prints: ["saved tok1 tok2 tok3 ", "won"],
            """
            print(llm.flow.race {
              function() llm.shield(function() llm.sleep(0.05) print("saved", client:ask("x").text) end) end,
              function() llm.sleep(0.01) return "won" end,
            }(1))
            """),
        ScriptCase(
            "what is begun inside is over when it ends", prints: ["nil cancelled"],
            """
            local t
            llm.shield(function() t = llm.spawn(llm.sleep, 60) end)
            local result, err = t:wait()
            print(result, err.kind)
            """),
    ]

    @Test(arguments: shields) func shield(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    @Test func aTaskThatSwallowsItsCancellationIsEnded() throws {
        let log = Lines()
        let run = try ScriptHarness.run(
            """
            local rounds = 0
            local t = llm.spawn(function() while true do rounds = rounds + 1 pcall(llm.sleep, 0.001) end end)
            llm.sleep(0.01)
            t:cancel()
            local before = rounds
            local result, err = t:wait()
            print(result, err.kind, rounds - before <= 102)
            """
        ) { $0.logger = log.logger }
        #expect(run.lines == ["nil cancelled true"])
        #expect(log.all.contains { $0.contains("caught its cancellation 100 times") && $0.contains("test.lua:3") })
    }

    @Test func aFailureOfTheCleanupIsLogged() throws {
        let log = Lines()
        let run = try ScriptHarness.run(
            """
            local t = llm.spawn(function()
              local g <close> = setmetatable({}, { __close = function() error("not saved") end })
              llm.sleep(60)
            end)
            llm.sleep(0.01)
            t:cancel()
            print(t.status, select("#", t:wait()))
            """
        ) { $0.logger = log.logger }
        #expect(run.lines == ["cancelled 2"] || run.lines == ["ready 2"])
        #expect(log.all.contains { $0.contains("the cleanup of a cancelled task failed: test.lua:3: not saved") })
    }
}

@Suite struct UnwatchedTests {
    @Test func eachIsToldAndCounted() throws {
        let log = Lines()
        let run = try ScriptHarness.run(
            """
            for i = 1, 3 do llm.spawn(function() llm.sleep(0.001 * i) error("lost " .. i) end) end
            local failing = client:start("x", { headers = fault("400") })
            llm.sleep(0.01)
            """
        ) { $0.logger = log.logger }
        #expect(run.result.unwatchedCount == 4)
        for i in 1...3 { #expect(log.all.count { $0.contains("lost \(i)") && $0.contains("test.lua:2") } == 1) }
        #expect(log.all.count { $0.contains("a request in the background failed") } == 1)
    }

    /// nil and a request's error, or a stream that fails unread, are failures as an error that was raised.
    @Test(arguments: [
        ("llm.spawn(function() return client:ask('x', { headers = fault('400') }) end)", "a task failed"),
        (
            "llm.spawn(function() llm.sleep(0.01) return client:ask('x', { headers = fault('400') }) end) llm.sleep(0.3)",
            "a task failed"
        ),
        (
            "local s = client:stream('x', { headers = fault('400') }) llm.sleep(0.5)",
            "a stream failed and nobody read it"
        ),
        (
            "client:stream('x', { headers = fault('400') }) llm.sleep(0.5) collectgarbage() llm.sleep(0.01)",
            "a stream failed and nobody read it"
        ),
    ])
    func whatReturnsAnErrorHasFailed(lua: String, line: String) throws {
        let log = Lines()
        let run = try ScriptHarness.run(lua) { $0.logger = log.logger }
        #expect(run.result.unwatchedCount == 1, "\(run.result)")
        #expect(log.all.count { $0.contains(line) } == 1, "\(log.all)")
    }

    @Test(arguments: [
        "llm.spawn(function() return nil, 'not found' end)", "llm.spawn(function() return nil, { kind = 'mine' } end)",
        "llm.spawn(function() return 1, select(2, client:ask('x', { headers = fault('400') })) end)",
        "local t = llm.spawn(function() return nil, select(2, pcall(llm.sleep, 60)) end) llm.sleep(0.01) t:cancel()",
        "local t = llm.spawn(function() return client:ask('x', { headers = fault('400') }) end) llm.sleep(0.01) t:wait()",
        "local s = client:stream('x', { headers = count('inf') }) llm.sleep(0.05)",
        "pcall(function() for _ in client:stream('x', { headers = fault('400') }) do end end)",
    ])
    func otherResultsAreNoFailures(lua: String) throws {
        let log = Lines()
        let run = try ScriptHarness.run(lua) { $0.logger = log.logger }
        #expect(run.result.ending == .finished, "\(run.result)")
        #expect(!log.all.contains { $0.contains("nobody") }, "\(log.all)")
    }

    @Test(arguments: [
        "llm.spawn(os.exit, 7) llm.sleep(60)", "llm.spawn(function() os.exit(7) end) llm.sleep(60)",
        "llm.spawn(function() coroutine.wrap(os.exit)(7) end) llm.sleep(60)",
        "client:start('x', { on_token = function() os.exit(7) end }) llm.sleep(60)",
        "llm.spawn(os.exit, 7, true) llm.sleep(60)",
        """
        local t = llm.spawn(function()
          local g <close> = setmetatable({}, { __close = function() os.exit(7) end })
          llm.sleep(60)
        end)
        llm.sleep(0.01) t:cancel() t:wait()
        """,
    ])
    func anExitIsNoFailure(lua: String) throws {
        let log = Lines()
        let run = try ScriptHarness.run(lua) { $0.logger = log.logger }
        #expect(run.result.ending == .exited(7), "\(run.result)")
        #expect(log.all.isEmpty, "\(log.all)")
    }

    /// Told while the script goes on: what it prints afterwards comes behind.
    @Test func itIsToldAtOnce() throws {
        let log = Lines()
        let run = try ScriptHarness.run(
            """
            local host = require "host"
            local task = llm.spawn(function() error("worker died") end)
            for i = 1, 2000 do
              llm.sleep(0.01)
              if host.logged() then print("told") break end
            end
            """
        ) {
            $0.logger = log.logger
            $0.register("logged") { _ in [.bool(log.all.contains { $0.contains("worker died") })] }
        }
        #expect(run.lines == ["told"])
        #expect(run.failure == "test.lua:3: worker died")
    }

    @Test(arguments: [
        "local t = llm.spawn(function() error('mine') end) print(pcall(t.wait, t))",
        "local t = llm.spawn(function() error('mine') end) llm.sleep(0.01) print(pcall(t.wait, t))",
        "local c = client:start('x', { headers = fault('400') }) llm.sleep(0.01) print(c:wait())",
        "local c = client:start('x', { headers = fault('400'), on_error = print }) llm.sleep(0.01)",
        "local c = client:start('x', { headers = count('inf') }) llm.sleep(0.01) c:cancel()",
    ])
    func whatIsTakenIsNotTold(lua: String) throws {
        let log = Lines()
        let run = try ScriptHarness.run(lua) { $0.logger = log.logger }
        #expect(run.result.ending == .finished, "\(run.result)")
        #expect(!log.all.contains { $0.contains("nobody waited") })
    }

    /// One that is taken later was told, and does not fail the script.
    @Test func oneThatIsTakenLaterDoesNotFailTheScript() throws {
        let log = Lines()
        let run = try ScriptHarness.run(
            """
            local host = require "host"
            local task = llm.spawn(function() error("mine") end)
            repeat llm.sleep(0.01) until host.logged()
            print(pcall(task.wait, task))
            """
        ) {
            $0.logger = log.logger
            $0.register("logged") { _ in [.bool(log.all.contains { $0.contains("mine") })] }
        }
        #expect(run.lines == ["false test.lua:3: mine"])
        #expect(run.result.ending == .finished)
    }
}

@Suite struct RefusedRetryTests {
    static let dialects = ["openai", "responses", "anthropic", "gemini", "tgi", "ollama", "cohere"]

    @Test(arguments: dialects, ["on_retry", "on_event"]) func theRequestFails(dialect: String, callback: String) throws
    {
        for (fault, kind) in [("500", "provider"), ("429", "rate_limit"), ("cut@0", "truncated")] {
            let run = try ScriptHarness.run(
                """
                local c = llm.client { dialect = "\(dialect)", retry = { base = 60, cap = 60 } }
                print((select(2, c:ask("hi", { headers = fault("\(fault)"),
                  \(callback) = function(info) if info.type == nil or info.type == "retry" then return false end end,
                  on_finish = function() print("finish") end, on_error = function(err) print("error", err.kind) end,
                }))).kind)
                """)
            #expect(run.lines == ["error \(kind)", kind], "\(dialect) \(fault): \(run.result)")
        }
    }

    static let cases = [
        ScriptCase(
            "on_retry that waits first", prints: ["error provider", "nil provider 1"],
            """
            local reply, err = client:ask("hi", { headers = fault("500"), retry = { base = 0.001 },
              on_retry = function() llm.sleep(0.05) return false end,
              on_error = function(err) print("error", err.kind) end })
            print(reply, err.kind, err.attempts)
            """),
        ScriptCase(
            "on_reset", prints: ["true", "nil truncated true"],
            """
            local shown = ""
            local reply, err = client:ask("hi", { headers = fault("cut@600", 30), retry = { base = 0.001, after_output = "restart" },
              on_token = function(text) shown = shown .. text end, on_reset = function() return false end })
            print(#shown > 0)
            print(reply, err.kind, err.partial.text == shown)
            """),
        ScriptCase(
            "a loop that is left", prints: ["retry", "error provider"],
            """
            for event in client:stream("hi", { headers = fault("500"), retry = { base = 60, cap = 60 },
              on_error = function(err) print("error", err.kind) end, on_finish = function() print("finish") end }) do
              print(event.type)
              break
            end
            """),
        ScriptCase(
            "a live stream is a success", prints: ["tok1  cancelled"],
            """
            local reply = client:ask("hi", { on_token = function() return false end })
            print(reply.text, reply.finish_reason)
            """),
    ]

    @Test(arguments: cases) func refused(_ test: ScriptCase) throws { try ScriptHarness.check(test) }
}
