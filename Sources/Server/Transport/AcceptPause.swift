// Pauses the accepting of connections when accept(2) fails, as it does without free descriptors (EMFILE).

internal import NIOCore

/// The first handler of a listening socket. NIO's own `AcceptBackoffHandler` withholds the next read only, and the failed one
/// stays registered: epoll reports the waiting connection again and again, and one core does nothing else.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let time = TimeAmount.milliseconds(100)

    private var isPausing = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        guard !isPausing else { return }
        isPausing = true
        let channel = context.channel
        setAutoRead(false, of: channel)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.time) {
            self.isPausing = false
            self.setAutoRead(true, of: channel)
        }
    }

    private func setAutoRead(_ isOn: Bool, of channel: any Channel) {
        channel.setOption(.autoRead, value: isOn).whenFailure { _ in
            // The server has stopped meanwhile.
        }
    }
}
