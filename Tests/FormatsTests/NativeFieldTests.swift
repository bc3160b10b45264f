// Members of single providers beside text: reported under their names, once, and again after a change.

import Chat
import Formats
import JSON
import Testing

private struct Native: Equatable, CustomStringConvertible {
    var name: String
    var value: JSONValue
    var description: String { "\(name): \(JSONWriter.text(value))" }
}

extension StreamOutcome {
    fileprivate var natives: [Native] {
        events.compactMap {
            if case .native(let name, let value) = $0 { Native(name: name, value: value) } else { nil }
        }
    }
}

private func json(_ text: String) -> JSONValue { (try? JSONReader.value(text)) ?? .null }

@Suite struct NativeFieldTests {
    private static func stream(_ payloads: [String], isEvents: Bool = true) -> [UInt8] {
        [UInt8](payloads.map { isEvents ? "data: \($0)\n\n" : "\($0)\n" }.joined().utf8)
    }

    /// The same for each size of the pieces of the stream.
    private static func check(
        _ body: [UInt8], _ dialect: WireFormat, text: String, natives: [Native],
        _ more: (StreamOutcome) -> Void = { _ in }
    ) {
        let reader = JSONReader()
        for size in [body.count] + Array(1..<min(60, body.count)) {
            let outcome = StreamHarness.run(body: body, sizes: { size }, dialect: dialect, reader: reader)
            #expect(outcome.error == nil, "pieces of \(size)")
            #expect(outcome.text == text, "pieces of \(size)")
            #expect(outcome.natives == natives, "pieces of \(size)")
            #expect(outcome.hasCleanEnd, "pieces of \(size)")
            more(outcome)
        }
    }

    // MARK: Gemini

    private static func gemini(_ text: String, _ rest: String = "") -> String {
        #"{"candidates":[{"content":{"role":"model","parts":[{"text":"\#(text)"}]}\#(rest)}]}"#
    }

