// llm.flow: what each combinator gives, in what order its steps run, and how it fails.

import Foundation
import Moonrill
import ProviderSimulator
import Testing

@Suite struct FlowTests {
    @Test(arguments: sequences + replacing + parallels + many) func flow(_ test: ScriptCase) throws {
        try ScriptHarness.check(test)
    }

    static let sequences = [
        ScriptCase(
            "seq hands each value on", prints: ["12", "nil late true"],
            """
            local flow = llm.flow
            print(flow.seq(function(n) return n + 1 end, function(n) return n * 2 end)(5))
            local step = flow.seq(function() return nil, "late" end, function() error("never") end)
            local value, err = step(1)
            print(value, err, rawget(llm, "flow") == flow)
            """),
        ScriptCase(
            "steps are requests", prints: ["tok1 tok2 tok3 ", "tok1 tok2 tok3 tok1 tok2 tok3 "],
            """
            local ask = function(prompt) local reply, err = client:ask(prompt) return reply and reply.text, err end
            print((ask("hi")))
            print(llm.flow.seq(ask, function(text) return text .. ask(text) end)("hi"))
            """),
        ScriptCase(
            "branch", prints: ["small 3", "10", "big 10", "nil no"],
            """
            local small = function(n) return "small " .. n end
            local is_small = function(n) return n < 5 end
            print(llm.flow.branch(is_small, small)(3))
            print(llm.flow.branch(is_small, small)(10))
            print(llm.flow.branch(is_small, small, function(n) return "big " .. n end)(10))
            print(llm.flow.branch(function() return nil, "no" end, small)(1))
            """),
        ScriptCase(
            "reduce and scan", prints: ["abc", "a ab abc", "nil bad", "nil bad"],
            """
            local join = function(sum, item) if item == "x" then return nil, "bad" end return sum .. item end
            print(llm.flow.reduce({ "a", "b", "c" }, join, ""))
            print(table.concat(llm.flow.scan({ "a", "b", "c" }, join, ""), " "))
            print(llm.flow.reduce({ "a", "x", "c" }, join, ""))
            print(llm.flow.scan({ "a", "x", "c" }, join, ""))
            """),
        ScriptCase(
            "loop", prints: ["8 3", "32", "nil stuck"],
            """
            local rounds
            local double = function(n, round) rounds = round return n * 2 end
            print(llm.flow.loop(double, { stop_when = function(n) return n > 5 end })(1), rounds)
            print(llm.flow.loop(double, { max = 5 })(1))
            print(llm.flow.loop(function() return nil, "stuck" end, { max = 5 })(1))
            """),
        ScriptCase(
            "refine goes on until the critic is content",
            prints: ["moon|shorter|darker", "2", "moon|shorter", "nil tired"],
            """
            local said = { "shorter", "darker" }
            local count = 0
            local draft = function(input, before, critique) return before and before .. "|" .. critique or input end
            local critic = function() count = count + 1 return said[count] end
            print(llm.flow.refine(draft, { critic = critic, rounds = 2 })("moon"))
            print(count)
            count = 0
            said = { "shorter" }
            print(llm.flow.refine(draft, { critic = critic, rounds = 9 })("moon"))
            print(llm.flow.refine(draft, { critic = function() return nil, "tired" end })("moon"))
            """),
        ScriptCase(
            "retry waits longer each time, and gives up",
            prints: ["ok 3", "nil again", "3", "nil auth", "1", "nil x 1"],
            """
            local tries = 0
            local flaky = function(_, try) tries = try if try < 3 then return nil, "again" end return "ok" end
            print(llm.flow.retry(flaky, { base = 0.001 })(1), tries)
            print(llm.flow.retry(function(_, try) tries = try return nil, "again" end, { max = 2, base = 0 })(1))
            print(tries)
            local ask = function(_, try)
              tries = try
              return client:ask("hi", { headers = fault("401") })
            end
            local _, err = llm.flow.retry(ask, { base = 0 })(1)
            print(nil, err.kind)
            print(tries)
            local asked = 0
            local on = function(err, try) asked = try return err ~= "x" end
            local value, err = llm.flow.retry(function() return nil, "x" end, { base = 0, on = on })(1)
            print(value, err, asked)
            """),
        ScriptCase(
            "fallback goes on from failures", faults: "",
            prints: ["two", "nil no1 2", "rate_limit fallback[1]", "tok1 tok2 tok3 "],
            """
            local bad = function(name) return function() return nil, name end end
            print(llm.flow.fallback { bad("no1"), function() return "two" end, bad("no3") }())
            local count = 0
            local value, err = llm.flow.fallback { bad("no1"), function() count = 2 return nil, "no2" end }()
            print(value, err, count)
            local limited = function()
              return client:ask("hi", { headers = fault("429"), retry = { max = 0 } })
            end
            local _, err = llm.flow.fallback { limited, bad("no") }()
            print(err.kind, err.step)
            local stream = function()
              for event in client:stream("hi", { headers = fault("401") }) do end
            end
            print(llm.flow.fallback { stream, function() return client:ask("hi") end }())
            """),
    ]

