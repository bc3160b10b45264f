// Replayed requests: the same sequence for the same run, and by content for a changed one.

import Chat
import Foundation
import JSON
import Support
import Testing

@testable import Recording

@Suite struct ReplayBrokerTests {
    /// Records two requests: the first is answered in steps 2 and 3, the second in step 3.
    private func record(_ folder: RecordingFolder, stops: Bool = false) throws {
        let tape = try folder.recorder()
        let inner = ScriptedBroker()
        let broker = RecordingBroker(inner, tape: tape)
        func takeAll() { while let id = broker.nextReady() { _ = broker.take(id) } }
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("one")))
        broker.submit(.start(RequestID(2), Sample.spec("two")))
        inner.give(1, [Sample.text("a")])
        _ = tape.beginStep()
        takeAll()
        if stops { broker.submit(.stop(RequestID(1))) }
        inner.give(2, [Sample.text("x", "y"), .heartbeat])
        inner.give(1, [Sample.finish("a")])
        inner.give(2, [Sample.finish("xy")])
        _ = tape.beginStep()
        takeAll()
        tape.end(RecordedEnd(outcome: .finished, status: 0))
    }

    /// What a script sees in one step: requests in turn, with their events.
    private func seen(_ broker: ReplayBroker) -> [[ChatEvent]] {
        var seen: [[ChatEvent]] = []
        while let id = broker.nextReady() { seen.append(broker.take(id)) }
        return seen
    }

    private func replay(
        _ folder: RecordingFolder, _ options: TapePlayer.Options = TapePlayer.Options()
    ) throws -> (TapePlayer, ReplayBroker, ScriptedBroker) {
        let inner = ScriptedBroker()
        let tape = try folder.player(options)
        return (tape, ReplayBroker(tape, inner: inner), inner)
    }

    @Test func givesTheSameStepsAsRecorded() throws {
        let folder = try RecordingFolder()
        try record(folder)
        let (tape, broker, _) = try replay(folder)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("one")))
        broker.submit(.start(RequestID(2), Sample.spec("two")))
        #expect(seen(broker) == [])
        #expect(broker.take(RequestID(1)) == [])
        _ = tape.beginStep()
        #expect(seen(broker) == [[Sample.text("a")]])
        _ = tape.beginStep()
        #expect(seen(broker) == [[Sample.text("x", "y"), .heartbeat], [Sample.finish("a")], [Sample.finish("xy")]])
        #expect(tape.verdict == nil && !broker.hasUnanswered)
    }

    @Test func findsRequestsByContentInAnyOrderAndLater() throws {
        let folder = try RecordingFolder()
        try record(folder)
        let (tape, broker, _) = try replay(folder)
        for _ in 0..<5 { _ = tape.beginStep() }
        #expect(seen(broker) == [])
        broker.submit(.start(RequestID(7), Sample.spec("two")))
        var events: [ChatEvent] = []
        for _ in 0..<4 {
            events += seen(broker).flatMap(\.self)
            _ = tape.beginStep()
        }
        #expect(events == [Sample.text("x", "y"), .heartbeat, Sample.finish("xy")])
        broker.submit(.start(RequestID(8), Sample.spec("one")))
        #expect(seen(broker).flatMap(\.self) == [Sample.text("a"), Sample.finish("a")])
    }

    @Test func aRequestThatDiffersEndsTheRunWithADiff() throws {
        let folder = try RecordingFolder()
        try record(folder)
        let (tape, broker, inner) = try replay(folder)
        var verdicts = 0
        tape.onVerdict = { verdicts += 1 }
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("one!")))
        guard case .failed(let message)? = tape.verdict else {
            Issue.record("no verdict")
            return
        }
        #expect(message.contains("run.rec: request 1 is not in the recording"))
        #expect(message.contains("messages[0].content: recorded \"one\", now \"one!\""))
        broker.submit(.start(RequestID(2), Sample.spec("three")))
        #expect(verdicts == 1 && inner.commands.isEmpty)
    }

    @Test func newRequestsAreAskedIfAllowed() throws {
        let folder = try RecordingFolder()
        try record(folder)
        var options = TapePlayer.Options()
        options.asksNew = true
        let notices = Locked<[String]>([])
        options.notice = { line in notices.withLock { $0.append(line) } }
        let (tape, broker, inner) = try replay(folder, options)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("new")))
        broker.submit(.start(RequestID(2), Sample.spec("two")))
        #expect(inner.commands.map(\.id) == [RequestID(1)])
        #expect(notices.withLock { $0.count } == 1)
        inner.give(1, [Sample.finish("live")])
        let all = seen(broker)
        #expect(all.contains([Sample.finish("live")]) && all.contains([Sample.finish("xy")]))
        // From here on time is that of the system.
        let (first, second) = (tape.reading(.monotonic), tape.reading(.monotonic))
        #expect(second >= first)
    }

    @Test func aStopAsRecordedGetsTheRecordedEnd() throws {
        let folder = try RecordingFolder()
        try record(folder, stops: true)
        let (tape, broker, _) = try replay(folder)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("one")))
        _ = tape.beginStep()
        #expect(seen(broker) == [[Sample.text("a")]])
        broker.submit(.stop(RequestID(1)))
        _ = tape.beginStep()
        #expect(seen(broker) == [[Sample.finish("a")]])
    }

    @Test func aMissingStopEndsTheRun() throws {
        let folder = try RecordingFolder()
        try record(folder, stops: true)
        let (tape, broker, _) = try replay(folder)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("one")))
        _ = tape.beginStep()
        _ = seen(broker)
        _ = tape.beginStep()
        #expect(seen(broker) == [[]])
        guard case .failed(let message)? = tape.verdict else {
            Issue.record("no verdict")
            return
        }
        #expect(message.contains("the recorded run has ended request 1 here"))
    }

    @Test(arguments: [false, true])
    func aNewStopGetsAnEndOfItsOwn(isCancel: Bool) throws {
        let folder = try RecordingFolder()
        try record(folder)
        let (tape, broker, _) = try replay(folder)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("one")))
        _ = tape.beginStep()
        #expect(seen(broker) == [[Sample.text("a")]])
        broker.submit(isCancel ? .cancel(RequestID(1)) : .stop(RequestID(1)))
        let end = seen(broker).flatMap(\.self).last
        switch end {
        case .finish(let reply)?: #expect(!isCancel && reply.text == "a" && reply.finishReason == .cancelled)
        case .failed(let failure)?: #expect(isCancel && failure.kind == .cancelled && failure.partial?.text == "a")
        default: Issue.record("no end: \(String(describing: end))")
        }
        #expect(tape.verdict == nil)
    }

    @Test func equalRequestsGetTheirRepliesInOrder() throws {
        let folder = try RecordingFolder()
        let tape = try folder.recorder()
        let inner = ScriptedBroker()
        let recording = RecordingBroker(inner, tape: tape)
        _ = tape.beginStep()
        for id in 1...3 as ClosedRange<UInt64> {
            recording.submit(.start(RequestID(id), Sample.spec("same")))
            inner.give(id, [Sample.finish("reply \(id)")])
        }
        while let id = recording.nextReady() { _ = recording.take(id) }
        tape.end(RecordedEnd(outcome: .finished, status: 0))

        let (player, broker, _) = try replay(folder)
        _ = player.beginStep()
        var texts: [String] = []
        for id in [11, 12, 13] as [UInt64] {
            broker.submit(.start(RequestID(id), Sample.spec("same")))
            for case .finish(let reply) in seen(broker).flatMap(\.self) { texts.append(reply.text) }
        }
        #expect(texts == ["reply 1", "reply 2", "reply 3"])
        broker.submit(.start(RequestID(14), Sample.spec("same")))
        #expect(
            player.verdict
                == .failed(
                    "run.rec: request 14 is not in the recording, which has 3 requests\n--replay-new sends requests that are not recorded"
                ))
    }

    @Test func aBrokenOffRunGoesOnLiveIfNewRequestsAreAllowed() throws {
        let folder = try RecordingFolder()
        try record(folder)
        let cut = folder.lines.prefix { !$0.contains("\"finish\"") }.joined(separator: "\n") + "\n"
        try Data(cut.utf8).write(to: URL(fileURLWithPath: folder.path))
        var options = TapePlayer.Options()
        options.asksNew = true
        let (tape, broker, inner) = try replay(folder, options)
        _ = tape.beginStep()
        // The recording has no end of it.
        broker.submit(.start(RequestID(1), Sample.spec("one")))
        #expect(inner.commands.map(\.id) == [RequestID(1)] && tape.isLive)

        let (other, second, _) = try replay(folder, options)
        let reactor = ReplayReactor(IdleReactor(), tape: other, broker: second)
        for _ in 0..<4 {
            _ = other.beginStep()
            #expect(seen(second) == [])
            reactor.turn(waitingUpTo: 1)
        }
        #expect(other.isLive && other.verdict == nil)
    }

    @Test func aBrokenOffRecordingEndsTheRun() throws {
        let folder = try RecordingFolder()
        try record(folder)
        let cut = folder.lines.prefix { !$0.contains("\"finish\"") }.joined(separator: "\n") + "\n"
        try Data(cut.utf8).write(to: URL(fileURLWithPath: folder.path))
        let (tape, broker, inner) = try replay(folder)
        let reactor = ReplayReactor(IdleReactor(), tape: tape, broker: broker)
        for _ in 0..<3 {
            _ = tape.beginStep()
            if tape.step == 0 {
                broker.submit(.start(RequestID(1), Sample.spec("one")))
                broker.submit(.start(RequestID(2), Sample.spec("two")))
            }
            _ = seen(broker)
            reactor.turn(waitingUpTo: nil)
        }
        #expect(tape.verdict == .failed("run.rec: the recording ends here: the recorded run was broken off"))
        #expect(inner.commands.isEmpty)
    }
}