    @Test func gemini() {
        let low = #"[{"category":"HARM_CATEGORY_HARASSMENT","probability":"LOW"}]"#
        let high = #"[{"category":"HARM_CATEGORY_HARASSMENT","probability":"HIGH","blocked":true}]"#
        // Enough chunks with the same ratings for the template path.
        let chunks = (0..<6).map { Self.gemini("\($0)", #","safetyRatings":\#(low)"#) }
        let last = Self.gemini(
            "!",
            #","finishReason":"SAFETY","finishMessage":"It was unsafe.","safetyRatings":\#(high),"avgLogprobs":-0.5,"#
                + #""logprobsResult":{"chosenCandidates":[{"token":"!","logProbability":-0.5}]},"citationMetadata":{}"#)
        Self.check(
            Self.stream(chunks + [last]), WireFormat.gemini, text: "012345!",
            natives: [
                Native(name: "safetyRatings", value: json(low)), Native(name: "finishMessage", value: "It was unsafe."),
                Native(name: "safetyRatings", value: json(high)),
                Native(
                    name: "logprobsResult", value: json(#"{"chosenCandidates":[{"token":"!","logProbability":-0.5}]}"#)),
                Native(name: "avgLogprobs", value: -0.5),
            ]
        ) { outcome in
            #expect(outcome.summary.finishMessage == "It was unsafe.")
            #expect(outcome.summary.finishReason == .contentFilter)
        }
        // Equal ratings do not keep a chunk off the template path.
        let whole = StreamHarness.run(sse: Self.stream(chunks), dialect: WireFormat.gemini)
        #expect(whole.skipped > 0)
    }

    /// A value that returns is a change, also in a chunk that matches a template.
    @Test func geminiChangesThere() {
        func chunk(_ text: String, _ rating: String) -> String {
            Self.gemini(text, #","safetyRatings":[{"probability":"\#(rating)"}]"#)
        }
        let ratings = ["LOW", "LOW", "LOW", "HIGH", "LOW", "LOW"]
        let chunks = ratings.enumerated().map { chunk("\($0)", $1) }
        Self.check(
            Self.stream(chunks + [Self.gemini("", #","finishReason":"STOP""#)]), WireFormat.gemini, text: "012345",
            natives: ["LOW", "HIGH", "LOW"].map {
                Native(name: "safetyRatings", value: [["probability": .string($0)]])
            })
    }

    @Test func geminiPrompts() {
        let feedback = #"{"blockReason":"SAFETY","blockReasonMessage":"No.","safetyRatings":[{"probability":"HIGH"}]}"#
        let blocked = StreamHarness.run(
            frames: [(.data, "", #"{"promptFeedback":\#(feedback)}"#)], dialect: WireFormat.gemini)
        #expect(blocked.natives == [Native(name: "promptFeedback", value: json(feedback))])
        #expect(blocked.summary.finishReason == .contentFilter)
        #expect(blocked.summary.finishMessage == "No.")
        let rated = #"{"safetyRatings":[{"probability":"LOW"}]}"#
        Self.check(
            Self.stream([
                #"{"promptFeedback":\#(rated),"candidates":[]}"#,
                #"{"promptFeedback":\#(rated),"modelStatus":{"modelStage":"RETIRED"}}"#,
                Self.gemini("a", #","finishReason":"STOP""#),
            ]), WireFormat.gemini, text: "a",
            natives: [
                Native(name: "promptFeedback", value: json(rated)),
                Native(name: "modelStatus", value: ["modelStage": "RETIRED"]),
            ])
    }

    @Test func anEndInsideACallSaysWhatTheProviderSaysOfIt() {
        let outcome = StreamHarness.run(
            frames: [
                (
                    .data, "",
                    #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}"#
                ),
                (.data, "", #"{"candidates":[{"finishReason":"STOP","finishMessage":"Ran out."}]}"#),
            ], dialect: WireFormat.gemini)
        #expect(outcome.error?.message == "the reply ended inside the arguments of \"f\": Ran out.")
    }

    // MARK: Anthropic

    @Test func anthropic() {
        let usage =
            #"{"input_tokens":9,"output_tokens":1,"service_tier":"standard","cache_creation":{"ephemeral_5m_input_tokens":0}}"#
        let ending =
            #"{"output_tokens":5,"server_tool_use":{"web_search_requests":2}}"#
        let details = #"{"type":"refusal","category":"cyber","explanation":"This is not allowed."}"#
        let edits = #"{"applied_edits":[{"type":"clear_tool_uses_20250919","cleared_tool_uses":8}]}"#
        Self.check(
            Self.stream([
                #"{"type":"message_start","message":{"id":"m","model":"c","content":[],"stop_reason":null,"#
                    + #""stop_details":null,"context_management":null,"usage":\#(usage)}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":\#(details),"#
                    + #""stop_sequence":"END"},"context_management":\#(edits),"usage":\#(ending)}"#,
                #"{"type":"message_stop"}"#,
            ]), WireFormat.anthropicMessages, text: "Hi",
            natives: [
                Native(name: "usage", value: json(usage)), Native(name: "stop_details", value: json(details)),
                Native(name: "stop_sequence", value: "END"), Native(name: "context_management", value: json(edits)),
                Native(name: "usage", value: json(ending)),
            ]
        ) { outcome in
            #expect(outcome.summary.finishMessage == "This is not allowed.")
            #expect(outcome.summary.refusal == "This is not allowed.")
        }
    }

    /// Empty counts are not reported.
    @Test func anthropicWithoutAnything() {
        let outcome = runAnthropic([
            #"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"service_tier":null,"#
                + #""server_tool_use":{"web_search_requests":0}}}}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null},"#
                + #""context_management":{"applied_edits":[]},"usage":{"output_tokens":5}}"#,
            #"{"type":"message_stop"}"#,
        ])
        #expect(outcome.natives.isEmpty)
    }

    @Test func anthropicWhole() {
        let outcome = StreamHarness.run(
            frames: [
                (
                    .body, "",
                    #"{"type":"message","id":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","#
                        + #""context_management":{"applied_edits":[{"cleared_input_tokens":3}]},"usage":{"input_tokens":1}}"#
                )
            ], dialect: WireFormat.anthropicMessages)
        #expect(
            outcome.natives == [
                Native(name: "context_management", value: ["applied_edits": [["cleared_input_tokens": 3]]])
            ])
    }

    // MARK: The others

    @Test func ollama() {
        func line(_ text: String, _ rest: String) -> String {
            #"{"model":"q","message":{"role":"assistant","content":"\#(text)"}\#(rest),"done":false}"#
        }
        let probabilities = #"[{"token":"a","logprob":-0.25,"top_logprobs":[{"token":"b","logprob":-2}]}]"#
        let plain = (0..<6).map { line("\($0)", #","remote_model":"gpt-oss","remote_host":"https://ollama.example""#) }
        Self.check(
            Self.stream(
                plain + [
                    line("a", #","logprobs":\#(probabilities)"#),
                    #"{"model":"q","message":{"content":""},"done":true,"done_reason":"stop","context":[1,2]}"#,
                ], isEvents: false), WireFormat.ollama, text: "012345a",
            natives: [
                Native(name: "remote_model", value: "gpt-oss"),
                Native(name: "remote_host", value: "https://ollama.example"),
                Native(name: "logprobs", value: json(probabilities)), Native(name: "context", value: [1, 2]),
            ])
    }

    @Test func cohere() {
        func delta(_ text: String, _ rest: String = "") -> String {
            #"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"\#(text)"}}}\#(rest)}"#
        }
        let probabilities = #"{"token_ids":[7],"text":"a","logprobs":[-0.25]}"#
        let usage =
            #"{"billed_units":{"input_tokens":1,"search_units":1},"tokens":{"input_tokens":9,"output_tokens":4}}"#
        Self.check(
            Self.stream(
                [#"{"type":"message-start","id":"r"}"#] + (0..<6).map { delta("\($0)") } + [
                    delta("a", #","logprobs":\#(probabilities)"#),
                    #"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":\#(usage)}}"#,
                ]), WireFormat.cohere, text: "012345a",
            natives: [Native(name: "logprobs", value: json(probabilities)), Native(name: "usage", value: json(usage))])
    }

    @Test func cohereOfTheFirstVersion() {
        let outcome = StreamHarness.run(
            frames: [
                (.data, "", #"{"event_type":"stream-start","generation_id":"g"}"#),
                (.data, "", #"{"event_type":"text-generation","text":"a"}"#),
                (
                    .data, "",
                    #"{"event_type":"stream-end","finish_reason":"COMPLETE","response":{"documents":[{"id":"d"}],"#
                        + #""meta":{"api_version":{"version":"1"},"warnings":["deprecated"]}}}"#
                ),
            ], dialect: WireFormat.cohere)
        #expect(outcome.natives.map(\.name) == ["documents", "usage"])
        #expect(outcome.natives.last?.value["warnings"] == ["deprecated"])
    }

    @Test func tgi() {
        func token(_ text: String, _ rest: String = "") -> String {
            #"{"index":1,"token":{"id":1,"text":"\#(text)","logprob":-0.5,"special":false}\#(rest),"generated_text":null,"details":null}"#
        }
        let others = #"[{"id":2,"text":"b","logprob":-1.5,"special":false}]"#
        let details = #"{"finish_reason":"length","generated_tokens":8,"seed":42}"#
        Self.check(
            Self.stream(
                (0..<6).map { token("\($0)") } + [
                    token("a", #","top_tokens":\#(others)"#),
                    #"{"index":8,"token":{"id":3,"text":"z","logprob":-1,"special":false},"generated_text":"012345az","details":\#(details)}"#,
                ]), WireFormat.tgi, text: "012345az",
            natives: [
                Native(name: "top_tokens", value: json(others)), Native(name: "details", value: json(details)),
            ])
    }

    @Test func responses() {
        func delta(_ text: String, _ probabilities: String) -> String {
            #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\#(text)","logprobs":\#(probabilities)}"#
        }
        let probabilities = #"[{"token":"x","logprob":-0.25,"top_logprobs":[]}]"#
        Self.check(
            Self.stream(
                (0..<6).map { delta("\($0)", "[]") } + [delta("x", probabilities), delta("x", probabilities)] + [
                    #"{"type":"response.completed","response":{"status":"completed"}}"#
                ]), WireFormat.openAIResponses, text: "012345xx",
            // Each piece has its own, equal or not.
            natives: [
                Native(name: "logprobs", value: json(probabilities)),
                Native(name: "logprobs", value: json(probabilities)),
            ])
    }
}

@Suite struct CleanEndTests {
    /// A finish reason and the clean end of the body complete a reply without an end marker; without a reason it was
    /// cut.
    @Test(arguments: [
        (
            "anthropic", #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#
        ),
        (
            "ollama", #"{"message":{"content":"a"},"done":false}"#,
            #"{"message":{"content":""},"done":false,"done_reason":"stop"}"#
        ),
        (
            "openai", #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#
        ),
        (
            "gemini", #"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
            #"{"candidates":[{"finishReason":"STOP"}]}"#
        ),
        (
            "cohere", #"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}"#,
            #"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#
        ),
        (
            "responses", #"{"type":"response.output_text.delta","output_index":0,"delta":"a"}"#,
            #"{"type":"response.done","response":{"status":"completed"}}"#
        ),
        (
            "tgi", #"{"token":{"text":"a","special":false},"generated_text":null}"#,
            #"{"token":{"text":"","special":true},"generated_text":"a","details":{"finish_reason":"eos_token"}}"#
        ),
    ]) func aReasonAndACleanEnd(name: String, piece: String, ending: String) throws {
        let dialect = try #require(FormatCatalog.named(name))
        for (payloads, isWhole) in [([piece, ending], true), ([piece], false)] {
            let decoder = dialect.makeDecoder()
            var events: [DecodedEvent] = []
            for payload in payloads {
                try decoder.decode(.data, name: "", bytes: [UInt8](payload.utf8).span, into: &events)
            }
            decoder.bodyEnded()
            #expect(decoder.hasCleanEnd == isWhole)
            #expect(events.contains(.token("a")))
            if isWhole { #expect(decoder.summary.finishReason == .stop) }
        }
    }
}

@Suite struct ServerTimingTests {
    private static func timings(_ payloads: String...) -> ServerTimings? {
        StreamHarness.run(frames: payloads.map { (.data, "", $0) } + [(.data, "", "[DONE]")]).summary.timings
    }

    private static let text = #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#

    private static func expected(queue: Double?, promptEval: Double?, eval: Double?) -> ServerTimings {
        var timings = ServerTimings()
        timings.queue = queue
        timings.promptEval = promptEval
        timings.eval = eval
        return timings
    }

    @Test func llama() {
        // As its server sends them: beside the usage, or with timings_per_token in each chunk.
        let last =
            #"{"choices":[],"usage":{"completion_tokens":20,"prompt_tokens":29,"total_tokens":49},"timings":{"cache_n":0,"#
            + #""prompt_n":29,"prompt_ms":568.5,"predicted_n":20,"predicted_ms":1295.0,"predicted_per_second":14.6}}"#
        let early =
            #"{"choices":[{"index":0,"delta":{"content":"a"}}],"timings":{"prompt_ms":568.5,"predicted_ms":0.5}}"#
        let expected = Self.expected(queue: nil, promptEval: 0.5685, eval: 1.295)
        #expect(Self.timings(Self.text, last) == expected)
        #expect(Self.timings(early, last) == expected)
        #expect(Self.timings(early) == Self.expected(queue: nil, promptEval: 0.5685, eval: 0.0005))
    }

    @Test func llamaInResponses() {
        // Beside the response in the final event, as llama.cpp's server sends it.
        let ending =
            #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","#
            + #""id":"m","role":"assistant","content":[{"type":"output_text","text":"a"}]}]},"timings":{"cache_n":1,"#
            + #""prompt_n":28,"prompt_ms":568.5,"predicted_n":3,"predicted_ms":1295.0}}"#
        let outcome = StreamHarness.run(
            frames: [(.data, "response.completed", ending)], dialect: WireFormat.openAIResponses)
        #expect(outcome.text == "a")
        #expect(outcome.summary.timings == Self.expected(queue: nil, promptEval: 0.5685, eval: 1.295))
    }

    @Test func groqAndCerebras() {
        let times = #"{"queue_time":0.25,"prompt_time":0.125,"completion_time":0.5,"total_time":0.625"#
        let expected = Self.expected(queue: 0.25, promptEval: 0.125, eval: 0.5)
        #expect(Self.timings(Self.text, #"{"choices":[],"usage":\#(times),"prompt_tokens":1}}"#) == expected)
        #expect(
            Self.timings(Self.text, #"{"choices":[],"x_groq":{"id":"r","usage":\#(times),"prompt_tokens":1}}}"#)
                == expected)
        #expect(Self.timings(Self.text, #"{"choices":[],"time_info":\#(times),"created":17.5}}"#) == expected)
    }

    @Test func othersTellNone() {
        #expect(Self.timings(Self.text, #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#) == nil)
        #expect(Self.timings(Self.text, #"{"choices":[],"timings":null,"time_info":7,"usage":null}"#) == nil)
        #expect(Self.timings(Self.text, #"{"choices":[],"timings":{"prompt_ms":-1,"predicted_ms":1e300}}"#) == nil)
    }
}
