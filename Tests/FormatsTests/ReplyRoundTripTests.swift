// A reply that a server encodes is what the client's decoder of the same format returns.

import Chat
import HTTP
import JSON
import Testing

@testable import Formats

@Suite struct ReplyRoundTripTests {
    /// A format in one of its framings, and what it cannot express.
    struct Variant: Sendable, CustomTestStringConvertible {
        var format: WireFormat
        var framing = Framing.serverSentEvents
        var hasReasoning = true
        var hasCalls = true
        /// Whether the token that ends a text is counted.
        var countsEnd = false
        /// Whether the reasoning is not part of the output tokens.
        var countsReasoningApart = false
        var idPrefix = ""
        var reportsReasoningTokens = true
        var errorKind = ErrorKind.overloaded

        var testDescription: String { framing == .jsonArray ? "\(format.name) array" : format.name }

        static let all = [
            Variant(format: .openAIChat, idPrefix: "chatcmpl-"), Variant(format: .openAIResponses, idPrefix: "resp_"),
            Variant(format: .anthropicMessages, idPrefix: "msg_"),
            Variant(format: .gemini, countsReasoningApart: true),
            Variant(format: .gemini, framing: .jsonArray, countsReasoningApart: true),
            Variant(format: .tgi, hasReasoning: false, hasCalls: false, countsEnd: true),
            Variant(format: .ollama, framing: .newlineDelimitedJSON, reportsReasoningTokens: false),
            Variant(format: .cohere, reportsReasoningTokens: false, errorKind: .provider),
        ]

        func encoder() throws -> any ReplyEncoder { try #require(format.server).replies(framing) }

        func decoded(_ body: [UInt8]) -> StreamOutcome {
            StreamHarness.run(body: body, sizes: { body.count }, dialect: format, reader: JSONReader())
        }
    }

