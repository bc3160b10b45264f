// A provider's wire format as one value: its names and its coders in both directions.

package import Chat
package import HTTP
package import JSON

/// A wire format. `FormatCatalog` lists all of them.
package struct WireFormat: Sendable {
    /// The name in scripts, where it is called the dialect: "openai".
    package let name: String

    /// How a streamed body is divided into frames.
    package let framing: Framing

    /// Whether a body that begins with `[` is a stream in one array, to be read as it grows. Otherwise it is a whole body.
    package let streamsArrays: Bool

    /// How each place in the frames is read. Text in other places is reported if a reply would be empty.
    package var fields: FrameFields { makeFields() }

    /// The server's coders; nil for a format that only the client has.
    package let server: ServerCoders?

    private let makeFields: @Sendable () -> FrameFields
    private let encoding: Encoding
    private let resuming: @Sendable (String) -> String
    private let decoder: @Sendable (JSONReader) -> any StreamDecoder
    private let errorDecoding: ErrorDecoding

    package typealias Encoding = @Sendable (ChatRequest, Endpoint, String?) throws(APIError) -> HTTPRequest
    package typealias ErrorDecoding = @Sendable (HTTPResponseHead, [UInt8], UnixTime) -> APIError

    /// - Parameters:
    ///   - fields: evaluated when they are first read, so that a process that reads none parses no pattern.
    ///   - encode: encodes a request for an endpoint, with the key.
    ///   - resume: the part of a partial reply that a request sends back.
    ///   - decoder: a decoder for one stream that parses with the given reader.
    ///   - decodeError: decodes an error response; by default any known shape.
    package init(
        name: String, framing: Framing, streamsArrays: Bool = false,
        fields: @autoclosure @escaping @Sendable () -> FrameFields = FrameFields(),
        encode: @escaping Encoding, resume: @escaping @Sendable (String) -> String = { $0 },
        decoder: @escaping @Sendable (JSONReader) -> any StreamDecoder, server: ServerCoders? = nil,
        decodeError: @escaping ErrorDecoding = ErrorResponse.error
    ) {
        self.name = name
        self.framing = framing
        self.streamsArrays = streamsArrays
        makeFields = fields
        self.server = server
        encoding = encode
        resuming = resume
        self.decoder = decoder
        errorDecoding = decodeError
    }

    /// Encodes a request. `key` goes into a header, never into the URL or the body.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field, before any byte is sent.
    package func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        try encoding(request, endpoint, key)
    }

    /// The part of a partial reply that a request sends back to be continued.
    package func resumed(_ text: String) -> String { resuming(text) }

    /// A decoder for one attempt's stream, with a JSON reader of its own.
    package func makeDecoder() -> any StreamDecoder { decoder(JSONReader()) }

    /// A decoder for one attempt's stream. Decoders of one thread share one reader: thousands of streams are open at
    /// once, and a reader's buffers are larger than a decoder.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { decoder(reader) }

    /// Decodes the body of a response with an error status. Never fails: the message of a body that is not JSON quotes
    /// its beginning. Honours `Retry-After`, `retry-after-ms` and `x-should-retry`.
    package func decodeError(head: HTTPResponseHead, body: [UInt8], now: UnixTime) -> APIError {
        errorDecoding(head, body, now)
    }
}

/// What a server needs of a format.
package struct ServerCoders: Sendable {
    package let requests: any RequestDecoder
    /// The encoder of replies in a framing.
    package let replies: @Sendable (Framing) -> any ReplyEncoder

    init(requests: any RequestDecoder, replies: @escaping @Sendable (Framing) -> any ReplyEncoder) {
        self.requests = requests
        self.replies = replies
    }
}

/// How a body is divided into frames.
package enum Framing: Sendable {
    case serverSentEvents, newlineDelimitedJSON
    /// One JSON array that grows (Gemini without `alt=sse`).
    case jsonArray
}
