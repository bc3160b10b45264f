// The face that every provider wire format shows to the engine. A dialect is one file beside this one.

package import Base
package import Chat
package import HTTP
package import JSON

/// A provider's wire format: how to ask, how to read the answer, when the answer is whole.
package protocol WireFormat: Sendable {
    /// The name used in scripts: "openai".
    var name: String { get }

    /// How a streamed body is cut into frames.
    var framing: Framing { get }

    /// Whether a body that begins with `[` is a stream in one array, to be read as it grows.
    var streamsArrays: Bool { get }

    /// Writes the request. `key` goes into a header, never into the URL or the body.
    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field, before any byte is sent.
    func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest

    /// What of a reply's first part a request gives the provider to go on from: `text`, or its beginning.
    func resumed(_ text: String) -> String

    /// A decoder for one attempt's stream, with a JSON reader of its own.
    func makeDecoder() -> any StreamDecoder

    /// A decoder for one attempt's stream that reads JSON with `reader`. Decoders of one thread share one reader:
    /// thousands of streams are open at once, and a reader's buffers are larger than a decoder.
    func makeDecoder(reader: JSONReader) -> any StreamDecoder

    /// How each place of its frames is read.
    var fields: FrameFields { get }

    /// Reads the body of a response with an error status. Never fails: a body that is no JSON becomes a message
    /// that quotes its beginning. Honours `Retry-After`, `retry-after-ms` and `x-should-retry`.
    func decodeError(head: HTTPResponseHead, body: [UInt8], now: UnixTime) -> APIError
}

extension WireFormat {
    /// False: an array is a whole body.
    package var streamsArrays: Bool { false }

    /// Nothing known: text that is not read is not looked for.
    package var fields: FrameFields { FrameFields() }

    /// All of it.
    package func resumed(_ text: String) -> String { text }

    /// For dialects that need no JSON reader: the same as `makeDecoder()`.
    package func makeDecoder(reader: JSONReader) -> any StreamDecoder { makeDecoder() }
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

    /// Reads the frames that stand behind the one decoded last and repeat it in all but a piece of text, if that one was
    /// nothing but a piece of text itself. What they say is what `decode` would have made of each.
    /// - Parameters:
    ///   - chunk: what the frame came in.
    ///   - place: where it lies.
    ///   - events: what they say beside their text, once for all.
    /// - Returns: their pieces of text, and where the last of them ends; nil if there is none.
    func repeats(
        _ chunk: Span<UInt8>, behind place: FramePlace, into events: inout [DecodedEvent]
    ) -> (run: TextBatch, end: Int)?

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

    /// Changes with every frame that holds any of that, so that the engine can tell a reply that grows from heartbeats.
    var outputCount: Int { get }

    /// What is known beside text and reasoning. Valid at any time; final once the stream has ended.
    var summary: ReplySummary { get }

    /// The assistant message to append to a conversation, with `text` and `reasoning` as delivered, and whatever
    /// opaque parts the provider wants back, byte-exact.
    func assistantMessage(text: String, reasoning: String) -> JSONValue
}

extension StreamDecoder {
    /// Reads none: for decoders that know no repetition.
    package func repeats(
        _ chunk: Span<UInt8>, behind place: FramePlace, into events: inout [DecodedEvent]
    ) -> (run: TextBatch, end: Int)? { nil }

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
