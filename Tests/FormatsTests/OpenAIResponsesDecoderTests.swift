// Events of a Responses stream.

import Base
import Chat
import Formats
import JSON
import Testing

private func run(_ payloads: String...) -> StreamOutcome { ResponsesStream.run(payloads) }

private func event(_ type: String, _ members: String) -> String { #"{"type":"response.\#(type)",\#(members)}"# }

private let end = event("completed", #""response":{"status":"completed"}"#)

@Suite struct ResponsesDecoderTests {
    @Test func theUsualReply() throws {
        let outcome = ResponsesStream.run(ResponsesStream.usual.payloads)
        #expect(outcome.error == nil)
        #expect(outcome.tokens == ["Hel", "lo", ", 世", "界!", " ", "Bye."])
        #expect(outcome.reasoning == "Let me see.\n\nYes.")
        #expect(outcome.events.first == .start)
        #expect(outcome.summary.id == "r1")
        #expect(outcome.summary.model == "m1")
        #expect(outcome.summary.finishReasonRaw == "completed")
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(
            outcome.summary.toolCalls
                == [ToolCall(id: "c1", name: "f", argumentsJSON: #"{"a":1}"#, arguments: ["a": 1])])
        let usage = try #require(outcome.summary.usage)
        #expect(usage.inputTokens == 1 && usage.outputTokens == 2 && usage.totalTokens == 3)
        #expect(usage.cachedTokens == 4 && usage.reasoningTokens == 5)
        #expect(outcome.events.contains(.usage(usage)))
        #expect(outcome.hasCleanEnd && outcome.isDone && outcome.hasOutput)
    }

    @Test func typesInTheEventLineAlone() {
        let frames: [(FrameKind, String, String)] = [
            (.data, "response.created", #"{"response":{"id":"r"}}"#),
            (.data, "response.output_text.delta", #"{"output_index":0,"content_index":0,"delta":"a"}"#),
            (.data, "response.function_call_arguments.delta", #"{"output_index":1,"delta":"{}"}"#),
            (.data, "response.completed", #"{"response":{"id":"r"}}"#),
        ]
        let outcome = StreamHarness.run(frames: frames, dialect: WireFormat.openAIResponses)
        #expect(outcome.text == "a")
        #expect(outcome.summary.toolCalls.count == 1)
        #expect(outcome.summary.finishReasonRaw == "completed")
    }

    @Test func thePayloadsTypeOutweighsTheEventLine() {
        let outcome = StreamHarness.run(
            frames: [(.data, "error", event("output_text.delta", #""delta":"a""#)), (.data, "message", end)],
            dialect: WireFormat.openAIResponses)
        #expect(outcome.text == "a")
        #expect(outcome.hasCleanEnd)
    }

    @Test(arguments: [
        #"{"type":"keepalive"}"#, #"{"type":"response.new_thing","delta":"x"}"#, "{}", "null", "17", "", "[]", "[DONE]",
        #"{"type":"response.output_text.delta","delta":""}"#, #"{"type":"response.output_text.delta","delta":null}"#,
        #"{"type":"response.output_text.delta"}"#, #"{"type":"response.output_text.done","text":""}"#,
        #"{"type":"response.output_item.added","item":null}"#, #"{"type":"response.output_item.done","item":[]}"#,
        #"{"type":"response.content_part.done","part":{"type":"unknown","text":"x"}}"#,
        #"{"type":"codex.rate_limits","rate_limits":{"allowed":true}}"#,
    ]) func nothingIsAHeartbeat(payload: String) {
        let outcome = run(payload)
        #expect(outcome.error == nil)
        #expect(!outcome.hasCleanEnd)
        #expect(outcome.text.isEmpty && outcome.reasoning.isEmpty)
        #expect(!outcome.hasOutput)
    }

    // MARK: Reasoning and refusals

    @Test(arguments: ["reasoning_text", "reasoning_summary_text", "reasoning", "reasoning_summary"])
    func reasoningUnderAllItsNames(name: String) {
        let outcome = run(
            event("\(name).delta", #""output_index":0,"delta":"a""#),
            event("\(name).done", #""output_index":0,"text":"ab""#))
        #expect(outcome.events == [.start, .reasoning("a"), .reasoning("b")])
    }

    /// Each part of a summary is a paragraph, whichever way its text comes.
    @Test func partsOfASummaryAreParagraphs() {
        func place(_ part: Int) -> String { #""output_index":0,"summary_index":\#(part)"# }
        let item =
            #"{"type":"reasoning","summary":[{"type":"summary_text","text":"ab"},{"type":"summary_text","text":"c"},"#
            + #"{"type":"summary_text","text":"d"}]}"#
        let outcome = run(
            event("reasoning_summary_text.delta", place(0) + #","delta":"a""#),
            event("reasoning_summary_text.delta", place(0) + #","delta":"b""#),
            event("reasoning_summary_text.delta", place(1) + #","delta":"c""#),
            event("reasoning_summary_text.done", place(2) + #","text":"d""#),
            event("output_item.done", #""output_index":0,"item":\#(item)"#),
            event("completed", #""response":{"status":"completed","output":[\#(item)]}"#))
        #expect(outcome.error == nil)
        #expect(outcome.reasoning == "ab\n\nc\n\nd")
        #expect(outcome.events.contains(.reasoning("\n\n")))
    }

    @Test func reasoningRepeatedAsTheOtherKindIsShownOnce() {
        let item =
            #"{"type":"reasoning","summary":[{"type":"summary_text","text":"ab"}],"content":[{"type":"reasoning_text","text":"ab"}]}"#
        let outcome = run(
            event("reasoning_text.delta", #""output_index":0,"delta":"a""#),
            event("output_item.done", #""output_index":0,"item":\#(item)"#),
            event("completed", #""response":{"output":[\#(item)]}"#))
        #expect(outcome.reasoning == "ab")
        #expect(run(event("completed", #""response":{"output":[\#(item)]}"#)).reasoning == "ab")
    }

    @Test func bothKindsOfReasoningThatAreStreamedAreShown() {
        let outcome = run(
            event("reasoning_summary_text.delta", #""output_index":0,"delta":"s""#),
            event("reasoning_text.delta", #""output_index":0,"delta":"r""#),
            event(
                "output_item.done",
                #""output_index":0,"item":{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"content":[{"type":"reasoning_text","text":"r"}]}"#
            ))
        #expect(outcome.events.filter { $0 != .heartbeat } == [.start, .reasoning("s"), .reasoning("r")])
    }

    @Test func refusalsAreApart() {
        let outcome = run(
            event("refusal.delta", #""output_index":0,"content_index":0,"delta":"I ""#),
            event("refusal.delta", #""output_index":0,"content_index":0,"delta":"can""#),
            event("refusal.done", #""output_index":0,"content_index":0,"refusal":"I can't""#), end)
        #expect(outcome.text.isEmpty)
        #expect(outcome.summary.refusal == "I can't")
        #expect(outcome.hasOutput)
        #expect(outcome.message["refusal"] == "I can't")
        #expect(outcome.summary.finishReason == .stop)
    }

    // MARK: What only this provider sends

    @Test func serverToolsAndCitationsAreShownOnceAsTheyCame() throws {
        let search = #"{"id":"ws","type":"web_search_call","status":"completed","action":{"query":"q"}}"#
        let citation = #"{"type":"url_citation","url":"https://a.example","start_index":0,"end_index":1}"#
        let message =
            #"{"id":"m","type":"message","content":[{"type":"output_text","text":"a","annotations":[\#(citation),{"type":"file_citation"}]}]}"#
        let outcome = run(
            event("output_item.added", #""output_index":0,"item":{"id":"ws","type":"web_search_call"}"#),
            event("web_search_call.searching", #""output_index":0,"item_id":"ws""#),
            event("output_item.done", #""output_index":0,"item":\#(search)"#),
            event("output_text.delta", #""output_index":1,"delta":"a""#),
            event("output_text.annotation.added", #""output_index":1,"annotation":\#(citation)"#),
            event("output_item.done", #""output_index":1,"item":\#(message)"#),
            event("completed", #""response":{"output":[\#(search),\#(message)]}"#))
        let natives = outcome.events.compactMap {
            if case .native(let name, let value) = $0 { (name, value) } else { nil }
        }
        #expect(natives.map(\.0) == ["web_search_call", "url_citation", "file_citation"])
        #expect(natives.first?.1 == (try JSONReader.value(search)))
        #expect(outcome.text == "a")
    }

    @Test(arguments: [
        "mcp_call", "mcp_list_tools", "mcp_approval_request", "image_generation_call", "code_interpreter_call",
        "local_shell_call", "apply_patch_call", "computer_call", "something_new",
    ]) func itemsOfServerToolsAreNoCallsOfTheScripts(type: String) {
        let outcome = run(
            event("output_item.done", #""output_index":0,"item":{"id":"x","type":"\#(type)","name":"n"}"#), end)
        #expect(outcome.events.contains(.native(name: type, ["id": "x", "type": .string(type), "name": "n"])))
        #expect(outcome.summary.toolCalls.isEmpty)
        let waits = ["mcp_approval_request", "local_shell_call", "apply_patch_call", "computer_call"].contains(type)
        #expect(outcome.summary.finishReason == (waits ? .toolCalls : .stop))
        #expect(outcome.hasOutput)
    }

    @Test func partialImagesArePassedOn() {
        let outcome = run(event("image_generation_call.partial_image", #""partial_image_b64":"QQ==""#))
        #expect(
            outcome.events == [
                .start,
                .native(
                    name: "image_generation_call.partial_image",
                    ["type": "response.image_generation_call.partial_image", "partial_image_b64": "QQ=="]),
            ])
    }

    // MARK: Calls

    @Test func customToolsTakeText() {
        let item = #"{"id":"i","type":"custom_tool_call","call_id":"c","name":"sql","input":"select 1"}"#
        let outcome = run(
            event(
                "output_item.added",
                #""output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"sql","input":""}"#),
            event("custom_tool_call_input.delta", #""output_index":0,"delta":"select""#),
            event("custom_tool_call_input.delta", #""output_index":0,"delta":" 1""#),
            event("custom_tool_call_input.done", #""output_index":0,"input":"select 1""#),
            event("output_item.done", #""output_index":0,"item":\#(item)"#), end)
        #expect(
            outcome.summary.toolCalls
                == [ToolCall(id: "c", name: "sql", argumentsJSON: "select 1", arguments: "select 1")])
        #expect(
            outcome.message["tool_calls"] == [
                ["id": "c", "type": "function", "function": ["name": "sql", "arguments": #"{"input":"select 1"}"#]]
            ])
    }

    @Test(arguments: [
        // Everything in one place.
        [event("function_call_arguments.done", #""output_index":0,"arguments":"{\"a\":1}""#)],
        [event("function_call_arguments.delta", #""output_index":0,"delta":"{\"a\":1}""#)],
        [event("output_item.done", #""output_index":0,"item":\#(ResponsesStream.call)"#)],
        // No number, and no stable id.
        [
            event("function_call_arguments.delta", #""item_id":"x1","delta":"{\"a\":1""#),
            event("function_call_arguments.delta", #""item_id":"x2","delta":"}""#),
        ],
        // An object in place of its text; nothing where pieces came.
        [event("function_call_arguments.done", #""output_index":0,"arguments":{"a":1}"#)],
        [
            event("function_call_arguments.delta", #""output_index":0,"delta":"{\"a\":1}""#),
            event("function_call_arguments.done", #""output_index":0,"arguments":"""#),
        ],
    ]) func argumentsComeInEveryWay(events: [String]) {
        let begun = event(
            "output_item.added",
            #""output_index":0,"item":{"id":"i2","type":"function_call","call_id":"c1","name":"f","arguments":""}"#)
        let outcome = ResponsesStream.run([begun] + events + [end])
        #expect(outcome.summary.toolCalls.map(\.arguments) == [["a": 1]])
        #expect(outcome.summary.toolCalls.map(\.id) == ["c1"])
        #expect(outcome.summary.finishReason == .toolCalls)
        let whole = run(event("completed", #""response":{"output":[\#(ResponsesStream.call)]}"#))
        #expect(whole.summary.toolCalls.map(\.arguments) == [["a": 1]])
    }

    @Test func callsOfOneIDAreTwo() {
        func call(_ index: Int) -> String {
            #"{"id":"i\#(index)","type":"function_call","call_id":"c","name":"f\#(index)","arguments":"{}"}"#
        }
        let outcome = run(
            event("output_item.done", #""output_index":0,"item":\#(call(0))"#),
            event("output_item.done", #""output_index":1,"item":\#(call(1))"#),
            event("completed", #""response":{"output":[\#(call(0)),\#(call(1))]}"#))
        #expect(outcome.summary.toolCalls.map(\.name) == ["f0", "f1"])
    }

    @Test func callsAreNotTakenTwiceWhereTheResponseRenamesAndMovesThem() {
        let outcome = run(
            event("output_item.done", #""output_index":0,"item":\#(ResponsesStream.call)"#),
            event(
                "completed",
                #""response":{"output":[{"id":"new","type":"reasoning","summary":[]},\#(ResponsesStream.call.replacing("i2", with: "other"))]}"#
            ))
        #expect(outcome.summary.toolCalls.count == 1)
    }

    // MARK: The end

    @Test(arguments: [
        ("completed", #"{"status":"completed"}"#, "completed", FinishReason.stop),
        ("completed", "{}", "completed", .stop), ("done", "{}", "completed", .stop),
        ("done", #"{"status":"incomplete"}"#, "incomplete", .other),
        ("incomplete", #"{"incomplete_details":{"reason":"max_output_tokens"}}"#, "incomplete", .length),
        ("incomplete", #"{"incomplete_details":{"reason":"content_filter"}}"#, "incomplete", .contentFilter),
        ("incomplete", #"{"incomplete_details":{"reason":"something_new"}}"#, "incomplete", .other),
        ("incomplete", #"{"incomplete_details":null}"#, "incomplete", .other),
        (
            "completed", #"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#, "incomplete",
            .length
        ),
    ]) func ends(type: String, response: String, raw: String, reason: FinishReason) {
        let outcome = run(
            event("output_text.delta", #""delta":"a""#), event(type, "\"response\":\(response)"),
            event("output_text.delta", #""delta":"late""#), "{garbage")
        #expect(outcome.text == "a")
        #expect(outcome.error == nil)
        #expect(outcome.summary.finishReasonRaw == raw)
        #expect(outcome.summary.finishReason == reason)
        #expect(outcome.hasCleanEnd && outcome.isDone)
    }

    @Test func doneIsNoEnd() {
        let outcome = run(event("output_text.delta", #""delta":"a""#), "[DONE]")
        #expect(outcome.text == "a")
        #expect(outcome.error == nil)
        #expect(!outcome.hasCleanEnd && !outcome.isDone)
        #expect(run("[DONE]", event("output_text.delta", #""delta":"a""#), end).text == "a")
    }

    // MARK: The message

    @Test func everythingGoesBackAsItCame() throws {
        let message = ResponsesStream.run(ResponsesStream.usual.payloads).message
        #expect(message["role"] == "assistant")
        #expect(message["content"] == "Hello, 世界! Bye.")
        #expect(
            message["tool_calls"] == [
                ["id": "c1", "type": "function", "function": ["name": "f", "arguments": #"{"a":1}"#]]
            ])
        let items = [ResponsesStream.reasoning, ResponsesStream.message, ResponsesStream.call]
        let output = try items.map { try JSONReader.value($0) }
        #expect(message["native"] == ["dialect": "responses", "id": "r1", "output": .array(output)])
        #expect(JSONWriter.text(message["native"]?["output"] ?? .null) == "[\(items.joined(separator: ","))]")
    }

    @Test func aReplyThatWasCutGoesBackAsText() {
        for cut in 0..<(ResponsesStream.usual.payloads.count - 1) {
            let outcome = ResponsesStream.run(Array(ResponsesStream.usual.payloads[..<cut]))
            #expect(outcome.message["native"] == nil)
            if outcome.summary.toolCalls.isEmpty { #expect(outcome.message["content"] == .string(outcome.text)) }
        }
        let decoder = WireFormat.openAIResponses.makeDecoder()
        var events: [DecodedEvent] = []
        for payload in ResponsesStream.usual.payloads {
            #expect(throws: Never.self) {
                try decoder.decode(.data, name: "", bytes: [UInt8](payload.utf8).span, into: &events)
            }
        }
        #expect(decoder.assistantMessage(ReplyText(events, text: "Hello"))["native"] == nil)
        #expect(decoder.assistantMessage(ReplyText(events))["native"] != nil)
    }

    @Test func reasoningThatLedToNothingStaysBehind() {
        let outcome = run(
            event(
                "output_item.done",
                #""output_index":0,"item":{"id":"m","type":"message","content":[{"type":"output_text","text":"a"}]}"#),
            event("output_item.done", #""output_index":1,"item":{"id":"rs","type":"reasoning","summary":[]}"#),
            event("incomplete", #""response":{"incomplete_details":{"reason":"max_output_tokens"}}"#))
        #expect(outcome.message["native"]?["output"]?.array?.count == 1)
    }
}
