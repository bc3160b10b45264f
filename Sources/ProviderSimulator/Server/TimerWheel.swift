// Wakes streams on schedule. One pacer a server, on its loop alone: streams due in the same millisecond share one
// timer, so that thousands of paced streams cost no timer each.

internal import NIOCore

/// A timing wheel of 1,024 slots of a millisecond. A stream due later than that stays in its slot for another round.
final class TimerWheel {
    /// Something that waits for its moment.
    protocol Sleeper: AnyObject {
        /// The tick to be woken at; written by the pacer.
        var dueTick: Int64 { get set }
        /// True when it need not be woken any more.
        var isEnded: Bool { get }
        func wake(_ now: NIODeadline)
    }

    private static let tick: Int64 = 1_000_000
    /// How far ahead of now the next task is put. NIO looks at no socket while a task is due: were the next turn due at
    /// once, a server that cannot keep up with its schedule would accept and read nothing until it had caught up.
    private static let breath = TimeAmount.microseconds(20)
    /// On a slow machine, or under a sanitizer, a task that is that near is due before NIO has got round to asking.
    /// So after every `busyTime` comes a breath that is long enough anywhere.
    private static let longBreath = TimeAmount.microseconds(250)
    private static let busyTime = TimeAmount.milliseconds(5)
    private static let slotCount: Int64 = 1_024

    private let loop: any EventLoop
    private var slots = [[any Sleeper]](repeating: [], count: Int(slotCount))
    private var sleeping = 0
    private var yielded: [any Sleeper] = []
    /// The next tick whose slot has not been looked at.
    private var cursor: Int64
    private var timer: Scheduled<Void>?
    private var timerTick = Int64.max
    private var isStopped = false
    /// When the next long breath is due.
    private var nextLongBreath = NIODeadline.now() + busyTime

    init(loop: any EventLoop) {
        self.loop = loop
        cursor = Int64(NIODeadline.now().uptimeNanoseconds) / Self.tick
    }

    /// Wakes nobody any more. Those who slept hold their server's core, and it the pacer.
    func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        slots = []
        yielded = []
    }

    /// Wakes `sleeper` at `deadline`, up to a millisecond late and never early.
    func sleep(_ sleeper: any Sleeper, until deadline: NIODeadline) {
        guard !isStopped else { return }
        if sleeping == 0 { cursor = max(cursor, Int64(NIODeadline.now().uptimeNanoseconds) / Self.tick) }
        let due = (Int64(deadline.uptimeNanoseconds) + Self.tick - 1) / Self.tick
        sleeper.dueTick = max(due, cursor)
        slots[Int(sleeper.dueTick % Self.slotCount)].append(sleeper)
        sleeping += 1
        if sleeper.dueTick < timerTick, !isTurning { arm(sleeper.dueTick) }
    }

    /// Wakes `sleeper` again after everyone else on the loop had a turn, new connections included.
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

    /// The earliest moment for the next task.
    private func soon() -> NIODeadline {
        let now = NIODeadline.now()
        guard now >= nextLongBreath else { return now + Self.breath }
        nextLongBreath = now + Self.busyTime
        return now + Self.longBreath
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
        // After a pause of more than a round each slot is due once.
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
