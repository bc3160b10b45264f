// A provider's wire format as one value: its names and its coders in both directions.

package import Base
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
    package let fields: FrameFields

    /// The server's coders; nil for a format that only the client has.
    package let server: ServerCoders?

    private let encoding: Encoding
    private let resuming: @Sendable (String) -> String
    private let decoder: @Sendable (JSONReader) -> any StreamDecoder
    private let errorDecoding: ErrorDecoding

    package typealias Encoding = @Sendable (ChatRequest, Endpoint, String?) throws(APIError) -> HTTPRequest
    package typealias ErrorDecoding = @Sendable (HTTPResponseHead, [UInt8], UnixTime) -> APIError

    /// - Parameters:
    ///   - encode: encodes a request for an endpoint, with the key.
    ///   - resume: the part of a partial reply that a request sends back.
    ///   - decoder: a decoder for one stream that parses with the given reader.
    ///   - decodeError: decodes an error response; by default any known shape.
    package init(
        name: String, framing: Framing, streamsArrays: Bool = false, fields: FrameFields = FrameFields(),
        encode: @escaping Encoding, resume: @escaping @Sendable (String) -> String = { $0 },
        decoder: @escaping @Sendable (JSONReader) -> any StreamDecoder, server: ServerCoders? = nil,
        decodeError: @escaping ErrorDecoding = ErrorResponse.error
    ) {
        self.name = name
        self.framing = framing
        self.streamsArrays = streamsArrays
        self.fields = fields
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

/// How a body is cut into frames.
package enum Framing: Sendable {
    case serverSentEvents, newlineDelimitedJSON
    /// One JSON array that grows (Gemini without `alt=sse`).
    case jsonArray
}

/// One frame of a stream, borrowed from the framer's buffer.
package enum FrameKind: Sendable {
    /// An SSE event's data, or an NDJSON line.
    case data
    /// An SSE comment.
    case comment
    /// A line that is no SSE field: `error: {...}`, or bare JSON (gateways send both).
    case stray
    /// A whole JSON body where a stream was asked for.
    case body
}

/// Reads one stream. A class, so that the engine holds it without copying; used on one thread.
package protocol StreamDecoder: AnyObject {
    /// Decodes one frame and appends what it says to `events`.
    /// - Parameters:
    ///   - kind: what sort of frame it is.
    ///   - name: the SSE event name; empty for the default ("message").
    ///   - bytes: the payload, UTF-8.
    /// - Throws: an `APIError`: the error the provider reported in-band, or kind `protocol` when a payload is broken.
    func decode(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError)

    /// Fast-forwards over the frames behind the one decoded last that are like it in all but a piece of text. Appends what
    /// `decode` would have appended for each, the text as one batch.
    /// - Parameters:
    ///   - chunk: the bytes that hold the frame.
    ///   - place: where it lies.
    /// - Returns: where the last of them ends; nil if there is none.
    func fastForward(
        _ chunk: Span<UInt8>, behind place: FramePlace, into events: inout [DecodedEvent]
    ) -> Int?

    /// True once the dialect's clean end has been seen. A stream that ends earlier was cut.
    var hasCleanEnd: Bool { get }

    /// True once nothing that may follow matters any more (`[DONE]`): the engine may stop reading.
    var isDone: Bool { get }

    /// The body has ended by itself, and all of it has been decoded. A reply whose finish reason has come is whole then,
    /// though a gateway left out the format's end marker.
    func bodyEnded()

    /// True while nothing of a reply has come: no output, no finish reason, no token counts. A stream that ends like
    /// this is empty, whatever end marker it has.
    var isBlank: Bool { get }

    /// True once anything of the reply itself has come: text, reasoning, a refusal, a piece of a tool call. A reply
    /// that is tool calls alone yields no token, yet its provider is not silent.
    var hasOutput: Bool { get }

    /// Changes with every frame that holds any of that beside text and reasoning, so that the engine can tell a reply that
    /// grows from heartbeats.
    var outputCount: Int { get }

    /// What is known beside text and reasoning. Valid at any time; final once the stream has ended.
    var summary: ReplySummary { get }

    /// The assistant message to append to a conversation, with the text as delivered, and whatever opaque parts the
    /// provider wants back, byte-exact.
    func assistantMessage(_ reply: ReplyText) -> JSONValue
}

extension StreamDecoder {
    /// None: for decoders without templates.
    package func fastForward(
        _ chunk: Span<UInt8>, behind place: FramePlace, into events: inout [DecodedEvent]
    ) -> Int? { nil }

    /// Changes nothing: for decoders whose clean end is the finish reason.
    package func bodyEnded() {}

    /// False: for decoders whose end markers are never sent alone.
    package var isBlank: Bool { false }

    /// False: for decoders whose replies hold nothing but text, where the tokens say it.
    package var hasOutput: Bool { false }

    /// Constant: as above.
    package var outputCount: Int { 0 }
}

/// What a frame says.
package enum DecodedEvent: Sendable, Equatable {
    /// The first frame that names the reply: its id and model are in the decoder's summary.
    case start
    /// Pieces of the text or of the reasoning.
    case text(TextBatch)
    /// The text that follows belongs to that block of the message, by a number of the decoder's own. The first is 0.
    case block(Int)
    /// Token counts so far; the last one wins. Boxed, so that the many events beside it stay small.
    indirect case usage(Usage)
    /// Something arrived of which nothing is to be shown (a comment, a ping, an empty delta, a piece of a tool call).
    /// Several in a row within one batch are one.
    case heartbeat
    /// What only this provider sends (a citation, a server tool's use or result), as it came.
    indirect case native(name: String, JSONValue)
    /// The phase of the text that follows, where the provider names one ("commentary", "final_answer"); nil for none.
    indirect case phase(String?)
}

/// What a decoder knows of a reply beside its text and reasoning.
package struct ReplySummary: Sendable, Equatable {
    /// The provider's id of the reply.
    package var id: String?
    /// The model that answered.
    package var model: String?
    /// The finish reason as sent.
    package var finishReasonRaw: String?
    /// The finish reason in the common vocabulary; nil while unknown.
    package var finishReason: FinishReason?
    /// The last usage reported.
    package var usage: Usage?
    /// The tool calls, assembled.
    package var toolCalls: [ToolCall] = []
    /// Calls in the provider's own form that wait for the client, as they came.
    package var nativeCalls: [JSONValue] = []
    /// The refusal's text, where the provider sends one apart from the content.
    package var refusal: String?
    /// What the provider says of how the reply ended, beside the reason.
    package var finishMessage: String?
    /// How long the server says its own work took.
    package var timings: ServerTimings?

    /// Nothing known.
    package init() {}

    /// True while it holds no finish reason that a server sent, no counts and no refusal.
    var saysNothing: Bool {
        guard usage == nil, refusal == nil, finishReasonRaw?.isEmpty ?? true else { return false }
        return switch finishReason {
        case nil, .stop, .other: true
        default: false
        }
    }

    /// Takes the names that a document bears. Those beside the first output count; heartbeats may bear any
    /// (oMLX: "keepalive").
    /// - Parameter isOutput: whether the first output has come with this document.
    mutating func take(id: JSONNode?, model: JSONNode?, isOutput: Bool) {
        if id != nil, self.id == nil || isOutput, let id = id?.string, !id.isEmpty { self.id = id }
        if model != nil, self.model == nil || isOutput, let model = model?.string, !model.isEmpty { self.model = model }
    }
}
