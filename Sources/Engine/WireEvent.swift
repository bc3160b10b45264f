// What an observer sees of each attempt on its way from bytes to frames to events. Plain values, keys removed.

package import Chat
package import Formats
package import HTTP

/// One step of an attempt.
package struct WireEvent: Sendable {
    /// What happened.
    package enum Step: Sendable {
        /// The request was handed to the transport. With what removes its key from other text: that of a reply, say.
        case request(method: String, url: String, bodyBytes: Int, keys: KeyScrubber = KeyScrubber())
        /// The response's head has come.
        case head(HTTPResponseHead)
        /// A piece of the body has come, of so many bytes: what one read of the socket gave, without its transfer coding.
        case piece(Int)
        /// A frame was cut out of the body.
        case frame(FrameKind, name: String, payload: [UInt8])
        /// What the decoder made of the frame before: each of its events, in order.
        case decoded(DecodedEvent)
        /// The attempt is over, for whatever reason. The body as far as it was read, at most
        /// ``WireEvent/longestBody`` bytes of it.
        case end(body: [UInt8])
    }

    /// How many bytes of a body `end` carries at most.
    package static let longestBody = 4 << 20

    /// The client whose request it is, from 1 in the order of ``Engine/attach()``.
    package var client: Int
    /// The request whose attempt it is.
    package var request: RequestID
    /// Which attempt, from 1.
    package var attempt: Int
    /// When: seconds of the engine's monotonic clock.
    package var time: Double
    /// What happened.
    package var step: Step

    /// A step of the given parts.
    package init(client: Int, request: RequestID, attempt: Int, time: Double, step: Step) {
        self.client = client
        self.request = request
        self.attempt = attempt
        self.time = time
        self.step = step
    }
}
