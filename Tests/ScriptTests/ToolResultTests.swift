// What a tool's result may be, and replies whose calls must not run.

import Foundation
import Logging
import Moonrill
import Support
import Testing

/// Keeps the warnings of a script.
private struct WarningLog: LogHandler {
    let lines: Locked<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(lines: Locked<[String]>) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.withLock { $0.append("\(event.message)") }
    }
}

@Suite struct ToolResultTests {
    /// A value that a tool returns, and what goes back to the model.
    static let results: [(lua: String, text: String)] = [
        ("{ 1, nil, 3 }", "the result[2]: nil: a JSON array has no holes"),
        ("table.pack(1, 2)", "an array or an object, not both"), ("{ 1, 2, a = 3 }", "an array or an object, not both"),
        ("{ mean = 0/0 }", "the result.mean: JSON has no NaN"), ("-1/0", "the result: JSON has no infinity"),
        ("{ list = { 1, math.huge } }", "the result.list[2]: JSON has no infinity"),
        ("{ line = 'caf\\xe9' }", "the result.line: not UTF-8 at byte 4"),
        ("'caf\\xe9'", "the result: not UTF-8 at byte 4"),
        ("{ ['caf\\xe9'] = 1 }", "a key: not UTF-8 at byte 4"), ("print", "a function cannot be written"),
        ("{ f = print }", "the result.f: a function cannot be written"), ("io.stdout", "a userdata cannot be written"),
        ("(function() local t = {} t.t = t return t end)()", "does one hold itself?"),
        ("{ [true] = 1 }", "the key true is no string"),
        ("nil, { code = 5 }", #"{"code":5}"#),
        ("nil, setmetatable({}, { __tostring = function() return 'why' end })", "why"),
        ("nil, 'caf\\xe9'", "caf\u{FFFD}"), ("error({ code = 5 })", #"{"code":5}"#),
        ("error(print)", "an error that is a function"), ("nil, print", "an error that is a function"),
        ("error(coroutine.create(print))", "an error that is a thread"),
        ("error(io.stdout)", "an error that is a userdata"), ("{ [{}] = 1 }", "a table as a key is no string"),
        ("client", "an llm.client cannot be written"), ("{ list = { client } }", "the result.list[1]: an llm.client"),
        ("client:chat()", "an llm.chat cannot be written"), ("client:start('x')", "an llm.call cannot be written"),
        ("llm.spawn(print)", "an llm.task cannot be written"), ("{ llm.defer }", "an llm.defer cannot be written"),
        ("llm.limit { rpm = 1 }", "an llm.limit cannot be written"), ("nil, client", "client ("),
        ("select(2, llm.flow.timeout(0.01, function() llm.sleep(60) end)())", "the step took longer than 0.01 s"),
        ("error({ print })", "an error that is a table"), ("error('caf\\xe9', 0)", "caf\u{FFFD}"),
    ]

    @Test(arguments: results) func anErrorResult(_ test: (lua: String, text: String)) throws {
        let run = try Self.result(test.lua)
        let line = try #require(run.lines.first)
        #expect(line.hasPrefix("true the tool failed: ") && line.contains(test.text), "\(line)")
        #expect(!line.contains("0x"))
    }

    /// The script's author learns of a result that could not be sent.
    @Test func aWarningNamesTheTool() throws {
        let logged = Locked([String]())
        _ = try Self.result("{ 1, nil, 3 }") { host in
            host.logger = Logger(label: "test") { _ in WarningLog(lines: logged) }
        }
        let lines = logged.withLock { $0 }
        #expect(lines.count == 1 && lines[0].contains("the tool 'my_tool' returned what cannot be sent: the result[2]"))
    }

    @Test(arguments: [
        ("{ a = 1, list = { 'x' } }", #"{"a":1,"list":["x"]}"#), ("42", "42"), ("'text'", "text"), ("nil", "null"),
        ("false", "false"), ("llm.json.array {}", "[]"),
        (
            "llm.flow.map({ 1, 2 }, function(i) if i == 2 then return nil, 'bad' end return i end, { keep_going = true })",
            #"{"errors":{"2":"bad"},"results":[1,false]}"#
        ),
        (
            "llm.flow.map({ 1, 2, 3 }, function(i) if i == 2 then return nil, 'bad' end return i end, { keep_going = true })",
            #"{"errors":{"2":"bad"},"results":[1,false,3]}"#
        ),
        (
            """
            llm.flow.map({ 1, 2, 3 }, function(i) if i == 2 then return nil, 'bad' end return i end,
                { keep_going = true, ordered = false })
            """,
            #"{"errors":{"2":"bad"},"results":[1,3]}"#
        ),
        (
            """
            llm.flow.all { a = function()
              return llm.flow.map({ 1, 2, 3 }, function(i) if i == 1 then return nil, 'bad' end return i end, { keep_going = true })
            end }()
            """,
            #"{"errors":{"a":"[1] bad"},"results":{"a":[false,2,3]}}"#
        ),
    ]) func aResult(lua: String, text: String) throws {
        #expect(try Self.result(lua).lines.first == "false " + text)
    }

    private static func result(
        _ lua: String, _ configure: (inout ScriptHost) -> Void = { _ in }
    ) throws -> ScriptHarness {
        try ScriptHarness.run(
            """
            local client = llm.client { model = "moonrill-chat" }
            local tool = llm.tool { name = "my_tool", run = function() return \(lua) end }
            assert(client:ask("Use my_tool", { tools = { tool },
              on_tool_result = function(_, text, is_error) print(is_error, text) end }))
            """, configure)
    }

    // MARK: Replies whose calls must not run

    private static func chat(_ reason: String) -> String {
        let call = #"{"index":0,"id":"A","type":"function","function":{"name":"get","arguments":"{}"}}"#
        return sse([
            #"{"choices":[{"index":0,"delta":{"tool_calls":[\#(call)]}}]}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"\#(reason)"}]}"#, "[DONE]",
        ])
    }

    private static func gemini(_ reason: String) -> String {
        sse([
            #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get","args":{}}}]},"finishReason":"\#(reason)"}]}"#
        ])
    }

    private static func anthropic(_ reason: String) -> String {
        sse([
            #"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}}"#,
            #"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"A","name":"get","input":{}}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            #"{"type":"content_block_stop","index":0}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"\#(reason)"},"usage":{"output_tokens":5}}"#,
            #"{"type":"message_stop"}"#,
        ])
    }

    private static func ollama(_ reason: String) -> String {
        [
            #"{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":{}}}]},"done":false}"#,
            #"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"\#(reason)"}"#,
        ].map { $0 + "\n" }.joined()
    }

    private static func sse(_ frames: [String]) -> String { frames.map { "data: \($0)\n\n" }.joined() }

    /// Format, the reply, its finish reason, the error's kind.
    static let unfit: [(String, String, String, String)] = [
        ("openai", chat("content_filter"), "content_filter", "provider"),
        ("openai", chat("length"), "length", "truncated"),
        ("openai", chat("malformed_function_call"), "malformed_function_call", "provider"),
        ("openai", chat("model_context_window_exceeded"), "model_context_window_exceeded", "truncated"),
        ("gemini", gemini("MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL", "provider"),
        ("gemini", gemini("UNEXPECTED_TOOL_CALL"), "UNEXPECTED_TOOL_CALL", "provider"),
        ("gemini", gemini("SAFETY"), "SAFETY", "provider"), ("gemini", gemini("MAX_TOKENS"), "MAX_TOKENS", "truncated"),
        ("gemini", gemini("OTHER"), "OTHER", "provider"),
        ("anthropic", anthropic("max_tokens"), "max_tokens", "truncated"),
        ("anthropic", anthropic("refusal"), "refusal", "provider"), ("ollama", ollama("length"), "length", "truncated"),
    ]

    /// Servers' own words for a reply that was cut or withheld.
    static let troubles = [
        "repetition_truncation", "guardrail_intervened", "output_withheld", "moderated", "budget_exceeded", "rejected",
        "policy_denied", "cutoff", "partial", "terminated", "engine_overloaded", "sensitive_output",
    ].map { ("openai", chat($0), $0, "provider") }

    @Test(arguments: unfit + troubles) func noToolRuns(format: String, reply: String, reason: String, kind: String)
        throws
    {
        let lines = try Self.asked(format, reply)
        #expect(lines.count == 1, "\(lines)")
        #expect(lines.first?.hasPrefix("nil \(kind) \(reason) get 1 ") == true, "\(lines)")
        #expect(lines.first?.contains("(finish reason \(reason)): its tool call was not run") == true, "\(lines)")
    }

    @Test(arguments: [
        ("openai", chat("tool_calls")), ("openai", chat("stop")), ("openai", chat("tool-calls")),
        ("openai", chat("completed")), ("openai", chat("tool_use_executed")), ("openai", chat("finished")),
        ("gemini", gemini("STOP")), ("anthropic", anthropic("tool_use")), ("ollama", ollama("stop")),
    ]) func aToolRuns(format: String, reply: String) throws {
        #expect(try Self.asked(format, reply).first == "ran")
    }

    /// What the provider says of such an end is in the error and in the reply.
    @Test func theWordsOfAnEnd() throws {
        let reply =
            #"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"get","args":{}}}]},"#
            + #""finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed: get("}]}"# + "\n\n"
        let lines = try Self.asked("gemini", reply)
        #expect(
            lines.first?.contains("(finish reason MALFORMED_FUNCTION_CALL: Malformed: get()") == true, "\(lines)")
        #expect(lines.last == "Malformed: get(", "\(lines)")
    }

    private static func asked(_ format: String, _ reply: String) throws -> [String] {
        let type = format == "ollama" ? "application/x-ndjson" : "text/event-stream"
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                _ = connection.answer(reply, headers: ["Content-Type: \(type)"])
            }
        }
        defer { server.stop() }
        return try ScriptHarness.run(
            """
            local llm = require 'llm'
            local client = llm.client {
              base_url = 'http://127.0.0.1:\(server.port)', dialect = '\(format)', model = 'm', retry = { max = 0 },
            }
            local tool = llm.tool { name = "get", run = function() print("ran") return "x" end }
            local reply, err = client:ask("hi", { tools = { tool }, max_rounds = 1 })
            print(reply, err.kind, err.code, err.partial.tool_calls[1].name, #err.messages, err.message)
            if err.partial.finish_message then print(err.partial.finish_message) end
            """, prelude: ""
        ).lines
    }
}
