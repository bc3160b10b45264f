// The state machine of a call: what is delivered in each state, and what pause, stop, cancel and failing callbacks do.

import Testing

@testable import Chat
@testable import LuaVM
@testable import Script

@Suite struct CallStateMachineTests {
    // MARK: Delivery

    @Test func eachEventGoesToItsCallbackThenToOnEventThenToTheLoop() {
        var call = CallDriver(.stream, [.token, .usage, .event, .finish])
        call.pull()
        call.take(.text("a"), .usage(Usage()), .finished)
        #expect(call.takeLog() == ["on_token a", "on_event a", "hand a"])
        call.pull()
        #expect(call.takeLog() == ["on_usage usage", "on_event usage", "hand usage"])
        call.pull()
        #expect(
            call.takeLog() == [
                "result finish ab", "on_event finish ab", "on_finish finish ab", "hand finish ab", "= reply",
            ])
    }

    @Test func aLoopGetsNothingWhileItsBodyRuns() {
        var call = CallDriver(.stream)
        call.take(.text("a"))
        #expect(call.log.isEmpty)
        call.pull()
        #expect(call.takeLog() == ["hand a"])
        call.take(.text("b"))
        #expect(call.log.isEmpty)
    }

    @Test func aLoopEndsWithoutAnEventWhenTheRequestFails() {
        var call = CallDriver(.stream)
        call.pull()
        call.take(.failed(.network))
        #expect(call.log == ["result failed network", "= test: network: no luck"])
    }

    @Test func aPhaseIsNoEventAndHoldsForTheTextBehindIt() {
        var call = CallDriver(.ask, [.token, .event])
        call.take(.phase("commentary"), .text("a"), .phase(nil), .text("b"))
        #expect(call.log == ["on_token a (commentary)", "on_event a (commentary)", "on_token b", "on_event b"])
    }

    @Test func chunksGoToTheirCallbackAlone() {
        var call = CallDriver(.stream, [.chunk, .event])
        call.pull()
        call.take(.chunk("{}"))
        #expect(call.log == ["on_chunk chunk {}"])
    }

    @Test func retriesAndWaitsWithoutCallbackAreNotices() {
        var call = CallDriver(.ask, [.event])
        call.take(.retried, .wait(WaitInfo(seconds: 2, reason: "rpm")))
        #expect(call.takeLog() == ["notice retry", "on_event retry", "notice wait", "on_event wait"])
        call = CallDriver(.ask, [.retry, .wait])
        call.take(.retried, .wait(WaitInfo(seconds: 2, reason: "rpm")))
        #expect(call.log == ["on_retry retry", "on_wait wait"])
    }

    @Test func nothingIsDeliveredWhileACallbackWaits() {
        var call = CallDriver(.ask, [.token, .event])
        call.reactions["on_token a"] = .waits
        call.take(.text("a"), .text("b"), .finished)
        #expect(call.takeLog() == ["on_token a"])
        #expect(!call.machine.canProgress)
        call.callbackEnds()
        #expect(
            call.log == [
                "on_event a", "on_token b", "on_event b", "result finish ab", "on_event finish ab", "= reply",
            ])
    }

    // MARK: Pause

    @Test func aPauseHoldsTheRestOfItsEvent() {
        var call = CallDriver(.ask, [.token, .event])
        call.reactions["on_token a"] = .acts { $0.pause() }
        call.take(.text("a"), .text("b"))
        #expect(call.takeLog() == ["on_token a", "> pause"])
        #expect(call.machine.status == "paused")
        call.pause()
        call.resume()
        call.resume()
        call.run()
        #expect(call.log == ["> resume", "on_event a", "on_token b", "on_event b"])
    }

    @Test func noPauseStopsARequestWhoseTimeIsOver() {
        var call = CallDriver(.ask, [.token], hasTotalTimeout: true)
        call.pause()
        #expect(call.machine.canProgress)
        call.reactions["on_token a"] = .acts { $0.pause() }
        call.take(.text("a"), .failed(.timeout))
        #expect(call.log == ["> pause", "on_token a", "result failed timeout", "= test: timeout: no luck"])
    }

    /// The engine has forgotten the request, so that no timeout ends the pause.
    @Test func aPausedRequestWhoseLastEventIsHereCannotProgress() {
        var call = CallDriver(.ask, [.token], hasTotalTimeout: true)
        call.add([.text("a"), .finished])
        call.pause()
        #expect(!call.machine.canProgress)
    }

    /// It would wait for a resume that nobody sends.
    @Test func aPauseInTheLastEventHasNoEffect() {
        var call = CallDriver(.start, [.event, .finish])
        call.reactions["on_event finish ab"] = .acts { $0.pause() }
        call.take(.finished)
        #expect(call.log == ["result finish ab", "on_event finish ab", "on_finish finish ab", "= reply"])
    }

    @Test func endingAPausedRequestResumesIt() {
        var call = CallDriver(.start)
        call.pause()
        call.close(.cancelled)
        #expect(call.log == ["> pause", "> resume", "> cancel"])
    }

    // MARK: Stop and cancel

    @Test func aStopDropsWhatWasNotDelivered() {
        var call = CallDriver(.ask, [.token, .event, .finish])
        call.reactions["on_token a"] = .returnsFalse
        call.take(.text("a"), .text("bc"), .reasoning("d"))
        #expect(call.takeLog() == ["on_token a", "> stop, undelivered 2 + 1"])
        // What comes before the engine's next turn belongs to a request that goes on.
        call.take(.text("e"))
        #expect(call.log.isEmpty)
        call.turn(.finished)
        #expect(call.log == ["result finish ab", "on_event finish ab", "on_finish finish ab", "= reply"])
    }

    @Test func aStopOfWhatHasEndedKeepsTheEnd() {
        var call = CallDriver(.ask, [.token], hold: OutputHold(characters: 100, seconds: 100))
        call.reactions["on_token a"] = .returnsFalse
        call.take(.text("a"), .text("b"), .finished)
        #expect(call.takeLog() == ["on_token a", "> stop, undelivered 1 + 0"])
        call.turn()
        #expect(call.log == ["result finish ab", "= reply"])
    }

    /// The callback of a retry that returns false wants no other attempt.
    @Test(arguments: [CallStateMachine.CloseReason.stopped, .left])
    func endingInsideARetryIsAFailure(_ reason: CallStateMachine.CloseReason) {
        var call = CallDriver(.stream, [.retry])
        call.reactions["on_retry retry"] = .acts { $0.close(reason) }
        call.pull()
        call.take(.retried)
        #expect(call.takeLog() == ["on_retry retry", "> cancel"])
        call.turn(.finished)
        #expect(call.log == ["result failed overloaded", "= test: overloaded: no luck"])
    }

    @Test func aFailedAttemptIsForgottenWithTheNextEvent() {
        var call = CallDriver(.ask, [.retry, .token])
        call.reactions["on_token a"] = .returnsFalse
        call.take(.retried, .text("a"))
        #expect(call.log == ["on_retry retry", "on_token a", "> stop"])
    }

    @Test func theEndCannotBeChanged() {
        var call = CallDriver(.start, [.finish])
        call.reactions["on_finish finish ab"] = .acts {
            $0.close(.cancelled)
            $0.close(.stopped)
            $0.close(.overBudget("spent"))
        }
        call.take(.finished)
        call.close(.cancelled)
        #expect(call.log == ["result finish ab", "on_finish finish ab", "= reply"])
    }

    /// The loop's task was cancelled while on_finish waited: nobody asks for the last event.
    @Test func theLastEventDoesNotWaitForALoopThatWasLeft() {
        var call = CallDriver(.stream, [.finish])
        call.reactions["on_finish finish ab"] = .waits
        call.pull()
        call.take(.finished)
        call.machine.cancelPull()
        call.close(.left)
        call.callbackEnds()
        #expect(call.log == ["result finish ab", "on_finish finish ab", "= reply"])
    }

    @Test func aStoppedStreamShowsItsEndToTheLoop() {
        var call = CallDriver(.stream, [.token])
        call.reactions["on_token a"] = .returnsFalse
        call.pull()
        call.take(.text("a"))
        call.turn(.finished)
        #expect(call.log == ["on_token a", "> stop", "result finish ab", "hand finish ab", "= reply"])
    }

    @Test func budgetsReplaceFailuresAndNotReplies() {
        var call = CallDriver(.ask)
        call.close(.overBudget("the budget is spent"))
        call.turn(.failed(.cancelled))
        #expect(call.takeLog().last == "= test: budget: the budget is spent")
        call = CallDriver(.ask)
        call.close(.cancelled)
        call.close(.overBudget("the budget is spent"))
        call.turn(.failed(.cancelled))
        #expect(call.takeLog().last == "= test: budget: the budget is spent")
        call = CallDriver(.ask)
        call.close(.stopped)
        call.close(.overBudget("the budget is spent"))
        call.turn(.finished)
        #expect(call.log.last == "= reply")
    }

    // MARK: Callbacks that fail

    @Test func aCallbackThatRaisesEndsTheRequest() {
        var call = CallDriver(.ask, [.token, .event, .error])
        call.reactions["on_token a"] = .raises("bad")
        call.reactions["on_error failed cancelled"] = .raises("worse")
        call.take(.text("a"), .text("b"))
        #expect(call.takeLog() == ["on_token a", "> cancel, undelivered 1 + 0"])
        call.turn(.failed(.cancelled))
        #expect(
            call.log == [
                "result failed cancelled", "on_error failed cancelled", "= raised bad, unseen callback",
            ])
    }

    @Test func aCallbackThatRaisesAtTheEndReplacesTheResult() {
        var call = CallDriver(.ask, [.event, .finish])
        call.reactions["on_event finish ab"] = .raises("bad")
        call.reactions["on_finish finish ab"] = .raises("worse")
        call.take(.finished)
        #expect(
            call.log == [
                "result finish ab", "on_event finish ab", "on_finish finish ab", "= raised bad, unseen callback",
            ])
    }

    @Test func aCallbackThatRaisesAfterACancelReplacesTheResult() {
        var call = CallDriver(.start, [.token])
        call.reactions["on_token a"] = .waits
        call.take(.text("a"))
        call.close(.cancelled)
        call.callbackEnds(.raises("bad"))
        call.turn(.failed(.cancelled))
        #expect(call.log.last == "= raised bad, unseen callback")
    }

    // MARK: Batches

    @Test func aBatchThatIsPausedGoesOnWithTheNextPiece() {
        var call = CallDriver(.ask, [.token])
        call.add([.text("a", "b", "c")])
        call.machine.batchBegins()
        call.pause()
        _ = call.machine.batchEnded(deliveredPieces: 2)
        #expect(call.takeLog() == ["> interrupt batch", "> pause"])
        #expect(call.machine.backlog.firstBatch?.range == 2..<3)
        call.resume()
        call.run()
        #expect(call.log == ["> resume", "on_token c"])
    }

    @Test func aBatchThatIsStoppedCountsItsPieces() {
        var call = CallDriver(.ask, [.token])
        call.add([.text("a", "bc", "def"), .text("g")])
        call.machine.batchBegins()
        call.close(.cancelled, deliveredPieces: 2)
        _ = call.machine.batchEnded(deliveredPieces: 2)
        #expect(call.log == ["> interrupt batch", "> cancel, undelivered 4 + 0"])
        #expect(call.machine.backlog.isEmpty)
    }

    // MARK: Gathered text

    @Test func textIsGathered() {
        var call = CallDriver(.ask, [.token, .reasoning, .chunk], coalesce: 0.5)
        call.now = 10
        call.take(.text("a"), .chunk("x"), .text("b"))
        #expect(call.takeLog() == ["> look at 10.5", "on_chunk chunk x"])
        call.now = 10.4
        #expect(!call.machine.flushIfDue { 10.4 })
        #expect(call.machine.flushIfDue { 10.5 })
        call.run()
        #expect(call.takeLog() == ["on_token ab"])
        call.take(.text("c"), .reasoning("d"), .phase("p"), .text("e"), .finished)
        #expect(
            call.log == [
                "> look at 10.9", "> look at 10.9", "on_token c", "on_reasoning (d)", "> look at 10.9",
                "on_token e (p)", "result finish ab", "= reply",
            ])
    }

    @Test func gatheredTextOfARequestThatIsEndedIsUndelivered() {
        var call = CallDriver(.ask, [.token], coalesce: 0.5)
        call.take(.text("a"), .text("b"))
        call.close(.cancelled)
        #expect(call.log == ["> look at 0.5", "> cancel, undelivered 2 + 0"])
    }

    // MARK: Questions

    @Test func status() {
        var call = CallDriver(.start, [.token])
        #expect(call.machine.status == "waiting")
        call.take(.retried)
        #expect(call.machine.status == "retrying")
        call.take(.started)
        #expect(call.machine.status == "waiting")
        call.take(.text("a"))
        #expect(call.machine.status == "streaming")
        call.take(.retried, .text("b"))
        #expect(call.machine.status == "retrying")
        call.take(.started)
        #expect(call.machine.status == "streaming")
        call.take(.finished)
        #expect(call.machine.status == "finished")
        call = CallDriver(.start)
        call.take(.failed(.network))
        #expect(call.machine.status == "failed")
    }

    @Test func whatCanGoOnByItself() {
        var call = CallDriver(.start)
        #expect(call.machine.canProgress)
        call.pause()
        #expect(!call.machine.canProgress)
        call.close(.cancelled)
        #expect(call.machine.canProgress)
        call.turn(.failed(.cancelled))
        #expect(!call.machine.canProgress)
        var stream = CallDriver(.stream)
        #expect(!stream.machine.canProgress)
        stream.pull()
        #expect(stream.machine.canProgress)
    }

    /// A failure is reported where nobody else shows it: of requests in the background, and of streams that nobody can read.
    @Test func unseenFailures() {
        func end(
            _ mode: CallStateMachine.Mode, _ callbacks: CallbackSet = [], _ kind: ErrorKind = .network,
            closedFor reason: CallStateMachine.CloseReason? = nil
        ) -> String {
            var call = CallDriver(mode, callbacks)
            call.pull()
            if let reason { call.close(reason) }
            call.turn(.failed(kind))
            return call.log.last?.split(separator: ", ").dropFirst().joined() ?? ""
        }
        #expect(end(.start) == "unseen background")
        #expect(end(.start, [.error]) == "")
        #expect(end(.ask) == "")
        #expect(end(.stream) == "")
        #expect(end(.start, closedFor: .cancelled) == "")
        #expect(end(.start, closedFor: .unread) == "unseen background")
        #expect(end(.stream, closedFor: .unread) == "unseen stream")
        #expect(end(.stream, [], .cancelled, closedFor: .unread) == "")
    }

    /// A request gives up its place at the limits when it has waited for its script at two looks.
    @Test func placesAtTheLimits() {
        var call = CallDriver(.start, [.token])
        call.perform(call.machine.sampleScriptWait())
        call.reactions["on_token a"] = .waits
        call.take(.text("a"))
        call.perform(call.machine.sampleScriptWait())
        #expect(call.takeLog() == ["on_token a"])
        call.perform(call.machine.sampleScriptWait())
        call.perform(call.machine.sampleScriptWait())
        #expect(call.takeLog() == ["> occupied"])
        call.callbackEnds()
        #expect(call.takeLog() == ["> reading"])
        call.perform(call.machine.sampleScriptWait())
        #expect(call.log.isEmpty)
    }

    @Test func whatALoopGetsWithoutAWait() {
        #expect(CallDriver(.stream).machine.canPullAtOnce)
        #expect(!CallDriver(.stream, [.token]).machine.canPullAtOnce)
        #expect(!CallDriver(.stream, coalesce: 1).machine.canPullAtOnce)
        var closed = CallDriver(.stream)
        closed.close(.cancelled)
        #expect(!closed.machine.canPullAtOnce)
    }

    // MARK: Output that is held

    @Test func heldOutputIsDeliveredWhenEnoughHasCome() {
        var call = CallDriver(.ask, [.token], hold: OutputHold(characters: 3, seconds: 2))
        call.now = 5
        call.take(.text("a"))
        call.take(.text("b"))
        #expect(call.takeLog() == ["> look at 7.0", "> look at 7.0"])
        call.take(.text("c"), .text("d"))
        #expect(call.log == ["on_token a", "on_token b", "on_token c", "on_token d"])
    }

    @Test func heldOutputIsDeliveredInTime() {
        var call = CallDriver(.ask, [.token], hold: OutputHold(characters: 3, seconds: 2))
        call.take(.text("a"))
        call.now = 2
        call.take()
        #expect(call.log == ["> look at 2.0", "on_token a"])
    }

    @Test func heldOutputOfARequestThatFailsIsDropped() {
        var call = CallDriver(.ask, [.token], hold: OutputHold(characters: 3, seconds: 2))
        call.take(.text("a"))
        call.take(.text("b"), .failed(.network))
        #expect(call.log == ["> look at 2.0", "result failed network", "= test: network: no luck"])
    }

    @Test func heldOutputOfARequestThatIsEndedIsUndelivered() {
        var call = CallDriver(.ask, [.token], hold: OutputHold(characters: 3, seconds: 2))
        call.take(.text("a"))
        call.close(.cancelled)
        #expect(call.log == ["> look at 2.0", "> cancel, undelivered 1 + 0"])
    }
}
