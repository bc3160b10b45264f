// A listener with a receiver that does what the path of a request says.

import Chat
import HTTP
import NIOCore
import NIOPosix
import Testing

@testable import Server

/// Answers by the path of the request:
/// - `/hold`: nothing; the test answers through `writers`.
/// - `/stream`: begins a stream, which the test continues.
/// - `/refused`: refused by its head with 401.
/// - `/large`: 256 KiB.
/// - others: the method, the target and the body.
final class StubReceiver: RequestReceiver {
    let log: EventLog
    var writers: [any ResponseWriter] = []
    var sockets: [any SocketWriter] = []
    var heads: [RequestHead] = []

    init(log: EventLog) { self.log = log }

    func refusal(of head: RequestHead) -> ServedResponse? {
        heads.append(head)
        return head.target == "/refused" ? ServedResponse(status: 401, type: "text/plain", Array("refused".utf8)) : nil
    }

    func receive(_ request: IncomingRequest, _ writer: any ResponseWriter) -> any ServerExchange {
        log.add("request \(request.head.target)")
        switch request.head.target {
        case "/hold": writers.append(writer)
        case "/stream":
            writers.append(writer)
            writer.begin(status: 200, headers: ["content-type": "text/event-stream"])
        case "/large": writer.respond(ServedResponse(type: "text/plain", [UInt8](repeating: 0x78, count: 256 << 10)))
        default:
            let body = "\(request.head.method) \(request.head.target) " + String(decoding: request.body, as: UTF8.self)
            writer.respond(ServedResponse(type: "text/plain", Array(body.utf8)))
        }
        return StubExchange(target: request.head.target, writer: writer, log: log)
    }

    func refusal(ofSocket head: RequestHead) -> ServedResponse? {
        head.target == "/refused" ? ServedResponse(status: 401, type: "text/plain", Array("refused".utf8)) : nil
    }

    func openSocket(_ head: RequestHead, _ writer: any SocketWriter) -> any ServerSocket {
        log.add("open \(head.target)")
        sockets.append(writer)
        return StubSocket(target: head.target, writer: writer, log: log)
    }

    func response(toBroken status: Int, message: String, remoteAddress: String) -> ServedResponse {
        log.add("broken \(status)")
        return ServedResponse(status: status, type: "text/plain", Array(message.utf8))
    }
}

final class StubExchange: ServerExchange {
    private let target: String
    private let writer: any ResponseWriter
    private let log: EventLog

    init(target: String, writer: any ResponseWriter, log: EventLog) {
        self.target = target
        self.writer = writer
        self.log = log
    }

    func clientIsGone() { log.add("gone \(target)") }
    func writabilityChanged() { log.add(writer.isWritable ? "writable" : "full") }
}

/// Echoes text messages. At `/large`, replies with 256 KiB.
final class StubSocket: ServerSocket {
    private let target: String
    private let writer: any SocketWriter
    private let log: EventLog

    init(target: String, writer: any SocketWriter, log: EventLog) {
        self.target = target
        self.writer = writer
        self.log = log
    }

    func received(_ text: [UInt8]) {
        log.add("text \(text.count)")
        writer.send(
            target == "/large" ? ByteBuffer(repeating: 0x78, count: 256 << 10) : ByteBuffer(bytes: text))
    }
    func closed() { log.add("closed") }
    func writabilityChanged() {}
}

final class TransportHarness {
    let listener: Listener
    let log: EventLog
    private let loop: any EventLoop
    private let receiver: NIOLoopBound<StubReceiver>

    init(
        _ group: MultiThreadedEventLoopGroup, longestStall: TimeAmount, _ configure: (inout ServerSpec) -> Void
    ) throws {
        let log = EventLog()
        let loop = group.next()
        receiver = try loop.submit { NIOLoopBound(StubReceiver(log: log), eventLoop: loop) }.wait()
        let stub = receiver
        let erased = try loop.submit { NIOLoopBound<any RequestReceiver>(stub.value, eventLoop: loop) }.wait()
        var spec = ServerSpec()
        spec.port = 0
        configure(&spec)
        listener = try Listener.start(spec, group: group, receiver: erased, longestStall: longestStall)
        self.log = log
        self.loop = loop
    }

    var port: Int { listener.address.port ?? 0 }

    func connect(receiveBuffer: Int32? = nil) throws -> TestClient {
        try TestClient(port: port, receiveBuffer: receiveBuffer)
    }

    /// Runs `body` on the server's thread.
    func onLoop<Result: Sendable>(_ body: @escaping @Sendable (StubReceiver) throws -> Result) throws -> Result {
        let receiver = receiver
        return try loop.submit { try body(receiver.value) }.wait()
    }

    /// Waits until the server has handled what has been sent to it, by a request on another connection.
    func wait() throws { _ = try connect().get("/a") }

    /// Uses the writer of the latest `/hold` or `/stream`.
    func onWriter(_ body: @escaping @Sendable (any ResponseWriter) -> Void) throws {
        try onLoop { body(try #require($0.writers.last)) }
    }
}

/// Runs `body` with a server on a port that the kernel chooses, and its thread.
func withServer(
    longestStall: TimeAmount = .seconds(120), _ configure: (inout ServerSpec) -> Void = { _ in },
    _ body: (TransportHarness) throws -> Void
) throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
        let harness = try TransportHarness(group, longestStall: longestStall, configure)
        try body(harness)
        harness.listener.closeAll()
    } catch {
        try group.syncShutdownGracefully()
        throw error
    }
    try group.syncShutdownGracefully()
}
