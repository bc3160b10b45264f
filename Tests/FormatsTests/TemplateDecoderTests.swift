// TemplateDecoder in every format: frames that are skipped must give the events, the text and the message that decoding
// each of them gives.

import Base
import Chat
import JSON
import Support
import Testing

@testable import Formats

@Suite(.fixedCallIDs) struct TemplateDecoderTests {
    private static let texts = [
        "a", " the", "月", "😀", "\\n", "\\\"", "\\\\", ",", ":", "}", "text", "null", "content", "", "\\u0041",
        "\\ud83d\\ude00", "[DONE]", "delta", "\\ud800", "} }", "a longer piece of a text, of several words",
    ]

    /// Makes a frame of a text and a number that changes.
    typealias Shape = @Sendable (_ text: String, _ number: Int) -> String

    struct Stream: Sendable, CustomTestStringConvertible {
        var dialect: WireFormat
        /// Frames of every sort, the first of which is the dialect's usual one.
        var shapes: [Shape]

        var testDescription: String { dialect.name }
    }

    private static func openAI(_ delta: String, _ rest: String) -> String {
        #"{"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":\#(delta),"finish_reason":null}]\#(rest)}"#
    }

    private static func responses(_ type: String, _ rest: String) -> String {
        #"{"type":"response.\#(type)","item_id":"i","output_index":0,"content_index":0,\#(rest)}"#
    }

    private static func gemini(_ part: String, _ candidate: String = "", _ usage: String) -> String {
        #"{"candidates":[{"content":{"parts":[\#(part)],"role":"model"}\#(candidate)}],"usageMetadata":\#(usage)}"#
    }

    private static func geminiUsage(_ count: Int) -> String {
        #"{"promptTokenCount":1,"candidatesTokenCount":\#(count),"totalTokenCount":\#(count + 1)}"#
    }

