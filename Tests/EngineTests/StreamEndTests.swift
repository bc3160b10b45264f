// The end of streams in each format: through framers, decoders and the engine.

import Chat
import HTTP
import Providers
import Testing

@testable import Engine

@Suite struct StreamEndTests {
    private func run(
        _ dialect: String, _ body: String, ending: TransferEnding? = .complete, type: String? = nil
    ) -> EngineHarness {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: dialect, retry: RetryPolicy(max: 0)))
        world.head(200, ["Content-Type": type ?? (dialect == "ollama" ? "application/x-ndjson" : "text/event-stream")])
        world.send(body)
        if let ending { world.end(ending) }
        world.turnAndTake()
        return world
    }

    private func events(_ payloads: String...) -> String { payloads.map { "data: \($0)\n\n" }.joined() }

    // MARK: Empty streams

    @Test(
        arguments: [
            ("openai", "data: [DONE]\n\n"), ("openai", ": ping\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n"),
            ("openai", #"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"# + "\n\ndata: [DONE]\n\n"),
            ("openai", #"{"choices":[]}"#), ("anthropic", #"data: {"type":"message_stop"}"# + "\n\n"),
            ("anthropic", #"data: {"type":"message","content":[]}"# + "\n\n"),
            ("responses", #"data: {"type":"response.completed","response":{"id":"r","output":[]}}"# + "\n\n"),
            ("responses", #"data: {"type":"response.completed"}"# + "\n\n"), ("responses", "data: [DONE]\n\n"),
            ("cohere", #"data: {"type":"message-end","delta":{}}"# + "\n\n"), ("cohere", "data: [DONE]\n\n"),
            ("cohere", #"{"event_type":"stream-end","response":{}}"# + "\n"), ("ollama", #"{"done":true}"# + "\n"),
            ("ollama", #"{"model":"m","message":{"role":"assistant","content":""},"done":true}"# + "\n"),
            ("gemini", "data: [DONE]\n\n"), ("gemini", "data: {}\n\n"),
            ("tgi", #"data: {"generated_text":"","details":null}"# + "\n\n"), ("tgi", "data: [DONE]\n\n"),
        ]) func anEndMarkerAloneIsNoReply(dialect: String, body: String) throws
    {
        let failure = try #require(run(dialect, body).failure)
        #expect(failure.kind == .truncated)
        #expect(failure.isRetryable)
    }

    @Test(
        arguments: [
            ("openai", #"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n"),
            (
                "openai",
                #"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}"# + "\n\ndata: [DONE]\n\n"
            ),
            ("anthropic", #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}"# + "\n\n"),
            (
                "responses",
                #"data: {"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":0}}}"#
                    + "\n\n"
            ),
            (
                "responses",
                #"data: {"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#
                    + "\n\n"
            ),
            ("cohere", #"data: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"# + "\n\n"),
            ("ollama", #"{"done":true,"done_reason":"load"}"# + "\n"),
            ("gemini", #"data: {"candidates":[{"finishReason":"STOP"}]}"# + "\n\n"),
            ("tgi", #"data: {"token":{"text":"</s>","special":true},"generated_text":""}"# + "\n\n"),
        ]) func anEmptyTextWithAReasonOrCountsIsAReply(dialect: String, body: String) throws
    {
        let reply = try #require(run(dialect, body).finish)
        #expect(reply.text.isEmpty)
    }

    // MARK: The last marker is missing

    private static let said =
        #"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"done"}}"# + "\n\n"
    private static let reason =
        #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"# + "\n\n"

    @Test func aStopReasonAndACleanEndAreAWholeReply() throws {
        let reply = try #require(run("anthropic", Self.said + Self.reason).finish)
        #expect(reply.text == "done" && reply.finishReason == .stop && reply.usage?.outputTokens == 7)
        let line = #"{"message":{"content":"done"},"done":false,"done_reason":"length"}"#
        let other = try #require(run("ollama", line + "\n").finish)
        #expect(other.text == "done" && other.finishReason == .length)
    }

    @Test func withoutAReasonOrACleanEndItIsCut() throws {
        let line = #"{"message":{"content":"done"},"done":false,"done_reason":"stop"}"# + "\n"
        for world in [
            run("anthropic", Self.said), run("anthropic", Self.said + Self.reason, ending: .cut(how: "reset")),
            run("ollama", line, ending: .cut(how: "reset")),
            run("ollama", #"{"message":{"content":"done"},"done":false}"# + "\n"),
        ] {
            #expect(try #require(world.failure).kind == .truncated)
            #expect(world.failure?.partial?.text == "done")
        }
    }

    // MARK: A clean end inside a value

    @Test(
        arguments: [
            ("ollama", "application/x-ndjson", #"{"message":{"content":"on"}}"# + "\n" + #"{"model":"q","mess"#),
            ("ollama", "application/x-ndjson", #"{"model":"q","message":{"role":"assi"#),
            ("ollama", "application/json", #"{"model":"q","message":{"role":"assistant"#),
            ("ollama", "application/x-ndjson", #"{"message":{"content":"on"}}"# + "\n" + #"{"model":"q\"}]"#),
            ("openai", "text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"on\"}}]}\n\ndata: {\"cho"),
            ("openai", "application/json", #"{"choices":[{"message":{"content":"on"#),
            ("openai", "application/json", #"{"choices":[{"delta":{"content":"on"}}]}"# + "\n" + #"{"choi"#),
            ("gemini", "application/json", #"[{"candidates":[{"content":{"parts":[{"text":"on"}]}}]},{"cand"#),
            ("gemini", "application/json", #"[{"candidates":[{"content":{"pa"#),
            (
                "cohere", "application/stream+json",
                #"{"event_type":"stream-start"}"# + "\n" + #"{"event_type":"text-gen"#
            ),
        ]) func itIsCut(dialect: String, type: String, body: String) throws
    {
        let failure = try #require(run(dialect, body, type: type).failure)
        #expect(failure.kind == .truncated && failure.isRetryable)
    }

    @Test(arguments: ["{\"model\":\"q\",}x\n", "{\"model\":\"q\",}x", "{\"model\" \"q\"}", "{\"a\":1}}\n"])
    func aWholeLineOfBrokenJSONIsBroken(line: String) throws {
        let failure = try #require(run("ollama", #"{"message":{"content":"on"}}"# + "\n" + line).failure)
        #expect(failure.kind == .protocol)
    }

    @Test func aLastLineWithoutItsNewlineIsRead() {
        let world = run("ollama", #"{"message":{"content":"on"}}"# + "\n" + #"{"done":true,"done_reason":"stop"}"#)
        #expect(world.finish?.text == "on")
    }

    // MARK: An error before the end marker

    @Test(
        arguments: [
            (
                "openai",
                #"data: {"choices":[{"delta":{"content":"Hi"}}]}"# + "\n\n"
                    + #"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"# + "\n\n"
                    + #"data: {"choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502,"message":"late"},"usage":{"prompt_tokens":3,"completion_tokens":9}}"#
                    + "\n\n"
            ),
            (
                "openai",
                #"data: {"choices":[{"delta":{"content":"Hi"}}]}"# + "\n\n"
                    + #"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"# + "\n\n"
                    + #"error: {"code":502,"message":"late"}"# + "\n\n"
                    + #"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}"#
                    + "\n\ndata: [DONE]\n\n"
            ),
            (
                "openai",
                #"data: {"choices":[{"delta":{"content":"Hi"}}]}"# + "\n\n"
                    + #"data: {"error":{"code":502,"message":"late"}}"# + "\n\n"
                    + #"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}"# + "\n\n"
            ),
            (
                "anthropic",
                #"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}"# + "\n\n"
                    + #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":3,"output_tokens":9}}"#
                    + "\n\n" + #"event: error"# + "\n"
                    + #"data: {"type":"error","error":{"type":"api_error","message":"late"}}"#
                    + "\n\n"
            ),
            (
                "gemini",
                #"data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}"# + "\n\n"
                    + #"data: {"error":{"code":500,"message":"late"},"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":9}}"#
                    + "\n\n"
            ),
            (
                "cohere",
                #"data: {"type":"content-delta","delta":{"message":{"content":{"text":"Hi"}}}}"# + "\n\n"
                    + #"data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"late","usage":{"tokens":{"input_tokens":3,"output_tokens":9}}}}"#
                    + "\n\n"
            ),
            (
                "ollama",
                #"{"message":{"content":"Hi"}}"# + "\n" + #"{"error":"late","prompt_eval_count":3,"eval_count":9}"#
                    + "\n"
            ),
            (
                "tgi",
                #"data: {"token":{"text":"Hi"}}"# + "\n\n"
                    + #"data: {"error":"late","details":{"generated_tokens":9,"input_length":3}}"# + "\n\n"
            ),
            (
                "responses",
                #"data: {"type":"response.output_text.delta","output_index":0,"delta":"Hi"}"# + "\n\n"
                    + #"data: {"type":"response.failed","response":{"error":{"message":"late"},"usage":{"input_tokens":3,"output_tokens":9}}}"#
                    + "\n\n"
            ),
        ]) func isAnErrorAndKeepsTheCounts(dialect: String, body: String) throws
    {
        let failure = try #require(run(dialect, body).failure)
        #expect(failure.message.contains("late"))
        #expect(failure.partial?.text == "Hi")
        #expect(failure.partial?.usage?.inputTokens == 3)
        #expect(failure.partial?.usage?.outputTokens == 9)
        #expect(failure.partial?.usage?.estimated == false)
    }

    @Test(
        arguments: [
            (
                "openai",
                #"data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"length"}]}"# + "\n\n"
                    + #"data: {"error":{"code":400,"message":"Token limit reached"},"usage":{"prompt_tokens":3,"completion_tokens":9}}"#
                    + "\n\ndata: [DONE]\n\n"
            ),
            (
                "anthropic",
                #"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}"# + "\n\n"
                    + #"data: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":9}}"#
                    + "\n\n"
                    + #"data: {"type":"error","error":{"type":"invalid_request_error","message":"max_tokens was reached"}}"#
                    + "\n\n"
            ),
        ]) func theLimitSaidTwiceIsNoError(dialect: String, body: String) throws
    {
        let reply = try #require(run(dialect, body).finish)
        #expect(reply.text == "Hi" && reply.finishReason == .length && reply.usage?.outputTokens == 9)
    }

    @Test(arguments: ["Rate limit reached", "Provider returned error"]) func otherErrorsBehindTheLimitAreErrors(
        message: String
    ) throws {
        let error = message.hasPrefix("Rate") ? 429 : 502
        let body = events(
            #"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"length"}]}"#,
            #"{"error":{"code":\#(error),"message":"\#(message)"}}"#, "[DONE]")
        #expect(try #require(run("openai", body).failure).message == message)
    }

    @Test func behindTheEndMarkerNothingCounts() {
        let body = events(
            #"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#, "[DONE]",
            #"{"error":{"code":502,"message":"late"}}"#)
        #expect(run("openai", body).finish?.text == "Hi")
    }

    /// Counts may follow the error, so it takes effect at the end of the body: at its end marker, its end or its last
    /// frame.
    @Test(arguments: [0, 1, 2]) func anErrorBehindTheFinishReasonIsOne(ending: Int) throws {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "t:x", "finish:stop", "error:provider late", "t:y")
        world.turnAndTake()
        #expect(world.failure == nil && world.finish == nil)
        world.send(events: "usage:3 4")
        world.turnAndTake()
        switch ending {
        case 0: world.send(events: "[DONE]")
        case 1: world.end()
        default: world.advance(RequestStateMachine.tailGrace + 1)
        }
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.message == "late")
        #expect(failure.partial?.text == "x")
        #expect(failure.partial?.usage?.outputTokens == 4)
        #expect(failure.partial?.usage?.estimated == false)
    }

    @Test func anErrorThatRepeatsTheLimitIsNone() {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "t:x", "finish:length", "error:provider Token limit reached", "usage:3 4", "[DONE]")
        world.turnAndTake()
        #expect(world.finish?.text == "x")
        #expect(world.finish?.usage?.outputTokens == 4)
    }

    // MARK: Names

    @Test(
        arguments: [
            (
                "openai",
                #"data: {"id":"ka","model":"keepalive","choices":[{"delta":{"content":""}}]}"# + "\n\n",
                #"data: {"id":"c1","model":"m1","choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#
                    + "\n\n"
            ),
            (
                "openai",
                #"data: {"id":"ka","model":"keepalive","choices":[{"delta":{"role":"assistant","content":""}}]}"#
                    + "\n\n",
                #"data: {"id":"c1","model":"m1","choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#
                    + "\n\n"
            ),
            (
                "gemini", #"data: {"responseId":"ka","modelVersion":"keepalive","candidates":[]}"# + "\n\n",
                #"data: {"responseId":"c1","modelVersion":"m1","candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}"#
                    + "\n\n"
            ),
            (
                "ollama", #"{"model":"keepalive","message":{"content":""}}"# + "\n",
                #"{"model":"m1","message":{"content":"Hi"},"done":true,"done_reason":"stop"}"# + "\n"
            ),
        ]) func namesComeFromTheOutput(dialect: String, beat: String, output: String) throws
    {
        let reply = try #require(run(dialect, beat + beat + output).finish)
        #expect(reply.text == "Hi" && reply.model == "m1")
        #expect(reply.id == (dialect == "ollama" ? nil : "c1"))
    }
}
