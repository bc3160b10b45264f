// The frames of one response body, one a call.

internal import Formats
internal import NIOCore

/// Writes the frames of one response.
protocol FrameSource: AnyObject {
    /// True while a delta is still to come. Deltas are paced; the other frames leave with the delta before or after them.
    var hasDeltas: Bool { get }

    /// Appends the next frame.
    func next(into buffer: inout ByteBuffer) -> FrameStep

    /// Appends the frame of an error, after which there are no more.
    func fail(_ error: ReplyError, into buffer: inout ByteBuffer)
}

/// What was appended.
enum FrameStep { case delta, control, end }

/// Encodes the parts of a reply when they are sent.
final class ReplyFrames: FrameSource {
    private let encoder: any StreamEncoder
    private let ending: ReplyEnding
    private var choices: [Choice]
    /// The number of `choices` that have parts left.
    private var openCount: Int
    /// The choice whose part is next: choices take turns.
    private var turn = 0
    private var phase = Phase.begin
    private var frames = EncodedFrames()
    /// The number of `frames` that are sent, the end of their bytes, and how many of the others are deltas.
    private var sentCount = 0
    private var sentBytes = 0
    private var unsentDeltas = 0

    private enum Phase { case begin, parts, end }

    private struct Choice {
        var parts: PartSource
        var next: ReplyPart?

        init(_ parts: PartSource) {
            self.parts = parts
            next = self.parts.next()
        }
    }

    init(_ reply: SimulatedReply, encoder: any StreamEncoder, ending: ReplyEnding) {
        self.encoder = encoder
        self.ending = ending
        choices = reply.choices.map { Choice($0.parts) }
        openCount = choices.count { $0.next != nil }
    }

    var hasDeltas: Bool { openCount > 0 || unsentDeltas > 0 }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        while sentCount == frames.frames.count {
            frames.removeAll()
            (sentCount, sentBytes) = (0, 0)
            guard encodeMore() else { return .end }
            unsentDeltas = frames.frames.count(where: \.isDelta)
        }
        let frame = frames.frames[sentCount]
        buffer.writeBytes(frames.bytes[sentBytes..<frame.end])
        sentCount += 1
        sentBytes = frame.end
        guard frame.isDelta else { return .control }
        unsentDeltas -= 1
        return .delta
    }

    func fail(_ error: ReplyError, into buffer: inout ByteBuffer) {
        var frame = EncodedFrames()
        encoder.fail(error, into: &frame)
        buffer.writeBytes(frame.bytes)
    }

    /// Encodes the next part, and the end with the last one. Returns false after the end.
    private func encodeMore() -> Bool {
        switch phase {
        case .begin:
            encoder.begin(into: &frames)
            phase = .parts
        case .parts:
            if openCount > 0 { encodePart() }
            guard openCount == 0 else { return true }
            encoder.finish(ending, into: &frames)
            phase = .end
        case .end: return false
        }
        return true
    }

    private func encodePart() {
        while choices[turn].next == nil { advance() }
        guard let part = choices[turn].next else { return }
        encoder.encode(part, choice: turn, into: &frames)
        choices[turn].next = choices[turn].parts.next()
        if choices[turn].next == nil { openCount -= 1 }
        advance()
    }

    private func advance() { turn = turn + 1 < choices.count ? turn + 1 : 0 }
}

/// A body that is one frame.
final class WholeBody: FrameSource {
    private var body: [UInt8]?
    private let encoder: any ReplyEncoder
    let hasDeltas = false

    init(_ body: [UInt8], encoder: any ReplyEncoder) {
        self.body = body
        self.encoder = encoder
    }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        guard let body else { return .end }
        self.body = nil
        buffer.writeBytes(body)
        return .control
    }

    func fail(_ error: ReplyError, into buffer: inout ByteBuffer) {
        buffer.writeBytes(encoder.errorBody(error))
    }
}
