// One stream of an HTTP/2 connection: one request and its response. NIOHTTP2's codec translates it to the parts of HTTP/1.

internal import Chat
internal import HTTP
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2

/// The connection of the streams. NIOHTTP2's manager says goodbye (GOAWAY) to an idle client and when the server stops. The
/// deadline here is for clients that do not answer it, and for those that never open a stream.
final class HTTP2Connection: ChannelInboundHandler, ConnectionOwner {
    typealias InboundIn = HTTP2Frame

    private static let graceTime = TimeAmount.seconds(5)

    private let channel: any Channel
    private let monitor: ConnectionMonitor
    private let idleTime: TimeAmount
    private var openStreams = 0
    private var isFinishing = false

    init(channel: any Channel, monitor: ConnectionMonitor, limits: ServerLimits) {
        self.channel = channel
        self.monitor = monitor
        idleTime = .limit(limits.idleSeconds)
        monitor.owner = self
        monitor.deadline = .now() + idleTime + Self.graceTime
    }

    func streamOpened() {
        openStreams += 1
        monitor.deadline = nil
    }

    func streamClosed() {
        openStreams -= 1
        if openStreams == 0 { monitor.deadline = .now() + (isFinishing ? Self.graceTime : idleTime + Self.graceTime) }
    }

    /// Frames of the connection itself, which concern nobody here.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    /// Errors of one stream are handled by the stream.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !(error is NIOHTTP2Errors.StreamError) { context.close(promise: nil) }
    }

    func deadlinePassed() { monitor.close() }

    func finish() {
        isFinishing = true
        if openStreams == 0 { monitor.deadline = .now() + Self.graceTime }
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}

final class HTTP2Stream: ChannelDuplexHandler, ResponseWriter, Clocked {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Bytes and time for which the rest of a refused request is read. A reset would make clients drop the response.
    private static let maximumDroppedBytes = 1 << 20
    private static let lingerTime = TimeAmount.seconds(2)
    /// Bytes of the pieces by which the progress of a body is seen.
    private static let pieceBytes = 32 << 10

    private enum Phase {
        case waiting
        case gathering(RequestHead, [UInt8])
        /// The whole request is read, and no response begun.
        case answering
        case streaming
        /// The response has ended before the request.
        case dropping(remaining: Int)
        case over
    }

    private let environment: ConnectionEnvironment
    private let connection: HTTP2Connection
    private let remoteAddress: String
    private var context: ChannelHandlerContext?
    private var phase = Phase.waiting
    private var exchange: (any ServerExchange)?
    private var deadline: NIODeadline?
    /// When a client that takes none of the pieces that wait for its window counts as gone; nil while none waits. The
    /// connection may be alive all the while.
    private var stallDeadline: NIODeadline?
    private var unsentPieces = 0
    private var isHead = false
    private var isReadWanted = false
    private var hasRequestEnded = false

    init(environment: ConnectionEnvironment, connection: HTTP2Connection, remoteAddress: String) {
        self.environment = environment
        self.connection = connection
        self.remoteAddress = remoteAddress
    }

