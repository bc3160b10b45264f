// Work of one turn, and input after a period without polling.

import Base
import Foundation
import Support
import Testing
import Transport

@Suite struct TurnTests {
    /// Long work leaves the turn after its share, and still completes.
    @Test func aTurnEndsAfterAShareOfItsWork() throws {
        let size = 2_000_000
        let bodies = [FlowTests.pattern(size, seed: 1), FlowTests.pattern(size, seed: 2)]
        try withServer({ connection in
            guard let request = connection.readRequest() else { return }
            let body = bodies[request.line.contains("/first") ? 0 : 1]
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
            connection.write(body)
        }) { server in
            let multi = try Multi()
            let recorders = [Recorder(), Recorder()]
            var pieces = 0
            for (recorder, path) in zip(recorders, ["/first", "/second"]) {
                recorder.onBody = { _, _ in
                    pieces += 1
                    // Longer than a turn's share.
                    let end = SystemClock.now() + 0.006
                    while SystemClock.now() < end {}
                    return .taken
                }
                try multi.begin(get(server.url + path), recorder)
            }
            var most = 0
            multi.run {
                most = max(most, pieces)
                pieces = 0
                return recorders.allSatisfy { $0.end != nil }
            }
            // As many as a late turn reads, on a machine that is busy elsewhere.
            #expect(most <= 22)
            for (recorder, body) in zip(recorders, bodies) {
                #expect(recorder.end?.result == .complete && recorder.bytes == body)
            }
        }
    }

    /// No polling for longer than the connect timeout: input that arrived counts.
    @Test func aConnectionIsNotLateBecauseNobodyLooked() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            let recorder = Recorder()
            try multi.begin(get(server.url), recorder) { $0.connectTimeout = 0.3 }
            multi.turn(waitingUpTo: 0)
            let end = SystemClock.now() + 0.6
            while SystemClock.now() < end {}
            multi.run { recorder.end != nil }
            #expect(recorder.end?.result == .complete && recorder.text == "x")
        }
    }

    /// After a period without polling one turn reads something from each socket, however long the work takes.
    @Test func aLateTurnLooksAtEverySocket() throws {
        let count = 30
        let sent = DispatchSemaphore(value: 0)
        let go = DispatchSemaphore(value: 0)
        try withServer({ connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            go.wait()
            connection.write("x")
            sent.signal()
            _ = connection.waitForDeparture()
        }) { server in
            let multi = try Multi()
            let recorders = (0..<count).map { _ in Recorder() }
            for recorder in recorders {
                recorder.onBody = { _, _ in
                    let end = SystemClock.now() + 0.006
                    while SystemClock.now() < end {}
                    return .taken
                }
                try multi.begin(get(server.url), recorder)
            }
            multi.run { recorders.allSatisfy { !$0.heads.isEmpty } }
            for _ in 0..<count { go.signal() }
            for _ in 0..<count { sent.wait() }
            let end = SystemClock.now() + 0.4
            while SystemClock.now() < end {}
            multi.turn(waitingUpTo: 0)
            #expect(recorders.allSatisfy { $0.text == "x" })
        }
    }
}
