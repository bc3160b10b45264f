// The client's half of a format: frames of a stream in, events of a reply out.

package import Base
package import Chat
package import HTTP
package import JSON

/// The sort of one frame of a stream.
package enum FrameKind: Sendable {
    /// The data of an SSE event, an NDJSON line, or an element of a JSON array.
    case data
    /// A comment of an event stream.
    case comment
    /// A line of an event stream that is not a field: `error: {...}`, or bare JSON (gateways send both).
    case stray
    /// A whole JSON body where a stream was asked for.
    case body
}

/// Reads one stream. A class, so that the engine holds it without copying; used on one thread.
package protocol StreamDecoder: AnyObject {
    /// Decodes one frame and appends its events.
    /// - Parameters:
    ///   - kind: what sort of frame it is.
    ///   - name: the SSE event name; empty for the default ("message").
    ///   - bytes: the payload, UTF-8.
    /// - Throws: an `APIError`: the error the provider reported in-band, or kind `protocol` when a payload is broken.
    func decode(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError)

    /// Whether ``fastForward(_:from:_:into:)`` may find a frame behind the one decoded last.
    var canFastForward: Bool { get }

    /// Fast-forwards over frames that differ from the one decoded last only in a piece of text. Appends the events that
    /// `decode` would append, with the texts in batches.
    /// - Parameters:
    ///   - chunk: bytes of the stream.
    ///   - start: where in them the frame behind the one decoded last begins.
    ///   - shape: the bytes around the payloads of those frames.
    /// - Returns: the end of the last of them; nil if there is none.
    func fastForward(
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, into events: inout [DecodedEvent]
    ) -> Int?

    /// True after the clean end of the format: its end marker, or for Chat Completions the finish reason. A stream that ends
    /// earlier was cut.
    var hasCleanEnd: Bool { get }

    /// True once no further frame matters (`[DONE]`). The engine reads on for a moment, so that the connection can be reused.
    var isDone: Bool { get }

    /// No further frame follows. A reply whose finish reason has arrived is then complete, although a gateway left out the
    /// end marker.
    func bodyEnded()

    /// True without output, finish reason and token counts. A stream that ends like this is empty, even with an end marker.
    var isBlank: Bool { get }

    /// True after text, reasoning, a refusal or a piece of a tool call.
    var hasOutput: Bool { get }

    /// Changes with each frame that has other output than text and reasoning, so that the engine can distinguish it from a
    /// heartbeat.
    var outputCount: Int { get }

    /// The reply without text and reasoning, as far as it is known; final after the end of the stream.
    var summary: ReplySummary { get }

    /// The assistant message to append to a conversation, with the delivered text and the provider's opaque parts unchanged.
    func assistantMessage(_ reply: ReplyText) -> JSONValue
}

extension StreamDecoder {
    /// Default: false, for decoders without templates.
    package var canFastForward: Bool { false }

    /// Default: none, for decoders without templates.
    package func fastForward(
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, into events: inout [DecodedEvent]
    ) -> Int? { nil }

    /// Default: does nothing, for decoders whose clean end is the finish reason.
    package func bodyEnded() {}

    /// Default: false, for decoders whose end markers are never sent alone.
    package var isBlank: Bool { false }

    /// Default: false, for decoders whose only output is text.
    package var hasOutput: Bool { false }

    /// Default: constant.
    package var outputCount: Int { 0 }
}

/// An event of a decoder.
package enum DecodedEvent: Sendable, Equatable {
    /// The first frame that names the reply: its id and model are in the decoder's summary.
    case start
    /// Pieces of the text or of the reasoning.
    case text(TextBatch)
    /// The block of the message to which the following text belongs, by a number of the decoder's own. The first is 0.
    case block(Int)
    /// Token counts so far; the last one wins. Boxed, so that the many events beside it stay small.
    indirect case usage(Usage)
    /// A frame without content to show: a comment, a ping, an empty delta, a piece of a tool call. Consecutive ones in one
    /// batch are merged.
    case heartbeat
    /// Content that only this provider sends (a citation, the use or result of a server tool), unchanged.
    case native(name: String, JSONValue)
    /// The phase of the text that follows, if the provider names one ("commentary", "final_answer"); nil for none.
    indirect case phase(String?)
}
