// The state machine of a request.

import Chat
import Testing

@testable import Engine

@Suite struct RequestStateMachineTests {
    static let output = RequestStateMachine.Progress(
        outputTaken: true, hasText: true, hasToolCalls: false, canContinue: true)

    func machine(
        timeouts: Timeouts = Timeouts(), policy: RetryPolicy = RetryPolicy(), isObserved: Bool = true
    ) -> RequestStateMachine {
        var machine = RequestStateMachine(timeouts: timeouts, policy: policy, isObserved: isObserved, now: 0)
        machine.attemptStarted(now: 0)
        return machine
    }

    // MARK: What follows a failure

    struct Case: Sendable, CustomTestStringConvertible {
        var retry: AttemptError.Retry
        var policy: AfterOutput
        var isObserved: Bool
        var progress: RequestStateMachine.Progress
        /// Nil: fails.
        var restartMode: RequestStateMachine.RestartMode?
        var testDescription: String { "\(retry) \(policy) observed:\(isObserved) \(progress)" }
    }

    static let cases: [Case] = {
        typealias Progress = RequestStateMachine.Progress
        var cases: [Case] = []
        for policy in AfterOutput.allCases {
            for isObserved in [true, false] {
                for (retry, restartMode) in [
                    (AttemptError.Retry.never, nil), (.backoff, .fresh), (.once, .fresh), (.unsent, .fresh),
                ] as [(AttemptError.Retry, RequestStateMachine.RestartMode?)] {
                    cases.append(
                        Case(
                            retry: retry, policy: policy, isObserved: isObserved,
                            progress: Progress(hasText: true, canContinue: true), restartMode: restartMode))
                }
                cases.append(
                    Case(retry: .never, policy: policy, isObserved: isObserved, progress: output, restartMode: nil))
            }
        }
        func after(
            _ policy: AfterOutput, _ isObserved: Bool, _ progress: Progress,
            _ restartMode: RequestStateMachine.RestartMode?
        ) {
            cases.append(
                Case(
                    retry: .backoff, policy: policy, isObserved: isObserved, progress: progress,
                    restartMode: restartMode))
        }
        for isObserved in [true, false] {
            after(.fail, isObserved, output, nil)
            after(.restart, isObserved, output, .restart)
            after(.continue, isObserved, output, .continuation)
            after(.auto, isObserved, output, isObserved ? nil : .fresh)
            after(.continue, isObserved, Progress(outputTaken: true, hasText: true, canContinue: false), nil)
            after(.continue, isObserved, Progress(outputTaken: true, hasText: false, canContinue: true), .restart)
            after(
                .continue, isObserved,
                Progress(outputTaken: true, hasText: true, hasToolCalls: true, canContinue: true), nil)
        }
        return cases
    }()

    @Test(arguments: cases) func restartMode(_ row: Case) {
        var machine = machine(policy: RetryPolicy(afterOutput: row.policy), isObserved: row.isObserved)
        let fault = AttemptError(APIError(kind: .network, message: "cut"), retry: row.retry)
        switch machine.failed(fault, progress: row.progress, now: 1, random: { 0.5 }) {
        case .again(_, let isVisible, let restartMode):
            #expect(restartMode == row.restartMode)
            #expect(isVisible == (row.retry != .unsent))
            #expect(machine.state != .ended)
        case .fail:
            #expect(row.restartMode == nil)
            #expect(machine.state == .ended)
            #expect(machine.deadline == nil)
        }
    }

