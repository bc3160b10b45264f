// Cohere's chat endpoint: typed events, with a plan before tools and citations beside the text. This file is the
// dialect's face; how it asks is in CohereRequest.swift, how it reads in CohereDecoder.swift.

public import Wire

/// Cohere's `/v2/chat` (https://docs.cohere.com/reference/chat-stream). Streams of the older `/v1/chat`, JSON lines, are
/// read as well (https://docs.cohere.com/v1/reference/chat-stream).
public struct CohereDialect: Dialect {
    /// The dialect. It holds nothing.
    public init() {}

    /// "cohere".
    public var name: String { "cohere" }

    /// Server-Sent Events.
    public var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/v2/chat`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    public func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try CohereRequest(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    public func makeDecoder() -> any StreamDecoder { CohereDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    public func makeDecoder(reader: JSONReader) -> any StreamDecoder { CohereDecoder(reader: reader) }
}
