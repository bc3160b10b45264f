// Observed shapes of Messages streams.

import Base
import Chat
import Formats
import JSON
import Testing

/// Runs payloads as events named by their `type`.
func runAnthropic(_ payloads: [String]) -> StreamOutcome {
    let frames: [(FrameKind, String, String)] = payloads.map { payload in
        (.data, (try? JSONReader.value(payload))?["type"]?.string ?? "", payload)
    }
    return StreamHarness.run(frames: frames, dialect: WireFormat.anthropicMessages)
}

private let start =
    #"{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#
private let stop = #"{"type":"message_stop"}"#
private let ended = #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#

private func begin(_ block: String, _ index: Int = 0) -> String {
    #"{"type":"content_block_start","index":\#(index),"content_block":\#(block)}"#
}
private func delta(_ delta: String, _ index: Int = 0) -> String {
    #"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)}"#
}
private func text(_ text: String, _ index: Int = 0) -> String {
    delta(#"{"type":"text_delta","text":"\#(text)"}"#, index)
}
private func thinking(_ text: String, _ index: Int = 0) -> String {
    delta(#"{"type":"thinking_delta","thinking":"\#(text)"}"#, index)
}
private func json(_ piece: String, _ index: Int = 0) -> String {
    delta(#"{"type":"input_json_delta","partial_json":\#(JSONWriter.text(.string(piece)))}"#, index)
}
private func end(_ index: Int = 0) -> String { #"{"type":"content_block_stop","index":\#(index)}"# }

extension StreamOutcome {
    fileprivate var blocks: [JSONValue] { message["native"]?["content"]?.array ?? [] }
    fileprivate var natives: [String] {
        events.compactMap { if case .native(let name, _) = $0 { name } else { nil } }
    }
}

@Suite struct AnthropicTextTests {
    @Test func textIsToldInOrderAndOnce() {
        let outcome = runAnthropic([
            start, begin(#"{"type":"text","text":""}"#), #"{"type":"ping"}"#, text("Hel"), text("lo"), end(), ended,
            stop,
            text("late"),
        ])
        var first = Usage()
        (first.inputTokens, first.outputTokens) = (9, 1)
        var last = first
        last.outputTokens = 5
        #expect(
            outcome.events == [
                .start, .usage(first), .heartbeat, .token("Hel"), .token("lo"), .heartbeat, .usage(last), .heartbeat,
            ])
        #expect(outcome.summary.id == "m1")
        #expect(outcome.summary.model == "claude")
        #expect(outcome.summary.finishReason == .stop)
        #expect(outcome.isDone)
        #expect(
            outcome.message == [
                "role": "assistant", "content": "Hello",
                "native": ["dialect": "anthropic", "content": [["type": "text", "text": "Hello"]]],
            ])
    }

    @Test(
        arguments: [
            // A block may begin with text; its begin, index or delta type may be missing.
            ([begin(#"{"type":"text","text":"a"}"#), text("b")], "ab"), ([text("a"), text("b")], "ab"),
            ([delta(#"{"text":"a"}"#)], "a"),
            ([#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#], "a"),
            ([begin(#"{"type":"text"}"#), text("a", 3)], "a"), ([begin("null"), text("a")], "a"),
            ([begin(#"{"type":"text","text":"a"}"#), begin(#"{"type":"text","text":"b"}"#, 1), text("c", 1)], "abc"),
            ([text("\\ud83d\\ude00 月")], "😀 月"),
            // Not text.
            ([text("")], ""), ([delta(#"{"type":"text_delta","text":null}"#)], ""), ([delta("{}")], ""),
            ([delta("null")], ""), ([delta(#"{"type":"later_delta","text":"a"}"#)], ""),
            (
                [#"{"type":"content_block_delta"}"#, #"{"type":"content_block_start"}"#, #"{"type":"message_start"}"#],
                ""
            ),
        ] as [([String], String)]) func shapes(payloads: [String], text: String)
    {
        let outcome = runAnthropic(payloads)
        #expect(outcome.text == text)
        #expect(outcome.hasOutput == !text.isEmpty)
        #expect(outcome.error == nil)
        #expect(!outcome.hasCleanEnd)
    }

    @Test func severalBlocksAreOneText() {
        let outcome = runAnthropic([
            begin(#"{"type":"text","text":""}"#), text("a"), end(), begin(#"{"type":"text","text":""}"#, 1), end(1),
            begin(#"{"type":"text","text":""}"#, 2), text("b", 2), end(2), stop,
        ])
        #expect(outcome.text == "ab")
        #expect(outcome.message["content"] == "ab")
        #expect(outcome.blocks == [["type": "text", "text": "a"], ["type": "text", "text": "b"]])
    }

    @Test(arguments: [
        #"{"type":"ping"}"#, #"{"type":"something_new","x":1}"#, "{}", "null", "17", "\"ping\"", "", "  ",
        #"{"type":"content_block_stop","index":4}"#, #"{"type":"message_delta","delta":{}}"#, #"{"error":null}"#,
    ]) func nothingIsAHeartbeat(payload: String) {
        let outcome = runAnthropic([payload])
        #expect(outcome.events == [.heartbeat])
        #expect(outcome.error == nil)
    }

    @Test func aWholeMessageInTheFirstEvent() {
        let outcome = runAnthropic([
            #"{"type":"message_start","message":{"id":"m","model":"c","content":[{"type":"text","text":"Hi"},{"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"container":{"id":"box"},"stop_reason":"tool_use","usage":{"input_tokens":0,"output_tokens":0}}}"#,
            stop,
        ])
        #expect(outcome.text == "Hi")
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(
            outcome.summary.toolCalls == [ToolCall(id: "t", name: "f", argumentsJSON: #"{"a":1}"#, arguments: ["a": 1])]
        )
        #expect(outcome.natives == ["container"])
        #expect(outcome.message["native"]?["container"] == ["id": "box"])
        #expect(outcome.hasCleanEnd)
    }
}

@Suite struct AnthropicThinkingTests {
    private static let signature = "EuYBCkQYAiJAdQ+/=="

    @Test func signaturesAndRedactedThinkingAreKept() {
        let outcome = runAnthropic([
            start, begin(#"{"type":"thinking","thinking":"","signature":""}"#), thinking("Let "), thinking("me\\n"),
            delta(#"{"type":"signature_delta","signature":"\#(Self.signature)"}"#), end(),
            begin(#"{"type":"redacted_thinking","data":"Eqk/="}"#, 1), end(1), begin(#"{"type":"text","text":""}"#, 2),
            text("a", 2), end(2), stop,
        ])
        #expect(outcome.reasoning == "Let me\n")
        #expect(outcome.text == "a")
        #expect(outcome.natives.isEmpty)
        #expect(
            outcome.blocks == [
                ["type": "thinking", "thinking": "Let me\n", "signature": .string(Self.signature)],
                ["type": "redacted_thinking", "data": "Eqk/="], ["type": "text", "text": "a"],
            ])
    }

    @Test func thinkingWithNothingButASignature() {
        let outcome = runAnthropic([
            begin(#"{"type":"thinking","thinking":"","signature":""}"#),
            delta(#"{"type":"signature_delta","signature":"S"}"#), end(), stop,
        ])
        #expect(outcome.reasoning.isEmpty)
        #expect(outcome.blocks == [["type": "thinking", "thinking": "", "signature": "S"]])
    }

    /// A script may stop anywhere: the message holds what it has seen, and no thinking without its signature.
    @Test(
        arguments: [
            ("one two", "hm so", 4, true), ("one t", "hm so", 4, false), ("one ", "hm so", 3, false),
            ("on", "hm so", 3, false), ("", "hm so", 2, false), ("", "hm s", 1, false), ("", "hm ", 1, false),
            ("", "h", 0, false), ("", "", 0, false),
            // Joined from several attempts, or split otherwise: text and calls, no blocks.
            ("zero one two", "hm so", 0, true), ("one two three", "hm so", 0, true), ("two", "hm so", 0, true),
            ("one two", "so", 0, true),
        ] as [(String, String, Int, Bool)])
    func messageSaysWhatWasSeen(text seen: String, reasoning: String, blocks: Int, hasCall: Bool) throws {
        let decoder = WireFormat.anthropicMessages.makeDecoder()
        var events: [DecodedEvent] = []
        let payloads = [
            thinking("hm "), delta(#"{"type":"signature_delta","signature":"S"}"#), end(), thinking("so", 1), end(1),
            text("one ", 2), end(2), text("two", 3), end(3), begin(#"{"type":"tool_use","id":"t","name":"f"}"#, 4),
            end(4), stop,
        ]
        for payload in payloads {
            try decoder.decode(.data, name: "", bytes: Array(payload.utf8).span, into: &events)
        }
        let message = decoder.assistantMessage(ReplyText(events, text: seen, reasoning: reasoning))
        let kept = message["native"]?["content"]?.array ?? []
        let own = kept.filter { $0["type"] != "tool_use" }
        #expect(own.count == blocks)
        #expect(message["content"] == (seen.isEmpty && hasCall ? .null : .string(seen)))
        #expect((message["tool_calls"] != nil) == hasCall)
        #expect(kept.contains { $0["type"] == "tool_use" } == (hasCall && blocks > 0))
        #expect(blocks == 0 || own.compactMap { $0["text"]?.string }.joined() == seen)
        #expect(own.allSatisfy { ["hm ", "so", nil].contains($0["thinking"]?.string) })
    }

    @Test func whatWasCutOffInTheMiddleIsLeftOut() {
        let outcome = runAnthropic([
            start, begin(#"{"type":"server_tool_use","id":"s1","name":"web_search","input":{}}"#), end(),
            begin(#"{"type":"web_search_tool_result","tool_use_id":"s1","content":[]}"#, 1), end(1), text("a", 2),
            begin(#"{"type":"server_tool_use","id":"s2","name":"web_search","input":{}}"#, 3), end(3),
            begin(#"{"type":"tool_use","id":"t","name":"f","input":{}}"#, 4), json(#"{"a":"#, 4),
        ])
        #expect(!outcome.hasCleanEnd)
        #expect(outcome.blocks.compactMap { $0["id"] ?? $0["tool_use_id"] } == ["s1", "s1"])
        #expect(outcome.message["tool_calls"] == nil)
        #expect(outcome.summary.toolCalls.map(\.argumentsJSON) == [#"{"a":"#])
    }
}

@Suite struct AnthropicToolTests {
    @Test(
        arguments: [
            ([#"{"a":"#, "", #" "x"}"#], "{}", #"{"a": "x"}"#, ["a": "x"]), ([], "{}", "", [:]), ([""], "{}", "", [:]),
            ([], #"{"a":1}"#, #"{"a":1}"#, ["a": 1]), ([], "null", "", [:]),
            ([#"{"a":2}"#], #"{"a":1}"#, #"{"a":2}"#, ["a": 2]), ([#"{"a":["#], "{}", #"{"a":["#, nil),
        ] as [([String], String, String, JSONValue?)])
    func arguments(pieces: [String], input: String, text: String, value: JSONValue?) {
        let outcome = runAnthropic(
            [start, begin(#"{"type":"tool_use","id":"t","name":"f","input":\#(input)}"#)] + pieces.map { json($0) }
                + [end(), stop])
        #expect(outcome.summary.toolCalls == [ToolCall(id: "t", name: "f", argumentsJSON: text, arguments: value)])
        #expect(outcome.hasOutput)
        #expect(outcome.text.isEmpty)
        #expect(
            outcome.message["tool_calls"] == [
                [
                    "id": "t", "type": "function",
                    "function": ["name": "f", "arguments": .string(text.isEmpty ? "{}" : text)],
                ]
            ])
        #expect(outcome.message["content"] == .null)
        // The provider accepts objects only.
        #expect(outcome.blocks.first?["input"] == value ?? ["INVALID_JSON": .string(text)])
    }

    @Test func callsAtOnce() {
        let outcome = runAnthropic([
            begin(#"{"type":"tool_use","id":"a","name":"f","input":{}}"#),
            begin(#"{"type":"tool_use","id":"b","name":"g"}"#, 1),
            json(#"{"x":"#), json(#"{"y":"#, 1), json("1}"), json("2}", 1), end(), end(1), stop,
        ])
        #expect(outcome.summary.toolCalls.map(\.id) == ["a", "b"])
        #expect(outcome.summary.toolCalls.map(\.arguments) == [["x": 1], ["y": 2]])
    }

    /// Some gateways give each block the same index.
    @Test func oneIndexForAll() {
        let outcome = runAnthropic([
            begin(#"{"type":"text","text":""}"#), text("a"), end(), begin(#"{"type":"tool_use","id":"a","name":"f"}"#),
            json("{}"), end(), begin(#"{"type":"tool_use","id":"b","name":"g"}"#), json(#"{"z":0}"#), end(), stop,
        ])
        #expect(outcome.text == "a")
        #expect(outcome.summary.toolCalls.map(\.argumentsJSON) == ["{}", #"{"z":0}"#])
    }

    @Test func whatOnlyThisProviderSendsIsPassedOn() {
        let citation = #"{"type":"web_search_result_location","url":"https://a.example","cited_text":"x"}"#
        let outcome = runAnthropic([
            begin(#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#), json(#"{"query":"#),
            json(#""q"}"#),
            end(),
            begin(#"{"type":"web_search_tool_result","tool_use_id":"s","content":[{"encrypted_content":"E=="}]}"#, 1),
            end(1), begin(#"{"type":"text","text":"","citations":[]}"#, 2),
            delta(#"{"type":"citations_delta","citation":\#(citation)}"#, 2), text("a", 2), end(2), stop,
        ])
        let location: JSONValue = [
            "type": "web_search_result_location", "url": "https://a.example", "cited_text": "x",
        ]
        let use: JSONValue = ["type": "server_tool_use", "id": "s", "name": "web_search", "input": ["query": "q"]]
        let result: JSONValue = [
            "type": "web_search_tool_result", "tool_use_id": "s", "content": [["encrypted_content": "E=="]],
        ]
        #expect(
            outcome.events.filter { $0 != .heartbeat } == [
                .native(name: "server_tool_use", use), .native(name: "web_search_tool_result", result),
                .native(name: "citation", location), .block(2), .token("a"),
            ])
        #expect(outcome.summary.toolCalls.isEmpty)
        #expect(outcome.blocks == [use, result, ["type": "text", "text": "a", "citations": [location]]])
    }

    @Test func blocksOfKindsUnknownHere() {
        let outcome = runAnthropic([
            begin(#"{"type":"compaction","content":null,"data":"x","list":[1]}"#),
            delta(#"{"type":"compaction_delta","content":"Sum","data":"y","list":[2]}"#),
            delta(#"{"type":"compaction_delta","content":"mary"}"#), end(), stop,
        ])
        let block: JSONValue = ["type": "compaction", "content": "Summary", "data": "xy", "list": [1, 2]]
        #expect(outcome.events.filter { $0 != .heartbeat } == [.native(name: "compaction", block)])
        #expect(outcome.blocks == [block])
        #expect(outcome.text.isEmpty)
    }
}

@Suite struct AnthropicEndTests {
    @Test(arguments: [
        ("end_turn", FinishReason.stop), ("stop_sequence", .stop), ("max_tokens", .length),
        ("model_context_window_exceeded", .length), ("tool_use", .toolCalls), ("refusal", .contentFilter),
        ("pause_turn", .other), ("something_new", .other), ("stop", .stop), ("length", .length),
    ]) func reasons(raw: String, reason: FinishReason) {
        let end = #"{"type":"message_delta","delta":{"stop_reason":"\#(raw)","stop_sequence":null}}"#
        let outcome = runAnthropic([start, end, stop])
        #expect(outcome.summary.finishReasonRaw == raw)
        #expect(outcome.summary.finishReason == reason)
        // The reason precedes the end; a stream may be cut between them.
        #expect(!runAnthropic([start, end]).hasCleanEnd)
    }

    @Test func stopAloneIsAnEndOfUnknownReason() {
        let outcome = runAnthropic([start, text("a"), stop])
        #expect(outcome.hasCleanEnd)
        #expect(outcome.summary.finishReason == .other)
        #expect(outcome.summary.finishReasonRaw == nil)
    }

    @Test func doneIsNoEndOfItsOwn() {
        let before = StreamHarness.run(
            frames: [(.data, "", start), (.data, "", ended), (.data, "data", "[DONE]")],
            dialect: WireFormat.anthropicMessages)
        #expect(!before.hasCleanEnd)
        #expect(before.error == nil)
        let after = StreamHarness.run(
            frames: [(.data, "", stop), (.data, "data", "[DONE]"), (.data, "error", "{}")],
            dialect: WireFormat.anthropicMessages)
        #expect(after.hasCleanEnd)
        #expect(after.error == nil)
    }

    @Test func aRefusalSaysWhy() {
        let outcome = runAnthropic([
            start,
            #"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"Not this."}}}"#,
            stop,
        ])
        #expect(outcome.summary.refusal == "Not this.")
        #expect(outcome.summary.finishReason == .contentFilter)
        #expect(outcome.text.isEmpty)
    }

    @Test func namesOfEventsAreNotNeeded() {
        let frames = [start, text("a"), stop].map { (FrameKind.data, "", $0) }
        #expect(StreamHarness.run(frames: frames, dialect: WireFormat.anthropicMessages).text == "a")
    }
}

@Suite struct AnthropicUsageTests {
    private static func first(_ usage: String) -> String {
        #"{"type":"message_start","message":{"id":"m","content":[],"usage":\#(usage)}}"#
    }
    private static func last(_ usage: String) -> String {
        #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":\#(usage)}"#
    }

    @Test(
        arguments: [
            (#"{"input_tokens":7,"output_tokens":1}"#, #"{"output_tokens":20}"#, [7, 20, nil, nil]),
            // Server tools added to the input.
            (#"{"input_tokens":7,"output_tokens":1}"#, #"{"input_tokens":70,"output_tokens":2}"#, [70, 2, nil, nil]),
            (
                #"{"input_tokens":0,"cache_read_input_tokens":null,"output_tokens":0}"#,
                #"{"input_tokens":3,"cache_read_input_tokens":9,"output_tokens":2,"output_tokens_details":{"thinking_tokens":1}}"#,
                [3, 2, 1, 9]
            ),
            (#"{"input_tokens":3,"cache_read_input_tokens":9}"#, #"{"output_tokens":2}"#, [3, 2, nil, 9]),
            ("null", #"{"output_tokens":2}"#, [nil, 2, nil, nil]), (#"{"input_tokens":-1}"#, "{}", nil),
            ("{}", "null", nil),
        ] as [(String, String, [Int?]?)]) func counts(first: String, last: String, counts: [Int?]?)
    {
        let usage = runAnthropic([Self.first(first), Self.last(last), stop]).summary.usage
        #expect(
            usage.map { [$0.inputTokens, $0.outputTokens, $0.reasoningTokens, $0.cachedTokens] } == counts)
        #expect(usage?.totalTokens == nil)
    }

    /// The reported input excludes cached tokens.
    @Test(arguments: [
        (#"{"input_tokens":3,"cache_read_input_tokens":9,"cache_creation_input_tokens":20}"#, 32, true),
        (#"{"input_tokens":3,"cache_read_input_tokens":9}"#, 12, true), (#"{"input_tokens":3}"#, 3, false),
    ]) func cache(first: String, read: Int, isApart: Bool) {
        let usage = runAnthropic([Self.first(first), Self.last(#"{"output_tokens":2}"#), stop]).summary.usage
        #expect(usage?.readTokens == read)
        #expect(usage?.countsCacheApart == isApart)
    }

    @Test func onlyChangesAreTold() {
        let same = #"{"input_tokens":1,"output_tokens":1}"#
        let outcome = runAnthropic([Self.first(same), Self.last(same), Self.last(#"{"output_tokens":2}"#), stop])
        #expect(outcome.events.count { if case .usage = $0 { true } else { false } } == 2)
    }
}