    @Test func continuationRefusedSaysWhy() {
        var machine = machine(policy: RetryPolicy(afterOutput: .continue))
        let verdict = machine.failed(
            AttemptError(.truncated, "cut", retry: .backoff),
            progress: .init(outputTaken: true, hasText: true, canContinue: false), now: 1, random: { 0 })
        guard case .fail(let note?) = verdict else { return #expect(Bool(false), "\(verdict)") }
        #expect(note.contains("cannot continue"))
    }

    // MARK: Backoff

    @Test func fullJitterGrowsToTheCap() {
        var machine = machine(policy: RetryPolicy(max: 8, base: 0.5, cap: 5))
        var delays: [Double] = []
        var now = 0.0
        for _ in 0..<8 {
            let verdict = machine.failed(
                AttemptError(.network, "refused", retry: .backoff), progress: .init(), now: now, random: { 0.999 })
            guard case .again(let delay, true, .fresh) = verdict else { return #expect(Bool(false), "\(verdict)") }
            delays.append(delay)
            #expect(machine.deadline == now + delay)
            now += delay
            #expect(machine.due(now: now) == .attempt)
            #expect(machine.state == .queued)
            machine.attemptStarted(now: now)
        }
        for (delay, window) in zip(delays, [0.5, 1, 2, 4, 5, 5, 5, 5]) { #expect(abs(delay - window * 0.999) < 1e-9) }
        #expect(
            machine.failed(
                AttemptError(.network, "refused", retry: .backoff), progress: .init(), now: now, random: { 0 })
                == .fail(note: "gave up after 9 attempts"))
        #expect(machine.attempts == 9)
    }

    @Test func jitterReachesDownToNothing() {
        var machine = machine()
        #expect(
            machine.failed(AttemptError(.network, "x", retry: .backoff), progress: .init(), now: 0, random: { 0 })
                == .again(delay: 0, isVisible: true, .fresh))
    }

    @Test func overloadedWaitsLonger() {
        let policy = RetryPolicy()
        #expect(RequestStateMachine.window(policy, retry: 0, isOverloaded: true) == 1)
        #expect(RequestStateMachine.window(policy, retry: 50, isOverloaded: true) == 30)
        #expect(RequestStateMachine.window(RetryPolicy(base: 0), retry: 1_000_000, isOverloaded: false) == 0)
    }

    @Test func noRetriesMeansNone() {
        var machine = machine(policy: RetryPolicy(max: 0))
        #expect(
            machine.failed(AttemptError(.network, "x", retry: .backoff), progress: .init(), now: 0, random: { 0 })
                == .fail(note: nil))
    }

    @Test func onceIsOnce() {
        var machine = machine()
        let fault = AttemptError(.network, "empty reply", retry: .once)
        guard case .again(_, true, .fresh) = machine.failed(fault, progress: .init(), now: 0, random: { 0 }) else {
            return #expect(Bool(false))
        }
        _ = machine.due(now: 0)
        machine.attemptStarted(now: 0)
        guard case .fail(let note?) = machine.failed(fault, progress: .init(), now: 0, random: { 0 }) else {
            return #expect(Bool(false))
        }
        #expect(note.contains("after a retry"))
    }

