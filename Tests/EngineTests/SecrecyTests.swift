// Keys that a server echoes appear in no message, log line or chunk, wherever the engine shortens text.

import Chat
import HTTP
import JSON
import Testing

@testable import Engine

@Suite struct SecrecyTests {
    /// A key that the server echoes, wherever a message is shortened.
    @Test(arguments: Array(stride(from: 0, through: 260, by: 4))) func noExcerptShowsAKey(offset: Int) throws {
        let key = "sk-canary-0123456789abcdefghijABCDEFGHIJ"
        let lead = String(repeating: "a", count: offset)
        for (status, type, body) in [
            (307, "text/plain", ""), (200, "text/event-stream", "data: {\"x\":\"\(lead)\(key)\n\n"),
            (200, "text/html", "<html>\(lead)" + String(repeating: key, count: 9)), (403, "text/plain", lead + key),
            (403, "text/plain", lead + key.dropLast(5)),
            (
                500, "application/json",
                "{\"error\":{\"message\":\"x\",\"metadata\":{\"raw\":\"\(lead)\(lead)\(escaped(key))\"}}}"
            ),
        ] {
            let world = EngineHarness(keys: ["KEY": key])
            var spec = EngineHarness.spec(dialect: "openai", retry: RetryPolicy(max: 0))
            spec.endpoint.keyVariable = "KEY"
            world.start(1, spec)
            world.head(status, ["Content-Type": type, "Location": "http://login.example/?\(lead)\(key)"])
            world.send(body)
            world.end()
            world.turnAndTake()
            let failure = try #require(world.failure)
            for text in world.log + [failure.message] {
                #expect(
                    !text.contains("canary-01") && !text.contains("0123456789") && !text.contains("\\u0061"), "\(text)")
            }
        }
    }

    /// Parts for the provider beside the text; a signature without a key stays as it came.
    @Test(arguments: [
        (
            "anthropic",
            [
                #"{"type":"message_start","message":{"id":"m"}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"KEY","name":"q"}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":"T","signature":"SIG=="}}"#,
                #"{"type":"content_block_stop","index":1}"#,
                #"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"the KEY"}}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"message_stop"}"#,
            ]
        ),
        (
            "gemini",
            [
                #"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"x='KEY'"},"thoughtSignature":"SIG=="},"#
                    + #"{"text":"the KEY"}]},"finishReason":"STOP"}]}"#
            ]
        ),
        (
            "responses",
            [
                #"{"type":"response.completed","response":{"status":"completed","output":[{"type":"mcp_call","id":"KEY"},"#
                    + #"{"type":"reasoning","encrypted_content":"SIG=="},"#
                    + #"{"type":"message","content":[{"type":"output_text","text":"the KEY"}]}]}}"#
            ]
        ),
        (
            "openai",
            [
                #"{"choices":[{"delta":{"content":"the KEY","tool_calls":[{"index":0,"id":"A","function":{"name":"f"},"#
                    + #""extra_content":{"x":"a KEY"}}],"#
                    + #""reasoning_details":[{"type":"reasoning.encrypted","id":"KEY","data":"SIG=="}]}}]}"#,
                #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, "[DONE]",
            ]
        ),
    ]) func noMessageShowsAKeyBesideItsText(dialect: String, payloads: [String]) throws {
        let key = "sk-canary-0123456789abcdefghij"
        let world = EngineHarness(keys: ["KEY": key])
        var spec = EngineHarness.spec(dialect: dialect, retry: RetryPolicy(max: 0))
        spec.endpoint.keyVariable = "KEY"
        world.start(1, spec)
        world.head()
        for payload in payloads { world.send(events: payload.replacing("KEY", with: key)) }
        world.end()
        world.turnAndTake()
        let reply = try #require(world.finish)
        #expect(reply.text == "the \(key)")
        #expect(reply.message["content"]?.string == reply.text)
        let words = JSONWriter.text(reply.message)
        #expect(words.contains("[key]") && words.contains(#""SIG==""#), "\(words)")
        // Only the text has it: as content, and in the provider's form.
        #expect(!words.replacing("the \(key)", with: "").contains(key), "\(words)")
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { "\\u00" + String($0, radix: 16) }.joined()
    }
}
