// Cohere's chat endpoint: typed events, with a plan before tools and citations beside the text. This file is the
// dialect's face; how it asks is in CohereRequestEncoder.swift, how it reads in CohereDecoder.swift.

package import Chat
package import HTTP
package import JSON

/// Cohere's `/v2/chat` (https://docs.cohere.com/reference/chat-stream). Streams of the older `/v1/chat`, JSON lines, are
/// read as well (https://docs.cohere.com/v1/reference/chat-stream).
package struct CohereFormat: WireFormat {
    /// The dialect. It holds nothing.
    package init() {}

    /// "cohere".
    package var name: String { "cohere" }

    /// Server-Sent Events.
    package var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/v2/chat`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try CohereRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { CohereDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { CohereDecoder(reader: reader) }
}
