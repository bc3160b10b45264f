// The handler of a connection beyond the limit: it answers 503 and closes.

internal import Chat
internal import HTTP
internal import NIOCore

final class OverloadRefusal: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let longestTime = TimeAmount.seconds(1)

    private let environment: ConnectionEnvironment

    init(environment: ConnectionEnvironment) { self.environment = environment }

    func channelActive(context: ChannelHandlerContext) {
        let response = environment.response(
            to: BrokenRequest(
                status: 503, message: "The server has too many open connections.", headers: ["retry-after": "1"]),
            remoteAddress: context.channel.clientAddress)
        var bytes = HTTP1ResponseHead.bytes(
            status: response.status, headers: response.headers, framing: .length(response.body.count),
            connection: "close", date: environment.dateField())
        bytes.writeBytes(response.body)
        // The socket of a new connection has room for a short response.
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        context.close(mode: .output, promise: nil)
        // Its request is read and dropped: closing with unread input would reset the connection.
        let channel = context.channel
        let timer = context.eventLoop.scheduleTask(in: Self.longestTime) { channel.close(promise: nil) }
        context.channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func handlerRemoved(context: ChannelHandlerContext) { environment.registry.endRefusal() }
}
