// The Chat Completions format: OpenAI's, and what dozens of providers and local servers made of it. This file is the
// dialect's face; how it asks is in OpenAIRequest.swift, how it reads in OpenAIDecoder.swift.

public import Wire

/// OpenAI's Chat Completions (https://platform.openai.com/docs/api-reference/chat), as tolerant as its imitators need.
public struct OpenAIDialect: Dialect {
    /// The dialect. It holds nothing.
    public init() {}

    /// "openai".
    public var name: String { "openai" }

    /// Server-Sent Events.
    public var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/chat/completions`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    public func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try OpenAIRequest(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    public func makeDecoder() -> any StreamDecoder { OpenAIDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    public func makeDecoder(reader: JSONReader) -> any StreamDecoder { OpenAIDecoder(reader: reader) }
}
