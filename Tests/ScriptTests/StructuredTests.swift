// The option `schema`: answers as data, watched while they come, asked for once more where they do not fit.

import Foundation
import JSON
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct StructuredTests {
    private static let prelude = """
        local llm = require 'llm'
        local client = llm.client { model = "moonrill-chat" }
        local city = { name = "string", population = "integer", sights = { type = "array", items = { type = "string" } } }

        """

    @Test(arguments: cases) func answers(_ test: ScriptCase) throws {
        let run = try ScriptHarness.run(test.lua, prelude: Self.prelude)
        #expect(run.result.ending == .finished)
        #expect(run.lines == test.prints)
        #expect(run.result.errorOutput == "")
    }

    static let cases = [
        ScriptCase(
            "the answer is a value", prints: ["string integer table", "1"],
            """
            local reply = assert(client:ask("Describe Lisbon", { schema = city }))
            print(type(reply.value.name), math.type(reply.value.population), type(reply.value.sights))
            print(require("host").requests())
            """),
        ScriptCase(
            "values are shown as they close", prints: ["name population sights[1] sights [root]", "true"],
            """
            local seen, last = {}, nil
            local reply = assert(client:ask("Describe Lisbon", { schema = city, on_value = function(path, value)
              seen[#seen + 1] = path == "" and "[root]" or path
              last = value
            end }))
            print(table.concat(seen, " "))
            print(last.name == reply.value.name)
            """),
        ScriptCase(
            "a script may stop at the first bad field", prints: ["cancelled nil", "name"],
            """
            local first
            local reply = assert(client:ask("Describe Lisbon", { schema = city, on_value = function(path)
              first = first or path
              return false
            end }))
            print(reply.finish_reason, reply.value)
            print(first)
            """),
        ScriptCase(
            "an answer that the limit cut is not asked for again", prints: ["schema true 1"],
            """
            local _, err = client:ask("Describe Lisbon", { schema = city, max_tokens = 5 })
            print(err.kind, err.message:find("cut by the limit") ~= nil, require("host").requests())
            """),
        ScriptCase(
            "with tools", prints: ["my_tool", "string", "2"],
            """
            local tool = llm.tool { name = "my_tool", run = function() return "x" end }
            local reply = assert(client:ask("Use my_tool", { schema = { note = "string" }, tools = { tool },
              on_tool_result = function(call) print(call.name) end }))
            print(type(reply.value.note))
            print(reply.rounds)
            """),
    ]

    @Test(arguments: [
        ("client:ask('x', { schema = { a = 'text' } })", "client:ask: schema.a must be \"string\""),
        (
            "client:ask('x', { schema = { type = 'object', unevaluatedItems = false } })",
            "/unevaluatedItems is a keyword"
        ),
        (
            "local form = {} form.a = form client:ask('x', { schema = form })",
            ".a...: tables nest deeper than 200 levels; does one hold itself?"
        ),
        (
            "local form = {} form[1] = form llm.tool { name = 't', parameters = { list = form }, run = print }",
            "...: tables nest deeper than 200 levels; does one hold itself?"
        ),
        (
            "local form = 'string' for _ = 1, 40 do form = { a = form, b = form } end client:ask('x', { schema = form })",
            ": there are more than 10000 members"
        ),
        ("client:ask('x', { on_value = print })", "on_value needs the option schema"),
    ]) func misuse(lua: String, says: String) throws {
        let run = try ScriptHarness.run("\n" + lua)
        #expect(run.failure.contains(says) && run.failure.hasPrefix("test.lua:3: "), "\(run.failure)")
        #expect(run.requests.isEmpty)
    }

    /// A server that answers with the given texts, one a request.
    private func answering(_ texts: [String], _ lua: String) throws -> (lines: [String], bodies: [JSONValue]) {
        let bodies = Locked([JSONValue]())
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                let number = bodies.withLock { seen in
                    seen.append((try? JSONReader.value(request.body)) ?? .null)
                    return seen.count - 1
                }
                let text = JSONWriter.text(.string(texts[min(number, texts.count - 1)]))
                let chunk =
                    #"{"choices":[{"index":0,"delta":{"content":\#(text)},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#
                _ = connection.answer(
                    "data: \(chunk)\n\ndata: [DONE]\n\n", headers: ["Content-Type: text/event-stream"])
            }
        }
        defer { server.stop() }
        let prelude =
            "local llm = require 'llm' local client = llm.client { base_url = 'http://127.0.0.1:\(server.port)', model = 'm' }\n"
        let run = try ScriptHarness.run(lua, prelude: prelude)
        #expect(run.result.ending == .finished, "\(run.result.ending)")
        return (run.lines, bodies.withLock { $0 })
    }

    @Test(arguments: ["```json\n{\"n\": 1}\n```", "Sure! Here it is:\n\n{\"n\": 1}\n\nAnything else?"])
    func wrappedAnswersAreUnwrapped(text: String) throws {
        let (lines, bodies) = try answering([text], "print(client:ask('x', { schema = { n = 'integer' } }).value.n)")
        #expect(lines == ["1"] && bodies.count == 1)
    }

    @Test func oneRoundOfRepair() throws {
        let (lines, bodies) = try answering(
            [#"{"n":"one"}"#, #"{"n":1}"#],
            """
            local reply = assert(client:ask("x", { schema = { n = "integer" },
              on_reset = function(info) print(info.attempt, info.err.kind, info.err.path, info.err.text) end }))
            print(reply.value.n, reply.usage.total_tokens)
            """)
        #expect(lines == [#"1 schema n {"n":"one"}"#, "1 14"])
        let messages = bodies.last?["messages"]?.array ?? []
        #expect(messages.count == 3 && messages[1]["content"] == #"{"n":"one"}"#)
        #expect(messages[2]["content"]?.string?.contains("n: must be an integer, and is \"one\"") == true)
    }

    @Test(arguments: [
        (#"{"n":"one"}"#, "n true"), ("no JSON at all", "nil true"), (#"{"n":"#, "nil true"), (#"{n:1}"#, "nil true"),
    ]) func whatNeverFitsIsAnError(text: String, says: String) throws {
        let (lines, bodies) = try answering(
            [text],
            """
            local reply, err = client:ask("x", { schema = { n = "integer" } })
            print(reply, err.kind, err.path, err.text == err.partial.text and err.message:find("even when asked again") ~= nil)
            """)
        #expect(lines == ["nil schema \(says)"] && bodies.count == 2)
    }
}
