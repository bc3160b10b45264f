// Chunks that repeat the one before: read by their bytes, they must say what a parse of each would say.

import Formats
import JSON
import Support
import Testing

@Suite struct OpenAIRepetitionTests {
    private static let head = #""id":"c1","object":"chat.completion.chunk","model":"m1""#

    private static func chunk(_ delta: String, choice: String = #","finish_reason":null"#, rest: String = "") -> String
    {
        #"{\#(head),"choices":[{"index":0,"delta":\#(delta)\#(choice)}]\#(rest)}"#
    }

    /// The same document with a member that no other has: no template fits, so it is parsed.
    private static func unlike(_ payload: String, _ number: Int) -> String {
        payload.hasPrefix("{\"") ? "{\"unlike\":\(number)," + payload.dropFirst() : payload
    }

    private static let texts = [
        "a", " the", "月", "😀", "\\n", "\\\"", "\\\\", ",", ":", "}", "content", "null", "stop", "m1", "c1", "",
        "\\u0041", "\\ud83d\\ude00", "[DONE]", "delta", "\\ud800",
    ]

    /// Chunks of every sort, most of them about a text.
    private static let shapes: [@Sendable (String) -> String] = [
        { chunk(#"{"content":"\#($0)"}"#) }, { chunk(#"{"content":"\#($0)"}"#) }, { chunk(#"{"content":"\#($0)"}"#) },
        { chunk(#"{"content":null,"reasoning_content":"\#($0)"}"#) },
        { chunk(#"{"content":"\#($0)","reasoning_content":null}"#) },
        { chunk(#"{"content":"","reasoning":"\#($0)"}"#) },
        { chunk(#"{"content":"x","reasoning":"\#($0)"}"#) },
        { chunk(#"{"reasoning":"\#($0)","reasoning_content":"\#($0)"}"#) },
        { chunk(#"{"reasoning":"\#($0)","reasoning_details":[{"type":"reasoning.text","text":"\#($0)"}]}"#) },
        { chunk(#"{"content":"\#($0)"}"#, rest: #","usage":{"prompt_tokens":1,"completion_tokens":2}"#) },
        { chunk(#"{"content":"\#($0)"}"#, rest: #","usage":{"prompt_tokens":1,"completion_tokens":3}"#) },
        { chunk(#"{"content":"\#($0)"}"#, rest: #","usage":null"#) },
        { chunk(#"{"content":"\#($0)"}"#, choice: #","finish_reason":"length""#) },
        { chunk(#"{"content":"\#($0)","refusal":"\#($0)"}"#) },
        {
            chunk(#"{"content":"\#($0)","tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}"#)
        },
        { chunk(#"{"content":"\#($0)","text":"\#($0)"}"#) },
        { chunk(#"{"content":[{"type":"text","text":"\#($0)"}]}"#) },
        { chunk(#"{"content":"\#($0)"},"message":{"content":"\#($0)"}"#) },
        { #"{\#(head),"choices":[{"index":1,"delta":{"content":"\#($0)"}}]}"# },
        { #"{\#(head),"choices":[{"index":0,"delta":{"content":"\#($0)"}},{"index":1,"delta":{"content":"x"}}]}"# },
        { #"{"choices":[{"delta":{"content":"\#($0)"}}]}"# },
        { chunk(#"{"message":{"content":"\#($0)"}}"#) }, { chunk(#"{"message":{"content":"\#($0)"}}"#) },
        { chunk(#"{"message":{"text":"\#($0)"},"finish_reason":null}"#) }, { chunk(#"{"text":"\#($0)"}"#) },
        { chunk(#"{"message":{"reasoning_text":"\#($0)"}}"#) }, { chunk(#"{"thinking":[{"text":"\#($0)"}]}"#) },
        { chunk(#"{"content":{"text":"\#($0)"}}"#) }, { chunk(#"{"content":[{"type":"thinking","text":"\#($0)"}]}"#) },
        { #"{\#(head),"choices":[{"index":0,"text":"\#($0)"}]}"# },
        { #"{\#(head),"choices":[{"index":0,"message":{"content":"\#($0)"}}]}"# },
        { chunk(#"{"content":"\#($0)","message":{"content":"x"}}"#) },
        { chunk(#"{"content":"\#($0)"}"#, rest: #","citations":["a"]"#) },
        { chunk(#"{"content":"\#($0)"}"#, rest: #","citations":["b"]"#) },
        { chunk(#"{"content":["x","\#($0)"]}"#, rest: #","citations":["c"]"#) },
        { chunk(#"{"content":"\#($0)","annotations":[1]}"#) }, { chunk(#"{"content":"\#($0)","annotations":[2]}"#) },
        { chunk(#"{"content":"\#($0)"}"#, choice: #","logprobs":{"content":[{"logprob":0}]}"#) },
        { chunk(#"{"content":"\#($0)"}"#, choice: #","content_filter_results":{"hate":{"filtered":false}}"#) },
        { chunk(#"{"content":null,"audio":{"id":"a","transcript":"\#($0)"}}"#) },
        { _ in "{}" }, { _ in "" },
    ]

    /// Each seed mixes a few shapes, so that templates of each live long enough to be used.
    @Test(arguments: 0..<80) func aMixtureSaysWhatEachChunkSaysAlone(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let shapes = seed < 40 ? Self.shapes : Array(Self.shapes.shuffled(using: &random).prefix(4))
        var frames: [(FrameKind, String, String)] = []
        while frames.count < 300 {
            let shape = shapes.randomElement(using: &random) ?? { $0 }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                frames.append((.data, "", shape(Self.texts.randomElement(using: &random) ?? "")))
            }
            if random.next() % 8 == 0 { frames.append((.comment, "", "ping")) }
        }
        let repeated = StreamHarness.run(frames: frames)
        let alone = StreamHarness.run(
            frames: frames.enumerated().map { ($1.0, $1.1, $1.0 == .data ? Self.unlike($1.2, $0) : $1.2) })
        #expect(repeated.events == alone.events)
        #expect(repeated.summary == alone.summary)
        #expect(repeated.message == alone.message)
        #expect(repeated.hasOutput == alone.hasOutput)
        #expect(repeated.error == nil && alone.error == nil)
    }

    /// A node of the shared reader lives until its next parse: where it lives on, nothing was parsed.
    @Test(arguments: [#"{"content":"@"}"#, #"{"content":null,"reasoning_content":"@"}"#, #"{"reasoning":"@"}"#])
    func aRepetitionIsNotParsed(delta: String) throws {
        let reader = JSONReader()
        let decoder = WireFormat.openAIChat.makeDecoder(reader: reader)
        var events: [DecodedEvent] = []
        func decode(_ text: String) throws {
            let payload = Self.chunk(
                delta.split(separator: "@", omittingEmptySubsequences: false).joined(separator: text))
            try decoder.decode(.data, name: "", bytes: Array(payload.utf8).span, into: &events)
        }
        try decode("a")
        try decode("b")
        events = []
        let node = try reader.parse(Array("[7]".utf8).span)
        try decode("c d 月")
        #expect(node.first?.int == 7)
        #expect(events == [.token("c d 月")] || events == [.reasoning("c d 月")])
        try decode("\\n")
        #expect(node.first?.int == 7)
        #expect(events.last == .token("\n") || events.last == .reasoning("\n"))
        try decode("\\ud83d\\ude00")
        #expect(node.first == nil)
        #expect(events.last == .token("😀") || events.last == .reasoning("😀"))
    }

    /// The name of an event decides before its bytes do.
    @Test func anErrorEventIsAnError() {
        let chunk = Self.chunk(#"{"content":"a"}"#)
        let outcome = StreamHarness.run(frames: [
            (.data, "", chunk), (.data, "", chunk), (.data, "", chunk), (.data, "error", chunk),
        ])
        #expect(outcome.text == "aaa")
        #expect(outcome.error != nil)
    }
}
