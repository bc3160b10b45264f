// The client's half of a format: frames of a stream in, events of a reply out.

package import Base
package import Chat
package import HTTP
package import JSON

/// The sort of one frame of a stream.
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

    /// Fast-forwards over frames that are the one decoded last in all but a piece of text. Appends what `decode` would have
    /// appended for each, the text as one batch.
    /// - Parameters:
    ///   - chunk: bytes of the stream.
    ///   - start: where in them the frame behind the one decoded last begins.
    ///   - shape: the bytes around the payloads of those frames.
    /// - Returns: the end of the last of them; nil if there is none.
    func fastForward(
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, into events: inout [DecodedEvent]
    ) -> Int?

    /// True once the format's clean end has been seen. A stream that ends earlier was cut.
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
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, into events: inout [DecodedEvent]
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
