// Observed shapes of Chat Completions streams.

import Chat
import Formats
import JSON
import Testing

private func chunk(_ delta: String, finish: String = "null") -> String {
    """
    {"id":"c1","model":"m1","choices":[{"index":0,"delta":\(delta),"finish_reason":\(finish)}]}
    """
}

@Suite struct OpenAITextTests {
    @Test func contentIsToldInOrderAndOnce() {
        let outcome = StreamHarness.run(
            chunk(#"{"role":"assistant","content":""}"#), chunk(#"{"content":"Hel"}"#), chunk(#"{"content":"lo"}"#),
            chunk("{}", finish: #""stop""#), "[DONE]", chunk(#"{"content":"late"}"#))
        #expect(outcome.events == [.start, .token("Hel"), .token("lo"), .heartbeat])
        #expect(outcome.summary.id == "c1")
        #expect(outcome.summary.model == "m1")
        #expect(outcome.summary.finishReason == .stop)
        #expect(outcome.isDone)
        #expect(outcome.message == ["role": "assistant", "content": "Hello"])
    }

    @Test(arguments: [
        (#"{"content":null}"#, ""), (#"{"content":[]}"#, ""), (#"{"role":"assistant"}"#, ""), ("null", ""), ("{}", ""),
        (#"{"content":["a",{"type":"text","text":"b"},{"type":"image_url","image_url":{}}]}"#, "ab"),
        (#"{"content":{"text":"a"}}"#, "a"), (#"{"content":"\ud83d\ude00 ünï"}"#, "😀 ünï"),
    ]) func contentShapes(delta: String, text: String) {
        let outcome = StreamHarness.run(chunk(delta))
        #expect(outcome.text == text)
        #expect(outcome.hasOutput == !text.isEmpty)
        #expect(outcome.error == nil)
        #expect(!outcome.hasCleanEnd)
    }

    @Test(arguments: [
        // Beside a delta, messages and texts are repetitions.
        (#"{"index":0,"delta":{"content":"a"},"message":{"content":"xa"},"text":"a"}"#, "a"),
        (#"{"index":0,"delta":{"content":""},"message":{"content":"xa"}}"#, ""),
        // Alone they count.
        (#"{"index":0,"message":{"content":"a"}}"#, "a"), (#"{"index":0,"message":{"text":"a"}}"#, "a"),
        (#"{"index":0,"message":"a"}"#, "a"), (#"{"index":0,"text":"a"}"#, "a"),
        (#"{"index":0,"delta":null,"text":"a"}"#, "a"), (#"{"index":0,"delta":{},"text":"a"}"#, "a"),
        (#"{"text":"a"}"#, "a"), (#"{"index":1,"delta":{"content":"b"}}"#, ""),
        (#"{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}"#, "a"),
        (#"{"delta":{"content":"a"}},{"delta":{"content":"b"}}"#, "a"),
    ]) func choiceShapes(choices: String, text: String) {
        #expect(StreamHarness.run("{\"choices\":[\(choices)]}").text == text)
    }

    @Test func messagesAfterDeltasRepeatThem() {
        let outcome = StreamHarness.run(
            chunk(#"{"content":"ab"}"#),
            #"{"choices":[{"index":0,"delta":{},"message":{"content":"ab"},"finish_reason":"stop"}]}"#,
            #"{"choices":[{"index":0,"message":{"content":"ab"}}]}"#)
        #expect(outcome.text == "ab")
    }

    @Test func otherChoicesNeitherSpeakNorEnd() {
        let outcome = StreamHarness.run(
            #"{"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":"stop"}]}"#, chunk(#"{"content":"a"}"#))
        #expect(outcome.text == "a")
        #expect(!outcome.hasCleanEnd)
    }

    @Test func firstNamesStay() {
        let outcome = StreamHarness.run(
            #"{"id":"","model":"","choices":[]}"#, #"{"id":"a","model":"m","choices":[]}"#,
            #"{"id":"b","model":"n","choices":[]}"#)
        #expect(outcome.summary.id == "a")
        #expect(outcome.summary.model == "m")
        #expect(outcome.events == [.start, .heartbeat])
    }

    @Test(arguments: [
        "{\"choices\":[]}", "{\"choices\":null}", "{}", "null", "17", "\"ping\"", "{\"type\":\"ping\"}", "", "   ",
        "{\"choices\":[],\"error\":null}", "{\"choices\":[{\"index\":0,\"delta\":{},\"error\":null}],\"error\":{}}",
    ]) func nothingIsAHeartbeat(payload: String) {
        let outcome = StreamHarness.run(payload)
        #expect(outcome.events.filter { $0 != .start } == (outcome.events.contains(.start) ? [] : [.heartbeat]))
        #expect(outcome.error == nil)
    }

    @Test func heartbeatsFold() {
        let frames: [(FrameKind, String, String)] = [
            (.comment, "", " OPENROUTER PROCESSING"), (.comment, "", ""), (.data, "ping", "not json"),
            (.data, "", "{}"),
        ]
        #expect(StreamHarness.run(frames: frames).events == [.heartbeat])
    }

    @Test func refusalIsApart() {
        let outcome = StreamHarness.run(
            chunk(#"{"content":null,"refusal":"I "}"#), chunk(#"{"refusal":"can't"}"#), chunk("{}", finish: #""stop""#))
        #expect(outcome.text.isEmpty)
        #expect(outcome.summary.refusal == "I can't")
        #expect(outcome.hasOutput)
        #expect(outcome.message["refusal"] == "I can't")
    }
}

@Suite struct OpenAIReasoningTests {
    @Test(arguments: [
        (#"{"reasoning_content":"r"}"#, "reasoning_content"), (#"{"reasoning":"r"}"#, "reasoning"),
        (#"{"reasoning_content":"r","reasoning":"r"}"#, "reasoning_content"),
        (#"{"reasoning":"r","reasoning_content":null}"#, "reasoning"),
    ]) func namesGoBackAsTheyCame(delta: String, name: String) {
        let outcome = StreamHarness.run(chunk(delta), chunk(#"{"content":"a"}"#))
        #expect(outcome.events == [.start, .reasoning("r"), .token("a")])
        #expect(outcome.message == .object(["role": "assistant", "content": "a", name: "r"]))
    }

    @Test func reasoningStandsBeforeTextOfTheSameDelta() {
        let outcome = StreamHarness.run(chunk(#"{"content":"a","reasoning":"r"}"#))
        #expect(outcome.events == [.start, .reasoning("r"), .token("a")])
    }

    @Test func mistralParts() {
        let outcome = StreamHarness.run(
            chunk(#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"r"}]}]}"#),
            chunk(#"{"content":[{"type":"thinking","thinking":"s"},{"type":"text","text":"a"}]}"#),
            chunk(#"{"content":"b"}"#))
        #expect(outcome.events == [.start, .reasoning("r"), .reasoning("s"), .token("a"), .token("b")])
        #expect(
            outcome.message["content"] == [
                ["type": "thinking", "thinking": [["type": "text", "text": "rs"]]], ["type": "text", "text": "ab"],
            ])
    }

    @Test func detailsAreJoinedAndKept() {
        func details(_ text: String) -> String {
            chunk("{\"content\":\"\",\"reasoning\":\"t\",\"reasoning_details\":[\(text)]}")
        }
        let outcome = StreamHarness.run(
            details(#"{"type":"reasoning.text","text":"a","format":"f","index":0,"signature":""}"#),
            details(#"{"type":"reasoning.text","text":"b","format":"f","index":0}"#),
            details(#"{"type":"reasoning.text","text":"","index":0,"signature":"S=="}"#),
            details(#"{"type":"reasoning.encrypted","data":"E==","id":"rs_1","index":1}"#),
            details(#"{"type":"reasoning.encrypted","data":"F==","id":"rs_2","index":1}"#))
        #expect(outcome.reasoning == "ttttt")
        #expect(
            outcome.message["reasoning_details"] == [
                ["type": "reasoning.text", "text": "ab", "format": "f", "index": 0, "signature": "S=="],
                ["type": "reasoning.encrypted", "data": "E==", "id": "rs_1", "index": 1],
                ["type": "reasoning.encrypted", "data": "F==", "id": "rs_2", "index": 1],
            ])
    }
}

@Suite struct OpenAIEndTests {
    @Test(arguments: [
        ("stop", FinishReason.stop), ("eos", .stop), ("eos_token", .stop), ("stop_sequence", .stop),
        ("end_turn", .stop), ("STOP", .stop), ("length", .length), ("max_tokens", .length),
        ("model_length", .length), ("tool_calls", .toolCalls), ("function_call", .toolCalls),
        ("content_filter", .contentFilter), ("SAFETY", .contentFilter), ("sensitive", .contentFilter),
        ("something_new", .other),
    ]) func reasons(raw: String, reason: FinishReason) {
        let outcome = StreamHarness.run(chunk("{}", finish: "\"\(raw)\""))
        #expect(outcome.summary.finishReasonRaw == raw)
        #expect(outcome.summary.finishReason == reason)
        #expect(outcome.hasCleanEnd)
        #expect(!outcome.isDone)
    }

    @Test func textMayComeWithTheReason() {
        let outcome = StreamHarness.run(chunk(#"{"content":"a"}"#, finish: #""length""#))
        #expect(outcome.text == "a")
        #expect(outcome.summary.finishReason == .length)
    }

    @Test func doneAloneIsAnEndOfUnknownReason() {
        let outcome = StreamHarness.run(chunk(#"{"content":"a"}"#), " [DONE] ")
        #expect(outcome.hasCleanEnd)
        #expect(outcome.isDone)
        #expect(outcome.summary.finishReason == .other)
        #expect(outcome.summary.finishReasonRaw == nil)
    }

    @Test(arguments: [#""""#, #""null""#, "null"]) func emptyReasonsAreNone(raw: String) {
        #expect(!StreamHarness.run(chunk("{}", finish: raw)).hasCleanEnd)
    }

    @Test func garbageAfterTheEndHarmsNobody() {
        let outcome = StreamHarness.run(chunk("{}", finish: #""stop""#), "{garbage")
        #expect(outcome.error == nil)
        #expect(outcome.summary.finishReason == .stop)
    }

    @Test(arguments: [
        ("error", ErrorKind.provider), ("network_error", .provider), ("insufficient_system_resource", .overloaded),
    ]) func failuresInDisguise(raw: String, kind: ErrorKind) {
        let outcome = StreamHarness.run(chunk(#"{"content":"a"}"#, finish: "\"\(raw)\""))
        #expect(outcome.text == "a")
        #expect(outcome.error?.kind == kind)
        #expect(outcome.error?.isRetryable == true)
        #expect(!outcome.hasCleanEnd)
    }
}

@Suite struct OpenAIUsageTests {
    @Test(arguments: [
        (#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#, [1, 2, nil, nil, 3]),
        (
            #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":4}}}"#,
            [1, 2, 4, 5, nil]
        ),
        (
            #"{"choices":[],"usage":{"prompt_tokens":1,"reasoning_tokens":0,"prompt_cache_hit_tokens":6}}"#,
            [1, nil, 0, 6, nil]
        ),
        (#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}"#, [1, 2, nil, nil, nil]),
        (
            #"{"choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":1,"cached_tokens":7}}]}"#,
            [1, nil, nil, 7, nil]
        ),
    ]) func places(payload: String, counts: [Int?]) {
        let usage = StreamHarness.run(payload).summary.usage
        #expect(
            [usage?.inputTokens, usage?.outputTokens, usage?.reasoningTokens, usage?.cachedTokens, usage?.totalTokens]
                == counts)
        #expect(usage?.estimated == false)
    }

    @Test(arguments: ["null", "{}", #"{"prompt_tokens":null}"#, #"{"prompt_tokens":-1}"#, "7"])
    func noCountsAreNoUsage(usage: String) {
        #expect(StreamHarness.run("{\"choices\":[],\"usage\":\(usage)}").summary.usage == nil)
    }

    @Test func lastOneWinsAndOnlyChangesAreTold() {
        func counting(_ n: Int) -> String { "{\"choices\":[],\"usage\":{\"completion_tokens\":\(n)}}" }
        let outcome = StreamHarness.run(counting(1), counting(1), counting(2))
        #expect(outcome.events.count { if case .usage = $0 { true } else { false } } == 2)
        #expect(outcome.summary.usage?.outputTokens == 2)
    }
}
