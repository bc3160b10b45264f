// Hugging Face's text-generation-inference, on its own endpoint: one prompt in, tokens out. This file is the dialect's
// face; how it asks is in TGIRequestEncoder.swift, how it reads in TGIDecoder.swift. (The router and recent servers speak Chat
// Completions as well; that is the dialect "openai".)

package import Chat
package import HTTP
package import JSON

/// TGI's `/generate_stream` (https://huggingface.co/docs/text-generation-inference/reference/api_reference,
/// https://huggingface.github.io/text-generation-inference/).
package struct TGIFormat: WireFormat {
    /// The dialect. It holds nothing.
    package init() {}

    /// "tgi".
    package var name: String { "tgi" }

    /// Server-Sent Events.
    package var framing: Framing { .serverSentEvents }

    /// Writes a request to `/generate_stream`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try TGIRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { TGIDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { TGIDecoder(reader: reader) }
}
