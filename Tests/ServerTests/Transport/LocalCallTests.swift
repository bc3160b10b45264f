// Requests from the same process.

import Chat
import HTTP
import NIOCore
import Testing

@testable import Server

@Suite struct LocalCallTests {
    private static func request(_ target: String) -> IncomingRequest {
        IncomingRequest(
            head: RequestHead(method: "GET", target: target, headers: [:], remoteAddress: "local"), body: [])
    }

    @Test func deliversAResponseInPieces() {
        let receiver = StubReceiver(log: EventLog())
        var text = ""
        let call = LocalCall.start(Self.request("/stream"), to: receiver) { event in
            switch event {
            case .head(let status, _): text += "\(status) "
            case .body(let bytes): text += String(buffer: bytes)
            case .end: text += " end"
            case .aborted: text += " aborted"
            }
        }
        call.write(ByteBuffer(string: "one"))
        call.end()
        call.write(ByteBuffer(string: "late"))
        call.cancel()
        #expect(text == "200 one end")
        #expect(receiver.log.all == ["request /stream"])
    }

    @Test func reportsItsReaderToTheServer() {
        let receiver = StubReceiver(log: EventLog())
        let call = LocalCall.start(Self.request("/stream"), to: receiver) { _ in }
        call.write(ByteBuffer(repeating: 0x78, count: Listener.highWaterMark))
        call.didRead(1)
        call.cancel()
        call.cancel()
        #expect(receiver.log.all == ["request /stream", "full", "writable", "gone /stream"])
    }

    @Test func deliversARefusal() {
        var statuses: [Int] = []
        _ = LocalCall.start(Self.request("/refused"), to: StubReceiver(log: EventLog())) { event in
            if case .head(let status, _) = event { statuses.append(status) }
        }
        #expect(statuses == [401])
    }
}
