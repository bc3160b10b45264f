// The loop of tools: what runs, what goes back to the model, how it ends.

import Foundation
import JSON
import JSONSchema
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct ToolTests {
    private static let prelude = """
        local llm = require 'llm'
        local client = llm.client { model = "moonrill-chat" }
        local calls = {}
        local weather = llm.tool {
          name = "get_weather", description = "The weather in a city.",
          parameters = { city = "string", days = "integer?", unit = { "c", "f" } },
          run = function(arguments) calls[#calls + 1] = arguments.city return { degrees = 4 } end,
        }
        local function tool(name, run, parameters)
          return llm.tool { name = name, parameters = parameters or { type = "object" }, run = run }
        end

        """

    /// A turn that the provider pauses is gone on with, and is one reply.
    @Test func aPausedTurnGoesOn() throws {
        let bodies = Locked([JSONValue]())
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                let number = bodies.withLock { seen in
                    seen.append((try? JSONReader.value(request.body)) ?? .null)
                    return seen.count
                }
                let (text, reason) = number != 2 ? ("Searching. ", "pause_turn") : ("Found.", "end_turn")
                let events = [
                    #""message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}"#,
                    #""content_block_start","index":0,"content_block":{"type":"text","text":""}"#,
                    #""content_block_delta","index":0,"delta":{"type":"text_delta","text":"\#(text)"}"#,
                    #""content_block_stop","index":0"#,
                    #""message_delta","delta":{"stop_reason":"\#(reason)"},"usage":{"output_tokens":5}"#,
                    #""message_stop""#,
                ]
                _ = connection.answer(
                    events.map { "data: {\"type\":\($0)}\n\n" }.joined(), headers: ["Content-Type: text/event-stream"])
            }
        }
        defer { server.stop() }
        let run = try ScriptHarness.run(
            """
            local llm = require 'llm'
            local client = llm.client { base_url = 'http://127.0.0.1:\(server.port)/v1', dialect = 'anthropic', model = 'm' }
            local chat = client:chat { tools = { { type = "web_search_20250305", name = "web_search" } } }
            local reply = assert(chat:send("Look it up"))
            print(reply.text, reply.rounds, reply.usage.output_tokens, #chat:messages())
            local _, err = client:ask("Look it up", { tools = { { type = "x" } }, max_rounds = 1 })
            print(err)
            print(err.kind, #err.messages)
            """, prelude: "")
        #expect(run.result.ending == .finished, "\(run.result.ending)")
        #expect(
            run.lines == [
                "Searching. Found. 2 10 3", "the model still uses tools after 1 rounds (max_rounds)",
                "budget 2",
            ])
        let seen = bodies.withLock { $0 }
        #expect(seen.count == 3)
        // As it was said, and nothing of the user's behind it.
        #expect(seen[1]["messages"]?.array?.last == ["role": "assistant", "content": "Searching. "])
    }

    @Test(arguments: cases) func tools(_ test: ScriptCase) throws {
        let run = try ScriptHarness.run(test.lua, prelude: Self.prelude)
        #expect(run.result.ending == .finished)
        #expect(run.lines == test.prints)
        #expect(run.result.errorOutput == "")
    }

    static let cases = [
        ScriptCase(
            "the loop runs to the answer", prints: ["get_weather {\"degrees\":4} false", "true", "2 4 2", "1 true"],
            """
            local seen = {}
            local reply = assert(client:ask("What is the weather in Oslo?", {
              tools = { weather }, on_tool_result = function(call, text, is_error) print(call.name, text, is_error) end,
              on_token = function(text) seen[#seen + 1] = text end,
            }))
            print(reply.text:find('{"degrees":4}', 1, true) ~= nil and table.concat(seen) == reply.text)
            print(reply.rounds, #reply.messages, #reply.usages)
            print(#calls, reply.usage.total_tokens == reply.usages[1].total_tokens + reply.usages[2].total_tokens)
            """),
        ScriptCase(
            "calls run side by side, results keep their order", prints: ["true", "alpha beta"],
            """
            local slow = function() llm.sleep(0.1) return "a" end
            local before = llm.now()
            local reply = assert(client:ask("Use alpha_tool and beta_tool", {
              tools = { tool("alpha_tool", slow), tool("beta_tool", function() return "b" end) },
            }))
            print(llm.now() - before < 5)
            local names = {}
            for _, message in ipairs(reply.messages) do if message.role == "tool" then names[#names + 1] = message.name:match("%a+") end end
            print(table.concat(names, " "))
            """),
        ScriptCase(
            "what a tool raises or returns goes back",
            prints: [
                "the tool failed: no rain today true", "the tool failed: oops true", "null false", "true false",
                "[1,2] false",
            ],
            """
            local runs = {
              function() return nil, "no rain today" end, function() error("oops", 0) end, function() end,
              function() return true end, function() return { 1, 2 } end,
            }
            llm.log.warning = function() end
            for _, run in ipairs(runs) do
              assert(client:ask("Use my_tool", { tools = { tool("my_tool", run) },
                on_tool_result = function(_, text, is_error) print(text, is_error) end }))
            end
            """),
        ScriptCase(
            "arguments that do not fit never reach the tool",
            prints: ["the arguments do not fit: lacks the member \"secret\" true", "0"],
            """
            local ran = 0
            local picky = tool("my_tool", function() ran = ran + 1 end, { type = "object", required = { "secret" } })
            assert(client:ask("Use my_tool", { tools = { picky },
              on_tool_result = function(_, text, is_error) print(text, is_error) end }))
            print(ran)
            """),
        ScriptCase(
            "a call may be left to the script", prints: ["my_tool 1", "2", "true"],
            """
            local reply = assert(client:ask("Use my_tool", { tools = { tool("my_tool", function() return llm.defer end) } }))
            print(reply.deferred[1].name, #reply.deferred)
            local messages = reply.messages
            print(#messages)
            messages[#messages + 1] = { role = "tool", tool_call_id = reply.deferred[1].id, content = "by hand" }
            print(client:ask(messages, { tools = { tool("my_tool", print) } }).text:find("by hand") ~= nil)
            """),
        ScriptCase(
            "plain definitions beside tools are left too", prints: ["raw_tool", "nil"],
            """
            local raw = { name = "raw_tool", parameters = { type = "object" } }
            print(assert(client:ask("Use raw_tool", { tools = { weather, raw } })).deferred[1].name)
            print(assert(client:ask("Use raw_tool", { tools = { raw } })).deferred)
            """),
        ScriptCase(
            "rounds have an end", prints: ["budget true 3", "tool_calls"],
            """
            -- The model never sees a result that ends it: each round asks again.
            local again = tool("my_tool", function() return "x" end)
            local _, err = client:ask("Use my_tool", { tools = { again }, max_rounds = 1 })
            print(err.kind, err.message:find("1 rounds") ~= nil, #err.messages)
            print(err.partial.finish_reason)
            """),
        ScriptCase(
            "a choice that forces a call does so once", prints: ["2"],
            """
            print(assert(client:ask("Hello", { tools = { weather }, tool_choice = "required" })).rounds)
            """),
        ScriptCase(
            "no tool runs from a reply that was cut", prints: ["0 failed"],
            """
            local ran = 0
            local tool = llm.tool { name = "get_rain", parameters = { city = "string" }, run = function() ran = ran + 1 end }
            for cut = 50, 1000, 50 do
              local faults = { ["X-Moonrill-Fault"] = "eof@" .. cut }
              local before = ran
              local reply, err = client:ask("get_rain", { tools = { tool }, retry = { max = 0 }, headers = faults })
              if reply then print("a reply", cut) end
              -- Where the first reply was whole its tool may run; the second is cut.
              if #err.messages == 1 and ran ~= before then print("ran", cut) end
              if cut == 50 then print(ran, "failed") end
            end
            """),
        ScriptCase(
            "failures of a request end the loop", prints: ["auth 1"],
            """
            local _, err = client:ask("Use my_tool", { tools = { weather }, headers = { ["X-Moonrill-Fault"] = "401" } })
            print(err.kind, #err.messages)
            """),
        ScriptCase(
            "cancelling the ask cancels its tools", prints: ["closed", "nil cancelled"],
            """
            local started
            local long = tool("my_tool", function()
              local guard <close> = setmetatable({}, { __close = function() print("closed") end })
              started = true
              llm.sleep(60)
            end)
            local task = llm.spawn(function() return client:ask("Use my_tool", { tools = { long } }) end)
            while not started do llm.sleep(0.001) end
            task:cancel()
            local value, err = task:wait()
            print(value, err.kind)
            """),
    ]

    @Test(arguments: [
        ("llm.tool {}", "needs a name"), ("llm.tool { name = 'a b', run = print }", "needs a name"),
        ("llm.tool { name = 'x' }", "needs run"),
        ("llm.tool { name = 'x', run = print, parameters = { a = 'text' } }", "parameters of 'x'.a must be \"string\""),
        ("llm.tool { name = 'x', run = print, parameters = { 'a' } }", "members are named"),
        ("llm.tool { name = 'x', run = print, parameters = { a = 'string[' } }", "must be \"string\""),
        (
            "llm.tool { name = 'x', run = print, parameters = { a = { { b = 'string' }, { c = 'string' } } } }",
            "parameters of 'x'.a is an array, and takes one form"
        ),
        (
            "llm.tool { name = 'x', run = print, parameters = { a = { { b = 'text' } } } }",
            "parameters of 'x'.a[].b must be"
        ),
        (
            "llm.tool { name = 'x', run = print, parameters = { type = 'object', unevaluatedItems = false } }",
            "not supported"
        ),
    ]) func misuse(lua: String, says: String) throws {
        let run = try ScriptHarness.run("\n" + lua)
        #expect(run.failure.contains(says) && run.failure.hasPrefix("test.lua:3: "), "\(run.failure)")
    }

    /// What the model is told: the short form as a schema.
    @Test func definitions() throws {
        let run = try ScriptHarness.run(#"client:ask("hi", { tools = { weather } })"#, prelude: Self.prelude)
        let function = run.bodies.first?["tools"]?.array?.first?["function"]
        #expect(function?["name"] == "get_weather")
        let expected: JSONValue = [
            "type": "object", "additionalProperties": false, "required": ["city", "unit"],
            "properties": [
                "city": ["type": "string"], "days": ["type": "integer"],
                "unit": ["type": "string", "enum": ["c", "f"]],
            ],
        ]
        let parameters = try #require(function?["parameters"])
        #expect(try JSONSchema(["const": expected]).violations(of: parameters) == [])
    }

    /// Each member of the short form, with its schema and whether it is required.
    @Test(
        arguments: [
            (#"{ a = "string[]" }"#, ["type": "array", "items": ["type": "string"]], true),
            (#"{ a = "integer[]?" }"#, ["type": "array", "items": ["type": "integer"]], false),
            (#"{ a = { { "x", "y" } } }"#, ["type": "array", "items": ["type": "string", "enum": ["x", "y"]]], true),
            (
                #"{ a = { { b = "number" } } }"#,
                [
                    "type": "array",
                    "items": [
                        "type": "object", "properties": ["b": ["type": "number"]], "required": ["b"],
                        "additionalProperties": false,
                    ],
                ], true
            ),
            (
                #"{ a = { { { b = "boolean?" } } } }"#,
                [
                    "type": "array",
                    "items": [
                        "type": "array",
                        "items": [
                            "type": "object", "properties": ["b": ["type": "boolean"]], "required": [],
                            "additionalProperties": false,
                        ],
                    ],
                ], true
            ),
            (
                #"{ a = { type = "array", items = { type = "null" }, optional = true } }"#,
                ["type": "array", "items": ["type": "null"]], false
            ),
        ] as [(String, JSONValue, Bool)]) func shortForm(lua: String, member: JSONValue, isRequired: Bool) throws
    {
        let run = try ScriptHarness.run(
            "print(llm.json.encode(llm.tool { name = 'x', run = print, parameters = \(lua) }.parameters))")
        let schema = try JSONReader.value(run.lines[0])
        let expected: JSONValue = [
            "type": "object", "properties": ["a": member], "required": isRequired ? ["a"] : [],
            "additionalProperties": false,
        ]
        #expect(try JSONSchema(["const": expected]).violations(of: schema) == [])
    }
}
