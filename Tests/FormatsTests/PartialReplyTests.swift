// The assistant message of a stopped or failed reply has no calls, in each format.

import Base
import Formats
import JSON
import Testing

@Suite struct PartialReplyTests {
    /// A stream with a call and the text "x".
    struct Stream: Sendable, CustomTestStringConvertible {
        var dialect: String
        var frames: [String]
        var testDescription: String { dialect }
    }

    static let streams = [
        Stream(
            dialect: "openai",
            frames: [
                #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"A","function":{"name":"get","arguments":"{}"}}]}}]}"#,
                #"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#,
                #"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            ]),
        Stream(
            dialect: "anthropic",
            frames: [
                #"{"type":"message_start","message":{"id":"m","model":"m","role":"assistant","content":[],"usage":{}}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"S","name":"s","input":{}}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"A","name":"get","input":{}}}"#,
                #"{"type":"content_block_stop","index":1}"#,
                #"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
                #"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"x"}}"#,
                #"{"type":"content_block_stop","index":2}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":1}}"#,
                #"{"type":"message_stop"}"#,
            ]),
        Stream(
            dialect: "gemini",
            frames: [
                #"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"get","args":{}}}]}}]}"#,
                #"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"x"}]},"finishReason":"STOP"}]}"#,
            ]),
        Stream(
            dialect: "responses",
            frames: [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"A","name":"get","arguments":""}}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"A","name":"get","arguments":"{}"}}"#,
                #"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"m","role":"assistant","content":[]}}"#,
                #"{"type":"response.output_text.delta","item_id":"m","output_index":1,"content_index":0,"delta":"x"}"#,
                #"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"x"}]}}"#,
                #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"function_call","id":"fc","call_id":"A","name":"get","arguments":"{}"},{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"x"}]}]}}"#,
            ]),
        Stream(
            dialect: "ollama",
            frames: [
                #"{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":{}}}]},"done":false}"#,
                #"{"model":"m","message":{"role":"assistant","content":"x"},"done":false}"#,
                #"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#,
            ]),
        Stream(
            dialect: "cohere",
            frames: [
                #"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"A","type":"function","function":{"name":"get","arguments":"{}"}}}}}"#,
                #"{"type":"tool-call-end","index":0}"#,
                #"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":"x"}}}}"#,
                #"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#,
            ]),
    ]

    /// Wherever the reader stops, the message has no call, and is a legal turn with the delivered text.
    @Test(arguments: streams) func holdsNoCalls(stream: Stream) throws {
        for count in 1...stream.frames.count {
            let decoder = try #require(FormatCatalog.named(stream.dialect)).makeDecoder()
            var events: [DecodedEvent] = []
            for frame in stream.frames.prefix(count) {
                try decoder.decode(.data, name: "", bytes: [UInt8](frame.utf8).span, into: &events)
            }
            let text = events.text(.text)
            if count == stream.frames.count {
                #expect(decoder.assistantMessage(ReplyText(events))["tool_calls"]?.array?.count == 1)
            }
            let message = decoder.partialMessage(ReplyText(events))
            #expect(message["tool_calls"] == nil)
            #expect(message["content"] == .string(text))
            #expect(!JSONWriter.text(message).contains("get"))
            #expect(!JSONWriter.text(message).contains("server_tool_use"))
            let body = try History.body(stream.dialect, [History.user, message, History.user])
            let whole: JSONValue = ["role": "assistant", "content": .string(text)]
            #expect(try body == History.body(stream.dialect, [History.user, whole, History.user]))
        }
    }

    /// Other parts stay: results of the provider's tools, signed text.
    @Test func otherPartsStay() throws {
        let decoder = try #require(FormatCatalog.named("gemini")).makeDecoder()
        var events: [DecodedEvent] = []
        let frame =
            #"{"candidates":[{"content":{"parts":[{"text":"x","thoughtSignature":"S"},{"functionCall":{"name":"get"}}]}}]}"#
        try decoder.decode(.data, name: "", bytes: [UInt8](frame.utf8).span, into: &events)
        let native = decoder.partialMessage(ReplyText(events))["native"]
        #expect(native == ["dialect": "gemini", "parts": [["text": "x", "thoughtSignature": "S"]]])
    }
}
