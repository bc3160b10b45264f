// Limits through sockets: the provider's own, obeyed without being told, and those of llm.limit.

import Foundation
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct LimitTests {
    @Test(arguments: cases) func limit(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let cases = [
        ScriptCase(
            "concurrent, shared by name over clients", rate: 200, prints: ["6 2"],
            """
            local mine = llm.limit { name = "two", concurrent = 2 }
            local other = llm.client { limit = llm.limit { name = "two", concurrent = 2 } }
            local now, most, done = 0, 0, 0
            local ask = function(n)
              local reply = (n % 2 == 0 and client or other):ask("hi", { limit = n % 2 == 0 and mine or nil, on_event = function(event)
                if event.type == "start" then now = now + 1 most = math.max(most, now) end
                if event.type == "finish" then now = now - 1 end
              end })
              done = done + (reply and 1 or 0)
              return true
            end
            llm.flow.map({ 1, 2, 3, 4, 5, 6 }, ask)
            print(done, most)
            """),
        ScriptCase(
            "a request asked inside a callback of another that holds the only place",
            prints: ["tok1 tok2 tok3 ", "4000"],
            """
            local one, asked = llm.limit { concurrent = 1 }, false
            local reply = client:ask("hi", { limit = one, headers = count(4000), on_token = function()
              if asked then return end
              asked = true
              print(client:ask("hi", { limit = one }).text)
            end })
            print(select(2, reply.text:gsub("tok", "")))
            """),
        ScriptCase(
            "a request asked by a task that a callback waits for", prints: ["tok1 tok2 tok3 tok1 tok2 tok3 "],
            """
            local one, asked = llm.limit { concurrent = 1 }, false
            client:ask("hi", { limit = one, headers = count("inf"), on_token = function()
              local texts = llm.flow.map({ 1, 2 }, function() return client:ask("hi", { limit = one }).text end)
              print(table.concat(texts))
              return false
            end })
            """),
        ScriptCase(
            "a request asked inside the loop over another that holds the only place", prints: ["tok1 tok2 tok3 "],
            """
            local one = llm.limit { concurrent = 1 }
            for event in client:stream("hi", { limit = one, headers = count("inf") }) do
              if event.type == "token" then print(client:ask("hi", { limit = one }).text) break end
            end
            """),
        ScriptCase(
            "what is asked inside a callback goes before those that wait to begin", prints: ["1 2 3 4"],
            """
            local one, order = llm.limit { concurrent = 1 }, {}
            llm.flow.map({ 1, 2, 3, 4 }, function(n)
              client:ask("hi", { limit = one, headers = count("inf"), on_token = function()
                client:ask("hi", { limit = one })
                order[#order + 1] = n
                return false
              end })
              return true
            end)
            print(table.concat(order, " "))
            """),
        ScriptCase(
            "a paused request keeps its place from nobody", prints: ["tok1 tok2 tok3 "],
            """
            local one = llm.limit { concurrent = 1 }
            local first = client:start("hi", { limit = one, headers = count("inf") })
            llm.sleep(0.01)
            first:pause()
            print(client:ask("hi", { limit = one }).text)
            first:cancel()
            """),
        ScriptCase(
            "rpm spreads requests", prints: ["true"],
            """
            local paced = llm.limit { rpm = 1200 }
            local before = llm.now()
            llm.flow.map({ 1, 2, 3, 4, 5 }, function() return client:ask("hi", { limit = paced }) end)
            print(llm.now() - before >= 0.19)
            """),
        ScriptCase(
            "a request that waits in line can be cancelled, and runs out of time",
            prints: ["nil cancelled", "rate_limit total", "1"],
            """
            local host = require "host"
            local one = llm.limit { concurrent = 1 }
            local first = client:start("hi", { limit = one, headers = count("inf") })
            local task = llm.spawn(function() return client:ask("hi", { limit = one }) end)
            llm.sleep(0.01)
            task:cancel()
            local value, err = task:wait()
            print(value, err.kind)
            local _, err = client:ask("hi", { limit = one, timeout = 0.05 })
            print(err.kind, err.phase)
            print(host.requests())
            first:cancel()
            """),
        ScriptCase(
            "wrong use",
            prints: [
                "llm.limit needs concurrent, rpm or tpm", "a limit of 0 would block every request",
                "client:ask: option 'limit' takes what llm.limit{...} returns, or false for no rate limiter",
            ],
            """
            local function says(f, ...) local _, err = pcall(f, ...) print((err:gsub("^.-: ", "", 1):gsub("llm.limit: ", ""))) end
            says(llm.limit, { name = "x" })
            says(llm.limit, { concurrent = 0 })
            says(client.ask, client, "hi", { limit = { concurrent = 1 } })
            """),
    ]

    /// A reply says that nothing is left for a day: the next request fails at once, unless it asks for no limiter.
    @Test func aClientMayDoWithoutTheLimiter() throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                _ = connection.answer(
                    "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
                    headers: [
                        "Content-Type: text/event-stream", "x-ratelimit-limit-requests: 200",
                        "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 24h0m0s",
                    ])
            }
        }
        defer { server.stop() }
        let run = try ScriptHarness.run(
            """
            local llm = require "llm"
            local options = { base_url = "http://127.0.0.1:\(server.port)/v1", dialect = "openai", model = "m" }
            local client = llm.client(options)
            print(client:ask("a"))
            local reply, err = client:ask("b")
            print(reply, err.kind, err.retry_after > 300, err.message:find("0 of 200 left", 1, true) ~= nil)
            print(client:ask("c", { limit = false }))
            options.limit = false
            print(llm.client(options):ask("d"))
            """, prelude: "")
        #expect(run.lines == ["ok", "nil rate_limit true true", "ok", "ok"], "\(run.result.ending)")
    }

    /// A wait at a limit of more than a second is an event, with its seconds and its reason.
    @Test func aWaitIsAnnounced() throws {
        let run = try ScriptHarness.run(
            """
            local slow = llm.limit { name = "slow", rpm = 40 }
            local seen, events = {}, 0
            llm.flow.map({ 1, 2 }, function()
              return client:ask("hi", { limit = slow,
                on_wait = function(info) seen[#seen + 1] = info end,
                on_event = function(event) if event.type == "wait" then events = events + 1 end end })
            end)
            print(#seen, events, seen[1].seconds > 1 and seen[1].seconds <= 1.5, seen[1].reason)
            """)
        #expect(run.lines == ["1 1 true limit \"slow\": 40 requests a minute"], "\(run.result.ending) \(run.lines)")
    }

    /// A server with a limit refuses few, answers all, and is asked nothing twice. Nobody has chosen a number.
    @Test(arguments: [true, false]) func mapFindsTheProvidersLimit(isTold: Bool) throws {
        let run = try ScriptHarness.run(
            """
            local items = {}
            for i = 1, 400 do items[i] = i end
            local before = llm.now()
            local replies = assert(llm.flow.map(items, function(n) return client:ask("item " .. n, { retry = { max = 20 } }) end))
            print(#replies, llm.now() - before)
            """, limit: 100, tellsLimit: isTold)
        let parts = run.lines.first?.split(separator: " ") ?? []
        #expect(parts.first == "400", "\(run.result.ending) \(run.lines)")
        // 100 at once, and 100 a second: three seconds at best. What it takes is measured by hand, not here.
        #expect((parts.last.flatMap { Double($0) } ?? 99) < 15, "\(run.lines)")
        let refused = run.requests.count - 400
        #expect(refused * 20 < run.requests.count, "\(refused) refused")
        let prompts = run.bodies.compactMap { $0["messages"]?.array?.last?["content"]?.string }
        #expect(Set(prompts).count == 400)
    }
}
