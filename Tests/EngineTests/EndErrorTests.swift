// Errors inside the event that ends the reply: the request fails and keeps its partial reply.

import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct EndErrorTests {
    private static let cohereText =
        #"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}"#
    private static let cohereUsage = #""usage":{"tokens":{"input_tokens":3,"output_tokens":2}}"#
    private static let output =
        #"[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}]"#
    private static let responsesUsage = #""usage":{"input_tokens":3,"output_tokens":2}"#
    private static let anthropicOpening = [
        #"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#,
        #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
    ]
    private static let openaiUsage = #""usage":{"prompt_tokens":3,"completion_tokens":2}"#

    static let cases: [(String, [String])] = [
        (
            "cohere",
            [
                cohereText,
                #"{"type":"message-end","delta":{"finish_reason":"COMPLETE","error":"BOOM",\#(cohereUsage)}}"#,
            ]
        ),
        (
            "cohere",
            [
                cohereText,
                #"{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS","error":{"message":"BOOM"},\#(cohereUsage)}}"#,
            ]
        ),
        (
            "cohere",
            [
                #"{"event_type":"text-generation","text":"Hello"}"#,
                #"{"event_type":"stream-end","finish_reason":"COMPLETE","error":"BOOM","response":{"meta":{"tokens":"#
                    + #"{"input_tokens":3,"output_tokens":2}}}}"#,
            ]
        ),
        (
            "responses",
            [
                #"{"type":"response.completed","response":{"status":"completed","output":\#(output),\#(responsesUsage),"#
                    + #""error":{"code":"server_error","message":"BOOM"}}}"#
            ]
        ),
        (
            "responses",
            [
                #"{"type":"response.incomplete","response":{"status":"incomplete","output":\#(output),\#(responsesUsage)},"#
                    + #""error":{"code":"server_error","message":"BOOM"}}"#
            ]
        ),
        (
            "openai",
            [
                #"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#,
                #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"error":{"message":"BOOM"},\#(openaiUsage)}"#,
            ]
        ),
        (
            "openai",
            [
                #"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#,
                #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","error":{"message":"BOOM"}}],\#(openaiUsage)}"#,
            ]
        ),
        (
            "anthropic",
            anthropicOpening + [
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2},"#
                    + #""error":{"type":"api_error","message":"BOOM"}}"#
            ]
        ),
        (
            "anthropic",
            anthropicOpening + [
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
                #"{"type":"message_stop","error":{"type":"api_error","message":"BOOM"}}"#,
            ]
        ),
        (
            "gemini",
            [
                #"{"candidates":[{"content":{"parts":[{"text":"Hello"}]}}]}"#,
                #"{"candidates":[{"finishReason":"STOP"}],"error":{"message":"BOOM"},"#
                    + #""usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}"#,
            ]
        ),
        (
            "ollama",
            [
                #"{"message":{"content":"Hello"},"done":false}"#,
                #"{"message":{"content":""},"done":true,"done_reason":"stop","error":"BOOM","prompt_eval_count":3,"#
                    + #""eval_count":2}"#,
            ]
        ),
    ]

    @Test(arguments: cases) func isAnError(dialect: String, payloads: [String]) {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: dialect, retry: RetryPolicy(max: 0)))
        let isLines = dialect == "ollama"
        world.head(200, ["Content-Type": isLines ? "application/x-ndjson" : "text/event-stream"])
        for payload in payloads { world.send(isLines ? "\(payload)\n" : "data: \(payload)\n\n") }
        world.end()
        world.turnAndTake()
        #expect(world.finish == nil)
        #expect(world.failure?.message.contains("BOOM") == true, "\(world.names)")
        #expect(world.failure?.partial?.text == "Hello")
        #expect(world.failure?.partial?.usage?.inputTokens == 3)
        #expect(world.failure?.partial?.usage?.outputTokens == 2)
    }
}
