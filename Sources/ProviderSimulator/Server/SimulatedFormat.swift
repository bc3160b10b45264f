// The seam between the provider and a wire format: one file a dialect, beside ChatCompletions.swift.

internal import JSON
internal import NIOCore

/// One wire format, seen from the provider's side. Pure: knows no socket, no clock and no fault but its own frames.
protocol SimulatedFormat: Sendable {
    /// The media type of a stream.
    var streamType: String { get }

    /// What lies at this path (without the query); nil when it is not this dialect's.
    func route(_ path: String) -> SimulatorRoute?

    /// The same for a format in which the query (without "?") tells too.
    func route(_ path: String, query: String) -> SimulatorRoute?

    /// Understands a request's body.
    func prompt(path: String, body: JSONValue) throws(RequestRefusal) -> SimulatedPrompt

    /// The frames of a streamed reply.
    func frames(_ reply: SimulatedReply, leavingOut omissions: FrameOmissions) -> any FrameSource

    /// A whole reply in one body. `reply` is never endless.
    func whole(_ reply: SimulatedReply) -> ByteBuffer

    /// The body of an error.
    func errorBody(_ refusal: RequestRefusal) -> ByteBuffer

    /// An error inside a stream.
    func errorFrame(_ refusal: RequestRefusal) -> ByteBuffer

    /// The same for a format in which the first frame looks different.
    func errorFrame(_ refusal: RequestRefusal, isFirst: Bool) -> ByteBuffer

    /// A frame whose JSON breaks off.
    var brokenFrame: ByteBuffer { get }

    /// A frame that carries nothing, sent to keep the connection warm.
    var commentFrame: ByteBuffer { get }
}

extension SimulatedFormat {
    func route(_ path: String, query: String) -> SimulatorRoute? { route(path) }
    func errorFrame(_ refusal: RequestRefusal, isFirst: Bool) -> ByteBuffer { errorFrame(refusal) }
}

/// What lies at a path.
enum SimulatorRoute {
    /// POST asks for a reply.
    case reply
    /// GET answers with this document.
    case document(JSONValue)
}

/// What a stream leaves out although it ends.
struct FrameOmissions {
    var done = false
    var finish = false
}

/// Writes the frames of one stream, one a call.
protocol FrameSource: AnyObject {
    /// True while a delta is still to come: those are paced, the rest goes out with the delta before it.
    var hasDeltas: Bool { get }

    /// Appends the next frame.
    func next(into buffer: inout ByteBuffer) -> FrameStep
}

/// What was appended.
enum FrameStep { case delta, control, end }
