// The Messages format: Anthropic's, and that of the servers and gateways that speak it too. This file is the dialect's
// face; how it asks is in AnthropicMessagesRequestEncoder.swift, how it reads in AnthropicMessagesDecoder.swift.

package import Chat
package import HTTP
package import JSON

/// Anthropic's Messages (https://docs.anthropic.com/en/api/messages, .../messages-streaming).
package struct AnthropicMessagesFormat: WireFormat {
    /// The dialect. It holds nothing.
    package init() {}

    /// "anthropic".
    package var name: String { "anthropic" }

    /// Server-Sent Events.
    package var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/messages`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try AnthropicMessagesRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// The text without white space at its end: the provider refuses a last message of the assistant's that ends in it.
    /// https://docs.anthropic.com/en/docs/build-with-claude/prompt-engineering/prefill-claudes-response
    package func resumed(_ text: String) -> String {
        var end = text.endIndex
        while end > text.startIndex, text[text.index(before: end)].isWhitespace { end = text.index(before: end) }
        return String(text[..<end])
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { AnthropicMessagesDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { AnthropicMessagesDecoder(reader: reader) }
}
