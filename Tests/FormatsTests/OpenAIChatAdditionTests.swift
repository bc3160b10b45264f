// Additions of single providers to Chat Completions: native events, and again only after a change.

import Chat
import Formats
import JSON
import Testing

private func chunk(_ delta: String, choice: String = "", rest: String = "") -> String {
    """
    {"id":"c1","model":"m1","choices":[{"index":0,"delta":\(delta),"finish_reason":null\(choice)}]\(rest)}
    """
}

extension StreamOutcome {
    fileprivate var natives: [JSONValue] {
        events.compactMap { if case .native(let name, let value) = $0 { [.string(name), value] } else { nil } }
    }
}

@Suite struct OpenAIAdditionTests {
    private static let end = #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#

    private static func body(_ frames: [String]) -> [UInt8] {
        Array(frames.map { "data: \($0)\n\n" }.joined().utf8)
    }

    /// Beside the choices: Perplexity, xAI, Azure, OpenAI's moderation, Z.ai, Venice.
    @Test(arguments: [
        ("citations", #"["https://a.example"]"#), ("search_results", #"[{"title":"t","url":"u"}]"#),
        ("images", #"[{"image_url":"u"}]"#), ("related_questions", #"["why?"]"#), ("videos", #"[{"url":"u"}]"#),
        ("prompt_filter_results", #"[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]"#),
        ("moderation", #"{"input":{"flagged":false}}"#), ("web_search", #"[{"link":"u"}]"#),
        ("venice_parameters", #"{"web_search_citations":[{"url":"u"}]}"#),
    ]) func membersOfTheChunk(name: String, value: String) throws {
        let expected: JSONValue = [.string(name), try JSONReader.value(value)]
        let rest = ",\"\(name)\":\(value)"
        for frames in [
            [chunk(#"{"content":"a"}"#, rest: rest), chunk(#"{"content":"b"}"#, rest: rest), Self.end],
            [chunk(#"{"content":"ab"}"#), chunk("{}", choice: #","x":1"#, rest: rest), Self.end],
            [chunk(#"{"content":"ab"}"#), "{\"choices\":[]\(rest)}", Self.end],
        ] {
            let outcome = StreamHarness.run(frames: frames.map { (.data, "", $0) })
            #expect(outcome.text == "ab")
            #expect(outcome.natives == [expected])
        }
        let whole = "{\"choices\":[{\"message\":{\"content\":\"ab\"},\"finish_reason\":\"stop\"}]\(rest)}"
        #expect(StreamHarness.run(frames: [(.body, "", whole)]).natives == [expected])
    }

    /// In a delta, in a message inside it, in a whole message, and in one beside a delta.
    @Test(arguments: [
        ("annotations", #"[{"type":"url_citation","url_citation":{"url":"u"}}]"#),
        ("executed_tools", #"[{"index":0,"type":"search","output":"o"}]"#),
        ("images", #"[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]"#),
        ("provider_metadata", #"{"gateway":{"cost":"0"}}"#),
        ("extra_content", #"{"google":{"thought_signature":"s"}}"#),
    ]) func membersOfADelta(name: String, value: String) throws {
        let expected: JSONValue = [.string(name), try JSONReader.value(value)]
        let member = "\"\(name)\":\(value)"
        for choice in [
            "\"delta\":{\(member)}", "\"delta\":{\"content\":\"\",\(member)}", "\"delta\":{\"message\":{\(member)}}",
            "\"message\":{\(member)}", "\"delta\":{\"content\":\"\"},\"message\":{\"content\":\"\",\(member)}",
            "\"delta\":{\(member)},\"message\":{\(member)},\"finish_reason\":\"stop\"",
        ] {
            let outcome = StreamHarness.run("{\"choices\":[{\"index\":0,\(choice)}]}", Self.end)
            #expect(outcome.natives == [expected], "\(choice)")
            #expect(outcome.hasOutput == ["executed_tools", "images"].contains(name), "\(choice)")
        }
    }

    @Test func membersOfAChoice() {
        let filters = #","content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}"#
        let offsets = #","content_filter_offsets":{"check_offset":1}"#
        let outcome = StreamHarness.run(
            chunk(#"{"content":"a"}"#, choice: filters), chunk(#"{"content":"b"}"#, choice: filters),
            #"{"choices":[{"index":0,"finish_reason":null\#(filters)\#(offsets)}]}"#, Self.end)
        #expect(outcome.text == "ab")
        #expect(
            outcome.natives == [
                ["content_filter_results", ["hate": ["filtered": false, "severity": "safe"]]],
                ["content_filter_offsets", ["check_offset": 1]],
            ])
    }

    /// Empty values, strings and numbers are not events: they are in each chunk.
    @Test(arguments: [
        #","citations":[]"#, #","citations":null"#, #","graph_data":{"sources":null,"items":[]}"#, #","provider":"P""#,
        #","created":1.5,"system_fingerprint":"f","p":"abc""#, #","usage":null,"x_groq":{"id":"r"}"#,
    ]) func emptyMembersAreNotTold(rest: String) {
        let outcome = StreamHarness.run(chunk(#"{"role":"assistant","content":"a"}"#, rest: rest))
        #expect(outcome.events == [.start, .token("a")])
    }

    /// The template fixes a value that was reported; another value ends it.
    @Test func repeatedValuesAreToldOnceAndSkimmed() {
        func citing(_ url: String) -> [String] {
            (0..<50).map { chunk("{\"content\":\"\($0),\"}", rest: ",\"citations\":[\"\(url)\"]") }
        }
        let frames = citing("a") + citing("b") + [citing("c")[0]] + citing("b")
        for size in [Int.max, 1, 777] {
            let outcome = StreamHarness.run(sse: Self.body(frames), size: size)
            #expect(
                outcome.natives == [
                    ["citations", ["a"]], ["citations", ["b"]], ["citations", ["c"]], ["citations", ["b"]],
                ])
            #expect(outcome.tokens.count == 151)
            if size == Int.max { #expect(outcome.skipped > 130) }
        }
    }

    /// Values that differ by place are reported once each; one value in all places is reported once.
    @Test func aValueInSeveralPlaces() {
        func citing(_ top: String, _ delta: String, _ message: String) -> String {
            chunk(
                #"{"content":"a","citations":["\#(delta)"]}"#, choice: #","message":{"citations":["\#(message)"]}"#,
                rest: #","citations":["\#(top)"]"#)
        }
        let outcome = StreamHarness.run(
            sse: Self.body(Array(repeating: citing("x", "y", "z"), count: 50) + [citing("x", "v", "z"), Self.end]))
        #expect(
            outcome.natives == [
                ["citations", ["x"]], ["citations", ["y"]], ["citations", ["z"]], ["citations", ["v"]],
            ])
        #expect(outcome.skipped > 40)
        let same = StreamHarness.run(sse: Self.body(Array(repeating: citing("x", "x", "x"), count: 50)))
        #expect(same.natives == [["citations", ["x"]]])
    }

    /// A value outside templates, reported between chunks that a template matches.
    @Test func aTemplateGoesWithItsValue() {
        func citing(_ url: String, _ delta: String) -> String { chunk(delta, rest: ",\"citations\":[\"\(url)\"]") }
        let text = #"{"content":"a"}"#
        let outcome = StreamHarness.run(
            citing("a", text), citing("a", text), citing("b", #"{"content":["b","c"]}"#), citing("a", text),
            citing("a", text))
        #expect(outcome.natives == [["citations", ["a"]], ["citations", ["b"]], ["citations", ["a"]]])
        #expect(outcome.text == "aabcaa")
    }

    /// Log probabilities belong to the text of their chunk: equal ones count twice.
    @Test func logProbabilities() {
        let logprobs = #","logprobs":{"content":[{"token":"ha","logprob":0.0}],"refusal":null}"#
        let outcome = StreamHarness.run(
            chunk(#"{"content":""}"#, choice: #","logprobs":{"content":[],"refusal":null}"#),
            chunk(#"{"content":"ha"}"#, choice: logprobs), chunk(#"{"content":"ha"}"#, choice: logprobs),
            chunk(#"{"content":"ha"}"#, choice: logprobs), chunk("{}", choice: #","logprobs":null"#))
        #expect(outcome.text == "hahaha")
        #expect(outcome.natives.count == 3)
        #expect(
            outcome.natives.first == ["logprobs", ["content": [["token": "ha", "logprob": 0.0]], "refusal": .null]])
        let legacy = StreamHarness.run(
            #"{"choices":[{"index":0,"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-0.5]}}]}"#)
        #expect(legacy.natives == [["logprobs", ["tokens": ["a"], "token_logprobs": [-0.5]]]])
    }

    @Test func theTranscriptOfAudioIsTheText() {
        let outcome = StreamHarness.run(
            chunk(#"{"role":"assistant","content":null,"audio":{"id":"a1","transcript":"or"}}"#),
            chunk(#"{"audio":{"id":"a1","transcript":"ange"}}"#), chunk(#"{"audio":{"data":"AAAA"}}"#),
            chunk(#"{"audio":{"data":"AAAA"}}"#), chunk(#"{"audio":{"expires_at":1}}"#), Self.end)
        #expect(outcome.tokens == ["or", "ange"])
        #expect(
            outcome.natives == [
                ["audio", ["id": "a1", "transcript": "or"]], ["audio", ["data": "AAAA"]], ["audio", ["data": "AAAA"]],
                ["audio", ["expires_at": 1]],
            ])
        let whole = StreamHarness.run(frames: [
            (
                .body, "",
                #"{"choices":[{"message":{"content":null,"audio":{"id":"a","data":"AA","transcript":"hi"}},"finish_reason":"stop"}]}"#
            )
        ])
        #expect(whole.tokens == ["hi"])
        #expect(whole.natives == [["audio", ["id": "a", "data": "AA", "transcript": "hi"]]])
    }

    @Test(arguments: [
        [#"{"content":"hi","audio":{"id":"a","transcript":"hi"}}"#],
        [#"{"content":"hi"}"#, #"{"audio":{"id":"a","transcript":"hi"}}"#],
        [#"{"audio":{"id":"a","transcript":"hi"}}"#, #"{"message":{"audio":{"id":"a","transcript":"hi"}}}"#],
        [#"{"message":{"audio":{"id":"a","transcript":"hi"}}}"#],
    ]) func aTranscriptBesideTextIsNoText(deltas: [String]) {
        let outcome = StreamHarness.run(frames: (deltas.map { chunk($0) } + [Self.end]).map { (.data, "", $0) })
        #expect(outcome.tokens == ["hi"])
        #expect(outcome.natives.allSatisfy { $0[0] == "audio" })
        #expect(!outcome.natives.isEmpty)
    }

    @Test func partsWithoutTextAreTold() {
        let outcome = StreamHarness.run(
            chunk(#"{"content":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[1,2]}]}"#),
            chunk(#"{"content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"image_url","image_url":{}}]}"#))
        #expect(outcome.text == "a")
        #expect(
            outcome.natives == [
                ["reference", ["type": "reference", "reference_ids": [1, 2]]],
                ["image_url", ["type": "image_url", "image_url": ["url": "u"]]],
            ])
    }

    @Test func theBlocksOfLiteLLMRepeatItsReasoning() {
        let outcome = StreamHarness.run(
            chunk(#"{"reasoning_content":"r","thinking_blocks":[{"type":"thinking","thinking":"r"}]}"#))
        #expect(outcome.events == [.start, .reasoning("r")])
    }
}

private extension JSONValue {
    subscript(index: Int) -> JSONValue? { array.flatMap { index < $0.count ? $0[index] : nil } }
}

@Suite struct UsageCostTests {
    @Test(
        arguments: [
            (#""cost":0.0128125"#, 0.0128125), (#""cost":0"#, 0),
            (#""cost":{"total_cost":0.006,"input_tokens_cost":0.0}"#, 0.006),
            (#""cost_in_usd_ticks":37756000"#, 0.0037756), (#""estimated_cost":0.5"#, 0.5), (#""cost":null"#, nil),
            (#""cost":-1"#, nil), (#""cost":1e300"#, nil), (#""cost":"0.1""#, nil), (#""cost":{}"#, nil),
            (#""cost":NaN"#, nil),
            (#""cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.25}"#, 0.251),
            (#""cost":0.25,"is_byok":false,"cost_details":{"upstream_inference_cost":0.25}"#, 0.25),
            (#""cost":0.25,"is_byok":true,"cost_details":{"upstream_inference_cost":null}"#, 0.25),
            (#""cost_in_usd_ticks":-5"#, nil), (#""x":1"#, nil),
        ] as [(String, Double?)]) func forms(member: String, cost: Double?) throws
    {
        let usage = #"{"prompt_tokens":1,"completion_tokens":2,\#(member)}"#
        let chat = StreamHarness.run("{\"choices\":[],\"usage\":\(usage)}").summary.usage
        #expect(chat?.cost == cost)
        #expect(chat?.outputTokens == 2)
        let response = StreamHarness.run(
            frames: [
                (
                    .data, "",
                    #"{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2,\#(member)}}}"#
                )
            ], dialect: WireFormat.openAIResponses)
        #expect(response.summary.usage?.cost == cost)
        let messages = StreamHarness.run(
            frames: [
                (
                    .data, "message_delta",
                    #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2,\#(member)}}"#
                )
            ], dialect: WireFormat.anthropicMessages)
        #expect(messages.summary.usage?.cost == cost)
    }

    /// Venice sends it beside the usage; others after or before the counts.
    @Test(arguments: [
        [#"{"choices":[],"usage":{"completion_tokens":2},"cost":{"usd":0.5,"diem":0}}"#],
        [#"{"choices":[],"usage":{"completion_tokens":2}}"#, #"{"choices":[],"usage":{"cost":0.5}}"#],
        [#"{"choices":[],"usage":{"cost":0.5}}"#, #"{"choices":[],"usage":{"completion_tokens":2}}"#],
    ]) func places(frames: [String]) {
        let usage = StreamHarness.run(frames: frames.map { (.data, "", $0) }).summary.usage
        #expect(usage?.cost == 0.5)
        #expect(usage?.outputTokens == 2)
    }
}
