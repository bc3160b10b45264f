// What providers add to Chat Completions, and where they put the text, as a script sees it: from the socket to the
// callbacks.

import Foundation
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct AdditionTests {
    private static func chunk(_ delta: String, finish: String = "null", rest: String = "") -> String {
        "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":\(delta),\"finish_reason\":\(finish)}]\(rest)}\n\n"
    }

    private static func run(_ frames: [String], _ lua: String) throws -> ScriptHarness {
        let body = frames.joined() + "data: [DONE]\n\n"
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                _ = connection.answer(body, headers: ["Content-Type: text/event-stream"])
            }
        }
        defer { server.stop() }
        return try ScriptHarness.run(
            """
            local llm = require 'llm'
            local client = llm.client { base_url = 'http://127.0.0.1:\(server.port)/v1', dialect = 'openai', model = 'm' }
            \(lua)
            """, prelude: "")
    }

    @Test func additionsAreNativeEvents() throws {
        let citing = #","citations":["https://a.example"]"#
        let run = try Self.run(
            [
                Self.chunk(#"{"content":"see [1]"}"#, rest: citing), Self.chunk(#"{"content":"."}"#, rest: citing),
                Self.chunk(
                    #"{"annotations":[{"type":"url_citation"}]}"#, finish: "\"stop\"",
                    rest: #","usage":{"prompt_tokens":41,"completion_tokens":3,"cost":0.0128125}"#),
            ],
            """
            local reply = assert(client:ask("hi", { on_event = function(event)
              if event.type == "native" then print(event.name, llm.json.encode(event.value)) end
            end }))
            print(reply.text, reply.finish_reason, reply.usage.cost)
            """)
        #expect(run.failure == "")
        #expect(
            run.lines == [
                #"citations ["https://a.example"]"#, #"annotations [{"type":"url_citation"}]"#,
                "see [1]. stop 0.0128125",
            ])
    }

    @Test func aBudgetCountsTheProvidersCost() throws {
        let usage = #","usage":{"prompt_tokens":1,"completion_tokens":2,"cost_in_usd_ticks":5000000000}"#
        let run = try Self.run(
            [Self.chunk(#"{"content":"hi"}"#), Self.chunk("{}", finish: "\"stop\"", rest: usage)],
            """
            llm.prices.m = { input = 1, output = 1 }
            local budget = llm.budget { usd = 0.75 }
            local value, err = budget:run(function()
              for _ = 1, 3 do
                local reply, err = client:ask("hi")
                if not reply then return nil, err end
                print(reply.text, reply.usage.cost)
              end
              return true
            end)
            print(value, err.kind, budget.usd)
            """)
        #expect(run.failure == "")
        #expect(run.lines.first == "hi 0.5")
        #expect(run.lines.last == "nil budget 1.0")
    }

    @Test(arguments: [
        #"{"message":{"content":"@"}}"#, #"{"message":{"text":"@"},"finish_reason":null}"#, #"{"message":"@"}"#,
        #"{"content":[{"type":"text","text":"@"}]}"#,
    ]) func manyNestedPieces(delta: String) throws {
        let frames = (0..<200).map { Self.chunk(delta.replacingOccurrences(of: "@", with: "\($0),")) }
        let end = #"{"message":{"content":""},"finish_reason":"stop"}"#
        let run = try Self.run(
            frames + [Self.chunk(end)],
            """
            local count = 0
            local reply = assert(client:ask("hi", { on_token = function() count = count + 1 end }))
            print(count, reply.finish_reason, reply.text)
            """)
        #expect(run.failure == "")
        #expect(run.lines == ["200 stop " + (0..<200).map { "\($0)," }.joined()])
    }
}
