// A process that is stopped for a while and goes on, as a laptop does that sleeps: time passes, and bytes wait.

import Foundation
import Support
import Testing

@Suite(.serialized) struct StoppedTests {
    static func event(_ json: String) -> String { "data: {\"choices\":[{\"index\":0,\(json)}]}\n\n" }
    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    static let begin = event("\"delta\":{\"content\":\"half \"}")
    static let rest = event("\"delta\":{\"content\":\"moon\"},\"finish_reason\":\"stop\"") + "data: [DONE]\n\n"

    /// A run that prints its first token, then what became of the rest.
    static func start(_ server: RawServer, idle: Double) throws -> MoonrillBinary.Running {
        let script = """
            local llm = require "llm"
            local client = llm.client { base_url = "\(server.url)/v1", model = "m" }
            local reply, err = client:ask("hi", {
              retry = { max = 2, base = 0.01 }, timeout = { idle = \(idle) }, on_token = print })
            if reply then print("reply " .. reply.text .. " attempts " .. reply.attempts)
            else print(err.kind .. " " .. tostring(err.phase) .. " partial " .. err.partial.text) end
            """
        return try MoonrillBinary.start(["run", "-"], stdin: Array(script.utf8))
    }

    /// Stops the process for `seconds` of real time.
    static func hold(_ run: MoonrillBinary.Running, _ seconds: Double, _ meanwhile: () -> Void = {}) {
        run.send(SIGSTOP)
        meanwhile()
        Thread.sleep(forTimeInterval: seconds)
        run.send(SIGCONT)
    }

    @Test func theSilenceOfAServerCountsWhileTheProcessIsStopped() throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(Self.head + Self.begin)
            _ = connection.waitForDeparture()
        }
        defer { server.stop() }
        let run = try Self.start(server, idle: 3)
        run.waitForOutput()
        Self.hold(run, 3.5)
        let start = Date()
        let result = run.wait(timeout: 20)
        // A clock that stood still meanwhile would let it wait three more seconds.
        #expect(Date().timeIntervalSince(start) < 2)
        #expect(result.output == "half \ntimeout idle partial half \n", "\(result)")
    }

    /// The limits of the first token and of the whole request, and a script's own timers: what came meanwhile is met first.
    @Test func aReplyThatCameWhileTheProcessWasStoppedBeatsEveryTimer() throws {
        let go = DispatchSemaphore(value: 0)
        let sent = DispatchSemaphore(value: 0)
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(Self.head + ": hello\n\n")
            go.wait()
            connection.write(Self.begin + Self.rest)
            sent.signal()
        }
        defer { server.stop() }
        let script = """
            local llm = require "llm"
            local client = llm.client { base_url = "\(server.url)/v1", model = "m" }
            local options = { retry = { max = 0 }, timeout = { first = 1, total = 1.2 }, on_event = function(event)
              if event.type == "heartbeat" then print("here") end end }
            local reply, err = llm.flow.timeout(1, function() return client:ask("hi", options) end)()
            print(reply and reply.text or err)
            """
        let run = try MoonrillBinary.start(["run", "-"], stdin: Array(script.utf8))
        run.waitForOutput()
        Self.hold(run, 1.5) {
            go.signal()
            sent.wait()
        }
        let result = run.wait(timeout: 20)
        #expect(result.output == "here\nhalf moon\n", "\(result)")
    }

    /// What came meanwhile is there to be read: a time that has run out must not be held against it.
    @Test func bytesThatCameWhileTheProcessWasStoppedAreNotLost() throws {
        let go = DispatchSemaphore(value: 0)
        let sent = DispatchSemaphore(value: 0)
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(Self.head + Self.begin)
            go.wait()
            connection.write(Self.rest)
            sent.signal()
        }
        defer { server.stop() }
        let run = try Self.start(server, idle: 1)
        run.waitForOutput()
        Self.hold(run, 1.5) {
            go.signal()
            sent.wait()
        }
        let result = run.wait(timeout: 20)
        #expect(result.output == "half \nmoon\nreply half moon attempts 1\n", "\(result)")
    }
}
