// The Chat Completions format: OpenAI's, and what dozens of providers and local servers made of it. This file is the
// dialect's face; how it asks is in OpenAIChatRequestEncoder.swift, how it reads in OpenAIChatDecoder.swift.

package import Chat
package import HTTP
package import JSON

/// OpenAI's Chat Completions (https://platform.openai.com/docs/api-reference/chat), as tolerant as its imitators need.
package struct OpenAIChatFormat: WireFormat {
    /// The dialect. It holds nothing.
    package init() {}

    /// "openai".
    package var name: String { "openai" }

    /// Server-Sent Events.
    package var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/chat/completions`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try OpenAIChatRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { OpenAIChatDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { OpenAIChatDecoder(reader: reader) }
}
