// What the transport (NIO) and the server's core know of each other. All of it is used on the server's event loop.

internal import Chat
internal import HTTP
internal import NIOCore

/// The head of a request.
struct RequestHead: Equatable {
    /// "GET", upper case.
    var method: String
    /// Path and query as sent.
    var target: String
    /// In HTTP/2, `:authority` is `host`.
    var headers: HTTPHeaders
    /// The client's address without the port; "unix" for a Unix socket, "local" for a caller in this process.
    var remoteAddress: String
    var isTLS = false
    /// "HTTP/1.1", for the access log.
    var version = "HTTP/1.1"
}

/// A request that was read whole.
struct IncomingRequest {
    var head: RequestHead
    var body: [UInt8]
}

/// What receives the requests of all connections: the server's core.
protocol RequestReceiver: AnyObject {
    /// Decides on a request before its body is read.
    /// - Returns: the refusal, which is sent in place of any answer; nil to go on.
    func refusal(of head: RequestHead) -> ServedResponse?

    /// Answers a request. The writer is kept as long as the exchange runs; the transport keeps the exchange.
    func receive(_ request: IncomingRequest, _ writer: any ResponseWriter) -> any ServerExchange

    /// Decides on a WebSocket handshake (RFC 6455) that the transport found valid.
    /// - Returns: the refusal, or nil to accept it.
    func refusal(ofSocket head: RequestHead) -> ServedResponse?

    /// A WebSocket is open.
    func openSocket(_ head: RequestHead, _ writer: any SocketWriter) -> any ServerSocket

    /// The response to a request that the transport refuses by itself (broken HTTP, too large, too slow): `type` is a short
    /// name ("invalid_request_error"). For the access log and metrics, and for one form of errors.
    func response(toBroken status: Int, message: String, remoteAddress: String) -> ServedResponse
}

/// Where a response goes: an HTTP/1.1 connection, an HTTP/2 stream, or a caller in this process.
protocol ResponseWriter: AnyObject {
    /// Writes a whole response, which ends the exchange.
    func respond(_ response: ServedResponse)
    /// Begins a response whose body is written in pieces.
    func begin(status: Int, headers: HTTPHeaders)
    /// Writes a piece of the body and flushes it.
    func write(_ bytes: ByteBuffer)
    /// Ends the body.
    func end()
    /// Cuts the response: closes the connection or resets the stream.
    func abort()
    /// Whether the socket takes more without a backlog of more than about 64 KB.
    var isWritable: Bool { get }
}

/// A running exchange, as the transport sees it.
protocol ServerExchange: AnyObject {
    /// The connection or stream was closed before the response had ended. Called at most once.
    func clientIsGone()
    /// `ResponseWriter.isWritable` has changed.
    func writabilityChanged()
}

/// The sending side of a WebSocket.
protocol SocketWriter: AnyObject {
    /// Sends a text message (UTF-8).
    func send(_ text: ByteBuffer)
    /// Begins the closing handshake with a status code of RFC 6455 section 7.4.1.
    func close(_ code: Int, reason: String)
    var isWritable: Bool { get }
}

/// An open WebSocket, as the transport sees it.
protocol ServerSocket: AnyObject {
    /// A whole text message of at most 1 MiB, valid UTF-8. Binary messages are refused by the transport (close code 1003).
    func received(_ text: [UInt8])
    /// The socket is closed, however that came. Called once.
    func closed()
    func writabilityChanged()
}
