// Concurrent transfers: pause, stop, cancel, wake, and calls from delegates.

import Base
import Foundation
import Support
import Testing
import Transport

@Suite struct FlowTests {
    /// Bytes that encode their position: loss, duplication and swaps show.
    static func pattern(_ count: Int, seed: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { space, filled in
            var index = 0
            while index < count {
                space[index] = UInt8(truncatingIfNeeded: (index &* 31) ^ (index >> 8) ^ seed)
                index += 1
            }
            filled = count
        }
    }

    @Test(arguments: [false, true])
    func pausedTransferHoldsBackWhileAnotherRuns(chunked: Bool) throws {
        let size = 16_000_000
        let sent = Locked(0)
        let bodies = [Self.pattern(size, seed: 1), Self.pattern(2_000_000, seed: 2)]
        try withServer(
            sendBuffer: 65536,
            { connection in
                guard let request = connection.readRequest() else { return }
                let isFirst = request.line.contains("/first")
                let body = bodies[isFirst ? 0 : 1]
                let framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
                connection.write("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n")
                for start in stride(from: 0, to: body.count, by: 50_000) {
                    let piece = Array(body[start..<min(start + 50_000, body.count)])
                    if chunked { connection.write(String(piece.count, radix: 16) + "\r\n") }
                    guard connection.write(piece) else { return }
                    if chunked { connection.write("\r\n") }
                    if isFirst { sent.withLock { $0 += piece.count } }
                }
                if chunked { connection.write("0\r\n\r\n") }
            }
        ) { server in
            let multi = try Multi()
            let (first, second) = (Recorder(), Recorder())
            var refused: [UInt8]?
            var isHolding = true
            var offers = 0
            first.onBody = { _, piece in
                if !isHolding || first.bytes.isEmpty { return .taken }
                offers += 1
                refused = piece
                return .pause
            }
            let transfer = try multi.begin(get(server.url + "/first"), first)
            multi.run { refused != nil }
            #expect(transfer.isPaused)
            let held = first.bytes.count
            try multi.begin(get(server.url + "/second"), second)
            multi.run { second.end != nil }
            #expect(second.end?.result == .complete)
            #expect(second.bytes == bodies[1])
            // Nothing was offered twice, nothing got in, and the server noticed.
            #expect(offers == 1)
            #expect(first.bytes.count == held)
            #expect(first.end == nil)
            #expect(sent.withLock { $0 } < size)

            isHolding = false
            var again: [UInt8]?
            first.onBody = { _, piece in
                if again == nil { again = piece }
                return .taken
            }
            multi.resume(transfer)
            #expect(first.bytes.count == held)  // the delegate is not entered before a turn
            multi.run { first.end != nil }
            #expect(again?.prefix(refused?.count ?? 0) == refused?.prefix(again?.count ?? 0))
            #expect(first.end?.result == .complete)
            #expect(first.bytes == bodies[0])
        }
    }

    /// Pause from outside at each piece, followed by a resume.
    @Test func pauseAndResumeAtEveryPiece() throws {
        let body = Self.pattern(600_000, seed: 3)
        try withServer({ connection in
            while connection.readRequest() != nil {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
                connection.write(body)
            }
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            var pieces = 0
            recorder.onBody = { transfer, _ in
                pieces += 1
                multi.pause(transfer)
                return .taken
            }
            let transfer = try multi.begin(get(server.url), recorder)
            while recorder.end == nil, pieces < 10_000 {
                multi.turn(waitingUpTo: 0.02)
                multi.resume(transfer)
            }
            #expect(recorder.end?.result == .complete)
            #expect(recorder.bytes == body)
            #expect(pieces > 10)
        }
    }

    @Test func stopFromTheDelegate() throws {
        let departure = DispatchSemaphore(value: 0)
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\nfirst")
            _ = connection.waitForDeparture()
            departure.signal()
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            recorder.onBody = { _, _ in .stop }
            try multi.begin(get(server.url), recorder)
            multi.run { recorder.end != nil }
            #expect(recorder.end?.result == .stopped)
            #expect(recorder.end?.bodyBytes == 0)
            #expect(departure.wait(timeout: .now() + 10) == .success)
        }
    }

