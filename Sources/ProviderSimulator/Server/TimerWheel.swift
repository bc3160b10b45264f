// A timing wheel for paced streams: streams due in the same millisecond share one timer of the event loop. One a server,
// used on its loop alone.

internal import NIOCore

/// 1,024 slots of a millisecond each. A stream due later stays in its slot for another round.
final class TimerWheel {
    protocol Sleeper: AnyObject {
        /// The tick at which it is woken; set by the wheel.
        var dueTick: Int64 { get set }
        /// True if it no longer needs to be woken.
        var isEnded: Bool { get }
        func wake(_ now: NIODeadline)
    }

    private static let tick: Int64 = 1_000_000
    /// Minimum delay of the next task. NIO polls no sockets while a task is due, so a server that is behind its schedule
    /// would neither accept nor read.
    private static let pollDelay = TimeAmount.microseconds(20)
    /// Delay after every `busyTime`. On a slow machine or under a sanitizer, `pollDelay` has passed before NIO polls.
    private static let longPollDelay = TimeAmount.microseconds(250)
    private static let busyTime = TimeAmount.milliseconds(5)
    private static let slotCount: Int64 = 1_024

    private let loop: any EventLoop
    private var slots = [[any Sleeper]](repeating: [], count: Int(slotCount))
    private var sleeping = 0
    private var yielded: [any Sleeper] = []
    /// The next tick to process.
    private var cursor: Int64
    private var timer: Scheduled<Void>?
    private var timerTick = Int64.max
    private var isStopped = false
    /// When the next `longPollDelay` is due.
    private var nextLongPollDelay = NIODeadline.now() + busyTime

    init(loop: any EventLoop) {
        self.loop = loop
        cursor = Int64(NIODeadline.now().uptimeNanoseconds) / Self.tick
    }

    /// Drops all sleepers, which hold the server's core and through it this wheel.
    func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        slots = []
        yielded = []
    }

    /// Wakes `sleeper` at `deadline` or up to a millisecond later.
    func sleep(_ sleeper: any Sleeper, until deadline: NIODeadline) {
        guard !isStopped else { return }
        if sleeping == 0 { cursor = max(cursor, Int64(NIODeadline.now().uptimeNanoseconds) / Self.tick) }
        let due = (Int64(deadline.uptimeNanoseconds) + Self.tick - 1) / Self.tick
        sleeper.dueTick = max(due, cursor)
        slots[Int(sleeper.dueTick % Self.slotCount)].append(sleeper)
        sleeping += 1
        if sleeper.dueTick < timerTick, !isTurning { arm(sleeper.dueTick) }
    }

    /// Wakes `sleeper` after the other tasks and sockets of the loop.
    func yield(_ sleeper: any Sleeper) {
        guard !isStopped else { return }
        yielded.append(sleeper)
        guard yielded.count == 1 else { return }
        loop.assumeIsolated().scheduleTask(deadline: soon()) {
            let ready = self.yielded
            self.yielded = []
            let now = NIODeadline.now()
            for sleeper in ready where !sleeper.isEnded { sleeper.wake(now) }
        }
    }

    private var isTurning = false

    /// The earliest time of the next task.
    private func soon() -> NIODeadline {
        let now = NIODeadline.now()
        guard now >= nextLongPollDelay else { return now + Self.pollDelay }
        nextLongPollDelay = now + Self.busyTime
        return now + Self.longPollDelay
    }

    private func arm(_ tick: Int64) {
        timer?.cancel()
        timerTick = tick
        let deadline = max(.uptimeNanoseconds(UInt64(tick * Self.tick)), soon())
        timer = loop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.turn()
        }
    }

    private func turn() {
        guard !isStopped else { return }
        isTurning = true
        timerTick = .max
        let now = NIODeadline.now()
        let nowTick = Int64(now.uptimeNanoseconds) / Self.tick
        // After a delay of more than a round each slot is due once.
        let first = max(cursor, nowTick - Self.slotCount + 1)
        cursor = nowTick + 1
        if first <= nowTick { for tick in first...nowTick { empty(Int(tick % Self.slotCount), now, nowTick) } }
        isTurning = false
        guard sleeping > 0 else { return }
        var next = cursor
        while slots[Int(next % Self.slotCount)].isEmpty, next < cursor + Self.slotCount { next += 1 }
        arm(next)
    }

    private func empty(_ slot: Int, _ now: NIODeadline, _ nowTick: Int64) {
        guard !slots[slot].isEmpty else { return }
        let sleepers = slots[slot]
        slots[slot] = []
        sleeping -= sleepers.count
        for sleeper in sleepers where !sleeper.isEnded {
            if sleeper.dueTick > nowTick {
                slots[slot].append(sleeper)
                sleeping += 1
            } else {
                sleeper.wake(now)
            }
        }
    }
}
