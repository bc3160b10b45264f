// Sends one response body: paced by an absolute schedule, stopped while the socket is full, with the faults of its
// request. Used on the server's event loop; held by its connection and by the timer wheel.

internal import Formats
internal import NIOCore

/// The connection of a stream.
protocol ReplySink: AnyObject {
    /// False while the socket buffer is full.
    var isWritable: Bool { get }
    func write(_ bytes: ByteBuffer)
    func replyEnded(_ end: ReplyEnd)
}

/// How a response ended.
enum ReplyEnd { case complete, close, reset }

/// A response to send.
struct ReplyPlan {
    var head: ByteBuffer
    var framing: BodyFraming
    var source: any FrameSource
    var format: ServedFormat
    var faults: ActiveFaults
    /// Deltas a second; 0 sends as fast as the socket accepts.
    var rate: Double
}

final class ReplyStream: TimerWheel.Sleeper {
    var dueTick: Int64 = 0
    private(set) var isEnded = false

    private let core: ServerCore
    /// Nil after the end. Until then the connection and its stream hold each other.
    private var sink: (any ReplySink)?
    private var plan: ReplyPlan
    private var bodyWriter: FaultyBodyWriter?
    private var isSleeping = false
    private var isPumping = false
    private var notBefore: NIODeadline
    private var start: NIODeadline?
    private var isHeadSent = false
    private var isSourceDone = false
    private var deltas = 0
    private var events = 0
    private var nextComment: NIODeadline?

    /// Maximum events in one write, and writes in one turn of the loop.
    private static let eventsPerWrite = 64
    private static let writesPerTurn = 8

    init(_ plan: ReplyPlan, core: ServerCore, sink: any ReplySink, now: NIODeadline) {
        self.plan = plan
        self.core = core
        self.sink = sink
        bodyWriter = plan.faults.shapesBody ? FaultyBodyWriter(faults: plan.faults, framing: plan.framing) : nil
        notBefore = plan.faults.slowHead.map { now + .seconds($0) } ?? now
    }

    /// Ends the stream because the connection is closed.
    func cancel() {
        isEnded = true
        sink = nil
    }

    func wake(_ now: NIODeadline) {
        isSleeping = false
        pump(now)
    }

    /// Sends what is due.
    func pump(_ now: NIODeadline) {
        // A write that fills the socket can call back at once; the outer call continues.
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        var turns = 0
        while !isEnded, let sink {
            if now < notBefore { return sleep(until: notBefore) }
            guard sink.isWritable else { return }
            guard turns < Self.writesPerTurn else { return yield() }
            turns += 1
            if let step = bodyWriter?.next() {
                perform(step, now, sink)
            } else if let due = produce(now, sink) {
                return sleep(until: due)
            }
        }
    }

    private func sleep(until deadline: NIODeadline) {
        guard !isSleeping else { return }
        isSleeping = true
        core.pacer.sleep(self, until: deadline)
    }

    private func yield() {
        guard !isSleeping else { return }
        isSleeping = true
        core.pacer.yield(self)
    }

    private func perform(_ step: BodyStep, _ now: NIODeadline, _ sink: any ReplySink) {
        switch step {
        case .write(let bytes): sink.write(bytes)
        case .wait(let seconds): notBefore = NIODeadline.now() + .seconds(seconds)
        case .end(let reset): end(reset ? .reset : .close, sink)
        case .complete: end(plan.framing == .untilClose ? .close : .complete, sink)
        }
    }

    private func end(_ end: ReplyEnd, _ sink: any ReplySink) {
        isEnded = true
        self.sink = nil
        sink.replyEnded(end)
    }

    /// Writes the frames that are due.
    /// - Returns: when the next one is due; nil if there may be more to do now.
    private func produce(_ now: NIODeadline, _ sink: any ReplySink) -> NIODeadline? {
        let start = self.start ?? begin(now)
        let due = dueDeltas(since: start, now)
        let isCommentDue = nextComment.map { $0 <= now } ?? false
        if isHeadSent, due == 0, plan.source.hasDeltas, !isCommentDue { return nextDeadline(start) }
        core.body.clear()
        if isCommentDue, let comments = plan.faults.comments {
            core.body.writeBytes(plan.format.replies.keepAlive)
            nextComment = now + .seconds(comments)
        }
        let before = events
        fill(due)
        core.records.wrote(events: events - before)
        send(sink)
        return nil
    }

    private func begin(_ now: NIODeadline) -> NIODeadline {
        start = now
        nextComment = plan.faults.comments.map { now + .seconds($0) }
        return now
    }

    /// The number of deltas that are due and not sent. Delta k is due at start + k / rate, k from 0.
    private func dueDeltas(since start: NIODeadline, _ now: NIODeadline) -> Int {
        guard plan.rate > 0 else { return Self.eventsPerWrite }
        let elapsed = Double((now - start).nanoseconds) / 1e9
        let total = min(elapsed * plan.rate + 1e-6, 1e15)
        return max(0, min(Self.eventsPerWrite, Int(total) + 1 - deltas))
    }

    private func nextDeadline(_ start: NIODeadline) -> NIODeadline {
        let delta = start + .seconds(Double(deltas) / plan.rate)
        return nextComment.map { min($0, delta) } ?? delta
    }

    /// Appends up to `due` deltas to the body, and the frames before and after them.
    private func fill(_ due: Int) {
        var left = due
        while !isSourceDone, left > 0 || !plan.source.hasDeltas {
            if let after = plan.faults.badJSON, events == after {
                core.body.writeBytes(BrokenFrame.bytes(plan.format))
                plan.faults.badJSON = nil
                events += 1
                continue
            }
            if let after = plan.faults.errorFrame, events >= after {
                plan.source.fail(.overloaded, into: &core.body)
                events += 1
                isSourceDone = true
                return
            }
            switch plan.source.next(into: &core.body) {
            case .delta:
                left -= 1
                deltas += 1
                events += 1
            case .control: events += 1
            case .end: isSourceDone = true
            }
        }
    }

    /// Sends the gathered body: with the head if it is the first, with the end if it is the last.
    private func send(_ sink: any ReplySink) {
        if bodyWriter != nil {
            if !isHeadSent { bodyWriter?.push(head: plan.head) }
            isHeadSent = true
            bodyWriter?.push(core.body)
            if isSourceDone { bodyWriter?.finish() }
            return
        }
        core.out.clear()
        if !isHeadSent { core.out.writeImmutableBuffer(plan.head) }
        isHeadSent = true
        core.out.writeBody(&core.body, framing: plan.framing)
        if isSourceDone { core.out.writeBodyEnd(framing: plan.framing) }
        sink.write(core.out)
        if isSourceDone { end(plan.framing == .untilClose ? .close : .complete, sink) }
    }
}

extension TimeAmount {
    static func seconds(_ seconds: Double) -> TimeAmount { .nanoseconds(Int64(min(seconds * 1e9, 9e17))) }
}
