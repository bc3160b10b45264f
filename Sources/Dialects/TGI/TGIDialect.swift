// Hugging Face's text-generation-inference, on its own endpoint: one prompt in, tokens out. This file is the dialect's
// face; how it asks is in TGIRequest.swift, how it reads in TGIDecoder.swift. (The router and recent servers speak Chat
// Completions as well; that is the dialect "openai".)

public import Wire

/// TGI's `/generate_stream` (https://huggingface.co/docs/text-generation-inference/reference/api_reference,
/// https://huggingface.github.io/text-generation-inference/).
public struct TGIDialect: Dialect {
    /// The dialect. It holds nothing.
    public init() {}

    /// "tgi".
    public var name: String { "tgi" }

    /// Server-Sent Events.
    public var framing: Framing { .serverSentEvents }

    /// Writes a request to `/generate_stream`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    public func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try TGIRequest(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    public func makeDecoder() -> any StreamDecoder { TGIDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    public func makeDecoder(reader: JSONReader) -> any StreamDecoder { TGIDecoder(reader: reader) }
}