    static let replacing = [
        ScriptCase(
            "a fallback takes the place of a stream unseen", rate: 400, prints: ["tok1 tok2 tok3 ", "tok1 tok2 tok3 "],
            """
            local shown = {}
            local show = function(text) shown[#shown + 1] = text end
            local bad = function() return client:ask("hi", { headers = fault("error-frame@20", 100), retry = { max = 0 }, on_token = show }) end
            local good = function() return client:ask("hi", { on_token = show }) end
            print(llm.flow.fallback({ bad, good }, { chars = 1000 })())
            print(table.concat(shown))
            """),
        ScriptCase(
            "the window opens by characters, by seconds, and at the end", rate: 400,
            prints: ["tok1 tok2 tok3 tok4  | once", "true", "3 tok1 tok2 tok3 "],
            """
            local shown, first = {}, nil
            local show = function(text) first = first or llm.now() shown[#shown + 1] = text end
            local bad = function(after) return function()
              return client:ask("hi", { headers = fault("error-frame@" .. after, 100), retry = { max = 0 }, on_token = show })
            end end
            llm.flow.fallback({ bad(20), function() return "once" end }, { chars = 20 })()
            print(table.concat(shown, "", 1, 4), "| once")
            local before = llm.now()
            first = nil
            llm.flow.fallback({ bad(90), function() return "x" end }, { seconds = 0.05 })()
            print(first - before >= 0.05)
            shown = {}
            llm.flow.fallback({ function() return client:ask("hi", { on_token = show }) end, bad(1) }, { chars = 1000 })()
            print(#shown, table.concat(shown))
            """),
        ScriptCase(
            "a loop over a held stream", rate: 400, prints: ["tok1 tok2 tok3 ", "2"],
            """
            local tries = 0
            local stream = function(faults) return function()
              tries = tries + 1
              local text = ""
              for event in client:stream("hi", { headers = faults, retry = { max = 0 } }) do
                if event.type == "token" then text = text .. event.text end
              end
              return text
            end end
            print(llm.flow.fallback({ stream(fault("eof@900", 100)), stream() }, { chars = 1000 })())
            print(tries)
            """),
        ScriptCase(
            "judge", prints: ["true true", "only nil"],
            """
            local item, err, verdict = llm.flow.judge({ "a", "b" }, { client = llm.client {}, rubric = "Which is shorter?" })
            print(item == ({ "a", "b" })[verdict.best], type(verdict.reason) == "string")
            print((llm.flow.judge({ "only" }, { client = client })), nil)
            """),
    ]