/// A reactor that never sleeps.
private final class IdleReactor: Reactor {
    func turn(waitingUpTo seconds: Double?) {}
    var wakeDescriptor: Int32 { -1 }
}

@Suite struct TapePlayerTests {
    @Test func readingsInputAndCallsComeBack() throws {
        let folder = try RecordingFolder()
        let recorder = try folder.recorder()
        _ = recorder.beginStep()
        let recorded = [recorder.reading(.monotonic), recorder.reading(.unix), recorder.reading(.processor)]
        recorder.record("os.date", ["%c", 1], result: "first")
        recorder.record("os.date", ["%c", 1], result: "second")
        _ = recorder.input(upTo: 8) { _ in Array("abcdef".utf8) }
        _ = recorder.input(upTo: 8) { _ in [] }
        recorder.end(RecordedEnd(outcome: .finished, status: 0))

        let tape = try folder.player()
        _ = tape.beginStep()
        #expect([tape.reading(.monotonic), tape.reading(.unix), tape.reading(.processor)] == recorded)
        #expect(tape.recorded("os.date", ["%c", 1]) == "first")
        #expect(tape.recorded("os.date", ["%c", 1]) == "second")
        #expect(tape.recorded("os.date", ["%c", 1]) == "second")
        #expect(tape.recorded("os.date", ["%x", 1]) == nil)
        #expect(tape.input(upTo: 4) { _ in nil } == Array("abcd".utf8))
        #expect(tape.input(upTo: 4) { _ in nil } == Array("ef".utf8))
        #expect(tape.input(upTo: 4) { _ in nil } == [])
        #expect(tape.input(upTo: 4) { _ in nil } == [])
    }

