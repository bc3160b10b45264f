// An open WebSocket (RFC 6455): messages, pings and the closing handshake.

internal import NIOCore
internal import NIOWebSocket

final class WebSocketConnection: ChannelInboundHandler, SocketWriter, ConnectionOwner {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = ByteBuffer

    static let maximumMessageBytes = 1 << 20
    private static let pingInterval = TimeAmount.seconds(30)
    /// Time without any frame of the client after which it counts as gone.
    private static let longestSilence = TimeAmount.seconds(60)
    /// Time for the client's part of the closing handshake.
    private static let closingTime = TimeAmount.seconds(5)

    private enum Phase {
        case opening
        case open(any ServerSocket)
        /// Our close frame is sent, and that of the client awaited.
        case closing(any ServerSocket)
        /// Only the end of the connection is awaited.
        case over
    }

    private let environment: ConnectionEnvironment
    private let monitor: ConnectionMonitor
    private let input: HTTP1Input
    private let head: RequestHead
    private var context: ChannelHandlerContext?
    private var phase = Phase.opening
    /// The text of a fragmented message so far.
    private var fragments: [UInt8]?
    private var lastFrame = NIODeadline.now()
    /// Decoded frames that are not handled yet.
    private var queue = CircularBuffer<WebSocketFrame>(initialCapacity: 0)
    private var isProcessing = false

    private init(
        environment: ConnectionEnvironment, monitor: ConnectionMonitor, input: HTTP1Input, head: RequestHead
    ) {
        self.environment = environment
        self.monitor = monitor
        self.input = input
        self.head = head
    }

