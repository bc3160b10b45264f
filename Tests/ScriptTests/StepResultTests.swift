// What combinators and budgets return: all results of their steps, and no error lost.

import Foundation
import Moonrill
import ProviderSimulator
import Testing

@Suite struct StepResultTests {
    /// The errors of a map with keep_going pass through every combinator, as its results do.
    @Test(arguments: [
        "map()", "flow.map(step, { keep_going = true })({ 1, 2, 3 })", "flow.seq(id, map)(1)",
        "flow.seq(map, function(...) return ... end)(1)", "flow.seq(map, flow.branch(yes, id))(1)",
        "flow.seq(map, flow.fallback { id })(1)", "flow.seq(map, flow.race { id })(1)",
        "flow.seq(map, flow.timeout(5, id))(1)",
        "flow.seq(map, flow.hedge(id, id))(1)", "flow.branch(yes, map)(1)", "flow.branch(no, id, map)(1)",
        "flow.fallback { map }(1)", "flow.fallback { fail, map }(1)", "flow.fallback({ fail, map }, { chars = 5 })(1)",
        "flow.race { map, slow }(1)", "flow.race { fail, map }(1)", "flow.hedge(map, slow)(1)",
        "flow.hedge(fail, map)(1)",
        "flow.timeout(5, map)(1)", "flow.retry(map)(1)", "flow.loop(map, { max = 2 })(1)",
        "flow.refine(map, { critic = function() end })(1)", "flow.reduce({ 1 }, map, 0)",
        "llm.budget { tokens = 9 }:run(map)", "llm.budget { tokens = 9 }:run(flow.seq(id, map), 1)",
        "flow.vote(map, { n = 1, key = function() return 'k' end })(1)", "llm.spawn(map):wait()",
        "flow.seq(id, flow.retry(flow.timeout(5, flow.race { map })))(1)",
    ]) func errorsPass(expression: String) throws {
        let run = try ScriptHarness.run(
            """
            local flow = llm.flow
            local function id(...) return ... end
            local function yes() return true end
            local function no() return false end
            local function fail() return nil, "no" end
            local function slow() llm.sleep(5) return "slow" end
            local function step(i) if i == 2 then return nil, "bad 2" end return i end
            local function map() return flow.map({ 1, 2, 3 }, step, { keep_going = true }) end
            local results, errors = \(expression)
            print(results[1], not results[2], results[3], errors[2])
            """)
        #expect(run.failure == "")
        #expect(run.lines == ["1 true 3 bad 2"])
    }