    private static let openAIStream = Stream(
        dialect: WireFormat.openAIChat,
        shapes: [
            { openAI(#"{"content":"\#($0)"}"#, #","obfuscation":"x\#($1)""#) },
            { text, _ in openAI(#"{"content":"\#(text)"}"#, #","obfuscation":"\#(text)""#) },
            { openAI(#"{"reasoning":"\#($0)"}"#, #","obfuscation":"x\#($1)""#) },
            { openAI(#"{"content":"\#($0)"}"#, #","obfuscation":\#($1)"#) },
            { openAI(#"{"content":"\#($0)"}"#, #","usage":{"prompt_tokens":1,"completion_tokens":\#($1)}"#) },
            { openAI(#"{"refusal":"\#($0)"}"#, #","obfuscation":"x\#($1)""#) },
        ])

    private static let openAIHead = #""id":"c1","object":"chat.completion.chunk","model":"m1""#

    private static func openAIChunk(_ delta: String, choice: String = #","finish_reason":null"#, rest: String = "")
        -> String
    {
        #"{\#(openAIHead),"choices":[{"index":0,"delta":\#(delta)\#(choice)}]\#(rest)}"#
    }

    private static let openAIChunks: [@Sendable (String) -> String] = [
        { openAIChunk(#"{"content":"\#($0)"}"#) }, { openAIChunk(#"{"content":"\#($0)"}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#) },
        { openAIChunk(#"{"content":null,"reasoning_content":"\#($0)"}"#) },
        { openAIChunk(#"{"content":"\#($0)","reasoning_content":null}"#) },
        { openAIChunk(#"{"content":"","reasoning":"\#($0)"}"#) },
        { openAIChunk(#"{"content":"x","reasoning":"\#($0)"}"#) },
        { openAIChunk(#"{"reasoning":"\#($0)","reasoning_content":"\#($0)"}"#) },
        { openAIChunk(#"{"reasoning":"\#($0)","reasoning_details":[{"type":"reasoning.text","text":"\#($0)"}]}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, rest: #","usage":{"prompt_tokens":1,"completion_tokens":2}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, rest: #","usage":{"prompt_tokens":1,"completion_tokens":3}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, rest: #","usage":null"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, choice: #","finish_reason":"length""#) },
        { openAIChunk(#"{"content":"\#($0)","refusal":"\#($0)"}"#) },
        {
            openAIChunk(
                #"{"content":"\#($0)","tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}"#)
        },
        { openAIChunk(#"{"content":"\#($0)","text":"\#($0)"}"#) },
        { openAIChunk(#"{"content":[{"type":"text","text":"\#($0)"}]}"#) },
        { openAIChunk(#"{"content":"\#($0)"},"message":{"content":"\#($0)"}"#) },
        { #"{\#(openAIHead),"choices":[{"index":1,"delta":{"content":"\#($0)"}}]}"# },
        {
            #"{\#(openAIHead),"choices":[{"index":0,"delta":{"content":"\#($0)"}},{"index":1,"delta":{"content":"x"}}]}"#
        },
        { #"{"choices":[{"delta":{"content":"\#($0)"}}]}"# },
        { openAIChunk(#"{"message":{"content":"\#($0)"}}"#) }, { openAIChunk(#"{"message":{"content":"\#($0)"}}"#) },
        { openAIChunk(#"{"message":{"text":"\#($0)"},"finish_reason":null}"#) }, { openAIChunk(#"{"text":"\#($0)"}"#) },
        { openAIChunk(#"{"message":{"reasoning_text":"\#($0)"}}"#) },
        { openAIChunk(#"{"thinking":[{"text":"\#($0)"}]}"#) },
        { openAIChunk(#"{"content":{"text":"\#($0)"}}"#) },
        { openAIChunk(#"{"content":[{"type":"thinking","text":"\#($0)"}]}"#) },
        { #"{\#(openAIHead),"choices":[{"index":0,"text":"\#($0)"}]}"# },
        { #"{\#(openAIHead),"choices":[{"index":0,"message":{"content":"\#($0)"}}]}"# },
        { openAIChunk(#"{"content":"\#($0)","message":{"content":"x"}}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, rest: #","citations":["a"]"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, rest: #","citations":["b"]"#) },
        { openAIChunk(#"{"content":["x","\#($0)"]}"#, rest: #","citations":["c"]"#) },
        { openAIChunk(#"{"content":"\#($0)","annotations":[1]}"#) },
        { openAIChunk(#"{"content":"\#($0)","annotations":[2]}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, choice: #","logprobs":{"content":[{"logprob":0}]}"#) },
        { openAIChunk(#"{"content":"\#($0)"}"#, choice: #","content_filter_results":{"hate":{"filtered":false}}"#) },
        { openAIChunk(#"{"content":null,"audio":{"id":"a","transcript":"\#($0)"}}"#) },
        { _ in "{}" }, { _ in "" },
    ]

    private static func anthropic(_ delta: String, _ index: Int = 0, padding: String = "") -> String {
        #"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)\#(padding)}"#
    }

    private static let anthropicEvents: [@Sendable (String) -> String] = [
        { anthropic(#"{"type":"text_delta","text":"\#($0)"}"#) },
        { anthropic(#"{"type":"text_delta","text":"\#($0)"}"#, padding: "      ") },
        { anthropic(#"{"type":"text_delta","text":"\#($0)"}"#, padding: " ") },
        { anthropic(#"{"type":"text_delta","text":"\#($0)"}"#, 1) },
        { anthropic(#"{"text":"\#($0)","type":"text_delta"}"#) },
        { anthropic(#"{"text":"\#($0)"}"#) },
        { anthropic(#"{"type":"thinking_delta","thinking":"\#($0)"}"#) },
        { anthropic(#"{"type":"thinking_delta","text":"x","thinking":"\#($0)"}"#) },
        { anthropic(#"{"type":"text_delta","text":"\#($0)","thinking":"\#($0)"}"#) },
        { anthropic(#"{"type":"input_json_delta","partial_json":"\#($0)"}"#, 2) },
        { anthropic(#"{"type":"signature_delta","signature":"\#($0)"}"#) },
        { anthropic(#"{"type":"citations_delta","citation":{"text":"\#($0)"}}"#) },
        { anthropic(#"{"type":"new_delta","text":"\#($0)"}"#) },
        { #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"\#($0)"}}"# },
        { #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"\#($0)"}}"# },
        { #"{"type":"message_delta","delta":{"stop_reason":"\#($0)"},"usage":{"output_tokens":2}}"# },
        { _ in #"{"type":"content_block_stop","index":0}"# }, { _ in #"{"type":"ping"}"# }, { _ in "" },
    ]

    private static let openAIChunkStream = Stream(
        dialect: WireFormat.openAIChat, shapes: openAIChunks.map { shape in { text, _ in shape(text) } })
    private static let anthropicStream = Stream(
        dialect: WireFormat.anthropicMessages, shapes: anthropicEvents.map { shape in { text, _ in shape(text) } })

    private static let responsesStream = Stream(
        dialect: WireFormat.openAIResponses,
        shapes: [
            { responses("output_text.delta", #""sequence_number":\#($1),"delta":"\#($0)","obfuscation":"x\#($1)""#) },
            { text, _ in responses("output_text.delta", #""delta":"\#(text)","obfuscation":"\#(text)""#) },
            { responses("output_text.delta", #""sequence_number":\#($1),"delta":{"text":"\#($0)"}"#) },
            { responses("reasoning_summary_text.delta", #""sequence_number":\#($1),"delta":"\#($0)""#) },
            { responses("refusal.delta", #""sequence_number":\#($1),"delta":"\#($0)""#) },
            { responses("in_progress", #""sequence_number":\#($1),"delta":"\#($0)""#) },
        ])

    private static let geminiStream = Stream(
        dialect: WireFormat.gemini,
        shapes: [
            { gemini(#"{"text":"\#($0)"}"#, "", geminiUsage($1)) },
            { gemini(#"{"text":"\#($0)","thought":true}"#, #","index":0"#, geminiUsage($1)) },
            { gemini(#"{"text":"\#($0)"}"#, #","index":1"#, geminiUsage($1)) },
            { gemini(#"{"text":"\#($0)"}"#, #","finishReason":"STOP""#, geminiUsage($1)) },
            { gemini(#"{"text":"\#($0)","thoughtSignature":"\#($1)"}"#, "", geminiUsage($1)) },
            { text, _ in gemini(#"{"text":"\#(text)"},{"text":"\#(text)"}"#, "", geminiUsage(7)) },
            { gemini(#"{"text":"\#($0)"}"#, "", #"{"thoughtsTokenCount":\#($1),"totalTokenCount":1.5}"#) },
            { gemini(#"{"text":"\#($0)"}"#, "", #"{"thoughtsTokenCount":\#($1),"totalTokenCount":\#($0.count)}"#) },
            { gemini(#"{"text":"\#($0)"}"#, #","citationMetadata":{"a":\#($1)}"#, "{}") },
            { gemini(#"{"functionCall":{"name":"f","args":{"text":"\#($0)"}}}"#, "", geminiUsage($1)) },
            { text, _ in #"{"candidates":[{"content":{"parts":[{"text":"\#(text)"}]}}]}"# },
            { text, _ in #"[{"candidates":[{"content":{"parts":[{"text":"\#(text)"}]}}]}]"# },
        ])

    private static let tgiStream = Stream(
        dialect: WireFormat.tgi,
        shapes: [
            { #"{"index":\#($1),"token":{"id":\#($1),"text":"\#($0)","logprob":-0.\#($1),"special":false}}"# },
            { #"{"index":\#($1),"token":{"id":\#($1),"text":"\#($0)","logprob":null,"special":false}}"# },
            { #"{"token":{"id":\#($1),"text":"\#($0)","logprob":-1e-\#($1),"special":true}}"# },
            { #"{"token":{"id":1,"text":"\#($0)"},"top_tokens":[{"id":\#($1)}],"generated_text":null}"# },
            { #"{"token":{"text":"\#($0)","id":"\#($1)","text":"\#($0)"}}"# },
        ])

    private static let ollamaStream = Stream(
        dialect: WireFormat.ollama,
        shapes: [
            { #"{"model":"m","created_at":"\#($1)Z","message":{"role":"assistant","content":"\#($0)"},"done":false}"# },
            { #"{"model":"m","created_at":"\#($1)Z","message":{"content":"","thinking":"\#($0)"},"done":false}"# },
            { #"{"model":"m","created_at":\#($1),"message":{"content":"\#($0)","thinking":"\#($0)"}}"# },
            { #"{"model":"m","created_at":"\#($1)","response":"\#($0)","done":false}"# },
            { #"{"model":"m","created_at":"\#($1)","response":"","thinking":"\#($0)","done":false}"# },
            { #"{"created_at":"\#($1)","response":"\#($0)","message":{"content":"x"}}"# },
            { #"{"created_at":"\#($1)","response":"\#($0)","message":null}"# },
            {
                #"{"created_at":"\#($1)","message":{"content":"\#($0)","#
                    + #""tool_calls":[{"function":{"name":"f","arguments":{}}}]}}"#
            },
        ])

    private static let cohereStream = Stream(
        dialect: WireFormat.cohere,
        shapes: [
            { #"{"type":"content-delta","index":\#($1 % 2),"delta":{"message":{"content":{"text":"\#($0)"}}}}"# },
            { text, _ in #"{"type":"content-delta","delta":{"message":{"content":{"thinking":"\#(text)"}}}}"# },
            { text, _ in #"{"type":"content-delta","delta":{"message":{"content":{"text":"","thinking":"\#(text)"}}}}"#
            },
            { text, _ in #"{"type":"content-start","delta":{"message":{"content":{"text":"\#(text)"}}}}"# },
            { text, _ in #"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"\#(text)"}}}"# },
            { text, _ in #"{"is_finished":false,"event_type":"text-generation","text":"\#(text)"}"# },
            { text, _ in
                #"{"event_type":"x","type":"content-delta","delta":{"message":{"content":{"text":"\#(text)"}}}}"#
            },
        ])

    static let streams = [
        openAIStream, openAIChunkStream, responsesStream, anthropicStream, geminiStream, tgiStream, ollamaStream,
        cohereStream,
    ]

    /// Frames in a random order, some of one shape in a row.
    private func mixture(_ stream: Stream, _ random: inout SeededGenerator, of count: Int) -> [String] {
        // A few shapes at a time, so that templates of each live long enough to be used; or all, one of them more often.
        let few = Bool.random(using: &random) ? Array(stream.shapes.shuffled(using: &random).prefix(4)) : stream.shapes
        var payloads: [String] = []
        while payloads.count < count {
            let shape =
                Bool.random(using: &random)
                ? stream.shapes[0] : few.randomElement(using: &random) ?? stream.shapes[0]
            for _ in 0..<Int.random(in: 1...7, using: &random) {
                payloads.append(shape(Self.texts.randomElement(using: &random) ?? "", payloads.count))
            }
        }
        return payloads
    }

    @Test(arguments: streams, 0..<20) func framesGiveWhatDecodingGives(stream: Stream, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var frames: [(FrameKind, String, String)] = []
        for payload in mixture(stream, &random, of: 300) {
            let name = stream.dialect.name == "anthropic" && random.next() % 4 == 0 ? "content_block_delta" : ""
            frames.append((.data, name, payload))
            if random.next() % 40 == 0 { frames.append((.comment, "", "ping")) }
        }
        let outcome = StreamHarness.run(frames: frames, dialect: stream.dialect)
        let expected = StreamHarness.parse(frames: frames, dialect: stream.dialect)
        #expect(outcome.events == expected.events)
        #expect(outcome.summary == expected.summary)
        #expect(outcome.message == expected.message)
        #expect(outcome.hasOutput == expected.hasOutput)
        #expect(outcome.hasCleanEnd == expected.hasCleanEnd)
        #expect(outcome.error == expected.error)
        #expect(outcome.events.contains { $0 != .heartbeat })
    }

    /// Frames of the mixture, in the bytes around them that a server may send.
    private static let envelopes: [@Sendable (String, Int) -> String] = [
        { payload, _ in "data: \(payload)\n\n" }, { payload, _ in "data:\(payload)\n\n" },
        { payload, _ in "event: message\ndata: \(payload)\n\n" }, { payload, _ in "data: \(payload) \n\n" },
        { payload, number in "id: \(number / 7)\ndata: \(payload)\nretry: 3\n\n" },
        { payload, _ in "data: \(payload)\r\n\r\n" }, { payload, _ in "data: \(payload)\r\r" },
        { payload, number in (number % 9 == 0 ? ": ping\n" : "") + "data: \(payload)\n\n" },
        { payload, number in (number % 5 == 0 ? "event: message\n" : "") + "data: \(payload)\n\n" },
        { payload, _ in ":\ndata: \(payload)\n\n" },
        { payload, _ in "data: \(payload.prefix(1))\ndata: \(payload.dropFirst())\n\n" },
    ]
    private static let lineEnds: [@Sendable (String, Int) -> String] = [
        { payload, _ in payload + "\n" }, { payload, _ in payload + "\r\n" }, { payload, _ in payload + " \n" },
        { payload, number in payload + (number % 3 == 0 ? "\n\n" : "\n") },
    ]

    /// However the body is cut.
    @Test(arguments: streams, 0..<22) func bodiesGiveWhatDecodingGives(stream: Stream, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let payloads = mixture(stream, &random, of: 300)
        let envelopes = stream.dialect.framing == .serverSentEvents ? Self.envelopes : Self.lineEnds
        let envelope = envelopes[Int(seed) % envelopes.count]
        let body = Array(payloads.enumerated().map { envelope($1, $0) }.joined().utf8)
        let expected = StreamHarness.parse(frames: payloads.map { (.data, "", $0) }, dialect: stream.dialect)
        for most in [1, 40, 700, 5000, body.count] {
            let outcome = StreamHarness.run(
                body: body, sizes: { most == body.count ? most : Int.random(in: 1...most, using: &random) },
                dialect: stream.dialect, reader: JSONReader())
            #expect(outcome.pieces == expected.pieces)
            #expect(outcome.summary == expected.summary)
            #expect(outcome.message == expected.message)
            #expect(outcome.hasOutput == expected.hasOutput)
            #expect(outcome.error == expected.error)
        }
    }

    /// The data of an event may be sent as several lines. The same bytes in one line with a line end are another stream.
    @Test func dataOfSeveralLinesMakesNoTemplateOfFrames() {
        let body = Array(
            (#"data: {"id":"1","choices":[]}"# + "\n\n"
                + #"data: {"choices":"# + "\n" + #"data: [{"delta":{"content":"a"}}]}"# + "\n\n"
                + #"data: {"choices":"# + "\n" + #"[{"delta":{"content":"X"}}]}"# + "\n\ndata: [DONE]\n\n").utf8)
        for size in 1...body.count {
            let outcome = StreamHarness.run(sse: body, size: size)
            #expect(outcome.text == "a", "chunks of \(size)")
            #expect(outcome.error?.kind == .protocol, "chunks of \(size)")
        }
    }

    /// Bytes that are no UTF-8 are repaired as in a frame by itself, in every frame or in one among many, and cut anywhere.
    @Test(
        arguments: [1, 3, 40, 100],
        [[0xFF], [0xE6, 0x9C], [0x88], [0xC3, 0x5C, 0x6E], [0x61, 0xED, 0xA0, 0x80]] as [[UInt8]])
    func brokenBytesAreRepairedAlike(every: Int, bytes: [UInt8]) {
        let payloads: [[UInt8]] = (0..<120).map { number in
            Array(#"{"id":"c","choices":[{"index":0,"delta":{"content":""#.utf8)
                + (number % every == every - 1 ? bytes : Array("月\(number)".utf8)) + Array(#""}}]}"#.utf8)
        }
        let frames: [[UInt8]] = payloads.map { Array("data: ".utf8) + $0 + [0x0A, 0x0A] }
        let body = Array(frames.joined())
        let expected = frames.map { StreamHarness.run(sse: $0).text }
        for size in [100, 1000, body.count] {
            let outcome = StreamHarness.run(sse: body, size: size)
            #expect(outcome.tokens == expected)
            #expect(outcome.error == nil)
        }
    }

    /// Most of a stream's frames are skipped, if its provider sends them as it usually does.
    @Test(arguments: streams) func usualFramesAreSkipped(stream: Stream) {
        let envelope = stream.dialect.framing == .serverSentEvents ? Self.envelopes[0] : Self.lineEnds[0]
        // Cohere's shape has two indices in turn.
        let step = stream.dialect.name == "cohere" ? 2 : 1
        let body = (0..<500).map { envelope(stream.shapes[0]($0 % 9 == 0 ? "\\n" : "a b", $0 * step), $0) }.joined()
        let outcome = StreamHarness.run(
            body: Array(body.utf8), sizes: { 4096 }, dialect: stream.dialect, reader: JSONReader())
        #expect(outcome.tokens.count == 500)
        #expect(outcome.skipped > 400)
        #expect(outcome.error == nil)
    }

    /// A node of the shared reader lives until its next parse: where it lives on, nothing was parsed.
    @Test(arguments: streams) func aSkippedFrameIsNotParsed(stream: Stream) throws {
        let reader = JSONReader()
        let decoder = stream.dialect.makeDecoder(reader: reader)
        var events: [DecodedEvent] = []
        var number = 1
        func decode(_ text: String) throws {
            let payload = stream.shapes[0](text, number)
            // As above.
            number += stream.dialect.name == "cohere" ? 2 : 1
            try decoder.decode(.data, name: "", bytes: Array(payload.utf8).span, into: &events)
        }
        // The third frame makes the template.
        for text in ["a", "b", "c"] { try decode(text) }
        events = []
        let node = try reader.parse(Array("[7]".utf8).span)
        try decode("c d 月")
        #expect(node.first?.int == 7)
        #expect(events.first == .token("c d 月"))
        try decode("\\n")
        #expect(node.first?.int == 7)
        #expect(events.contains(.token("\n")))
        try decode("\\ud83d\\ude00")
        #expect(node.first == nil)
        #expect(events.contains(.token("😀")))
    }

    /// The name of an event decides before its bytes do; but Responses' events say by themselves what they are.
    @Test(arguments: streams.filter { $0.dialect.name != "responses" })
    func anErrorEventIsAnError(stream: Stream) {
        let frame = stream.shapes[0]("a", 1)
        let outcome = StreamHarness.run(
            frames: [(.data, "", frame), (.data, "", frame), (.data, "", frame), (.data, "error", frame)],
            dialect: stream.dialect)
        #expect(outcome.text == "aaa")
        #expect(outcome.error != nil)
    }
}