    @Test func unsentIsUnseenAndUncounted() {
        var machine = machine()
        let fault = AttemptError(.network, "stale connection", retry: .unsent)
        for _ in 0..<RequestStateMachine.unsentLimit {
            #expect(
                machine.failed(fault, progress: .init(), now: 0, random: { 0.5 })
                    == .again(delay: 0, isVisible: false, .fresh))
            #expect(machine.attempts == 0)
            machine.attemptStarted(now: 0)
        }
        guard case .again(_, true, .fresh) = machine.failed(fault, progress: .init(), now: 0, random: { 0.5 }) else {
            return #expect(Bool(false), "the fourth is an ordinary retry")
        }
        #expect(machine.attempts == 1)
    }

    // MARK: Retry-After

    struct Wait: Sendable {
        var asked: Double
        var total: Double?
        /// Nil: fails.
        var range: ClosedRange<Double>?
        var note = ""
    }

    @Test(arguments: [
        Wait(asked: 7, range: 7...7.7), Wait(asked: 1.5, range: 1.5...1.65), Wait(asked: 120, range: 120...120),
        Wait(asked: 86400, note: "86400 s, the longest wait allowed is 120 s"),
        Wait(asked: 86400, total: 100_000, range: 86400...86401),
        Wait(asked: 8, total: 10, note: "8 s, the time left is 7 s"),
        Wait(asked: 6.9, total: 10, range: 6.9...7), Wait(asked: .infinity, range: 0...0.5),
        Wait(asked: -5, range: 0...0.5), Wait(asked: .nan, range: 0...0.5), Wait(asked: 0, range: 0...0.5),
    ]) func retryAfter(_ row: Wait) {
        for random in [0, 0.5, 0.999_999] {
            var machine = machine(timeouts: Timeouts(total: row.total))
            let fault = AttemptError.reported(
                APIError(kind: .rateLimit, message: "slow", isRetryable: true, retryAfter: row.asked))
            switch machine.failed(fault, progress: .init(), now: 3, random: { random }) {
            case .again(let delay, true, .fresh):
                let isInside = row.range.map { $0.contains(delay) } ?? false
                #expect(isInside, "\(row) waited \(delay)")
            case .fail(let note):
                #expect(row.range == nil)
                #expect(note?.contains(row.note) == true, "\(note ?? "")")
            case let other: #expect(Bool(false), "\(other)")
            }
        }
    }

    @Test func noRetryBeyondTheTotal() {
        var machine = machine(timeouts: Timeouts(total: 10))
        #expect(
            machine.failed(AttemptError(.network, "x", retry: .backoff), progress: .init(), now: 9.9, random: { 0.9 })
                == .fail(note: "no time is left to try again"))
    }

    // MARK: Time

    @Test func firstIsNotExtendedByHeartbeats() {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 3))
        for second in 1...9 { machine.receivedBytes(now: Double(second)) }
        #expect(machine.deadline == 10)
        #expect(machine.due(now: 9.99) == .nothing)
        #expect(machine.due(now: 10) == .timeout(.first))
    }

    @Test func heartbeatsEndASilence() {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 3))
        machine.receivedBytes(now: 1)
        machine.output(now: 1)
        #expect(machine.deadline == 4)
        machine.receivedBytes(now: 3.5)
        #expect(machine.due(now: 4) == .nothing)
        #expect(machine.deadline == 6.5)
        #expect(machine.due(now: 6.5) == .timeout(.idle))
    }

    @Test func heartbeatsDoNotEndAStall() {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 3, stall: 20))
        machine.output(now: 5)
        for second in 6...24 { machine.receivedBytes(now: Double(second)) }
        #expect(machine.due(now: 24.9) == .nothing)
        #expect(machine.deadline == 25)
        #expect(machine.due(now: 25) == .timeout(.stall))
    }

    @Test func outputAndNativeContentEndAStall() {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 30, stall: 20))
        machine.output(now: 5)
        machine.receivedBytes(now: 24)
        machine.nativeContent(now: 24)
        machine.receivedBytes(now: 40)
        machine.output(now: 43)
        machine.receivedBytes(now: 60)
        #expect(machine.deadline == 63)
        machine.hold(now: 61)
        machine.release(now: 100)
        #expect(machine.deadline == 102)
        // Before the first output the bound is `first`; native content is not output.
        var opening = self.machine(timeouts: Timeouts(first: 100, idle: 3, stall: 20))
        opening.nativeContent(now: 1)
        #expect(opening.deadline == 100 && opening.firstOutputAt == nil)
    }

    @Test(arguments: [(60.0, 600.0), (900, 900)]) func theDefaultStallIsNoShorterThanIdle(idle: Double, stall: Double) {
        #expect(Timeouts(idle: idle).stall == stall)
    }

    @Test func totalCountsThroughEverything() {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 3, total: 20))
        machine.output(now: 1)
        machine.hold(now: 2)
        #expect(machine.deadline == 20)
        machine.receivedBytes(now: 19.9)
        #expect(machine.due(now: 20) == .timeout(.total))
        var waiting = self.machine(timeouts: Timeouts(total: 20))
        _ = waiting.failed(
            AttemptError.reported(APIError(kind: .overloaded, message: "", isRetryable: true, retryAfter: 19)),
            progress: .init(), now: 0.5, random: { 0 })
        #expect(waiting.deadline == 19.5)
        #expect(waiting.due(now: 25) == .timeout(.total))
    }

    @Test(arguments: [true, false]) func heldTimeIsNotCharged(isStreaming: Bool) {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 10))
        machine.receivedBytes(now: 0)
        if isStreaming { machine.output(now: 0) }
        machine.hold(now: 4)
        machine.hold(now: 5)
        #expect(machine.deadline == nil)
        #expect(machine.due(now: 1000) == .nothing)
        machine.release(now: 1000)
        #expect(machine.deadline == 1006)
        machine.release(now: 1001)
        #expect(machine.deadline == 1006)
    }

    @Test func anAttemptStartedWhileHeldOwesNothing() {
        var machine = RequestStateMachine(
            timeouts: Timeouts(first: 10), policy: RetryPolicy(), isObserved: true, now: 0)
        machine.hold(now: 0)
        machine.attemptStarted(now: 50)
        machine.release(now: 60)
        #expect(machine.deadline == 70)
    }

    @Test func aWholeReplyDoesNotWaitForItsBody() {
        var machine = machine(timeouts: Timeouts(first: 10, idle: 60, total: 30))
        machine.output(now: 1)
        machine.receivedBytes(now: 2)
        machine.cleanEnd()
        #expect(machine.deadline == 2 + RequestStateMachine.tailGrace)
        #expect(machine.due(now: 7) == .finish)
        #expect(machine.due(now: 31) == .finish)
    }

    @Test func queuedRequestsWaitForTheTotalAlone() {
        var machine = RequestStateMachine(
            timeouts: Timeouts(first: 1, total: 5), policy: RetryPolicy(), isObserved: true, now: 0)
        #expect(machine.deadline == 5)
        machine.attemptStarted(now: 3)
        #expect(machine.deadline == 4)
        machine.attemptPostponed()
        #expect(machine.attempts == 0)
        #expect(machine.deadline == 5)
    }
}
