// Sends one response body: paces its frames by an absolute schedule, stops while the socket is full, and shows the
// faults of its request. Lives on the server's loop, held by its connection and by the pacer.

internal import NIOCore

/// What a stream needs of its connection.
protocol ReplySink: AnyObject {
    /// False while the socket takes no more.
    var isWritable: Bool { get }
    func write(_ bytes: ByteBuffer)
    /// The response has ended.
    func replyEnded(_ end: ReplyEnd)
}

/// How a response ended.
enum ReplyEnd { case complete, close, reset }

/// A response that is ready to be sent.
struct ReplyPlan {
    var head: ByteBuffer
    var framing: BodyFraming
    var source: any FrameSource
    var dialect: any SimulatedFormat
    var faults: ActiveFaults
    /// Deltas a second; 0 is as fast as the socket takes.
    var rate: Double
}

final class ReplyStream: TimerWheel.Sleeper {
    var dueTick: Int64 = 0
    private(set) var isEnded = false

    private let core: ServerCore
    /// Let go at the end: the connection and its stream hold each other until then.
    private var sink: (any ReplySink)?
    private var plan: ReplyPlan
    private var shaper: FaultyBodyWriter?
    private var isSleeping = false
    private var isPumping = false
    private var notBefore: NIODeadline
    private var start: NIODeadline?
    private var isHeadSent = false
    private var isSourceDone = false
    private var deltas = 0
    private var events = 0
    private var nextComment: NIODeadline?

    /// Events in one write, and writes in one turn of the loop.
    private static let eventsPerWrite = 64
    private static let writesPerTurn = 8

    init(_ plan: ReplyPlan, core: ServerCore, sink: any ReplySink, now: NIODeadline) {
        self.plan = plan
        self.core = core
        self.sink = sink
        shaper = plan.faults.shapesBody ? FaultyBodyWriter(faults: plan.faults, framing: plan.framing) : nil
        notBefore = plan.faults.slowHead.map { now + .seconds($0) } ?? now
    }

    /// The connection is gone: nothing more is sent.
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
        // A write can call back at once when it fills the socket; the outer call goes on then.
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        var turns = 0
        while !isEnded, let sink {
            if now < notBefore { return sleep(until: notBefore) }
            guard sink.isWritable else { return }
            guard turns < Self.writesPerTurn else { return yield() }
            turns += 1
            if let step = shaper?.next() {
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

    /// Writes the frames that are due; nil when there may be more to do, else when the next one is due.
    private func produce(_ now: NIODeadline, _ sink: any ReplySink) -> NIODeadline? {
        let start = self.start ?? begin(now)
        let due = dueDeltas(since: start, now)
        let isCommentDue = nextComment.map { $0 <= now } ?? false
        if isHeadSent, due == 0, plan.source.hasDeltas, !isCommentDue { return nextDeadline(start) }
        core.body.clear()
        if isCommentDue, let comments = plan.faults.comments {
            var comment = plan.dialect.commentFrame
            core.body.writeBuffer(&comment)
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

    /// How many deltas should be on their way by now and are not: delta k is due at start + k / rate, k from 0.
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

    /// Appends up to `due` deltas to the body, and the frames around them.
    private func fill(_ due: Int) {
        var left = due
        while !isSourceDone, left > 0 || !plan.source.hasDeltas {
            if let after = plan.faults.badJSON, events == after {
                var broken = plan.dialect.brokenFrame
                core.body.writeBuffer(&broken)
                plan.faults.badJSON = nil
                events += 1
                continue
            }
            if let after = plan.faults.errorFrame, events >= after {
                var frame = plan.dialect.errorFrame(.overloaded, isFirst: events == 0)
                core.body.writeBuffer(&frame)
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

    /// Sends the body gathered, with the head before it the first time and the end after it the last time.
    private func send(_ sink: any ReplySink) {
        if shaper != nil {
            if !isHeadSent { shaper?.push(head: plan.head) }
            isHeadSent = true
            shaper?.push(core.body)
            if isSourceDone { shaper?.finish() }
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
