// Google's generateContent, as the Gemini API and Vertex AI stream it. This file is the dialect's face; how it asks is in
// GeminiRequestEncoder.swift, how it reads in GeminiDecoder.swift.

package import Chat
package import HTTP
package import JSON

/// Gemini's `streamGenerateContent` (https://ai.google.dev/api/generate-content), by Server-Sent Events or in one growing
/// JSON array; Vertex AI's is the same (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference).
package struct GeminiFormat: WireFormat {
    /// The dialect. It holds nothing.
    package init() {}

    /// "gemini".
    package var name: String { "gemini" }

    /// Server-Sent Events.
    package var framing: Framing { .serverSentEvents }

    /// True: without `alt=sse` the chunks come in one array.
    package var streamsArrays: Bool { true }

    /// Writes a request to `/models/{model}:streamGenerateContent?alt=sse`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try GeminiRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { GeminiDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { GeminiDecoder(reader: reader) }
}