    /// `.stop` for bytes from a resume, which curl reports in another way.
    @Test func stopAfterAPause() throws {
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\nfirst")
            _ = connection.waitForDeparture()
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            var verdict = BodyVerdict.pause
            recorder.onBody = { _, _ in verdict }
            let transfer = try multi.begin(get(server.url), recorder)
            multi.run { transfer.isPaused }
            verdict = .stop
            multi.resume(transfer)
            multi.run { recorder.end != nil }
            #expect(recorder.ends.map(\.result) == [.stopped])
            #expect(multi.activeCount == 0)
        }
    }

    @Test func cancelClosesTheSocketBeforeItReturns() throws {
        let (reached, departure) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\ntoken")
            reached.signal()
            _ = connection.waitForDeparture()
            departure.signal()
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            let transfer = try multi.begin(get(server.url), recorder)
            multi.run { recorder.text == "token" }
            multi.cancel(transfer)
            // No turn in between.
            #expect(departure.wait(timeout: .now() + 10) == .success)
            #expect(multi.activeCount == 0)
            multi.cancel(transfer)
            multi.pause(transfer)
            multi.resume(transfer)
            multi.turn(waitingUpTo: 0)
            #expect(recorder.ends.isEmpty)
        }
    }

    @Test(arguments: ["connecting", "before the answer", "paused"])
    func cancelAtEveryStage(_ stage: String) throws {
        try withServer({ connection in
            _ = connection.readRequest()
            if stage == "paused" { connection.write("HTTP/1.1 200 OK\r\n\r\ntoken") }
            _ = connection.waitForDeparture()
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            recorder.onBody = { _, _ in .pause }
            let transfer = try multi.begin(get(server.url), recorder)
            if stage == "before the answer" { multi.run { server.requests.count == 1 } }
            if stage == "paused" { multi.run { transfer.isPaused } }
            multi.cancel(transfer)
            #expect(multi.activeCount == 0)
            let next = try RawServer(answering("next"))
            defer { next.stop() }
            #expect(try multi.fetch(get(next.url)).0.text == "next")
            #expect(recorder.ends.isEmpty)
        }
    }

    @Test func delegatesMayCancelAndStartFromWithin() throws {
        try withServer({ connection in
            while let request = connection.readRequest() {
                if request.line.contains("/endless") {
                    connection.write("HTTP/1.1 200 OK\r\n\r\ntoken")
                    _ = connection.waitForDeparture()
                    return
                }
                connection.answer("short")
            }
        }) { server in
            let multi = try Multi()
            let (other, own, late) = (Recorder(), Recorder(), Recorder())
            let otherTransfer = try multi.begin(get(server.url + "/endless"), other)
            multi.run { other.text == "token" }
            own.onBody = { transfer, _ in
                multi.cancel(otherTransfer)
                multi.cancel(transfer)
                _ = try? multi.begin(get(server.url), late)
                return .taken
            }
            try multi.begin(get(server.url), own)
            multi.run { late.end != nil }
            #expect(late.text == "short")
            #expect(other.ends.isEmpty && own.ends.isEmpty)
            #expect(multi.activeCount == 0)
        }
    }

    @Test func endsMayStartTheNextTransfer() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            var recorders: [Recorder] = []
            func next() {
                guard recorders.count < 5 else { return }
                let recorder = Recorder()
                recorder.onEnd = { _ in next() }
                recorders.append(recorder)
                _ = try? multi.begin(post(server.url), recorder)
            }
            next()
            multi.run { recorders.count == 5 && recorders.allSatisfy { $0.end != nil } }
            #expect(recorders.allSatisfy { $0.end?.result == .complete })
            #expect(server.connectionCount == 1)
            recorders.forEach { $0.onEnd = nil }
        }
    }

    /// Cancels a transfer whose end is pending, from the delegate of another that ended in the same turn.
    @Test func endsOfOneTurnMayCancelEachOther() throws {
        let multi = try Multi()
        let (one, two) = (Recorder(), Recorder())
        let dead = try RawServer { _ in }
        dead.stop()
        let first = try multi.begin(get(dead.url), one)
        let second = try multi.begin(get(dead.url), two)
        one.onEnd = { _ in multi.cancel(second) }
        two.onEnd = { _ in multi.cancel(first) }
        multi.run { multi.activeCount == 0 }
        // curl chooses the order; the first cancels the other if both ended in one turn.
        #expect((1...2).contains(one.ends.count + two.ends.count))
    }

    @Test func wakeEndsAWaitFromAnotherThread() throws {
        let multi = try Multi()
        let handle = multi.wakeHandle
        let started = SystemClock.now()
        let thread = Thread { handle.wake() }
        thread.start()
        multi.turn(waitingUpTo: nil)  // would wait for ever
        #expect(SystemClock.now() - started < 10)
        // Wakes before a turn are kept, and count once.
        handle.wake()
        handle.wake()
        multi.turn(waitingUpTo: nil)
        let before = SystemClock.now()
        multi.turn(waitingUpTo: 0.05)
        #expect(SystemClock.now() - before >= 0.049)
    }

    @Test func wakeHandleMayOutliveItsMulti() throws {
        var multi: Multi? = try Multi()
        let handle = try #require(multi?.wakeHandle)
        multi = nil
        handle.wake()
        #expect(fcntl(handle.descriptor, F_GETFD) == FD_CLOEXEC)
    }

    @Test func twoHundredAtOnce() throws {
        let count = 200
        let waiting = Locked(0)
        let everyone = DispatchSemaphore(value: 0)
        try withServer({ connection in
            guard let request = connection.readRequest() else { return }
            if waiting.withLock({
                $0 += 1; return $0
            }) == count {
                for _ in 0..<count { everyone.signal() }
            }
            // No response before all requests arrived: all must be open at once.
            _ = everyone.wait(timeout: .now() + 15)
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<20 {
                connection.write(String(request.text.utf8.count, radix: 16) + "\r\n" + request.text + "\r\n")
            }
            connection.write("0\r\n\r\n")
        }) { server in
            let multi = try Multi()
            let recorders = (0..<count).map { _ in Recorder() }
            for (index, recorder) in recorders.enumerated() {
                try multi.begin(post(server.url, "<\(index)>"), recorder)
            }
            #expect(multi.activeCount == count)
            multi.run { multi.activeCount == 0 }
            for (index, recorder) in recorders.enumerated() {
                #expect(recorder.ends.map(\.result) == [.complete])
                #expect(recorder.text == String(repeating: "<\(index)>", count: 20))
            }
            #expect(server.requests.count == count)
        }
    }

    @Test func delegateIsLetGoAtTheEndAndAtCancel() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            weak var ended: Recorder?
            weak var cancelled: Recorder?
            var kept: [Transfer] = []
            do {
                let (one, two) = (Recorder(), Recorder())
                (ended, cancelled) = (one, two)
                kept.append(try multi.begin(get(server.url), one))
                multi.run { one.end != nil }
                kept.append(try multi.begin(get(server.url), two))
                multi.cancel(kept[1])
            }
            #expect(ended == nil && cancelled == nil)
            #expect(kept.map(\.id) == [1, 2])
        }
    }
}
