// Ollama's own chat endpoint: JSON lines, with thinking, tool calls and the times its work took. This file is the
// dialect's face; how it asks is in OllamaRequestEncoder.swift, how it reads in OllamaDecoder.swift.

package import Chat
package import HTTP
package import JSON

/// Ollama's `/api/chat` (https://docs.ollama.com/api/chat, https://docs.ollama.com/api/streaming).
package struct OllamaFormat: WireFormat {
    /// The dialect. It holds nothing.
    package init() {}

    /// "ollama".
    package var name: String { "ollama" }

    /// JSON lines.
    package var framing: Framing { .newlineDelimitedJSON }

    /// Writes a streaming request to `/api/chat`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try OllamaRequestEncoder(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { OllamaDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { OllamaDecoder(reader: reader) }
}
