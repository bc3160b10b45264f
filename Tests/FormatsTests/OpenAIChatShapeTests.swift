// Places of text in a Chat Completions chunk: the same words in each container, under each name and in each form,
// parsed and by template.

import Chat
import Formats
import JSON
import Testing

/// A place for a value in a choice.
struct ChunkShape: Sendable, CustomStringConvertible {
    var container: String
    var key: String
    var form: String

    var description: String { "\(container).\(key) as \(form)" }

    /// A chunk of this shape with a string literal of JSON in it.
    func chunk(_ text: String, rest: String = "") -> String {
        let value =
            switch form {
            case "string": text
            case "object": #"{"text":\#(text)}"#
            case "parts": #"[{"type":"text","text":\#(text)}]"#
            case "nested parts": #"[[{"type":"text","text":\#(text)}]]"#
            case "thinking parts": #"[{"type":"thinking","thinking":\#(text)}]"#
            case "thinking in parts": #"[{"type":"thinking","thinking":[{"type":"text","text":\#(text)}]}]"#
            case "reasoning parts": #"[{"type":"reasoning","text":\#(text)}]"#
            case "summaries": #"[{"type":"reasoning","summary":[{"type":"summary_text","text":\#(text)}]}]"#
            case "summary parts": #"[{"type":"summary_text","text":\#(text)}]"#
            case "reasoning texts": #"[{"type":"reasoning_text","text":\#(text)}]"#
            default: "null"
            }
        let member = key.isEmpty ? value : #"{"\#(key)":\#(value)\#(rest)}"#
        let choice =
            switch container {
            case "delta": #""delta":\#(member)"#
            case "delta.message": #""delta":{"role":"assistant","message":\#(member),"finish_reason":null}"#
            case "delta.delta": #""delta":{"delta":\#(member)}"#
            case "message": #""message":\#(member)"#
            case "text": #""text":\#(value)"#
            default: ""
            }
        return #"{"id":"c1","model":"m1","choices":[{"index":0,\#(choice),"finish_reason":null}]}"#
    }

    static let containers = ["delta", "delta.message", "delta.delta", "message"]

    static let texts: [ChunkShape] =
        containers.flatMap { container in
            ["content", "text", ""].flatMap { key in
                ["string", "object", "parts", "nested parts"].compactMap { form in
                    // A message that is an object with `text` is the shape of the key `text`.
                    key.isEmpty && form == "object" ? nil : ChunkShape(container: container, key: key, form: form)
                }
            }
        } + [ChunkShape(container: "text", key: "", form: "string")]

    static let reasonings: [ChunkShape] = containers.flatMap { container in
        ["reasoning", "reasoning_content", "reasoning_text", "thinking"].flatMap { key in
            ["string", "object", "parts", "nested parts", "summaries", "thinking in parts"]
                .map { ChunkShape(container: container, key: key, form: $0) }
        }
            + ["content", "text"].flatMap { key in
                [
                    "thinking parts", "thinking in parts", "reasoning parts", "summaries", "summary parts",
                    "reasoning texts",
                ]
                .map { ChunkShape(container: container, key: key, form: $0) }
            }
    }
}

@Suite struct OpenAIShapeTests {
    private static let end = #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#

    private static func body(_ frames: [String]) -> [UInt8] {
        Array(frames.map { "data: \($0)\n\n" }.joined().utf8)
    }

