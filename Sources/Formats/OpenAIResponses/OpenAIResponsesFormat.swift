// OpenAI's Responses format, which other providers and local servers speak too. This file is the dialect's face; how it
// asks is in OpenAIResponsesRequestEncoder.swift, how it reads in OpenAIResponsesDecoder.swift.

package import Chat
package import HTTP
package import JSON

/// OpenAI's Responses (https://platform.openai.com/docs/api-reference/responses, its stream
/// https://platform.openai.com/docs/api-reference/responses-streaming), as tolerant as its imitators need.
package struct OpenAIResponsesFormat: WireFormat {
    static let name = "responses"

    /// The dialect. It holds nothing.
    package init() {}

    /// "responses".
    package var name: String { Self.name }

    /// Server-Sent Events.
    package var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/responses`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try OpenAIResponsesRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { OpenAIResponsesDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { OpenAIResponsesDecoder(reader: reader) }
}
