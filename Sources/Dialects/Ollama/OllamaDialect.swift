// Ollama's own chat endpoint: JSON lines, with thinking, tool calls and the times its work took. This file is the
// dialect's face; how it asks is in OllamaRequest.swift, how it reads in OllamaDecoder.swift.

public import Wire

/// Ollama's `/api/chat` (https://docs.ollama.com/api/chat, https://docs.ollama.com/api/streaming).
public struct OllamaDialect: Dialect {
    /// The dialect. It holds nothing.
    public init() {}

    /// "ollama".
    public var name: String { "ollama" }

    /// JSON lines.
    public var framing: Framing { .newlineDelimitedJSON }

    /// Writes a streaming request to `/api/chat`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    public func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try OllamaRequest(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    public func makeDecoder() -> any StreamDecoder { OllamaDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    public func makeDecoder(reader: JSONReader) -> any StreamDecoder { OllamaDecoder(reader: reader) }
}
