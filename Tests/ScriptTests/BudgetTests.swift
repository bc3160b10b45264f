// llm.budget: what is counted, when it ends, and what its error says.

import Foundation
import Moonrill
import ProviderSimulator
import Testing

@Suite struct BudgetTests {
    @Test(arguments: cases) func budget(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let cases = [
        ScriptCase(
            "what fits costs what the provider says", prints: ["tok1 tok2 tok3 ", "true false"],
            """
            local budget = llm.budget { tokens = 1000 }
            local reply = budget:run(function() return client:ask("hi") end)
            print(reply)
            print(budget.tokens == reply.usage.total_tokens, budget.spent)
            """),
        ScriptCase(
            "it may be called, and hands values through", prints: ["3 nil", "nil why", "false boom"],
            """
            local budget = llm.budget { tokens = 10 }
            print(budget(function(a, b) return a + b end, 1, 2), nil)
            print(budget(function() return nil, "why" end))
            print(pcall(budget, function() error("boom", 0) end))
            """),
        ScriptCase(
            "the cap ends a stream with an error of its own", rate: 500,
            prints: ["budget the budget of 20 tokens is spent false", "true true", "nil budget"],
            """
            local budget = llm.budget { tokens = 20 }
            local text = ""
            local reply, err = budget:run(function()
              return client:ask("hi", { headers = count("inf"), on_token = function(piece) text = text .. piece end })
            end)
            print(err.kind, err.message, err.retryable)
            print(budget.spent, #text > 10 and err.partial.text:sub(1, #text) == text)
            local again, refused = budget:run(function() return client:ask("hi") end)
            print(again, refused.kind)
            """),
        ScriptCase(
            "a loop over a stream ends with the error too", rate: 500, prints: ["nil budget", "true"],
            """
            local count = 0
            local value, err = llm.budget { tokens = 20 }:run(function()
              for event in client:stream("hi", { headers = { ["X-Moonrill-Deltas"] = "inf" } }) do
                if event.type == "token" then count = count + 1 end
              end
              return "over"
            end)
            print(value, err.kind)
            print(count > 0 and count <= 20)
            """),
        ScriptCase(
            "seconds", rate: 100, prints: ["budget the budget of 0.05 seconds is spent", "budget"],
            """
            local budget = llm.budget { seconds = 0.05 }
            local _, err = budget:run(function()
              client:ask("hi", { headers = count("inf"), on_error = function(err) print(err.kind, err.message) end })
            end)
            print(err.kind)
            """),
        ScriptCase(
            "dollars, by the price of the model",
            prints: ["true", "budget the budget of 1e-05 US dollars is spent", "test.lua:11:"],
            """
            local ask = function(more) return function() return client:ask("hi", more) end end
            local budget = llm.budget { usd = 1 }
            local reply = budget:run(ask { model = "moonrill-chat" })
            print(math.abs(budget.usd - (reply.usage.input_tokens * 1 + reply.usage.output_tokens * 2) / 1e6) < 1e-12)
            llm.prices["mine"] = { input = 1, output = 10 }
            local _, err = llm.budget { usd = 0.00001 }:run(ask { model = "mine", headers = count(1000) })
            print(err.kind, err.message)
            local budget = llm.budget { usd = 1 }
            local ok, err = pcall(budget, function()
              client:ask("hi", { model = "unheard-of" })
            end)
            print((err:gsub(" client:ask: the price of unheard%-of is not known.*llm%.prices%[\\"unheard%-of\\"%].*", "")))
            """),
        ScriptCase(
            "budgets inside budgets both count", prints: ["budget false true"],
            """
            local outer, inner = llm.budget { tokens = 1000 }, llm.budget { tokens = 30 }
            local _, err = outer:run(function()
              return inner:run(function() return client:ask("hi", { headers = count(500) }) end)
            end)
            print(err.kind, outer.spent, outer.tokens >= 30)
            """),
    ]

    /// Fifty streams share a thousand tokens: what the server sends stops at the cap, but for one chunk a stream.
    @Test func parallelStreamsShareTheCap() throws {
        let run = try ScriptHarness.run(
            """
            local budget = llm.budget { tokens = 1000 }
            local streams = {}
            for i = 1, 50 do streams[i] = i end
            local kinds = {}
            budget:run(function()
              return llm.flow.map(streams, function()
                local reply, err = client:ask("hi", { headers = count("inf") })
                kinds[err.kind] = (kinds[err.kind] or 0) + 1
                return true
              end, { limit = 50 })
            end)
            print(kinds.budget, budget.spent)
            """, rate: 20, settleAborts: 50)
        #expect(run.lines == ["50 true"])
        #expect(run.statistics.aborted == 50)
        // Each stream begins with an event that says who speaks.
        let deltas = run.statistics.events - 50
        #expect(deltas <= 1_000 + 50 && deltas > 500, "\(deltas)")
    }
}