    static let parallels = [
        ScriptCase(
            "all gives results by name", prints: ["3 6 true"],
            """
            local before = llm.now()
            local step = function(n) return function(value) llm.sleep(0.1) return value * n end end
            local both = llm.flow.all { x = step(1), y = step(2) }(3)
            print(both.x, both.y, llm.now() - before < 0.19)
            """),
        ScriptCase(
            "all ends with the first failure", prints: ["closed", "nil bad"],
            """
            local slow = function()
              local guard <close> = setmetatable({}, { __close = function() print("closed") end })
              llm.sleep(30)
            end
            print(llm.flow.all { slow = slow, bad = function() llm.sleep(0.001) return nil, "bad" end }())
            """),
        ScriptCase(
            "race: the first success wins", prints: ["fast", "nil no1 1", "survivor"],
            """
            local after = function(seconds, ...)
              local given = table.pack(...)
              return function() llm.sleep(seconds) return table.unpack(given, 1, given.n) end
            end
            print(llm.flow.race { after(20, "slow"), after(0.001, "fast") }())
            local failing = function(kind) return function() return client:ask("hi", { headers = fault(kind), retry = { max = 0 } }) end end
            local _, err = llm.flow.race { failing("401"), failing("429") }()
            print(nil, err.kind and "no1", #err.others)
            print(llm.flow.race { after(0, nil, "no"), after(0.002, "survivor") }())
            """),
        ScriptCase(
            "hedge begins the second where the first is silent", rate: 200,
            prints: ["b", "a1 nil", "0", "b", "nil first 1"],
            """
            local silent = function() return client:ask("hi", { headers = fault("slow-head:30") }) end
            local b = function() return "b" end
            print(llm.flow.hedge(silent, b, { after = 0.01 })())
            local begun = 0
            local counted = function() begun = begun + 1 return "b" end
            -- It speaks at once, but takes longer than the hedge waits.
            local talking = function()
              local reply, err = client:ask("hi", { headers = { ["X-Moonrill-Deltas"] = "40" } })
              return reply and "a1", err
            end
            print(llm.flow.hedge(talking, counted, { after = 0.1 })())
            print(begun)
            print(llm.flow.hedge(function() return nil, "no" end, b, { after = 30 })())
            local bad = function(kind) return function() return client:ask("hi", { headers = fault(kind), retry = { max = 0 } }) end end
            local _, err = llm.flow.hedge(bad("401"), bad("429"), { after = 30 })()
            print(nil, err.kind == "auth" and "first", #err.others)
            """),
        ScriptCase(
            "timeout", prints: ["nil timeout true", "in time", "nil own"],
            """
            local value, err = llm.flow.timeout(0.01, function() llm.sleep(30) end)()
            print(value, err.kind, err.message:find("0.01") ~= nil)
            print(llm.flow.timeout(30, function() llm.sleep(0.001) return "in time" end)())
            print(llm.flow.timeout(30, function() return nil, "own" end)())
            """),
    ]

