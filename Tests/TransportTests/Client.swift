// A recording delegate, and a loop with a deadline.

import Base
import Foundation
import HTTP
import Support
import Testing
import Transport

/// Records the events of one transfer.
final class Recorder: TransferDelegate {
    var heads: [HTTPResponseHead] = []
    var bytes: [UInt8] = []
    var ends: [TransferEnd] = []
    /// Called at each piece of the body; nil: take it.
    var onBody: ((Transfer, [UInt8]) -> BodyVerdict)?
    var onHead: ((Transfer) -> Void)?
    var onEnd: ((Transfer) -> Void)?

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var end: TransferEnd? { ends.first }

    func transfer(_ transfer: Transfer, didReceive head: HTTPResponseHead) {
        heads.append(head)
        onHead?(transfer)
    }

    func transfer(_ transfer: Transfer, didReceive span: Span<UInt8>) -> BodyVerdict {
        let piece = span.withUnsafeBufferPointer { Array($0) }
        let verdict = onBody?(transfer, piece) ?? .taken
        if verdict == .taken { bytes += piece }
        return verdict
    }

    func transfer(_ transfer: Transfer, didEnd end: TransferEnd) {
        ends.append(end)
        onEnd?(transfer)
    }
}

extension Multi {
    /// Turns until `isDone`; fails the test after 20 seconds.
    func run(_ sourceLocation: SourceLocation = #_sourceLocation, until isDone: () -> Bool) {
        let deadline = SystemClock.now() + 20
        while !isDone() {
            let left = deadline - SystemClock.now()
            guard left > 0 else {
                Issue.record("20 seconds are over", sourceLocation: sourceLocation)
                return
            }
            turn(waitingUpTo: left)
        }
    }

    /// Starts a transfer that reports to `recorder`. No proxy, whatever the environment.
    @discardableResult
    func begin(
        _ request: HTTPRequest, _ recorder: Recorder, _ change: (inout TransferOptions) -> Void = { _ in }
    ) throws -> Transfer {
        var options = TransferOptions()
        options.proxy = ""
        change(&options)
        return try start(request, options: options, delegate: recorder)
    }

    /// Runs one transfer.
    func fetch(
        _ request: HTTPRequest, _ sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout TransferOptions) -> Void = { _ in }
    ) throws -> (Recorder, TransferEnd) {
        let recorder = Recorder()
        try begin(request, recorder, change)
        run(sourceLocation) { recorder.end != nil }
        let end = try #require(recorder.end, sourceLocation: sourceLocation)
        return (recorder, end)
    }
}

func get(_ url: String) -> HTTPRequest { HTTPRequest(method: "GET", url: url) }

func post(_ url: String, _ body: String = "{}") -> HTTPRequest {
    HTTPRequest(method: "POST", url: url, headers: ["Content-Type": "application/json"], body: Array(body.utf8))
}

/// Runs `body` with a scripted server, and stops the server afterwards.
func withServer<Result>(
    sendBuffer: Int32? = nil, _ script: @escaping @Sendable (RawServer.Connection) -> Void,
    _ body: (RawServer) throws -> Result
) throws -> Result {
    let server = try RawServer(sendBuffer: sendBuffer, script)
    defer { server.stop() }
    return try body(server)
}

/// A script that answers each request of a connection with `text`.
func answering(_ text: String) -> @Sendable (RawServer.Connection) -> Void {
    { connection in
        while connection.readRequest() != nil { connection.answer(text) }
    }
}

/// A script that reads one request, sends `bytes` unchanged, and closes.
func sending(_ bytes: String) -> @Sendable (RawServer.Connection) -> Void {
    { connection in
        _ = connection.readRequest()
        connection.write(bytes)
    }
}