    /// Adds the handlers of a WebSocket to the end of a pipeline.
    static func add(
        to channel: any Channel, environment: ConnectionEnvironment, monitor: ConnectionMonitor, input: HTTP1Input,
        head: RequestHead
    ) throws -> WebSocketConnection {
        let connection = WebSocketConnection(environment: environment, monitor: monitor, input: input, head: head)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: maximumMessageBytes)))
        try pipeline.addHandler(connection)
        return connection
    }

    /// Hands the socket over to the server's core.
    func open() {
        monitor.owner = self
        monitor.deadline = .now() + Self.pingInterval
        let socket = environment.receiver.openSocket(head, self)
        switch phase {
        case .opening: phase = .open(socket)
        case .open: break
        // The core has closed it, or the client has gone meanwhile.
        case .closing, .over: socket.closed()
        }
        if environment.registry.isStopping { finish() }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: SocketWriter

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func send(_ text: ByteBuffer) {
        switch phase {
        case .opening, .open: write(.text, text)
        case .closing, .over: break
        }
    }

    func close(_ code: Int, reason: String) {
        switch phase {
        case .opening:
            phase = .over
            sendClose(code, reason: reason)
            closeAfterFlush()
        case .open(let socket):
            sendClose(code, reason: reason)
            phase = .closing(socket)
            monitor.deadline = .now() + Self.closingTime
        case .closing, .over: break
        }
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastFrame = .now()
        queue.append(unwrapInboundIn(data))
        process()
    }

    /// Handles frames until the client is behind with reading. Otherwise a client that sends messages and reads no replies
    /// would fill the memory.
    private func process() {
        guard !isProcessing else { return }
        isProcessing = true
        while takesFrames, let frame = queue.popFirst() { receive(frame) }
        isProcessing = false
        if takesFrames { input.unblock() } else { input.block() }
    }

    private var takesFrames: Bool {
        switch phase {
        case .opening, .open: isWritable
        case .closing, .over: true
        }
    }

    private func receive(_ frame: WebSocketFrame) {
        if case .over = phase { return }
        guard frame.maskKey != nil else { return fail(1002, "A frame of the client is not masked.") }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(1002, "A frame has a reserved bit.") }
        switch frame.opcode {
        case .text: receiveText(frame, isContinuation: false)
        case .continuation: receiveText(frame, isContinuation: true)
        case .binary: fail(1003, "Only text messages are supported.")
        case .ping:
            // During the closing handshake frames are handled although the client is behind.
            if isWritable { write(.pong, frame.unmaskedData) }
        case .pong: break
        case .connectionClose: receiveClose(frame.unmaskedData)
        default: fail(1002, "A frame has a reserved opcode.")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength: fail(1009, "A frame is larger than 1 MiB.")
        case is NIOWebSocketError: fail(1002, "A control frame is fragmented or longer than 125 bytes.")
        default: monitor.close()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        endSocket()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // The client was not listened to meanwhile.
        if isWritable { lastFrame = .now() }
        if case .open(let socket) = phase { socket.writabilityChanged() }
        process()
        context.fireChannelWritabilityChanged()
    }

    private func receiveText(_ frame: WebSocketFrame, isContinuation: Bool) {
        guard isContinuation == (fragments != nil) else {
            return fail(1002, "The fragments of messages are not in order.")
        }
        // The property must not hold a second reference while the array grows.
        var message = fragments ?? []
        fragments = nil
        let bytes = frame.unmaskedData
        guard message.count + bytes.readableBytes <= Self.maximumMessageBytes else {
            return fail(1009, "A message is larger than 1 MiB.")
        }
        message.append(contentsOf: bytes.readableBytesView)
        guard frame.fin else {
            fragments = message
            return
        }
        guard String(validating: message, as: UTF8.self) != nil else {
            return fail(1007, "A message is not valid UTF-8.")
        }
        if case .open(let socket) = phase { socket.received(message) }
    }

    private func receiveClose(_ payload: ByteBuffer) {
        var payload = payload
        var code = 1000
        if payload.readableBytes > 0 {
            guard let number = payload.readInteger(as: UInt16.self), Self.isCloseCode(Int(number)) else {
                return fail(1002, "A close frame has no valid code.")
            }
            guard String(validating: payload.readableBytesView, as: UTF8.self) != nil else {
                return fail(1007, "The reason of a close frame is not valid UTF-8.")
            }
            code = Int(number)
        }
        if case .open = phase { sendClose(code, reason: "") }
        endSocket()
        closeAfterFlush()
    }

    /// Whether a peer may send the code (RFC 6455 section 7.4, and the registry of IANA).
    private static func isCloseCode(_ code: Int) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// Ends the socket because the client broke the protocol.
    private func fail(_ code: Int, _ reason: String) {
        switch phase {
        case .opening, .open: sendClose(code, reason: reason)
        case .closing, .over: break
        }
        endSocket()
        closeAfterFlush()
    }

    private func endSocket() {
        let last = phase
        phase = .over
        fragments = nil
        queue.removeAll()
        switch last {
        case .open(let socket), .closing(let socket): socket.closed()
        case .opening, .over: break
        }
    }

    // MARK: Output

    private func sendClose(_ code: Int, reason: String) {
        var payload = ByteBuffer()
        payload.writeInteger(UInt16(clamping: code))
        // Control frames hold at most 125 bytes. A character must not be cut.
        var text = reason[...]
        while text.utf8.count > 123 { text.removeLast() }
        payload.writeSubstring(text)
        write(.connectionClose, payload)
    }

    private func write(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        guard let context else { return }
        let length = payload.readableBytes
        var frame = ByteBuffer()
        frame.reserveCapacity(10 + length)
        frame.writeInteger(0x80 | UInt8(webSocketOpcode: opcode))
        switch length {
        case ..<126: frame.writeInteger(UInt8(length))
        case ...0xFFFF: frame.writeMultipleIntegers(UInt8(126), UInt16(length))
        default: frame.writeMultipleIntegers(UInt8(127), UInt64(length))
        }
        frame.writeImmutableBuffer(payload)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func closeAfterFlush() {
        guard let context else { return }
        let flushed = context.eventLoop.makePromise(of: Void.self)
        flushed.futureResult.assumeIsolated().whenComplete { _ in
            self.monitor.deadline = .now() + Self.closingTime
            self.context?.close(mode: .output, promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    }

    // MARK: ConnectionOwner

    func deadlinePassed() {
        switch phase {
        case .opening, .closing, .over: monitor.close()
        case .open:
            // While the client is behind with reading, its frames are not handled, and the monitor's stall check is the limit.
            if isWritable {
                guard NIODeadline.now() - lastFrame < Self.longestSilence else { return monitor.close() }
                write(.ping, ByteBuffer())
            }
            monitor.deadline = .now() + Self.pingInterval
        }
    }

    func finish() { close(1001, reason: "The server stops.") }
}