    static let many = [
        ScriptCase(
            "map keeps the order and the limit", prints: ["1 4 9 16 25", "2", "1/5 2/5 3/5 4/5 5/5"],
            """
            local now, most, seen = 0, 0, {}
            local squares = llm.flow.map({ 1, 2, 3, 4, 5 }, function(n)
              now = now + 1
              most = math.max(most, now)
              llm.sleep((6 - n) * 0.002)
              now = now - 1
              return n * n
            end, { limit = 2, on_progress = function(done, total) seen[#seen + 1] = done .. "/" .. total end })
            print(table.concat(squares, " "))
            print(most)
            print(table.concat(seen, " "))
            """),
        ScriptCase(
            "items behind a hole are not left out", prints: ["nil 2 | nil 2 | ", "3"],
            """
            local seen = ""
            local function note(item) seen = seen .. tostring(item) .. " " return item end
            local items = {}
            items[2] = 2
            llm.flow.map(items, note, { limit = 1 })
            seen = seen .. "| "
            llm.flow.reduce(items, function(_, item) return note(item) end, 0)
            print(seen .. "| ")
            print(#llm.flow.map(table.pack(1, 2, 3), note))
            """),
        ScriptCase(
            "map as they come, as a step, of nothing", prints: ["3 2 1", "2 4", "0"],
            """
            local wait = function(n) llm.sleep(n * 0.03) return n end
            print(table.concat(llm.flow.map({ 3, 2, 1 }, function(n) return wait(4 - n) and n end, { ordered = false }), " "))
            local double = llm.flow.map(function(n) return n * 2 end)
            print(table.concat(llm.flow.seq(double)({ 1, 2 }), " "))
            print(#llm.flow.map({}, wait))
            """),
        ScriptCase(
            "map ends with the first failure, or goes on", prints: ["nil odd", "2", "2 4", "odd1 odd3"],
            """
            local begun = 0
            local even = function(n) begun = begun + 1 if n % 2 == 1 then return nil, "odd" .. n end return n end
            local value, err = llm.flow.map({ 2, 1, 2, 3, 4 }, function(n)
              local v, e = even(n)
              return v, e and "odd"
            end, { limit = 1 })
            print(value, err)
            print(begun)
            local results, errors = llm.flow.map({ 1, 2, 3, 4 }, even, { keep_going = true })
            print(results[2], results[4])
            print(errors[1], errors[3])
            """),
        ScriptCase(
            "vote stops when the majority is decided", prints: ["yes 5 5", "no 3", "5", "b 2 3"],
            """
            local asked = 0
            local yes = function() asked = asked + 1 return "yes" end
            local winner, _, tally = llm.flow.vote(yes, { n = 9 })()
            print(winner, tally.yes, asked)
            local answers = { "yes", "no", " NO", "yes", "no" }
            asked = 0
            local winner, _, tally = llm.flow.vote(function(_, n) asked = asked + 1 return answers[n] end, { n = 5 })()
            print(winner, tally.no)
            print(asked)
            answers = { "a", "b", "b" }
            asked = 0
            local winner, _, tally = llm.flow.vote(function(_, n) asked = asked + 1 return answers[n] end, { n = 3, early = false })()
            print(winner, tally.b, asked)
            """),
        ScriptCase(
            "votes are requests", prints: ["tok1 tok2 tok3 ", "nil auth 2"],
            """
            print((llm.flow.vote(function(q) return client:ask(q) end, { n = 9 })("hi")))
            local _, err = llm.flow.vote(function(q) return client:ask(q, { headers = fault("401") }) end, { n = 3 })("hi")
            print(nil, err.kind, #err.others)
            """),
    ]

    /// A majority of five after five answers costs five answers.
    @Test func aDecidedVoteCostsNoMore() throws {
        let run = try ScriptHarness.run(
            "print(llm.flow.vote(function(q) return client:ask(q) end, { n = 9 })('hi').text)", rate: 500)
        #expect(run.lines == ["tok1 tok2 tok3 "])
        #expect(run.requests.count == 5 && run.statistics.aborted == 0)
    }

    // MARK: Defects

