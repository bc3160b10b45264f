// Replies with text where the format has none: an error that names the place, in each framing. Empty replies stay
// replies.

import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct UnreadTextTests {
    private func run(
        _ dialect: String, _ body: String, type: String? = nil, wantsChunks: Bool = false,
        retry: RetryPolicy = RetryPolicy(max: 3, base: 0)
    ) -> EngineHarness {
        let world = EngineHarness()
        var spec = EngineHarness.spec(dialect: dialect, retry: retry)
        spec.wantsChunks = wantsChunks
        world.start(1, spec)
        world.head(200, ["Content-Type": type ?? (dialect == "ollama" ? "application/x-ndjson" : "text/event-stream")])
        world.send(body)
        world.end()
        world.turnAndTake()
        return world
    }

    private static func sse(_ payloads: String...) -> String { payloads.map { "data: \($0)\n\n" }.joined() }

    private static let stop = #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#

    @Test(
        arguments: [
            (
                "openai", sse(#"{"choices":[{"delta":{"answer":"Hel"}}]}"#, stop, "[DONE]"), "choices[0].delta.answer"
            ),
            ("openai", sse(#"{"choices":[{"answer":"Hel"}]}"#, stop), "choices[0].answer"),
            // Passed on as native events, which are not a reply.
            ("openai", sse(#"{"data":{"text":"Hello"}}"#, stop, "[DONE]"), "data.text"),
            (
                "openai",
                sse(
                    #"{"choices":[],"prompt_filter_results":[{"content_filter_results":{"hate":{"severity":"safe"}}}]}"#,
                    #"{"choices":[{"delta":{"answer":{"words":["Hel"]}}}]}"#, stop), "choices[0].delta.answer.words[0]"
            ),
            // No finish reason and no valid end marker: still not a cut stream.
            ("openai", sse(#"{"answer":"Hel"}"#, #"{"answer":"lo"}"#, "[DONE]"), "answer"),
            ("openai", sse(#"{"answer":"Hel"}"#, #"{"answer":"lo"}"#), "answer"),
            ("openai", "{\"response\":\"Hel\"}\n{\"response\":\"lo\"}\n", "response"),
            (
                "openai", #"{"choices":[{"message":{"answer":"Hello"},"finish_reason":"stop"}]}"#,
                "choices[0].message.answer"
            ),
            ("openai", sse(#"{"choices":[{"index":1,"delta":{"content":"Hi"}}]}"#, stop), "choices[0].delta.content"),
            (
                "anthropic",
                sse(
                    #"{"type":"message_start","message":{"id":"m","role":"assistant","content":[]}}"#,
                    #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","answer":"Hello"}}"#,
                    #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"message_stop"}"#),
                "delta.answer"
            ),
            (
                "responses",
                sse(
                    #"{"type":"response.output_text.delta","answer":"Hello"}"#,
                    #"{"type":"response.completed","response":{"status":"completed","output":[]}}"#), "answer"
            ),
            ("gemini", sse(#"{"candidates":[{"answer":"Hello","finishReason":"STOP"}]}"#), "candidates[0].answer"),
            ("gemini", #"[{"candidates":[{"answer":"Hello","finishReason":"STOP"}]}]"#, "candidates[0].answer"),
            ("ollama", "{\"answer\":\"Hel\",\"done\":false}\n{\"done\":true,\"done_reason\":\"stop\"}\n", "answer"),
            (
                "cohere",
                sse(
                    #"{"type":"content-delta","delta":{"message":{"answer":"Hello"}}}"#,
                    #"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#), "delta.message.answer"
            ),
            ("tgi", sse(#"{"token":{"answer":"Hel"}}"#, #"{"generated_text":"","details":null}"#), "token.answer"),
        ]) func textInAnUnknownPlaceFails(dialect: String, body: String, path: String) throws
    {
        let world = run(dialect, body)
        let failure = try #require(world.failure)
        #expect(failure.kind == .protocol, "\(failure.message)")
        #expect(failure.message.hasPrefix("text at \(path) is not read"), "\(failure.message)")
        #expect(failure.message.contains("use on_chunk or tell us"))
        #expect(!failure.isRetryable)
        #expect(failure.attempts == 1)
        #expect(world.finish == nil)
    }

    /// Earlier frames are not all kept, and do not matter.
    @Test func textBehindManyFramesIsFound() throws {
        let empty = (0..<100).map { "data: {\"created\":\($0),\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n" }
            .joined()
        let body =
            empty + Self.sse(#"{"choices":[{"delta":{"answer":"Hel"}}]}"#) + empty + Self.sse(Self.stop, "[DONE]")
        let message = try #require(run("openai", body).failure).message
        #expect(message.hasPrefix("text at choices[0].delta.answer is not read"), "\(message)")
    }

    @Test func textInALargeFrameIsFound() throws {
        let text = String(repeating: "hello you ", count: 7000)
        let body = Self.sse(#"{"choices":[{"delta":{"answer":"\#(text)"}}]}"#, Self.stop, "[DONE]")
        let message = try #require(run("openai", body).failure).message
        #expect(message.hasPrefix("text at choices[0].delta.answer is not read"), "\(message.prefix(300))")
        #expect(message.count < 1000)
    }

    /// A complete body that is not a reply of the format.
    @Test func aForeignDocumentIsNamedWithItsText() throws {
        let failure = try #require(run("openai", #"{"answer":"Hello"}"#, type: "application/json").failure)
        #expect(failure.kind == .protocol)
        #expect(failure.message.hasPrefix("expected a stream of events"), "\(failure.message)")
        #expect(failure.message.hasSuffix("(text at answer is not read)"), "\(failure.message)")
    }

    @Test func anotherDialectIsNamed() throws {
        let body = Self.sse(
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
            #"{"type":"message_stop"}"#)
        #expect(try #require(run("openai", body).failure).message.contains(#"this looks like the dialect "anthropic""#))
    }

    /// With raw chunks the reader sees the text itself.
    @Test func withChunksItIsTheReadersAffair() throws {
        let body = Self.sse(#"{"choices":[{"delta":{"answer":"Hel"}}]}"#, Self.stop, "[DONE]")
        #expect(try #require(run("openai", body, wantsChunks: true).finish).text.isEmpty)
    }

    @Test(
        arguments: [
            // Azure and Moonshot begin or end without choices or text.
            (
                "openai",
                sse(
                    #"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#,
                    #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"moonshot-v1-8k","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"system_fingerprint":"fpv0_ff52a3ef"}"#,
                    #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":0}}],"obfuscation":"x8Kd0"}"#,
                    "[DONE]")
            ),
            // Native content alone.
            (
                "openai",
                sse(
                    #"{"choices":[{"delta":{"content":""}}],"citations":["https://a.example/b c"],"search_results":[{"title":"Of the moon","snippet":"It is round."}],"related_questions":["Is it far?"]}"#,
                    stop)
            ),
            (
                "gemini",
                sse(
                    #"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"print(1 + 1)"}}]},"finishReason":"STOP"}]}"#
                )
            ),
            // SGLang's stop string, llama.cpp's settings, a gateway's text, and a prompt template.
            ("openai", sse(#"{"choices":[{"delta":{"content":""},"finish_reason":"stop","matched_stop":"the end"}]}"#)),
            (
                "openai",
                sse(
                    #"{"notice":"You are in line.","queue":{"text":"two before you"},"choices":[{"delta":{}}]}"#,
                    #"{"choices":[{"delta":{},"finish_reason":"stop"}],"__verbose":{"content":"","stopping_word":"the end","generation_settings":{"samplers":["top k"]}},"moderations":[{"text":"all well"}]}"#
                )
            ),
            (
                "responses",
                sse(
                    #"{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":0},"prompt":{"id":"p","variables":{"city":"New York"}}}}"#
                )
            ),
            // A filter may explain itself.
            (
                "openai",
                sse(#"{"choices":[{"delta":{},"finish_reason":"content_filter","message_to_user":"Not this one."}]}"#)
            ),
            ("openai", sse(#"{"provider":"DeepInfra","choices":[{"delta":{},"finish_reason":"length"}]}"#)),
            (
                "gemini",
                sse(
                    #"{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: print(x)"}],"modelVersion":"gemini-2.5-flash"}"#
                )
            ),
            (
                "responses",
                sse(
                    #"{"type":"response.created","response":{"id":"r","status":"in_progress","instructions":"Be short, please."}}"#,
                    #"{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":0},"instructions":"Be short, please."}}"#
                )
            ),
        ]) func emptyRepliesStayReplies(dialect: String, body: String) throws
    {
        let world = run(dialect, body)
        #expect(try #require(world.finish, "\(world.failure?.message ?? "")").text.isEmpty)
    }

    @Test func theKeyIsRemovedBeforeTheFrameIsShortened() throws {
        let key = "sk-marked-" + String(repeating: "0123456789abcdef", count: 4)
        let world = EngineHarness(keys: ["K": key])
        var spec = EngineHarness.spec(dialect: "openai", retry: RetryPolicy(max: 0))
        spec.endpoint.keyVariable = "K"
        world.start(1, spec)
        world.head()
        // The snippet would end inside the key, and the path contains it.
        let padding = String(repeating: "x", count: 120)
        world.send(
            Self.sse(#"{"choices":[{"delta":{"answer":"\#(padding) Bearer \#(key)","\#(key)":"Hel lo"}}]}"#, Self.stop))
        world.end()
        world.turnAndTake()
        let message = try #require(world.failure).message
        #expect(message.contains("choices[0].delta.answer is not read"))
        #expect(!message.contains("marked"), "\(message)")
    }

    /// Delivered text suffices, whatever else is there.
    @Test func aReplyWithTextIsAReply() throws {
        let body = Self.sse(
            #"{"choices":[{"delta":{"answer":"Hel"}}]}"#, #"{"choices":[{"delta":{"content":"lo"}}]}"#, Self.stop,
            "[DONE]")
        #expect(try #require(run("openai", body).finish).text == "lo")
    }
}
