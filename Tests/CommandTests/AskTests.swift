// `moonrill ask`: how an answer that is no whole answer ends, and what reaches a terminal.

import Foundation
import Support
import Testing

@Suite struct AskTests {
    /// Answers each request with these bytes.
    private static func server(_ body: String, type: String = "text/event-stream") throws -> RawServer {
        try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.answer(body, headers: ["Content-Type: \(type)", "Connection: close"])
        }
    }

    private static func sse(_ events: String...) -> String { events.map { "data: \($0)\n\n" }.joined() }

    private static func typed(_ events: String...) -> String {
        events.map { event in
            let type = event.components(separatedBy: "\"type\":\"")[1].prefix { $0 != "\"" }
            return "event: \(type)\ndata: \(event)\n\n"
        }.joined()
    }

    private static func openAI(_ reason: String, refusal: String? = nil) -> String {
        let delta = refusal.map { "\"refusal\":\"\($0)\"" } ?? "\"content\":\"Half\""
        return sse(
            "{\"choices\":[{\"index\":0,\"delta\":{\(delta)},\"finish_reason\":null}]}",
            "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"\(reason)\"}]}", "[DONE]")
    }

    private static func anthropic(_ reason: String) -> String {
        typed(
            "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":1}}}",
            "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Half\"}}",
            "{\"type\":\"content_block_stop\",\"index\":0}",
            "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"\(reason)\"},\"usage\":{\"output_tokens\":1}}",
            "{\"type\":\"message_stop\"}")
    }

    private static func gemini(_ reason: String) -> String {
        sse(
            "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Half\"}]},\"finishReason\":\"\(reason)\"}]}"
        )
    }

    private static func responses(_ reason: String) -> String {
        let item =
            "{\"type\":\"message\",\"id\":\"i\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Half\"}]}"
        return typed(
            "{\"type\":\"response.output_text.delta\",\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"delta\":\"Half\"}",
            "{\"type\":\"response.incomplete\",\"response\":{\"id\":\"r\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"\(reason)\"},\"output\":[\(item)]}}"
        )
    }

    private static func cohere(_ reason: String) -> String {
        typed(
            "{\"type\":\"message-start\",\"id\":\"m\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}",
            "{\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}",
            "{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Half\"}}}}",
            "{\"type\":\"content-end\",\"index\":0}",
            "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"\(reason)\"}}")
    }

    /// An answer that the provider or the model withheld is a failure; one that met a limit is an answer, with a warning.
    @Test(arguments: [
        ("openai", openAI("content_filter"), 1, "content_filter"),
        ("openai", openAI("stop", refusal: "I can not"), 1, "refused: I can not"),
        ("openai", openAI("length"), 0, "length"),
        ("openai", openAI("stop"), 0, ""), ("anthropic", anthropic("refusal"), 1, "refusal"),
        ("anthropic", anthropic("max_tokens"), 0, "max_tokens"), ("anthropic", anthropic("end_turn"), 0, ""),
        ("gemini", gemini("SAFETY"), 1, "SAFETY"), ("gemini", gemini("PROHIBITED_CONTENT"), 1, "PROHIBITED_CONTENT"),
        ("gemini", gemini("MAX_TOKENS"), 0, "MAX_TOKENS"),
        ("gemini", sse("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"), 1, "content_filter"),
        ("responses", responses("content_filter"), 1, "content_filter"),
        ("responses", responses("max_output_tokens"), 0, "length"),
        ("cohere", cohere("ERROR_TOXIC"), 1, "ERROR_TOXIC"), ("cohere", cohere("MAX_TOKENS"), 0, "MAX_TOKENS"),
        (
            "ollama",
            "{\"message\":{\"role\":\"assistant\",\"content\":\"Half\"},\"done\":false}\n"
                + "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"length\"}\n",
            0, "length"
        ),
        (
            "tgi",
            sse(
                "{\"index\":1,\"token\":{\"id\":1,\"text\":\"Half\",\"special\":false},\"generated_text\":\"Half\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":1}}"
            ), 0, "length"
        ),
    ])
    func aWithheldAnswerFails(dialect: String, body: String, status: Int32, message: String) throws {
        let server = try Self.server(body, type: dialect == "ollama" ? "application/x-ndjson" : "text/event-stream")
        defer { server.stop() }
        let result = try MoonrillBinary.run([
            "ask", "--base-url", "http://127.0.0.1:\(server.port)", "--dialect", dialect, "-m", "m", "hi",
        ])
        #expect(result.status == status, "\(result.errorOutput)")
        #expect(message.isEmpty ? result.errorOutput.isEmpty : result.errorOutput.contains(message))
        if !message.contains("refused"), !body.contains("promptFeedback") { #expect(result.output == "Half\n") }
    }

    /// A whole reply that holds no text is no answer.
    @Test(arguments: [
        (#"{"content":""}"#, "stop", "no answer: the reply has no text (stop)"),
        (
            #"{"tool_calls":[{"index":0,"id":"a","function":{"name":"get","arguments":"{}"}}]}"#, "tool_calls",
            "no answer: the model calls the tool 'get'"
        ),
    ])
    func aReplyWithoutTextFails(delta: String, reason: String, message: String) throws {
        let server = try Self.server(
            Self.sse(
                "{\"choices\":[{\"index\":0,\"delta\":\(delta),\"finish_reason\":null}]}",
                "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"\(reason)\"}]}", "[DONE]"))
        defer { server.stop() }
        let result = try MoonrillBinary.run(["ask", "--base-url", "http://127.0.0.1:\(server.port)", "-m", "m", "hi"])
        #expect(result.status == 1)
        #expect(result.errorOutput.contains(message), "\(result.errorOutput)")
    }

    @Test func whatIsNotUTF8IsRepairedAndCounted() throws {
        let server = try Self.server(Self.openAI("stop"))
        defer { server.stop() }
        let result = try MoonrillBinary.run(
            ["ask", "--base-url", "http://127.0.0.1:\(server.port)", "-m", "m", "hi"], stdin: [0x61, 0xFF, 0xFE, 0x62])
        #expect(result.status == 0)
        #expect(result.errorOutput.contains("not UTF-8: 2 bytes were replaced"))
        let body = String(decoding: server.requests.first?.body ?? [], as: UTF8.self)
        #expect(body.contains("a\u{FFFD}\u{FFFD}b"))
    }

    // MARK: A terminal

    private static let controls = "a\\u001b[2Jb\\u009bc\\u0007d\\té"

    /// Runs the command on a terminal of its own (script(1)), which has both outputs.
    private func onTerminal(_ command: String, environment: String = "TERM=xterm", then: String = "") throws -> String {
        try MoonrillBinary.run(
            shell:
                "export \(environment); script -qec \"\(command.replacingOccurrences(of: "$0", with: MoonrillBinary.path))\" /dev/null </dev/null \(then)"
        ).output
    }

    private static func thoughtful(_ text: String) -> String {
        sse(
            "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Let \(text)\"}}]}",
            "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Say \(text)\"},\"finish_reason\":\"stop\"}]}", "[DONE]"
        )
    }

    @Test func controlsOfAModelAreShownOnATerminalAndPassedToAPipe() throws {
        let server = try Self.server(Self.thoughtful(Self.controls))
        defer { server.stop() }
        let command = "ask --base-url http://127.0.0.1:\(server.port) -m m hi"
        let shown = try onTerminal("$0 \(command)")
        #expect(shown.contains("Let a\\x1b[2Jb\\x9bc\\x07d\té"))
        #expect(shown.contains("Say a\\x1b[2Jb\\x9bc\\x07d\té"))
        #expect(shown.contains("\u{1B}[2mLet") && !shown.contains("\u{1B}[2J"))
        #expect(try onTerminal("$0 \(command) --raw").contains("Say a\u{1B}[2Jb\u{9B}c\u{7}d\té"))
        let piped = try MoonrillBinary.run(command.split(separator: " ").map(String.init))
        #expect(piped.output == "Say a\u{1B}[2Jb\u{9B}c\u{7}d\té\n")
    }

    /// What a script prints is the script's own business.
    @Test func aScriptMayUseColours() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString).lua")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("print('\\27[31mred') io.stderr:write('\\27[32mgreen')".utf8).write(to: file)
        let shown = try onTerminal("$0 run \(file.path)")
        #expect(shown.contains("\u{1B}[31mred") && shown.contains("\u{1B}[32mgreen"))
    }

    @Test(arguments: ["TERM=xterm NO_COLOR=1", "TERM=dumb", "TERM=xterm CLICOLOR=0"])
    func noStyleForWhoWantsNone(environment: String) throws {
        let server = try Self.server(Self.thoughtful("me"))
        defer { server.stop() }
        let shown = try onTerminal(
            "$0 ask --base-url http://127.0.0.1:\(server.port) -m m hi", environment: environment)
        #expect(shown.contains("Let me") && shown.contains("Say me"))
        #expect(!shown.contains("\u{1B}"))
    }

    /// However a run ends in the middle of dimmed text, the terminal is set back before anything else is shown.
    @Test(arguments: [("--timeout 1", ""), ("", "INT"), ("", "TERM")])
    func theTerminalIsSetBack(options: String, signal: String) throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            connection.write("data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Let me see\"}}]}\n\n")
            // The signal comes once the text was shown, or the time limit while it is.
            _ = connection.waitForDeparture()
        }
        defer { server.stop() }
        // The command's own process tells its number, so that it can be signalled from beside it.
        let ask = "exec $0 ask \(options) --base-url http://127.0.0.1:\(server.port) -m m hi"
        let shown =
            signal.isEmpty
            ? try onTerminal(ask)
            : try onTerminal(
                "echo pid \\$\\$; \(ask)",
                then: """
                    | while IFS= read -r -n 1 -d '' character; do
                        seen="$seen$character"; printf '%s' "$character"
                        if [[ "$seen" =~ pid\\ ([0-9]+).*see ]]; then seen=; kill -\(signal) ${BASH_REMATCH[1]}; fi
                      done
                    """)
        let dim = try #require(shown.range(of: "\u{1B}[2mLet me see"))
        #expect(shown[dim.upperBound...].contains("\u{1B}[0m"), "\(shown)")
    }

    /// Retries of a script that does not watch for them are shown on a terminal, and nowhere else.
    @Test func aTerminalShowsRetries() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString).lua")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("local r = assert(require('llm').client { retry = { base = 0.01 } }:ask('x')) print('done')".utf8)
            .write(to: file)
        let command = "run --fault 503:1 --rate 0 \(file.path)"
        #expect(try onTerminal("$0 \(command)").contains("next attempt in 0.0 s"))
        #expect(try MoonrillBinary.run(command.split(separator: " ").map(String.init)).errorOutput == "")
    }
}
