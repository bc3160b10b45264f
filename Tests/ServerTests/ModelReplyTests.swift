// A reply in a provider's format is what the client's half of that format reads.

import Base
import Chat
import Formats
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct ModelReplyTests {
    private static let thought = ["The user ", "wants \"tides\".\n"]
    private static let text = ["Tides ", "follow the ", "月亮 🌙\u{1}"]
    private static let calls = [
        ToolCall(id: "call_1", name: "get_weather", argumentsJSON: #"{"city":"Oslo"}"#, arguments: ["city": "Oslo"]),
        ToolCall(id: "call_2", name: "get_time", argumentsJSON: "", arguments: [:]),
    ]

    /// 11 tokens read, 4 of them from the cache; 20 written, 2 of them reasoning. Counted as Anthropic does.
    private static var usage: Usage {
        var usage = Usage()
        usage.inputTokens = 7
        usage.cachedTokens = 4
        usage.countsCacheApart = true
        usage.outputTokens = 20
        usage.reasoningTokens = 2
        return usage
    }

    private static func events(
        hasReasoning: Bool = true, hasCalls: Bool = false, _ reason: FinishReason = .stop
    ) -> [ChatEvent] {
        var events: [ChatEvent] = [.start(StartInfo(id: "x", model: "upstream", attempt: 1)), .heartbeat]
        if hasReasoning { events.append(.text(TextBatch(pieces: thought, .reasoning))) }
        events.append(.text(TextBatch(pieces: text)))
        if hasCalls { events += calls.map { .toolCall($0) } }
        events += [
            .usage(usage),
            .finish(
                .sample(
                    text: text.joined(), reasoning: hasReasoning ? thought.joined() : "", calls: hasCalls ? calls : [],
                    reason, usage: usage)),
        ]
        return events
    }

    /// The events with each piece of text by itself.
    private static func byPiece(_ events: [ChatEvent]) -> [ChatEvent] {
        events.flatMap { event -> [ChatEvent] in
            guard case .text(let batch) = event else { return [event] }
            return batch.map { .text(TextBatch($0, batch.kind)) }
        }
    }

    private static func check(
        _ outcome: ClientOutcome, _ variant: ServedVariant, hasReasoning: Bool = true, hasCalls: Bool,
        _ reason: FinishReason
    ) {
        #expect(outcome.error == nil && outcome.hasCleanEnd)
        #expect(outcome.text == text.joined())
        #expect(outcome.reasoning == (hasReasoning && variant.hasReasoning ? thought.joined() : ""))
        var expected = hasCalls && variant.hasCalls ? calls : []
        if !expected.isEmpty { expected[1].argumentsJSON = "{}" }
        #expect(outcome.toolCalls == expected)
        #expect(outcome.summary.finishReason == reason)
        let usage = outcome.summary.usage
        #expect(usage?.readTokens == 11)
        #expect(usage?.inputTokens == (variant.countsCacheApart ? 7 : 11))
        if variant.reportsCachedTokens { #expect(usage?.cachedTokens == 4) }
        #expect(usage?.outputTokens == (variant.countsReasoningApart ? 18 : 20))
        if variant.reportsReasoningTokens { #expect(usage?.reasoningTokens == 2) }
    }

    @Test(arguments: ServedVariant.all, [FinishReason.stop, .length]) func texts(
        _ variant: ServedVariant, _ reason: FinishReason
    ) throws {
        for events in [[Self.events(reason)], Self.byPiece(Self.events(reason)).map { [$0] }] {
            let reply = try variant.reply(streams: true)
            var sent = SentReply()
            for batch in events { sent.add(reply.take(batch)) }
            #expect(sent.isOver && reply.isOver)
            #expect(sent.head?["content-type"] == (try variant.served().replies.streamType))
            for size in [.max, 1, 7] as [Int] {
                let outcome = variant.decoded(stream: sent.bytes, size: size)
                Self.check(outcome, variant, hasCalls: false, reason)
            }
        }
        let reply = try variant.reply(streams: false)
        var sent = SentReply()
        for event in Self.byPiece(Self.events(reason)) { sent.add(reply.take([event])) }
        let body = try #require(sent.whole)
        #expect(body.status == 200 && body.headers["content-type"] == "application/json")
        Self.check(try variant.decoded(body: body.body), variant, hasCalls: false, reason)
    }

    @Test(arguments: ServedVariant.all.filter(\.hasCalls), [true, false]) func toolCalls(
        _ variant: ServedVariant, _ hasReasoning: Bool
    ) throws {
        // Some providers end a reply with calls as any other.
        for reason in [FinishReason.toolCalls, .stop] {
            let events = Self.events(hasReasoning: hasReasoning, hasCalls: true, reason)
            let reply = try variant.reply(streams: true)
            var sent = SentReply()
            for event in events { sent.add(reply.take([event])) }
            let outcome = variant.decoded(stream: sent.bytes)
            Self.check(outcome, variant, hasReasoning: hasReasoning, hasCalls: true, .toolCalls)
            let whole = try variant.reply(streams: false).take(events)
            guard case .whole(let response) = whole else {
                Issue.record("no whole response: \(whole)")
                continue
            }
            let body = try variant.decoded(body: response.body)
            Self.check(body, variant, hasReasoning: hasReasoning, hasCalls: true, .toolCalls)
        }
    }

    /// What the clients of the providers look for.
    @Test func finishReasons() throws {
        let expected = [
            "openai": #""finish_reason":"tool_calls""#, "anthropic": #""stop_reason":"tool_use""#,
            "responses": #""status":"completed""#, "cohere": #""finish_reason":"TOOL_CALL""#,
        ]
        for variant in ServedVariant.all {
            guard let text = expected[variant.format.name] else { continue }
            var sent = SentReply()
            sent.add(try variant.reply(streams: true).take(Self.events(hasCalls: true, .toolCalls)))
            #expect(sent.text.contains(text))
        }
    }

    /// A provider may send the reasoning between texts, and a caller may have turned it off.
    @Test(arguments: ServedVariant.all.filter(\.hasReasoning)) func reasoningInBetween(_ variant: ServedVariant) throws
    {
        let events: [ChatEvent] = [
            .text(TextBatch("A")), .text(.reasoning("why")), .text(TextBatch("B")),
            .finish(.sample(text: "AB", reasoning: "why")),
        ]
        var sent = SentReply()
        sent.add(try variant.reply(streams: true).take(events))
        let outcome = variant.decoded(stream: sent.bytes)
        #expect(outcome.text == "AB" && outcome.reasoning == "why" && outcome.hasCleanEnd)
        let served = try variant.served()
        let (target, body) = variant.request(streams: true)
        var request = try served.request(Array(body.utf8), target: target)
        request.thinks = false
        sent = SentReply()
        sent.add(ModelReply(served, request, id: "0123456789abcdef", created: 1, model: "m").take(events))
        let silent = variant.decoded(stream: sent.bytes)
        #expect(silent.text == "AB" && silent.reasoning.isEmpty)
    }

    @Test(arguments: ServedVariant.all) func failuresBeforeTheFirstByte(_ variant: ServedVariant) throws {
        let failure = RequestFailure.sample(
            .rateLimit, "Slow down.", status: 429, isRetryable: true, retryAfter: 11.2)
        for streams in [true, false] {
            // What came with the failure is not sent.
            let reply = try variant.reply(streams: streams)
            guard case .whole(let response) = reply.take([.text(TextBatch("A")), .failed(failure)]) else {
                Issue.record("no plain error")
                continue
            }
            #expect(reply.isOver && response.status == 429 && response.headers["retry-after"] == "12")
            #expect(response.headers["x-should-retry"] == "true")
            let error = variant.format.decodeError(
                head: HTTPResponseHead(status: 429, headers: response.headers), body: response.body, now: 0)
            #expect(error.kind == .rateLimit && error.message.contains("Slow down.") && error.retryAfter == 12)
            #expect(reply.take([.text(TextBatch("B"))]) == .nothing && reply.end() == .nothing)
        }
    }

    @Test(arguments: ServedVariant.all) func failuresInTheStream(_ variant: ServedVariant) throws {
        let failure = RequestFailure.sample(.overloaded, "Overloaded just now.", isRetryable: true)
        for count in 0...2 {
            let reply = try variant.reply(streams: true)
            var sent = SentReply()
            sent.add(reply.keepAlive())
            for piece in Self.text.prefix(count) { sent.add(reply.take([.text(TextBatch(piece))])) }
            sent.add(reply.take([.failed(failure)]))
            #expect(sent.isOver && sent.whole == nil)
            let outcome = variant.decoded(stream: sent.bytes)
            #expect(outcome.error?.kind == variant.errorKind)
            #expect(outcome.error?.message.contains("Overloaded just now.") == true && !outcome.hasCleanEnd)
            // TGI's client has a token only once the next has come.
            if variant.format.name != "tgi" { #expect(outcome.text == Self.text.prefix(count).joined()) }
        }
    }

    /// A restart of the provider's reply is invisible until something was sent, and an error after that.
    @Test(arguments: ServedVariant.all) func resets(_ variant: ServedVariant) throws {
        let reset = ChatEvent.reset(ResetInfo(attempt: 1, error: .sample(.network, "Connection reset.")))
        let rest = Self.events()
        var sent = SentReply()
        sent.add(try variant.reply(streams: true).take([.text(TextBatch("void")), reset] + rest))
        Self.check(variant.decoded(stream: sent.bytes), variant, hasCalls: false, .stop)

        let whole = try variant.reply(streams: false)
        #expect(whole.take([.text(TextBatch("void"))]) == .nothing)
        guard case .whole(let response) = whole.take([reset] + rest) else {
            Issue.record("no whole response")
            return
        }
        Self.check(try variant.decoded(body: response.body), variant, hasCalls: false, .stop)

        let begun = try variant.reply(streams: true)
        sent = SentReply()
        sent.add(begun.take([.text(TextBatch("sent")), .text(TextBatch(" before"))]))
        sent.add(begun.take([reset] + rest))
        let outcome = variant.decoded(stream: sent.bytes)
        #expect(begun.isOver && outcome.error?.message.contains("Connection reset.") == true)
    }

    @Test(arguments: ServedVariant.all) func keepAlives(_ variant: ServedVariant) throws {
        let reply = try variant.reply(streams: true)
        var sent = SentReply()
        for event in Self.events() {
            sent.add(reply.keepAlive())
            sent.add(reply.take([event]))
        }
        #expect(reply.keepAlive() == .nothing)
        Self.check(variant.decoded(stream: sent.bytes), variant, hasCalls: false, .stop)
        #expect(try variant.reply(streams: false).keepAlive() == .nothing)
        // Ollama's client parses empty lines, Google's comments.
        switch variant.format.name {
        case "ollama": #expect(!sent.text.contains("\n\n"))
        case "gemini": #expect(!sent.text.contains(": keep-alive"))
        default: break
        }
    }

    /// A handler may return a reply that was never streamed, or nothing.
    @Test(arguments: ServedVariant.all) func repliesWithoutEvents(_ variant: ServedVariant) throws {
        for streams in [true, false] {
            var sent = SentReply()
            sent.add(try variant.reply(streams: streams).take([Self.events()[Self.events().count - 1]]))
            let outcome =
                try sent.whole.map { try variant.decoded(body: $0.body) } ?? variant.decoded(stream: sent.bytes)
            Self.check(outcome, variant, hasCalls: false, .stop)

            let reply = try variant.reply(streams: streams)
            sent = SentReply()
            sent.add(reply.take([.text(TextBatch("Hello"))]))
            sent.add(reply.end())
            let ended =
                try sent.whole.map { try variant.decoded(body: $0.body) } ?? variant.decoded(stream: sent.bytes)
            #expect(sent.isOver && ended.text == "Hello" && ended.summary.finishReason == .stop)
        }
    }

    @Test(arguments: ServedVariant.all) func refusals(_ variant: ServedVariant) throws {
        var refused = Reply.sample(.contentFilter, usage: Self.usage)
        refused.refusal = "I can't help with \"that\"."
        for streams in [true, false] {
            var sent = SentReply()
            sent.add(try variant.reply(streams: streams).take([.finish(refused)]))
            let outcome =
                try sent.whole.map { try variant.decoded(body: $0.body) } ?? variant.decoded(stream: sent.bytes)
            #expect(outcome.error == nil)
            if try variant.served().replies.hasRefusals {
                #expect(outcome.summary.refusal == refused.refusal && outcome.text.isEmpty)
            } else {
                #expect(outcome.text == refused.refusal)
            }
        }
    }

    /// The count of the input is an estimate at the begin, and right at the end.
    @Test func inputTokensOfAnthropic() throws {
        let variant = ServedVariant.all[2]
        var sent = SentReply()
        sent.add(try variant.reply(streams: true, inputTokens: 9).take(Self.events()))
        #expect(sent.text.contains(#""usage":{"input_tokens":9,"output_tokens":1}"#))
        #expect(sent.text.contains(#""usage":{"input_tokens":7,"#))
        // Providers may report it first.
        sent = SentReply()
        sent.add(try variant.reply(streams: true, inputTokens: 9).take([.usage(Self.usage)] + Self.events()))
        #expect(sent.text.contains(#""usage":{"input_tokens":11,"output_tokens":1}"#))
    }

    /// Durations are those of the reply.
    @Test func durationsOfOllama() throws {
        let variant = ServedVariant.all[6]
        var sent = SentReply()
        sent.add(try variant.reply(streams: true).take(Self.events()))
        #expect(sent.text.contains(#""total_duration":2000000000"#))
        #expect(sent.text.contains(#""eval_duration":1500000000"#))
    }

    /// OpenAI's clients ask for token counts; without that a stream has none.
    @Test func usageOnRequest() throws {
        let served = try ServedVariant.all[0].served()
        let body = #"{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#
        let request = try served.request(Array(body.utf8), target: RequestTarget("/v1/chat/completions"))
        var sent = SentReply()
        sent.add(ModelReply(served, request, id: "0123456789abcdef", created: 1, model: "m").take(Self.events()))
        #expect(!sent.text.contains("usage") && sent.text.hasSuffix("data: [DONE]\n\n"))
    }

    /// The order of the events of Responses.
    @Test func eventsOfResponses() throws {
        var sent = SentReply()
        sent.add(try ServedVariant.all[1].reply(streams: true).take(Self.events(hasCalls: true)))
        let events = try Self.payloads(sent.bytes)
        #expect(events.map { $0["sequence_number"]?.int } == (0..<events.count).map { Int64($0) })
        var types: [String] = []
        for type in events.compactMap({ $0["type"]?.string }) where types.last != type { types.append(type) }
        let item = "response.output_item"
        let call = [
            "\(item).added", "response.function_call_arguments.delta", "response.function_call_arguments.done",
            "\(item).done",
        ]
        #expect(
            types == [
                "response.created", "response.in_progress", "\(item).added", "response.reasoning_summary_part.added",
                "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
                "response.reasoning_summary_part.done", "\(item).done", "\(item).added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.done", "response.content_part.done", "\(item).done",
            ] + call + call + ["response.completed"])
    }

    private static func payloads(_ bytes: [UInt8]) throws -> [JSONValue] {
        var parser = SSEParser()
        var values: [JSONValue] = []
        try parser.feed(bytes.span) { (_, payload) throws(JSONError) in
            values.append(try JSONReader.value(String(decoding: payload)))
        }
        return values
    }

    /// 200,000 pieces in one batch.
    @Test func manyPieces() throws {
        let pieces = (0..<200_000).map { "tok\($0) " }
        let batch = ChatEvent.text(TextBatch(pieces: pieces))
        let whole = try ServedVariant.all[0].reply(streams: false)
        #expect(pieces.allSatisfy { whole.take([.text(TextBatch($0))]) == .nothing })
        guard case .whole(let response) = whole.take([.finish(.sample())]) else {
            Issue.record("no whole response")
            return
        }
        #expect(try ServedVariant.all[0].decoded(body: response.body).text == pieces.joined())
        var sent = SentReply()
        sent.add(try ServedVariant.all[0].reply(streams: true).take([batch, .finish(.sample())]))
        #expect(ServedVariant.all[0].decoded(stream: sent.bytes).text == pieces.joined())
    }
}
