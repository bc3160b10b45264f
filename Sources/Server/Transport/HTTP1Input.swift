// The handler before NIO's HTTP/1.1 decoder. It bounds the bytes that the decoder takes without a result, and holds input
// back while a response runs or the client of a WebSocket is behind with reading.

internal import NIOCore

/// What the connection does with the input's reports.
protocol HTTP1InputDelegate: AnyObject {
    /// Bytes have come, before they are decoded.
    func inputArrived()
    /// The decoder has taken more bytes than a head may have, and neither a head nor a piece of a body came of them.
    func inputOverflowed()
}

final class HTTP1Input: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes that are decoded at once: they bound how many small requests are decoded ahead of the one that is answered.
    private static let sliceBytes = 4 << 10
    /// Held bytes beyond which the socket is not read.
    private static let maximumHeldBytes = 64 << 10

    private enum Mode {
        case feeding
        /// A response runs. The socket is still read, because only a read sees that the client has closed.
        case holding
        /// Bytes are counted down and dropped.
        case dropping(remaining: Int)
        /// The connection has left HTTP.
        case passing
        /// It has left HTTP, and its handler takes nothing for now.
        case blocked
    }

    weak var delegate: (any HTTP1InputDelegate)?
    private let maximumHeadBytes: Int
    private var mode = Mode.feeding
    private var held: ByteBuffer?
    private var isFeeding = false
    private var isReadWanted = false
    private var unproductiveBytes = 0
    private var hasResult = false
    /// Whether the first line of the head that is being decoded has ended.
    private(set) var hasLineEnd = false
    private var context: ChannelHandlerContext?

    init(maximumHeadBytes: Int) { self.maximumHeadBytes = maximumHeadBytes }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        switch mode {
        case .dropping(let remaining):
            mode = .dropping(remaining: remaining - buffer.readableBytes)
            if remaining < buffer.readableBytes { context.close(promise: nil) }
            return
        case .feeding, .holding, .passing, .blocked: break
        }
        if held?.writeBuffer(&buffer) == nil { held = buffer }
        feed()
    }

    func read(context: ChannelHandlerContext) {
        switch mode {
        case .holding, .blocked: isReadWanted = held?.readableBytes ?? 0 >= Self.maximumHeldBytes
        case .feeding, .dropping, .passing: isReadWanted = false
        }
        if !isReadWanted { context.read() }
    }

    /// The decoder has emitted a part.
    func noteResult() { hasResult = true }

    /// Holds input back, after the slice that is being decoded.
    func hold() {
        if case .feeding = mode { mode = .holding }
    }

    /// Goes on after `hold()`.
    func resume() {
        guard case .holding = mode else { return }
        mode = .feeding
        feed()
        readIfWanted()
    }

    /// Drops all further input, and closes the connection when more than that many bytes have come.
    func drop(atMost bytes: Int) {
        mode = .dropping(remaining: bytes - (held?.readableBytes ?? 0))
        held = nil
        readIfWanted()
    }

    /// Passes all bytes on as they are, the held ones first.
    func passThrough() {
        mode = .passing
        feed()
        readIfWanted()
    }

    /// Holds input back after `passThrough()`.
    func block() {
        if case .passing = mode { mode = .blocked }
    }

    /// Goes on after `block()`.
    func unblock() {
        guard case .blocked = mode else { return }
        passThrough()
    }

    private func readIfWanted() {
        guard isReadWanted else { return }
        isReadWanted = false
        context?.read()
    }

    private var takesInput: Bool {
        switch mode {
        case .feeding, .passing: true
        case .holding, .dropping, .blocked: false
        }
    }

    private func feed() {
        guard !isFeeding else { return }
        isFeeding = true
        defer { isFeeding = false }
        while takesInput, let context, var buffer = held {
            guard let slice = buffer.readSlice(length: min(Self.sliceBytes, buffer.readableBytes)) else { return }
            held = buffer.readableBytes > 0 ? buffer : nil
            if case .passing = mode {
                context.fireChannelRead(wrapInboundOut(slice))
                continue
            }
            hasResult = false
            hasLineEnd = hasLineEnd || slice.readableBytesView.contains(0x0A)
            delegate?.inputArrived()
            context.fireChannelRead(wrapInboundOut(slice))
            if hasResult {
                unproductiveBytes = 0
                hasLineEnd = false
                continue
            }
            unproductiveBytes += slice.readableBytes
            if unproductiveBytes > maximumHeadBytes + Self.sliceBytes { delegate?.inputOverflowed() }
        }
    }
}