    @Test(arguments: cases) func results(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let cases = [
        ScriptCase(
            "maps and all inside others name whose errors they are",
            prints: ["bad2 nil", "bad2 nil", "1 bad2", "1", "bad2"],
            """
            local flow = llm.flow
            local step = flow.map(function(i) if i == 2 then return nil, "bad2" end return i end, { keep_going = true })
            local results, errors = flow.all { a = step, b = function() return 1 end } { 1, 2 }
            print(errors.a[2], errors.b)
            local results, errors = flow.map({ { 1, 2 }, { 3 } }, step)
            print(errors[1][2], errors[2])
            local results, errors = flow.map({ { 1, 2 }, { 3 } }, step, { keep_going = true })
            print(#errors, errors[1][2])
            print(select("#", flow.map({ { 1 }, { 3 } }, step)))
            print(select(2, flow.scan({ { 1, 2 } }, function(_, items) return step(items) end, 0))[1][2])
            """),
        ScriptCase(
            "a step of map whose every item failed has failed",
            prints: [
                "nil provider no1 1 map[1]", "nil own words", "nil auth 1 map[1]", "other", "nil 1",
                "2 false false no2", "0", "1 false 3 | no2",
            ],
            """
            local flow = llm.flow
            local function no(i) return nil, "no" .. i end
            local value, err = flow.map(no, { keep_going = true }) { 1, 2 }
            print(value, err.kind, err.message, #err.others, err.step)
            local value, err = flow.map(function() return nil, { kind = "own", message = "words" } end,
              { keep_going = true }) { 1 }
            print(value, err.kind, err.message)
            local refused = function() return client:ask("hi", { headers = fault("401"), retry = { max = 0 } }) end
            local value, err = flow.map(refused, { keep_going = true }) { 1, 2 }
            print(value, err.kind, #err.others, err.step)
            print(flow.fallback { flow.map(no, { keep_going = true }), function() return "other" end } { 1 })
            local results, errors = flow.map({ 1, 2 }, no, { keep_going = true })
            print(results[1], #errors - 1)
            print(#errors, false, false, errors[2])
            print(#flow.map(no, { keep_going = true }) {})
            local results, errors = flow.map(function(i) if i == 2 then return no(i) end return i end, { keep_going = true })
              { 1, 2, 3 }
            local seen = {}
            for _, result in ipairs(results) do seen[#seen + 1] = tostring(result) end
            print(table.concat(seen, " "), "|", errors[2])
            """),
        ScriptCase(
            "an error that a loop over a stream raises fails its item alone", prints: ["tok1  auth tok1 "],
            """
            local results, errors = llm.flow.map({ "200", "401", "200" }, function(status)
              local options = { retry = { max = 0 }, headers = status == "401" and fault("401") or count(1) }
              for event in client:stream("hi", options) do if event.type == "token" then return event.text end end
            end, { keep_going = true })
            print(results[1], errors[2].kind, results[3])
            """),
        ScriptCase(
            "results are arrays, also of nothing", prints: ["[] [] [] [] [] [1]"],
            """
            local flow, encode = llm.flow, llm.json.encode
            local function id(value) return value end
            print(encode((flow.map({}, id))), encode((flow.map(id) {})), encode((flow.map({}, id, { keep_going = true }))),
              encode((flow.map({}, id, { ordered = false }))), encode((flow.scan({}, id, 0))), encode((flow.map({ 1 }, id))))
            """),
        ScriptCase(
            "a budget that was spent is the result, whatever the function made of it",
            prints: [
                "nil budget true", "nil budget 3 true budget", "nil budget 5 5", "nil budget true", "nil budget",
                "nil budget no", "1 nil 3",
            ],
            """
            local flow = llm.flow
            local function ask() return client:ask("hi", { headers = count(20) }) end
            local function budget() return llm.budget { tokens = 60 } end
            local value, err = budget():run(function() ask() ask() ask() ask() return "done" end)
            print(value, err.kind, err.partial == "done")
            local value, err = budget():run(function() return flow.map({ 1, 2, 3, 4, 5 }, ask, { keep_going = true, limit = 1 }) end)
            print(value, err.kind, 3, err.partial[1].text ~= nil, err.errors[5].kind)
            local value, err = budget():run(function() return flow.map({ 1, 2, 3, 4, 5 }, ask, { limit = 1 }) end)
            print(value, err.kind, #err.partial, #llm.json.decode(llm.json.encode(err.partial)))
            local value, err = flow.seq(function() return budget():run(flow.map(ask, { keep_going = true, limit = 1 }), { 1, 2, 3, 4, 5 }) end)()
            print(value, err.kind, #err.partial == 5)
            local value, err = budget():run(flow.retry(flow.timeout(20, function() ask() ask() ask() ask() return 1 end)))
            print(value, err.kind)
            local value, err = budget():run(function() ask() ask() ask() ask() return nil, "no" end)
            print(value, err.kind, err.others[1])
            print(budget():run(function() return 1, nil, 3 end))
            """),
        ScriptCase(
            "a budget of time, and a timeout, keep what a map has done",
            prints: ["nil budget 1 false 3", "nil timeout 1 false 3"],
            """
            local function slow(i) if i == 2 then llm.sleep(60) end return i end
            local function map() return llm.flow.map({ 1, 2, 3 }, slow) end
            local value, err = llm.budget { seconds = 0.2 }:run(llm.flow.seq(map))
            print(value, err.kind, table.unpack(err.partial))
            local value, err = llm.flow.timeout(0.2, llm.flow.race { map })()
            print(value, err.kind, table.unpack(err.partial))
            """),
        ScriptCase(
            "replies and errors are joined as text, and are prompts",
            prints: [
                "A: tok1 tok2 tok3 !", "tok1 tok2 tok3 1tok1 tok2 tok3 ", "true",
                "false attempt to concatenate a nil value with a reply",
                "false attempt to concatenate a table value with an error",
            ],
            """
            local reply = client:ask("hi")
            local _, err = client:ask("hi", { headers = fault("401"), retry = { max = 0 } })
            print("A: " .. reply .. "!")
            print(reply .. 1 .. reply)
            print("failed: " .. err == "failed: " .. tostring(err) and #(err .. err) == 2 * #tostring(err))
            local function message(f) local ok, text = pcall(f) return ok, (text:gsub("^test.lua:%d+: ", "")) end
            print(message(function() return reply .. nil end))
            print(message(function() return {} .. err end))
            """),
        ScriptCase(
            "a document that is not UTF-8 fails its request alone",
            prints: [
                "tok1 tok2 tok3  nil tok1 tok2 tok3 ",
                "invalid_request messages[1].content: not UTF-8 at byte 4; llm.utf8 repairs it",
                "nil system: not UTF-8 at byte 1; llm.utf8 repairs it",
                "nil messages[2].content[1].text: not UTF-8 at byte 2; llm.utf8 repairs it",
                "nil params.user: not UTF-8 at byte 1; llm.utf8 repairs it",
                "invalid_request", "nil invalid_request 0", "false invalid_request",
                "nil messages[1].content[1].x: JSON has no NaN",
            ],
            #"""
            local results, errors = llm.flow.map({ "one", "caf\xe9", "three" }, function(text) return client:ask(text) end,
              { keep_going = true })
            print(results[1], results[2], results[3])
            print(errors[2].kind, errors[2].message)
            local function says(...) local reply, err = client:ask(...) print(reply, err.message) end
            says("x", { system = "\xff" })
            says({ { role = "user", content = "a" }, { role = "user", content = { { type = "text", text = "a\xff" } } } })
            says("x", { user = "\xff" })
            client:ask("\xff", { on_error = function(err) print(err.kind) end, on_finish = function() print("finish") end })
            local call = client:start("\xff")
            local reply, err = call:wait()
            print(reply, err.kind, err.attempts)
            local ok, err = pcall(function() for event in client:stream("\xff") do print(event.type) end end)
            print(ok, err.kind)
            says { { role = "user", content = { { type = "x", x = 0/0 } } } }
            """#),
    ]

    /// What is sent of a prompt that is a reply, one message, or has replies inside.
    @Test func repliesAsPrompts() throws {
        let run = try ScriptHarness.run(
            """
            local reply = client:ask("hi")
            assert(client:ask(reply))
            assert(client:ask { role = "user", content = "one" })
            assert(client:ask { { role = "user", content = "hi" }, reply, { role = "user", content = reply } })
            assert(llm.flow.seq(function(x) return client:ask("A: " .. x) end, function(x) return client:ask("B: " .. x) end)("x"))
            """)
        #expect(run.failure == "")
        let said = run.bodies.map { ($0["messages"]?.array ?? []).map { $0["content"]?.string } }
        let text = "tok1 tok2 tok3 "
        #expect(said == [["hi"], [text], ["one"], ["hi", text, text], ["A: x"], ["B: \(text)"]])
    }
}