    @Test(arguments: ChunkShape.texts) func textIsRead(_ shape: ChunkShape) {
        let outcome = StreamHarness.run(shape.chunk(#""Hel""#), shape.chunk(#""lo""#), Self.end, "[DONE]")
        #expect(outcome.tokens == ["Hel", "lo"])
        #expect(outcome.reasoning.isEmpty)
        #expect(outcome.summary.finishReason == .stop)
        #expect(outcome.message["content"] == "Hello")
    }

    @Test(arguments: ChunkShape.reasonings) func reasoningIsRead(_ shape: ChunkShape) {
        let answer = ChunkShape(container: shape.container, key: "content", form: "string")
        let outcome = StreamHarness.run(
            shape.chunk(#""Hel""#), shape.chunk(#""lo""#), answer.chunk(#""Hi""#), Self.end, "[DONE]")
        #expect(outcome.reasoning == "Hello")
        #expect(outcome.text == "Hi")
        #expect(outcome.summary.finishReason == .stop)
    }

    /// Two hundred similar chunks, cut in many ways: the template gives the same result as parsing.
    @Test(arguments: ChunkShape.texts + ChunkShape.reasonings) func manyAreAlike(_ shape: ChunkShape) {
        let frames = (0..<200).map { shape.chunk("\"\($0),\"") } + [Self.end, "[DONE]"]
        let expected = (0..<200).map { "\($0)," }.joined()
        for size in [Int.max, 1, 1000] {
            let outcome = StreamHarness.run(sse: Self.body(frames), size: size)
            #expect(outcome.text + outcome.reasoning == expected)
            #expect(outcome.summary.finishReason == .stop)
        }
    }

    /// Shapes of one string are read without parsing.
    @Test(
        arguments: (ChunkShape.texts + ChunkShape.reasonings).filter {
            ["string", "object", "parts"].contains($0.form)
        })
    func oneStringIsATemplate(_ shape: ChunkShape) {
        let frames = (0..<200).map { shape.chunk("\"\($0),\"") }
        let outcome = StreamHarness.run(sse: Self.body(frames))
        #expect(outcome.skipped > 190)
    }

    @Test func everyCutSaysTheSame() {
        let frames = ChunkShape.texts.prefix(20).map { $0.chunk(#""ab""#) } + [Self.end]
        let body = Self.body(frames)
        let whole = StreamHarness.run(sse: body)
        for size in 1..<64 { #expect(StreamHarness.run(sse: body, size: size).text == whole.text) }
    }

    @Test(arguments: [
        #"{"delta":{"finish_reason":"stop"}}"#,
        #"{"delta":{"content":"","finish_reason":"stop"},"finish_reason":null}"#,
        #"{"delta":{"message":{"content":"","finish_reason":"stop"},"finish_reason":null}}"#,
        #"{"message":{"content":"","finish_reason":"stop"}}"#, #"{"delta":{"delta":{"finish_reason":"stop"}}}"#,
        #"{"delta":{"finish_reason":"length"},"finish_reason":"stop"}"#,
    ]) func theReasonMayStandInside(choice: String) {
        let nested = ChunkShape(container: "delta.message", key: "content", form: "string")
        let outcome = StreamHarness.run(nested.chunk(#""Hi""#), "{\"choices\":[\(choice)]}")
        #expect(outcome.text == "Hi")
        #expect(outcome.summary.finishReason == .stop)
        #expect(outcome.hasCleanEnd)
    }

    /// Text in two places is delivered once.
    @Test(arguments: [
        #"{"delta":{"content":"a","text":"a"}}"#, #"{"delta":{"content":"","text":"a"}}"#,
        #"{"delta":{"content":"a","message":{"content":"a"}}}"#, #"{"delta":{"message":{"content":"a","text":"a"}}}"#,
        #"{"delta":{"content":"a"},"message":{"content":"a"}}"#,
        #"{"delta":{"message":{"content":"a"}},"message":{"content":"a"},"text":"a"}"#,
        #"{"delta":{"content":[{"type":"text","text":"a"}],"text":"a"}}"#,
        #"{"delta":{"message":{"content":"a"},"delta":{"content":"a"}}}"#, #"{"message":{"content":"a"},"text":"a"}"#,
        #"{"delta":{"content":null},"text":"a"}"#, #"{"delta":{"content":[{"type":"text","text":"a","content":"a"}]}}"#,
    ]) func textIsSaidOnce(choice: String) {
        #expect(StreamHarness.run("{\"choices\":[\(choice)]}").tokens == ["a"])
    }

    @Test(arguments: [
        #"{"reasoning":"r","reasoning_content":"r"}"#, #"{"reasoning_text":"r","reasoning":"r"}"#,
        #"{"thinking":"r","reasoning_content":"r","reasoning_text":"r"}"#,
        #"{"reasoning_content":"r","content":[{"type":"thinking","thinking":"r"}]}"#,
        #"{"reasoning":"r","message":{"reasoning":"r"}}"#, #"{"reasoning_content":"","reasoning":"r"}"#,
        #"{"reasoning":{"effort":"low"},"thinking":"r"}"#, #"{"thinking":true,"message":{"reasoning_content":"r"}}"#,
        #"{"message":{"reasoning":"r","content":[{"type":"reasoning","text":"r"}]}}"#,
    ]) func reasoningIsSaidOnce(delta: String) {
        let outcome = StreamHarness.run("{\"choices\":[{\"delta\":\(delta)}]}")
        #expect(outcome.reasoning == "r")
        #expect(outcome.text.isEmpty)
    }

    /// The whole text repeated at the end, in any container that the deltas did not use.
    @Test(arguments: [
        #"{"message":{"content":"Hello"},"finish_reason":"stop"}"#, #"{"text":"Hello","finish_reason":"stop"}"#,
        #"{"delta":{"message":{"content":"Hello"}},"finish_reason":"stop"}"#,
        #"{"delta":{},"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}"#,
        #"{"delta":{"content":""},"message":{"content":"Hello"},"finish_reason":"stop"}"#,
    ]) func aSummaryAtTheEndIsNoText(choice: String) {
        let direct = ChunkShape(container: "delta", key: "content", form: "string")
        let outcome = StreamHarness.run(
            direct.chunk(#""Hel""#), direct.chunk(#""lo""#), "{\"choices\":[\(choice)]}", "[DONE]")
        #expect(outcome.tokens == ["Hel", "lo"])
        #expect(outcome.summary.finishReason == .stop)
    }

    /// Calls that a message repeats are not further calls.
    @Test func callsAreTakenOnce() {
        let calls = #"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]"#
        for choice in [
            #"{"message":{"tool_calls":\#(calls)}}"#, #"{"delta":{"message":{"tool_calls":\#(calls)}}}"#,
        ] {
            let outcome = StreamHarness.run(
                #"{"choices":[{"delta":{"tool_calls":\#(calls)}}]}"#, "{\"choices\":[\(choice)]}", Self.end)
            #expect(outcome.summary.toolCalls.map(\.argumentsJSON) == [#"{"x":1}"#])
        }
        let nested = StreamHarness.run(#"{"choices":[{"delta":{"message":{"tool_calls":\#(calls)}}}]}"#, Self.end)
        #expect(nested.summary.toolCalls.map(\.name) == ["f"])
        #expect(nested.summary.finishReason == .toolCalls)
    }

    /// A message beside deltas is the text so far; if no delta has text, its last state is the reply.
    @Test(arguments: [
        [#"{"delta":{"content":""},"message":{"content":"Hel"}}"#, #"{"delta":{},"finish_reason":"stop"}"#],
        [
            #"{"delta":{"role":"assistant"},"message":{"content":"H"}}"#,
            #"{"delta":{"role":"assistant"},"message":{"content":"Hel"},"finish_reason":"stop"}"#,
        ],
        [#"{"delta":{"role":"assistant"},"message":"Hel"}"#],
    ]) func aMessageBesideEmptyDeltasIsTheText(choices: [String]) {
        let frames = choices.map { "{\"choices\":[\($0)]}" } + ["[DONE]"]
        let outcome = StreamHarness.run(frames: frames.map { (.data, "", $0) })
        #expect(outcome.tokens == ["Hel"])
        #expect(outcome.hasOutput)
    }

    /// A message beside deltas is delivered once, whether it grows, repeats itself or comes in pieces, and wherever
    /// deltas are empty or absent.
    @Test(arguments: [
        (
            #"{"delta":{"role":"assistant"},"message":{"content":"Hello"}}"#,
            #"{"delta":{},"message":{"content":"Hello"}}"#
        ),
        (
            #"{"delta":{"role":"assistant"},"message":{"content":"Hel"}}"#,
            #"{"delta":{},"message":{"content":"Hello"}}"#
        ),
        (#"{"delta":{"role":"assistant"},"message":{"content":"Hel"}}"#, #"{"message":{"content":"Hello"}}"#),
        (#"{"delta":{},"message":{"content":"Hel"}}"#, #"{"delta":{},"message":{"content":"Hello"}}"#),
        (
            #"{"delta":{},"message":{"content":"Hel"}}"#,
            #"{"delta":{"role":"assistant"},"message":{"content":"Hello"}}"#
        ),
        (#"{"delta":{},"message":{"content":"Hel"}}"#, #"{"delta":{},"message":{"content":"lo"}}"#),
        (#"{"delta":{"content":""},"message":{"text":"Hel"}}"#, #"{"delta":{"content":""},"message":{"text":"lo"}}"#),
        (#"{"delta":{"role":"assistant"},"message":{"content":"Hello"}}"#, #"{"delta":{"content":"Hello"}}"#),
        (#"{"delta":{"role":"assistant"},"message":{"content":"Hello"}}"#, #"{"text":"Hello"}"#),
        (#"{"message":{"content":"Hello"}}"#, #"{"delta":{"role":"assistant"},"message":{"content":"Hello"}}"#),
    ]) func aMessageBesideDeltasIsToldOnce(first: String, second: String) {
        let last = #"{"delta":{"role":"assistant"},"message":{"content":"Hello"},"finish_reason":"stop"}"#
        let frames = [first, second, last, last].map { "{\"choices\":[\($0)]}" }
        for count in 2...4 {
            let outcome = StreamHarness.run(frames: (frames.prefix(count) + ["[DONE]"]).map { (.data, "", $0) })
            #expect(outcome.text == "Hello", "\(count) frames")
        }
    }

    /// Parts that deltas leave out are read from the message beside them.
    @Test(arguments: [
        #"{"content":[{"type":"text","text":"Hello"}]}"#, #"{"content":{"text":"Hello"}}"#, #"{"text":["Hello"]}"#,
        #"{"content":"Hello","reasoning_content":"r"}"#, #"{"reasoning":["r"],"content":"Hello"}"#,
        #"{"content":[{"type":"thinking","thinking":"r"},{"type":"text","text":"Hello"}]}"#,
    ]) func everyKindOfAMessageBesideDeltas(message: String) {
        for delta in [#"{"role":"assistant","content":""}"#, #"{"role":"assistant"}"#, "{}"] {
            let frame = #"{"choices":[{"delta":\#(delta),"message":\#(message)}]}"#
            let outcome = StreamHarness.run(frame, frame, Self.end, "[DONE]")
            #expect(outcome.text == "Hello")
            #expect(outcome.reasoning == (message.contains("\"r\"") ? "r" : ""))
        }
        let deltas = #"{"choices":[{"delta":{"reasoning_content":"r"},"message":\#(message)}]}"#
        let outcome = StreamHarness.run(deltas, Self.end)
        #expect(outcome.text == "Hello")
        #expect(outcome.reasoning == "r")
    }

    @Test func aRefusalBesideDeltasIsToldOnce() {
        let frames = ["n", "no", "no"].map {
            #"{"choices":[{"delta":{"role":"assistant"},"message":{"content":null,"refusal":"\#($0)"}}]}"#
        }
        #expect(StreamHarness.run(frames[0], frames[1], frames[2], Self.end).summary.refusal == "no")
        let delta = #"{"choices":[{"delta":{"refusal":"no"}}]}"#
        #expect(StreamHarness.run(frames[0], delta, Self.end).summary.refusal == "no")
    }

    @Test(arguments: ["{}", #"{"role":"assistant"}"#, #"{"role":"assistant","content":""}"#])
    func callsBesideDeltasAreTakenOnce(delta: String) {
        func chunk(_ delta: String, _ arguments: String) -> String {
            let calls = #"[{"id":"a","type":"function","function":{"name":"f","arguments":"\#(arguments)"}}]"#
            return #"{"choices":[{"delta":\#(delta),"message":{"content":null,"tool_calls":\#(calls)}}]}"#
        }
        let whole = #"{\"x\":1}"#
        let role = #"{"role":"assistant"}"#
        for frames in [
            [chunk(delta, whole)], [chunk(role, #"{\"x"#), chunk(delta, whole)],
            [chunk(role, whole), chunk(delta, whole)],
            [
                chunk(delta, whole),
                #"{"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"\#(whole)"}}]}}]}"#,
            ],
        ] {
            let outcome = StreamHarness.run(frames: (frames + [Self.end]).map { (.data, "", $0) })
            #expect(outcome.summary.toolCalls.map(\.argumentsJSON) == [#"{"x":1}"#])
            #expect(outcome.summary.finishReason == .toolCalls)
        }
    }

    /// OpenRouter's text completions: the choice holds text and reasoning itself.
    @Test(arguments: ["reasoning", "reasoning_content", "reasoning_text", "thinking"])
    func aChoiceMayHoldReasoning(name: String) {
        func chunk(_ reasoning: String, _ text: String) -> String {
            #"{"choices":[{"index":0,"text":"\#(text)","\#(name)":"\#(reasoning)","finish_reason":null}]}"#
        }
        let frames = (0..<100).map { chunk("\($0)", "") } + [chunk("", "Hel"), chunk("r", "lo"), Self.end]
        for size in [Int.max, 1, 100] {
            let outcome = StreamHarness.run(sse: Self.body(frames), size: size)
            #expect(outcome.reasoning == (0..<100).map { "\($0)" }.joined() + "r")
            #expect(outcome.text == "Hello")
        }
        #expect(StreamHarness.run(sse: Self.body(frames)).skipped > 90)
    }

    /// A template of a container is dropped once a better container has output.
    @Test func aTemplateEndsWithItsContainer() {
        let nested = ChunkShape(container: "delta.message", key: "content", form: "string")
        let direct = ChunkShape(container: "delta", key: "content", form: "string")
        let odd = #"{"choices":[{"delta":{"content":["c","d"]}}]}"#
        for end in [direct.chunk(#""cd""#), odd] {
            let outcome = StreamHarness.run(
                nested.chunk(#""a""#), nested.chunk(#""b""#), end, nested.chunk(#""abcd""#), nested.chunk(#""abcd""#))
            #expect(outcome.text == "abcd")
        }
    }

    @Test func aWholeBodyIsRead() {
        for shape in ChunkShape.texts where shape.container == "message" || shape.container == "text" {
            let outcome = StreamHarness.run(frames: [(.body, "", shape.chunk(#""Hello""#))])
            #expect(outcome.text == "Hello", "\(shape)")
            #expect(outcome.isDone)
        }
        for shape in ChunkShape.reasonings where shape.container == "message" {
            let outcome = StreamHarness.run(frames: [(.body, "", shape.chunk(#""Hello""#))])
            #expect(outcome.reasoning == "Hello", "\(shape)")
        }
    }

    @Test(arguments: [
        (#"{"reasoning_text":"r"}"#, "reasoning_text"), (#"{"thinking":"r"}"#, "thinking"),
        (#"{"message":{"reasoning_content":"r"}}"#, "reasoning_content"),
    ]) func reasoningGoesBackUnderItsName(delta: String, name: String) {
        let outcome = StreamHarness.run(
            "{\"choices\":[{\"delta\":\(delta)}]}", #"{"choices":[{"delta":{"content":"a"}}]}"#)
        #expect(outcome.message == .object(["role": "assistant", "content": "a", name: "r"]))
    }
}