    private static let head = ReplyHead(
        id: "0123456789abcdef", created: 1_750_000_000, model: "moonrill-reasoner", inputTokens: 11,
        showsReasoning: true)
    private static let thought = ["The user ", "wants \"tides\".\n"]
    private static let text = ["Tides ", "follow the ", "月亮 🌙"]
    private static let calls = [
        ToolCall(id: "call_1", name: "get_weather", argumentsJSON: #"{"city":"Oslo"}"#, arguments: ["city": "Oslo"]),
        ToolCall(id: "call_2", name: "get_time", argumentsJSON: "{}", arguments: [:]),
    ]

    private static func parts(_ variant: Variant, hasCalls: Bool) -> [ReplyPart] {
        var parts = text.map { ReplyPart.text($0) }
        if variant.hasReasoning { parts = thought.map { .reasoning($0) } + parts }
        guard hasCalls else { return parts }
        for (index, call) in calls.enumerated() {
            parts.append(.toolCall(index: index, id: call.id, name: call.name))
            parts += call.argumentsJSON.split(separator: ":").enumerated().map {
                .arguments(index: index, ($0 > 0 ? ":" : "") + $1)
            }
        }
        return parts
    }

    private static func ending(_ reason: FinishReason) -> ReplyEnding {
        var usage = Usage()
        usage.inputTokens = 11
        usage.outputTokens = 20
        usage.reasoningTokens = 2
        return ReplyEnding(reason, usage: usage)
    }

    private static func stream(
        _ variant: Variant, _ parts: [ReplyPart], head: ReplyHead = head, _ ending: ReplyEnding
    ) throws -> EncodedFrames {
        let encoder = try variant.encoder().stream(head)
        var frames = EncodedFrames()
        encoder.begin(into: &frames)
        for part in parts { encoder.encode(part, choice: 0, into: &frames) }
        encoder.finish(ending, into: &frames)
        return frames
    }

    private static func check(_ outcome: StreamOutcome, _ variant: Variant, hasCalls: Bool, reason: FinishReason) {
        #expect(outcome.error == nil && outcome.hasCleanEnd)
        #expect(outcome.text == text.joined())
        #expect(outcome.reasoning == (variant.hasReasoning ? thought.joined() : ""))
        // An empty object may be decoded as no text.
        let decoded = outcome.summary.toolCalls.map { call in
            var call = call
            if call.argumentsJSON.isEmpty { call.argumentsJSON = "{}" }
            return call
        }
        #expect(decoded == (hasCalls ? calls : []))
        #expect(outcome.summary.finishReason == reason)
        let usage = outcome.summary.usage
        #expect(usage?.inputTokens == 11)
        let output = variant.countsReasoningApart ? 18 : variant.countsEnd && reason == .stop ? 21 : 20
        #expect(usage?.outputTokens == output)
        guard variant.hasReasoning else { return }
        #expect(outcome.summary.model == head.model || outcome.summary.model == nil)
        if variant.reportsReasoningTokens { #expect(usage?.reasoningTokens == 2) }
        if !variant.idPrefix.isEmpty { #expect(outcome.summary.id == variant.idPrefix + head.id) }
    }

    @Test(arguments: Variant.all, [FinishReason.stop, .length]) func texts(
        _ variant: Variant, _ reason: FinishReason
    ) throws {
        let parts = Self.parts(variant, hasCalls: false)
        let frames = try Self.stream(variant, parts, Self.ending(reason))
        Self.check(variant.decoded(frames.bytes), variant, hasCalls: false, reason: reason)
        #expect(frames.frames.count(where: \.isDelta) == parts.count)
        #expect(frames.frames.last?.end == frames.bytes.count)
        let blocks = ReplyBlock.blocks(of: parts, isCut: reason == .length)
        let whole = WholeReply(head: Self.head, choices: [blocks], ending: Self.ending(reason))
        Self.check(try Self.body(variant, whole), variant, hasCalls: false, reason: reason)
    }

    @Test(arguments: Variant.all.filter(\.hasCalls)) func toolCalls(_ variant: Variant) throws {
        let parts = Self.parts(variant, hasCalls: true)
        let ending = Self.ending(.toolCalls)
        Self.check(
            variant.decoded(try Self.stream(variant, parts, ending).bytes), variant, hasCalls: true,
            reason: .toolCalls)
        let whole = WholeReply(
            head: Self.head, choices: [ReplyBlock.blocks(of: parts, isCut: false)], ending: ending)
        Self.check(try Self.body(variant, whole), variant, hasCalls: true, reason: .toolCalls)
    }

    private static func body(_ variant: Variant, _ reply: WholeReply) throws -> StreamOutcome {
        let body = try variant.encoder().body(reply)
        return StreamHarness.run(frames: [(.body, "", String(decoding: body, as: UTF8.self))], dialect: variant.format)
    }

    /// The message of a reply is accepted in the next request, signatures included.
    @Test(arguments: [WireFormat.anthropicMessages, .gemini, .openAIResponses, .cohere, .ollama, .openAIChat])
    func repliesGoBack(_ format: WireFormat) throws {
        let variant = try #require(Variant.all.first { $0.format.name == format.name })
        let parts = Self.parts(variant, hasCalls: true)
        let reply = variant.decoded(try Self.stream(variant, parts, Self.ending(.toolCalls)).bytes)
        let results: [JSONValue] = Self.calls.map {
            ["role": "tool", "tool_call_id": .string($0.id), "content": "4 degrees"]
        }
        let request = ChatRequest(
            model: "moonrill-reasoner", messages: [["role": "user", "content": "Hi"], reply.message] + results)
        let endpoint = Endpoint(provider: "test", dialect: format.name, baseURL: "http://127.0.0.1:1/v1")
        let sent = try format.encode(request, endpoint: endpoint, key: nil)
        let target = RequestTarget(String(sent.url.dropFirst("http://127.0.0.1:1".count)))
        let decoded = try #require(format.server).requests.request(sent.body, target: target)
        try #require(decoded.chat.messages.count == 4)
        #expect(decoded.chat.messages[1]["content"]?.string == Self.text.joined())
        #expect(decoded.chat.messages[1]["tool_calls"] == .array(Self.calls.map(\.messagePart)))
        #expect(decoded.chat.messages[2...].allSatisfy { $0["content"] == "4 degrees" })
    }

    @Test(arguments: Variant.all) func errors(_ variant: Variant) throws {
        let overloaded = ReplyError(
            status: 529, message: "Overloaded just now.", type: "overloaded_error", code: "overloaded")
        for count in 0...2 {
            let encoder = try variant.encoder().stream(Self.head)
            var frames = EncodedFrames()
            encoder.begin(into: &frames)
            for text in Self.text.prefix(count) { encoder.encode(.text(text), choice: 0, into: &frames) }
            encoder.fail(overloaded, into: &frames)
            let outcome = variant.decoded(frames.bytes)
            #expect(outcome.error?.kind == variant.errorKind && outcome.error?.isRetryable == true)
            #expect(outcome.error?.message.contains("Overloaded just now.") == true)
            #expect(!outcome.hasCleanEnd)
        }
        let refused = ReplyError(status: 400, message: "must be a number", parameter: "top_p")
        let error = variant.format.decodeError(
            head: HTTPResponseHead(status: 400, headers: [:]), body: try variant.encoder().errorBody(refused), now: 0)
        #expect(error.kind == .invalidRequest && error.message.contains("must be a number"))
    }

    /// Without the end marker a stream is cut; without a reason it has none.
    @Test(arguments: Variant.all) func endings(_ variant: Variant) throws {
        var ending = Self.ending(.stop)
        ending.hasEndMarker = false
        let parts = Self.parts(variant, hasCalls: false)
        let cut = variant.decoded(try Self.stream(variant, parts, ending).bytes)
        #expect(cut.text == Self.text.joined())
        // The finish reason of Chat Completions comes before its end marker.
        #expect(cut.hasCleanEnd == (variant.format.name == WireFormat.openAIChat.name))
        let open = ReplyEnding(reasons: [], usage: ending.usage)
        let reasonless = variant.decoded(try Self.stream(variant, parts, open).bytes)
        #expect(reasonless.text == Self.text.joined() && reasonless.summary.finishReasonRaw == nil)
    }

    /// Arguments that the token limit cut are left out where a format has whole calls.
    @Test func cutCalls() {
        let start: [ReplyPart] = [.text("A"), .toolCall(index: 0, id: "c", name: "f")]
        let cut = ReplyBlock.blocks(of: start + [.arguments(index: 0, "{\"a\":")], isCut: true)
        let call = ToolCall(id: "c", name: "f", argumentsJSON: "{\"a\":", arguments: nil)
        #expect(cut == [.text("A"), .toolCall(call)])
        let empty = ToolCall(id: "c", name: "f", argumentsJSON: "", arguments: [:])
        #expect(ReplyBlock.blocks(of: start, isCut: false) == [.text("A"), .toolCall(empty)])
        let none = ToolCall(id: "c", name: "f", argumentsJSON: "", arguments: nil)
        #expect(ReplyBlock.blocks(of: start, isCut: true) == [.text("A"), .toolCall(none)])
    }

    /// Choices of one reply share its stream.
    @Test func choices() throws {
        var head = Self.head
        head.choices = 2
        let encoder = OpenAIChatReplyEncoder().stream(head)
        var frames = EncodedFrames()
        encoder.begin(into: &frames)
        encoder.encode(.text("a"), choice: 0, into: &frames)
        encoder.encode(.text("b"), choice: 1, into: &frames)
        encoder.finish(ReplyEnding(reasons: [.stop, .length], usage: Usage()), into: &frames)
        let text = String(decoding: frames.bytes, as: UTF8.self)
        #expect(text.contains(#""index":1,"delta":{"content":"b""#) && text.contains(#""finish_reason":"length""#))
    }
}
