// Delivery, back-pressure, pause, stop, cancel, timeouts, and many requests.

import Base
import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct EngineFlowTests {
    // MARK: Stop and cancel

    @Test func stopKeepsWhatWasShown() throws {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "r:hm", "t:one ", "t:two ", "t:three ")
        world.turn()
        let taken = world.client.take(RequestID(1))
        world.send(events: "t:four")
        world.turn()
        // The reader has shown "hm" and "one " of what it took.
        world.client.submit(.stop(RequestID(1), undelivered: Undelivered(taken[2...])))
        world.turnAndTake()
        let reply = try #require(world.finish)
        #expect(world.names == ["finish"])
        #expect(reply.text == "one ")
        #expect(reply.reasoning == "hm")
        #expect(reply.finishReason == .cancelled)
        #expect(reply.usage?.estimated == true)
        #expect(world.last.isCancelled)
        #expect(world.engine.activeCount == 0)
        #expect(world.engine.transferCount == 0)
    }

    @Test func aReplyThatIsWholeCanStillBeStopped() throws {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "t:one ", "t:two", "finish:stop", "[DONE]")
        world.turn()
        let taken = world.client.take(RequestID(1))
        #expect(taken.count == 2, "the end comes alone")
        world.client.submit(.stop(RequestID(1), undelivered: Undelivered(taken[1...])))
        world.turnAndTake()
        #expect(world.finish?.text == "one ")
        #expect(world.finish?.finishReason == .cancelled)
        #expect(world.terminals == 1)
    }

    @Test func stopBeforeAResetIsSeenKeepsTheOldText() throws {
        for isResetTaken in [false, true] {
            let world = EngineHarness()
            world.start(1, EngineHarness.spec(retry: RetryPolicy(afterOutput: .restart)))
            world.head()
            world.send(events: "t:old ")
            world.turn()
            _ = world.client.take(RequestID(1))
            world.end(.cut(how: "reset"))
            world.turn()
            world.advance(5)
            world.head()
            world.send(events: "t:new ")
            world.turn()
            let taken = isResetTaken ? world.client.take(RequestID(1)) : []
            world.client.submit(.stop(RequestID(1), undelivered: Undelivered(taken)))
            world.turnAndTake()
            #expect(try #require(world.finish).text == "old ")
        }
    }

    @Test(arguments: ["queued", "opening", "streaming", "waiting", "ended"]) func cancelAnywhere(place: String) throws {
        let world = EngineHarness(maxTransfers: 1)
        if place == "queued" { world.start(2) }
        world.start()
        switch place {
        case "streaming":
            world.head()
            world.send(events: "t:x")
        case "waiting":
            world.head(503)
            world.end()
        case "ended":
            world.head()
            world.send(events: "t:x", "[DONE]")
        default: break
        }
        world.turn()
        world.client.submit(.cancel(RequestID(1)))
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.kind == .cancelled)
        #expect(!failure.isRetryable)
        #expect(failure.partial == nil)
        #expect(world.terminals == 1)
        if place != "queued" { #expect(world.last.isCancelled || world.last.isEnded) }
        world.advance(200)
        world.takeAll()
        #expect(world.transport.transfers.count == 1)
        world.client.submit(.cancel(RequestID(1)))
        world.client.submit(.stop(RequestID(1)))
        world.turnAndTake()
        #expect(world.terminals == (place == "queued" ? world.terminals : 1), "commands to the dead are ignored")
    }

    // MARK: Back-pressure and pause

    @Test func anEndlessStreamIsHeldAndLetGo() {
        let world = EngineHarness()
        var spec = EngineHarness.spec()
        spec.limits.inboxEvents = 10
        world.start(1, spec)
        world.head()
        for index in 0..<1000 { world.send(events: "t:\(index),") }
        world.turn()
        #expect(world.last.isPaused)
        world.turn()
        #expect(world.last.incoming.count == 990, "nothing is read while ten wait")
        #expect(world.client.take(RequestID(1)).count == 10)
        #expect(!world.last.isPaused)
        var taken = 10
        world.send(events: "[DONE]")
        for _ in 0..<1000 {
            world.turn()
            while let id = world.client.nextReady() {
                let events = world.client.take(id)
                taken += events.count { if case .text = $0 { true } else { false } }
                world.events += events
                #expect(events.count <= 12)
            }
        }
        #expect(taken == 1000)
        #expect(world.finish != nil)
    }

    @Test func bytesCountToo() {
        let world = EngineHarness()
        var spec = EngineHarness.spec()
        spec.limits.inboxBytes = 1000
        world.start(1, spec)
        world.head()
        for _ in 0..<10 { world.send(events: "t:" + String(repeating: "x", count: 400)) }
        world.turn()
        #expect(world.last.incoming.count == 7)
        #expect(world.last.isPaused)
    }

    @Test func aPausedRequestIsSilentAndOwesNoTime() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(timeouts: Timeouts(first: 10, idle: 10)))
        world.head()
        world.send(events: "t:a")
        world.turn()
        world.client.submit(.pause(RequestID(1)))
        world.send(events: "t:b", "t:c", "[DONE]")
        world.turnAndTake()
        #expect(world.events.isEmpty)
        #expect(world.last.isPaused)
        world.advance(10_000)
        world.takeAll()
        #expect(world.events.isEmpty)
        world.client.submit(.resume(RequestID(1)))
        world.turnAndTake()
        #expect(world.names == ["t:a", "t:b", "t:c", "finish"])
    }

    @Test func aPauseDoesNotOutliveCancelStopOrTheTotal() {
        for how in ["cancel", "stop", "total"] {
            let world = EngineHarness()
            world.start(1, EngineHarness.spec(timeouts: Timeouts(total: 100)))
            world.head()
            world.send(events: "t:a")
            world.turn()
            world.client.submit(.pause(RequestID(1)))
            world.turn()
            switch how {
            case "cancel": world.client.submit(.cancel(RequestID(1)))
            case "stop": world.client.submit(.stop(RequestID(1)))
            default: world.time.now += 100
            }
            world.turn()
            world.takeAll()
            #expect(world.terminals == 1, "\(how)")
        }
    }

    /// The reply is complete, and nobody may be left to resume it.
    @Test func theTotalTimeoutEndsThePauseOfACompleteReply() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(timeouts: Timeouts(total: 100)))
        world.head()
        world.send(events: "t:a", "t:b", "[DONE]")
        world.turn()
        world.client.submit(.pause(RequestID(1)))
        world.turnAndTake()
        #expect(world.events.isEmpty)
        world.advance(99)
        world.takeAll()
        #expect(world.events.isEmpty)
        world.advance(2)
        world.takeAll()
        #expect(world.names == ["t:a", "t:b", "finish"])
    }

    @Test func aPauseBeforeTheFirstByte() {
        let world = EngineHarness()
        world.client.submit(.start(RequestID(1), EngineHarness.spec(timeouts: Timeouts(first: 10))))
        world.client.submit(.pause(RequestID(1)))
        world.turn()
        world.advance(50)
        world.takeAll()
        #expect(world.events.isEmpty)
        world.client.submit(.resume(RequestID(1)))
        world.turn()
        world.head()
        world.send(events: "[DONE]")
        world.turnAndTake()
        #expect(world.finish != nil)
    }

    // MARK: Time

    @Test func timeoutsNameTheirPhase() throws {
        let timeouts = Timeouts(first: 10, idle: 5, total: 12)
        for (payload, seconds, phase) in [
            (nil, 10.0, RequestFailure.Phase.first), (": only a comment", 10, .first), ("t:x", 5, .idle),
        ] {
            let world = EngineHarness()
            world.start(1, EngineHarness.spec(retry: RetryPolicy(max: 0), timeouts: timeouts))
            world.head()
            if let payload { world.send("data: \(payload)\n\n") }
            world.turn()
            world.advance(seconds - 0.01)
            world.takeAll()
            #expect(world.failure == nil)
            world.advance(0.02)
            world.takeAll()
            let failure = try #require(world.failure)
            #expect(failure.kind == .timeout)
            #expect(failure.phase == phase)
            #expect(failure.isRetryable)
            #expect(world.last.isCancelled)
        }
    }

    @Test func toolOutputIsOutput() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(timeouts: Timeouts(first: 10, idle: 50)))
        world.head()
        world.send(events: "call:f")
        world.turn()
        world.advance(20)
        world.send(events: "finish:tool_calls", "[DONE]")
        world.turnAndTake()
        #expect(world.finish != nil)
    }

    @Test func heartbeatsAloneEndAsAStall() throws {
        let world = EngineHarness()
        world.start(
            1, EngineHarness.spec(retry: RetryPolicy(max: 0), timeouts: Timeouts(first: 10, idle: 5, stall: 60)))
        world.head()
        world.send(events: "t:x")
        world.turnAndTake()
        for _ in 0..<14 {
            world.send(": ping\n\n")
            world.advance(4)
        }
        world.send(events: "call:f")
        world.turn()
        // A piece of a tool call is output.
        for _ in 0..<14 {
            world.send(events: "ping")
            world.advance(4)
        }
        world.takeAll()
        #expect(world.failure == nil)
        world.send(events: "ping")
        world.advance(4)
        world.takeAll()
        let failure = try #require(world.failure)
        #expect(failure.kind == .timeout && failure.phase == .stall && failure.isRetryable)
        #expect(failure.partial?.text == "x")
    }

    @Test func heartbeatsKeepAStreamAliveButNotForEver() throws {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(timeouts: Timeouts(first: 10, idle: 5, total: 60)))
        world.head()
        world.send(events: "t:x")
        for _ in 0..<14 {
            world.send(": keepalive\n\n")
            world.turn()
            world.advance(4)
        }
        world.takeAll()
        #expect(world.failure == nil)
        world.send(": keepalive\n\n")
        world.turn()
        world.advance(4)
        world.takeAll()
        #expect(try #require(world.failure).phase == .total)
    }

    @Test func timersDoNotPileUp() {
        let world = EngineHarness()
        world.start()
        world.head()
        for _ in 0..<10_000 {
            world.send(events: "t:x")
            world.turnAndTake()
            world.time.now += 0.01
        }
        #expect(world.engine.timers.count <= 4)
    }

    // MARK: Many

    @Test func noMoreTransfersThanAllowed() {
        let world = EngineHarness(maxTransfers: 3)
        for id in 1...10 { world.client.submit(.start(RequestID(UInt64(id)), EngineHarness.spec())) }
        world.turn()
        #expect(world.transport.transfers.count == 3)
        for index in 0..<10 {
            let transfer = world.transport.transfers[index]
            transfer.incoming = [
                .head(HTTPResponseHead(status: 200)), .body(Array("data: t:\(index)\n\ndata: [DONE]\n\n".utf8)),
                .end(.complete),
            ]
            world.turnAndTake()
            #expect(world.engine.transferCount <= 3)
        }
        #expect(world.terminals == 10)
        #expect(world.text == "0123456789", "in order")
        #expect(world.engine.activeCount == 0)
    }

    @Test func withoutDescriptorsRequestsWait() throws {
        let world = EngineHarness()
        world.start(1)
        world.transport.refusals = [.noDescriptors]
        world.client.submit(.start(RequestID(2), EngineHarness.spec()))
        world.turnAndTake()
        #expect(world.transport.transfers.count == 1)
        #expect(world.events.isEmpty)
        world.head()
        world.send(events: "[DONE]")
        world.end()
        world.turnAndTake()
        #expect(world.transport.transfers.count == 2)
        world.head()
        world.send(events: "[DONE]")
        world.end()
        world.turnAndTake()
        #expect(world.terminals == 2)
        let alone = EngineHarness()
        alone.transport.refusals = [.noDescriptors]
        alone.start(1, EngineHarness.spec(retry: RetryPolicy(max: 0)))
        alone.takeAll()
        #expect(try #require(alone.failure).message.contains("ulimit"))
    }

    @Test func readersAreServedInTurn() {
        let world = EngineHarness()
        for id in 1...3 {
            world.start(UInt64(id))
            world.head()
            for _ in 0..<4 { world.send(events: "t:\(id)") }
        }
        world.turn()
        var order: [UInt64] = []
        while let id = world.client.nextReady() {
            order.append(id.raw)
            #expect(world.client.take(id).count == 4)
        }
        #expect(order == [1, 2, 3])
    }

    @Test func theTurnSleepsNoLongerThanItMay() {
        let world = EngineHarness()
        world.engine.turn(waitingUpTo: nil)
        #expect(world.transport.lastWait == .some(nil))
        world.engine.turn(waitingUpTo: 3)
        #expect(world.transport.lastWait == 3)
        world.start(1, EngineHarness.spec(timeouts: Timeouts(first: 2)))
        world.engine.turn(waitingUpTo: 3)
        #expect(world.transport.lastWait == 2)
        world.head()
        world.send(events: "t:x")
        world.turn()
        world.engine.turn(waitingUpTo: nil)
        #expect(world.transport.lastWait == 0, "something waits to be taken")
    }

    /// The bytes have arrived, and their meaning is ignored.
    @Test(arguments: [[], ["t:x"], ["t:x", "finish:stop", "[DONE]"]])
    func anEngineLetsGoOfItsRequests(payloads: [String]) {
        weak var attempt: Attempt?
        do {
            let world = EngineHarness()
            world.start()
            attempt = world.last.attempt
            world.head()
            for payload in payloads { world.send(events: payload) }
            world.transport.turn(waitingUpTo: 0)
        }
        #expect(attempt == nil)
    }
}