    /// What is no failure but a mistake in the script leaves all combinators, and says where it happened.
    @Test(arguments: [
        ("llm.flow.seq(id, boom)(1)", ["in step 2 of llm.flow.seq"]),
        ("llm.flow.race { slow, boom }()", ["in race[2] of llm.flow.race"]),
        ("llm.flow.all { x = slow, y = boom }()", ["in y of llm.flow.all"]),
        ("llm.flow.fallback { boom, id }()", ["in fallback[1]"]),
        ("llm.flow.retry(boom)()", ["in try 1 of llm.flow.retry"]),
        ("llm.flow.timeout(30, boom)()", ["in llm.flow.timeout"]),
        (
            "llm.flow.map({ 1, 2, 3 }, function(n) if n == 2 then boom() end llm.sleep(30) end)",
            ["in item 2 of llm.flow.map"]
        ),
        ("llm.flow.vote(boom)()", ["llm.flow.vote"]),
        (
            "llm.flow.seq(id, llm.flow.all { x = llm.flow.race { slow, boom } })()",
            ["in race[2] of llm.flow.race", "in x of llm.flow.all", "in step 2 of llm.flow.seq"]
        ),
    ]) func defectsLeaveEverything(chain: String, says: [String]) throws {
        let run = try ScriptHarness.run(
            """
            local function id(value) return value end
            local function slow() llm.sleep(60) end
            local function boom()
              llm.sleep(0.001)
              error("broken")
            end
            \(chain)
            """)
        guard case .failed(let message, let traceback) = run.result.ending else {
            Issue.record("it ended as \(run.result.ending)")
            return
        }
        #expect(message == "test.lua:6: broken")
        #expect(traceback.contains("test.lua:6: in "), "\(traceback)")
        for line in says { #expect(traceback.contains(line), "\(traceback)") }
        #expect(run.result.seconds < 20)
    }

    @Test(arguments: [
        ("llm.flow.seq()", "flow.seq takes one step or more"), ("llm.flow.seq(1)", "step 1 must be a function, not 1"),
        ("llm.flow.all {}", "flow.all takes a table of steps"),
        ("llm.flow.race { x = print }", "flow.race takes an array"),
        ("llm.flow.map({}, print, { limt = 3 })", "did you mean 'limit'?"),
        ("llm.flow.map(1, print)", "array of items"),
        ("llm.flow.timeout(0, print)", "above 0"), ("llm.flow.loop(print)", "stop_when or max"),
        ("llm.flow.refine(print)", "critic must be a function, not nil"), ("llm.flow.hedge(print)", "the second step"),
        ("llm.flow.seq(print, missing)", "step 2 must be a function, not nil"),
        ("llm.flow.seq(print, missing, print)", "step 2 must be a function, not nil"),
        ("llm.flow.seq(missing)", "step 1 must be a function, not nil"),
        ("llm.flow.race { missing, print }", "step 1 must be a function, not nil"),
        ("llm.flow.race { print, missing, print }", "step 2 must be a function, not nil"),
        ("llm.flow.race { print, x = print }", "flow.race takes an array of steps; there is a value at \"x\""),
        ("llm.flow.fallback { print, missing, print }", "step 2 must be a function, not nil"),
        ("llm.flow.all { print, missing, print }", "step 2 must be a function, not nil"),
        ("llm.flow.hedge(missing, print)", "the first step must be a function, not nil"),
        ("llm.flow.branch(print, print, missing)", "the step for false must be a function, not nil"),
        ("llm.flow.timeout(1, missing)", "the step must be a function, not nil"),
        ("llm.flow.timeout(1, print, print)", "one step, not 2"),
        ("llm.flow.map(missing)", "array of items, not nil"),
        ("llm.flow.map({ text = 'x' }, print)", "array of items; there is a value at \"text\""),
        ("llm.flow.reduce({ text = 'x' }, print)", "array of items; there is a value at \"text\""),
        ("llm.flow.map(print, { limt = 3 })", "did you mean 'limit'?"),
        ("llm.flow.timout(1, print)", "llm.flow has no 'timout' (did you mean 'timeout'?)"),
        ("llm.budgt { tokens = 1 }", "llm has no 'budgt' (did you mean 'budget'?)"),
        ("llm.json.encod {}", "llm.json has no 'encod' (did you mean 'encode'?)"),
        ("llm.flow.retry(print, { max = -1 })", "0 or more"), ("llm.flow.vote(print, { n = 0 })", "1 or more"),
    ]) func misuse(lua: String, says: String) throws {
        let run = try ScriptHarness.run("\n\(lua)")
        #expect(run.failure.contains(says) && run.failure.hasPrefix("test.lua:3: "), "\(run.failure)")
    }
}
