// OpenAI's Responses format, which other providers and local servers speak too. This file is the dialect's face; how it
// asks is in ResponsesRequest.swift, how it reads in ResponsesDecoder.swift.

public import Wire

/// OpenAI's Responses (https://platform.openai.com/docs/api-reference/responses, its stream
/// https://platform.openai.com/docs/api-reference/responses-streaming), as tolerant as its imitators need.
public struct ResponsesDialect: Dialect {
    static let name = "responses"

    /// The dialect. It holds nothing.
    public init() {}

    /// "responses".
    public var name: String { Self.name }

    /// Server-Sent Events.
    public var framing: Framing { .serverSentEvents }

    /// Writes a streaming request to `/responses`.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    public func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try ResponsesRequest(request, endpoint: endpoint).encoded(key: key)
    }

    /// A decoder with a JSON reader of its own.
    public func makeDecoder() -> any StreamDecoder { ResponsesDecoder(reader: JSONReader()) }

    /// A decoder that shares a JSON reader with others on its thread.
    public func makeDecoder(reader: JSONReader) -> any StreamDecoder { ResponsesDecoder(reader: reader) }
}
