// Events that repeat the one before: read by their bytes, they must say what a parse of each would say.

import Formats
import JSON
import Support
import Testing

@Suite struct AnthropicRepetitionTests {
    /// The same document with a member that no other has: no template fits, so it is parsed.
    private static func unlike(_ payload: String, _ number: Int) -> String {
        payload.hasPrefix("{\"") ? "{\"unlike\":\(number)," + payload.dropFirst() : payload
    }

    private static let texts = [
        "a", " the", "月", "😀", "\\n", "\\\"", "\\\\", ",", ":", "}", "text", "null", "text_delta", "", "\\u0041",
        "\\ud83d\\ude00", "[DONE]", "delta", "\\ud800", "} }",
    ]

    private static func delta(_ delta: String, _ index: Int = 0, padding: String = "") -> String {
        #"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)\#(padding)}"#
    }

    /// Events of every sort, most of them about a text.
    private static let shapes: [@Sendable (String) -> String] = [
        { delta(#"{"type":"text_delta","text":"\#($0)"}"#) },
        { delta(#"{"type":"text_delta","text":"\#($0)"}"#, padding: "      ") },
        { delta(#"{"type":"text_delta","text":"\#($0)"}"#, padding: " ") },
        { delta(#"{"type":"text_delta","text":"\#($0)"}"#, 1) },
        { delta(#"{"text":"\#($0)","type":"text_delta"}"#) },
        { delta(#"{"text":"\#($0)"}"#) },
        { delta(#"{"type":"thinking_delta","thinking":"\#($0)"}"#) },
        { delta(#"{"type":"thinking_delta","text":"x","thinking":"\#($0)"}"#) },
        { delta(#"{"type":"text_delta","text":"\#($0)","thinking":"\#($0)"}"#) },
        { delta(#"{"type":"input_json_delta","partial_json":"\#($0)"}"#, 2) },
        { delta(#"{"type":"signature_delta","signature":"\#($0)"}"#) },
        { delta(#"{"type":"citations_delta","citation":{"text":"\#($0)"}}"#) },
        { delta(#"{"type":"new_delta","text":"\#($0)"}"#) },
        { #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"\#($0)"}}"# },
        { #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"\#($0)"}}"# },
        { #"{"type":"message_delta","delta":{"stop_reason":"\#($0)"},"usage":{"output_tokens":2}}"# },
        { _ in #"{"type":"content_block_stop","index":0}"# }, { _ in #"{"type":"ping"}"# }, { _ in "" },
    ]

    @Test(arguments: 0..<40) func aMixtureSaysWhatEachEventSaysAlone(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var frames: [(FrameKind, String, String)] = []
        while frames.count < 300 {
            let shape = Self.shapes.randomElement(using: &random) ?? { $0 }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let name = Bool.random(using: &random) ? "content_block_delta" : ""
                frames.append((.data, name, shape(Self.texts.randomElement(using: &random) ?? "")))
            }
        }
        let repeated = StreamHarness.run(frames: frames, dialect: WireFormat.anthropicMessages)
        let alone = StreamHarness.run(
            frames: frames.enumerated().map { ($1.0, $1.1, Self.unlike($1.2, $0)) },
            dialect: WireFormat.anthropicMessages)
        #expect(repeated.events == alone.events)
        #expect(repeated.summary == alone.summary)
        #expect(repeated.message == alone.message)
        #expect(repeated.hasOutput == alone.hasOutput)
        #expect(repeated.error == nil && alone.error == nil)
    }

    /// What is read because it repeats another event says what a parse of it would say, however the body is cut.
    @Test(arguments: 0..<40) func aBodySaysWhatEachEventSaysAlone(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var payloads: [String] = []
        while payloads.count < 300 {
            let shape =
                seed % 3 == 0 ? Self.shapes.randomElement(using: &random) : Self.shapes.prefix(4).randomElement()
            for _ in 0..<Int.random(in: 1...9, using: &random) {
                payloads.append(shape?(Self.texts.randomElement(using: &random) ?? "") ?? "")
            }
        }
        let name = seed % 2 == 0 ? "event: content_block_delta\n" : ""
        let body = Array(payloads.map { "\(name)data: \($0)\n\n" }.joined().utf8)
        let alone = StreamHarness.run(
            frames: payloads.enumerated().map { (.data, "", Self.unlike($1, $0)) },
            dialect: WireFormat.anthropicMessages)
        for most in [1, 40, 700, 5000, body.count] {
            let outcome = StreamHarness.run(
                body: body, sizes: { most == body.count ? most : Int.random(in: 1...most, using: &random) },
                dialect: WireFormat.anthropicMessages, reader: JSONReader())
            #expect(outcome.pieces == alone.pieces)
            #expect(outcome.summary == alone.summary)
            #expect(outcome.message == alone.message)
            #expect(outcome.error == nil && alone.error == nil)
        }
    }

    /// A node of the shared reader lives until its next parse: where it lives on, nothing was parsed.
    @Test(arguments: ["text", "thinking"]) func aRepetitionIsNotParsed(kind: String) throws {
        let reader = JSONReader()
        let decoder = WireFormat.anthropicMessages.makeDecoder(reader: reader)
        var events: [DecodedEvent] = []
        func decode(_ text: String, _ padding: String) throws {
            let payload = Self.delta(#"{"type":"\#(kind)_delta","\#(kind)":"\#(text)"}"#, padding: padding)
            try decoder.decode(.data, name: "content_block_delta", bytes: Array(payload.utf8).span, into: &events)
        }
        try decode("a", "   ")
        try decode("b", "")
        events = []
        let node = try reader.parse(Array("[7]".utf8).span)
        try decode("c d 月", "         ")
        #expect(node.first?.int == 7)
        #expect(events == [kind == "text" ? .token("c d 月") : .reasoning("c d 月")])
        try decode("\\n", " ")
        #expect(node.first?.int == 7)
        try decode("\\ud83d\\ude00", " ")
        #expect(node.first == nil)
    }

    /// The name of an event decides before its bytes do.
    @Test func anErrorEventIsAnError() {
        let event = Self.delta(#"{"type":"text_delta","text":"a"}"#)
        let outcome = StreamHarness.run(
            frames: [(.data, "", event), (.data, "", event), (.data, "error", event)],
            dialect: WireFormat.anthropicMessages)
        #expect(outcome.text == "aa")
        #expect(outcome.error != nil)
    }
}