    /// Makes a connection speak HTTP/2.
    static func addConnection(
        to channel: any Channel, monitor: ConnectionMonitor, environment: NIOLoopBound<ConnectionEnvironment>
    ) throws {
        let limits = environment.value.limits
        let remoteAddress = channel.clientAddress
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.headBytes),
            HTTP2Setting(parameter: .initialWindowSize, value: 256 << 10),
        ]
        connection.targetWindowSize = 1 << 20
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = 256 << 10
        stream.outboundBufferSizeHighWatermark = Listener.highWaterMark
        stream.outboundBufferSizeLowWatermark = Listener.lowWaterMark
        var management = NIOHTTP2ServerConnectionManagementHandler.Configuration.defaults
        management.maxIdleTime = .limit(limits.idleSeconds)
        management.keepalive = .init(pingInterval: .seconds(60), ackTimeout: .seconds(30))
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop, configuration: management)
        let owner = NIOLoopBound(
            HTTP2Connection(channel: channel, monitor: monitor, limits: limits), eventLoop: channel.eventLoop)
        let pipeline = channel.pipeline.syncOperations
        _ = try pipeline.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: connection, streamConfiguration: stream,
            streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandlers(
                    HTTP2FramePayloadToHTTP1ServerCodec(),
                    HTTP2Stream(
                        environment: environment.value, connection: owner.value, remoteAddress: remoteAddress))
            }
        }
        try pipeline.addHandler(manager)
        try pipeline.addHandler(owner.value)
        if environment.value.registry.isStopping { owner.value.finish() }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        environment.registry.add(stream: self)
        connection.streamOpened()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        environment.registry.remove(stream: self)
        connection.streamClosed()
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head)
        case .body(let bytes): append(bytes)
        case .end: finishRequest()
        }
    }

    /// Takes no request while the client is behind with reading the connection. Otherwise a client that opens streams and
    /// reads no responses would fill the memory.
    func read(context: ChannelHandlerContext) {
        if case .waiting = phase, let connection = context.channel.parent, !connection.isWritable {
            isReadWanted = true
        } else {
            context.read()
        }
    }

    /// The request cannot be translated to HTTP/1 (it has no `:authority`, for example), or the stream or its connection was
    /// reset or closed.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    func channelInactive(context: ChannelHandlerContext) {
        let last = phase
        phase = .over
        switch last {
        case .answering, .streaming: exchange?.clientIsGone()
        case .waiting, .gathering, .dropping, .over: break
        }
        exchange = nil
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isReadWanted {
            isReadWanted = false
            read(context: context)
        }
        switch phase {
        case .answering, .streaming: exchange?.writabilityChanged()
        case .waiting, .gathering, .dropping, .over: break
        }
        context.fireChannelWritabilityChanged()
    }

    func tick(_ now: NIODeadline) {
        if let stallDeadline, stallDeadline <= now {
            self.stallDeadline = nil
            close()
        }
        guard let deadline, deadline <= now else { return }
        self.deadline = nil
        switch phase {
        case .gathering:
            refuse(
                BrokenRequest(
                    status: 408,
                    message: "The body of the request was not complete within \(environment.limits.bodySeconds) s."))
        case .dropping: close()
        case .waiting, .answering, .streaming, .over: break
        }
    }

    private func begin(_ received: HTTPRequestHead) {
        isHead = received.method == .HEAD
        do throws(BrokenRequest) {
            let checked = try RequestValidation.check(
                received, isHTTP2: true, remoteAddress: remoteAddress, isTLS: true, limits: environment.limits)
            if let refusal = environment.receiver.refusal(of: checked.head) { return send(refusal) }
            phase = .gathering(checked.head, [])
            deadline = .now() + .limit(environment.limits.bodySeconds)
        } catch {
            refuse(error)
        }
    }

    private func append(_ bytes: ByteBuffer) {
        switch phase {
        case .gathering(let head, var body):
            // The phase must not hold a second reference while the array grows.
            phase = .waiting
            guard body.count + bytes.readableBytes <= environment.limits.bodyBytes else {
                return refuse(RequestValidation.bodyTooLarge(environment.limits))
            }
            body.append(contentsOf: bytes.readableBytesView)
            phase = .gathering(head, body)
        case .dropping(let remaining):
            phase = .dropping(remaining: remaining - bytes.readableBytes)
            if remaining < bytes.readableBytes { close() }
        case .waiting, .answering, .streaming, .over: break
        }
    }

    private func finishRequest() {
        hasRequestEnded = true
        switch phase {
        case .gathering(let head, let body):
            phase = .answering
            deadline = nil
            let exchange = environment.receiver.receive(IncomingRequest(head: head, body: body), self)
            switch phase {
            case .answering, .streaming: self.exchange = exchange
            case .waiting, .gathering, .dropping, .over: break
            }
        case .dropping: phase = .over
        case .waiting, .answering, .streaming, .over: break
        }
    }

    private func refuse(_ broken: BrokenRequest) {
        send(environment.response(to: broken, remoteAddress: remoteAddress))
    }

    // MARK: ResponseWriter

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func respond(_ response: ServedResponse) {
        guard case .answering = phase else { return }
        send(response)
    }

    func begin(status: Int, headers: HTTP.HTTPHeaders) {
        guard case .answering = phase else { return }
        phase = .streaming
        let length = headers["content-length"].flatMap { Int($0) }
        write(.head(head(status, headers, length: length)), flush: true)
    }

    func write(_ bytes: ByteBuffer) {
        guard case .streaming = phase, !isHead, bytes.readableBytes > 0 else { return }
        writeBody(bytes)
        context?.flush()
    }

    func end() {
        guard case .streaming = phase else { return }
        write(.end(nil), flush: true)
        finish()
    }

    /// Closing a stream before its end sends RST_STREAM.
    func abort() {
        switch phase {
        case .answering, .streaming:
            phase = .over
            exchange = nil
            close()
        case .waiting, .gathering, .dropping, .over: break
        }
    }

    /// Closes the stream, once the current frame is handled. NIOHTTP2 reports a stream as created after it has delivered the
    /// head. If the stream is closed by then, NIOHTTP2's manager counts it as open for ever.
    private func close() {
        context?.eventLoop.assumeIsolated().execute { self.context?.close(promise: nil) }
    }

    private func send(_ response: ServedResponse) {
        let allowsBody = HTTP1ResponseHead.allowsBody(response.status)
        let length = allowsBody ? response.body.count : nil
        write(.head(head(response.status, response.headers, length: length)), flush: false)
        if allowsBody, !isHead, !response.body.isEmpty {
            writeBody(ByteBuffer(bytes: response.body))
        }
        write(.end(nil), flush: true)
        finish()
    }

    private func finish() {
        exchange = nil
        phase = hasRequestEnded ? .over : .dropping(remaining: Self.maximumDroppedBytes)
        deadline = hasRequestEnded ? nil : .now() + Self.lingerTime
    }

    private func head(_ status: Int, _ headers: HTTP.HTTPHeaders, length: Int?) -> NIOHTTP1.HTTPResponseHead {
        var fields = HTTP1ResponseHead.fields(headers).map { ($0.name.lowercased(), $0.value) }
        if headers["date"] == nil { fields.append(("date", environment.dateField())) }
        if let length { fields.append(("content-length", String(length))) }
        return NIOHTTP1.HTTPResponseHead(
            version: .http2, status: HTTPResponseStatus(statusCode: status), headers: NIOHTTP1.HTTPHeaders(fields))
    }

    private func writeBody(_ bytes: ByteBuffer) {
        guard let context else { return }
        var bytes = bytes
        if unsentPieces == 0 { stallDeadline = .now() + environment.registry.longestStall }
        while bytes.readableBytes > 0, let piece = bytes.readSlice(length: min(Self.pieceBytes, bytes.readableBytes)) {
            unsentPieces += 1
            let sent = context.eventLoop.makePromise(of: Void.self)
            sent.futureResult.assumeIsolated().whenComplete { _ in
                self.unsentPieces -= 1
                self.stallDeadline = self.unsentPieces > 0 ? .now() + self.environment.registry.longestStall : nil
            }
            context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: sent)
        }
    }

    private func write(_ part: HTTPServerResponsePart, flush: Bool) {
        guard let context else { return }
        if flush {
            context.writeAndFlush(wrapOutboundOut(part), promise: nil)
        } else {
            context.write(wrapOutboundOut(part), promise: nil)
        }
    }
}
