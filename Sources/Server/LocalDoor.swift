// Requests of callers in this process, from any thread: for programs that embed a server, and for tests.

internal import Chat
package import HTTP
internal import NIOCore

/// A request of a caller in this process.
package struct LocalRequest: Sendable {
    package var method: String
    /// Path and query, as in a request line: "/stream?prompt=hi".
    package var target: String
    package var headers: HTTPHeaders
    package var body: [UInt8]

    package init(method: String, target: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }
}

/// A part of the response, in order.
package enum LocalResponsePart: Sendable {
    case head(status: Int, headers: HTTPHeaders)
    case body([UInt8])
    case end
    /// The server has cut the response.
    case aborted
}

/// Sends requests to a running server. To be used from any thread.
package struct LocalDoor: Sendable {
    private let core: NIOLoopBound<ServerCore>

    init(_ core: NIOLoopBound<ServerCore>) { self.core = core }

    /// Sends a request.
    /// - Parameter deliver: takes the parts of the response, on the server's thread.
    package func send(
        _ request: LocalRequest, deliver: @escaping @Sendable (LocalResponsePart) -> Void
    ) -> LocalExchange {
        let exchange = LocalExchange(loop: core.eventLoop)
        core.eventLoop.execute { [core] in
            var head = RequestHead(
                method: request.method, target: request.target, headers: request.headers, remoteAddress: "local")
            if head.headers["host"] == nil { head.headers["host"] = "localhost" }
            exchange.call.value = LocalCall.start(IncomingRequest(head: head, body: request.body), to: core.value) {
                switch $0 {
                case .head(let status, let headers): deliver(.head(status: status, headers: headers))
                case .body(let bytes): deliver(.body(Array(bytes.readableBytesView)))
                case .end: deliver(.end)
                case .aborted: deliver(.aborted)
                }
            }
        }
        return exchange
    }

    /// Asks the script to end its server, as SIGTERM does.
    package func stop() {
        core.eventLoop.execute { [core] in core.value.surroundings.deliver(.stopAsked) }
    }
}

/// One request of a caller in this process.
package final class LocalExchange: Sendable {
    private let loop: any EventLoop
    /// Made on the loop.
    fileprivate let call: NIOLoopBoundBox<LocalCall?>

    fileprivate init(loop: any EventLoop) {
        self.loop = loop
        call = NIOLoopBoundBox.makeEmptyBox(valueType: LocalCall.self, eventLoop: loop)
    }

    /// The caller has read bytes of the body: the server sends no more than 64 KB ahead.
    package func didRead(_ count: Int) { loop.execute { self.call.value?.didRead(count) } }

    /// The caller wants no more.
    package func cancel() { loop.execute { self.call.value?.cancel() } }
}