    @Test func timeNeverStandsStillForAChangedScript() throws {
        let folder = try RecordingFolder()
        let recorder = try folder.recorder()
        _ = recorder.beginStep()
        recorder.end(RecordedEnd(outcome: .finished, status: 0))
        let tape = try folder.player()
        let start = tape.beginStep()
        var last = start
        for _ in 0..<100 {
            let now = tape.reading(.monotonic)
            #expect(now > last)
            last = now
        }
        tape.wait(3)
        #expect(tape.beginStep() >= start + 3)
    }

    @Test func anEndThatDiffersIsNamed() throws {
        let folder = try RecordingFolder()
        let recorder = try folder.recorder()
        _ = recorder.beginStep()
        recorder.noteOutput(Array("a".utf8))
        recorder.end(RecordedEnd(outcome: .exited, status: 3))
        let tape = try folder.player()
        tape.noteOutput(Array("a".utf8))
        #expect(tape.difference(from: RecordedEnd(outcome: .exited, status: 3)) == nil)
        #expect(
            tape.difference(from: RecordedEnd(outcome: .finished, status: 0))?.contains("exited with status 3") == true)
        tape.noteOutput(Array("b".utf8))
        #expect(
            tape.difference(from: RecordedEnd(outcome: .exited, status: 3))
                == "the output differs from that of the recorded run")
    }
}

@Suite struct RequestDifferenceTests {
    @Test func namesPathAndBothValues() {
        let old: JSONValue = ["a": 1, "list": [1, ["b": "x"]], "gone": true]
        let new: JSONValue = ["a": 1, "list": [1, ["b": "y"], 3], "come": nil]
        #expect(
            RequestDifference.lines(recorded: old, new: new) == [
                "come: not recorded, now null", "gone: recorded true, now missing",
                "list[1].b: recorded \"x\", now \"y\"",
                "list[2]: not recorded, now 3",
            ])
    }

    @Test func longTextsAreShownAroundTheDifference() {
        let text = String(repeating: "moon ", count: 1000)
        let lines = RequestDifference.lines(
            recorded: ["t": .string(text + "A" + text)], new: ["t": .string(text + "B" + text)])
        #expect(lines.count == 1)
        #expect(lines[0].utf8.count < 400 && lines[0].contains("moon A") && lines[0].contains("moon B"))
    }

    @Test func manyDifferencesAreCounted() {
        let lines = RequestDifference.lines(
            recorded: .array((0..<30).map { .int($0) }), new: .array((1..<31).map { .int($0) }))
        #expect(lines.count == 9 && lines.last == "and 22 more")
    }
}
