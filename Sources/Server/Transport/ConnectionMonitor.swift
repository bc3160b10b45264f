// The first handler of each connection: its place in the registry, its deadline, and the check that its client reads.

internal import Glibc
internal import NIOCore

/// The protocol that a connection speaks, as its monitor sees it.
protocol ConnectionOwner: AnyObject {
    /// The monitor's deadline has passed.
    func deadlinePassed()
    /// The server stops: an idle connection closes, another one after the response that runs.
    func finish()
}

final class ConnectionMonitor: ChannelDuplexHandler, Clocked {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    /// Set when the protocol is known. Until then, a deadline that passes closes the connection.
    weak var owner: (any ConnectionOwner)?
    var deadline: NIODeadline?

    private let registry: ConnectionRegistry
    private var context: ChannelHandlerContext?
    private var writtenBytes = 0
    private var mayHaveBacklog = false
    private var stall: (sentBytes: Int, deadline: NIODeadline)?

    init(registry: ConnectionRegistry) { self.registry = registry }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        registry.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        registry.remove(self)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writtenBytes += unwrapOutboundIn(data).readableBytes
        mayHaveBacklog = true
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A socket error closes the channel. Running exchanges are notified by channelInactive.
        context.close(promise: nil)
    }

    func tick(_ now: NIODeadline) {
        if let deadline, deadline <= now {
            self.deadline = nil
            if let owner { owner.deadlinePassed() } else { close() }
        }
        if mayHaveBacklog { checkStall(now) }
    }

    func finish() {
        if let owner { owner.finish() } else { close() }
    }

    /// Closes without the farewell of TLS.
    func close() { context?.close(promise: nil) }

    /// Closes so that the client gets a reset: lingering for zero seconds makes close() send RST (socket(7), SO_LINGER).
    func reset() {
        guard let context else { return }
        if let socket = context.channel as? any SocketOptionProvider {
            socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in
                // The socket is closed already.
            }
        }
        context.close(promise: nil)
    }

    private func checkStall(_ now: NIODeadline) {
        guard let backlog = backlog(), backlog > 0 else {
            mayHaveBacklog = false
            stall = nil
            return
        }
        let sentBytes = writtenBytes - backlog
        if let stall, stall.sentBytes == sentBytes {
            if stall.deadline <= now { reset() }
        } else {
            stall = (sentBytes, now + registry.longestStall)
        }
    }

    /// Bytes that the kernel has not taken yet.
    private func backlog() -> Int? {
        do {
            return try context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        } catch {
            // The channel is closed.
            return nil
        }
    }
}
