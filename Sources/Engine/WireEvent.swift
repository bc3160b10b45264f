// The steps of an attempt, from bytes to frames to events, for an observer. Keys are removed.

package import Chat
package import Formats
package import HTTP

/// One step of an attempt.
package struct WireEvent: Sendable {
    /// What happened.
    package enum Step: Sendable {
        /// The request was passed to the transport. `keys` removes its key from other text, such as the reply.
        case request(method: String, url: String, bodyBytes: Int, keys: KeyScrubber = KeyScrubber())
        /// The head of the response has arrived.
        case head(HTTPResponseHead)
        /// One read of the body has returned this many bytes, transfer coding removed.
        case piece(Int)
        /// A frame of the body.
        case frame(FrameKind, name: String, payload: [UInt8])
        /// One event that the decoder made of the last frame, in order.
        case decoded(DecodedEvent)
        /// The attempt is over. The body so far, at most ``WireEvent/longestBody`` bytes of it.
        case end(body: [UInt8])
    }

    /// Maximum bytes of the body in `end`.
    package static let longestBody = 4 << 20

    /// The client whose request it is, from 1 in the order of ``Engine/attach()``.
    package var client: Int
    /// The request whose attempt it is.
    package var request: RequestID
    /// The number of the attempt, from 1.
    package var attempt: Int
    /// The time, in seconds of the engine's monotonic clock.
    package var time: Double
    /// What happened.
    package var step: Step

    /// A step with the given parts.
    package init(client: Int, request: RequestID, attempt: Int, time: Double, step: Step) {
        self.client = client
        self.request = request
        self.attempt = attempt
        self.time = time
        self.step = step
    }
}
