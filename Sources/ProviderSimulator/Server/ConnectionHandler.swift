// One connection: gathers requests, answers them in order, detects a client that closes. Used on the server's event loop.

internal import Formats
internal import Glibc
internal import HTTP
internal import NIOCore
internal import NIOHTTP1

final class ConnectionHandler: ChannelInboundHandler, ReplySink {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let core: ServerCore
    private let observe: (@Sendable (ObservedRequest) -> Void)?
    private var context: ChannelHandlerContext?
    private var gathering: IncomingRequest?
    private var waiting: [IncomingRequest] = []
    private var current: (stream: ReplyStream, keepAlive: Bool)?
    private var isClosing = false

    /// Maximum pipelined requests that wait on one connection; a client that sends more is disconnected.
    private static let mostWaiting = 1_000

    init(core: ServerCore, observe: (@Sendable (ObservedRequest) -> Void)?) {
        self.core = core
        self.observe = observe
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { core.records.connected() }

    func channelInactive(context: ChannelHandlerContext) {
        core.records.disconnected()
        isClosing = true
        waiting = []
        gathering = nil
        guard let current else { return }
        self.current = nil
        current.stream.cancel()
        core.records.aborted()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { current?.stream.pump(.now()) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head)
        case .body(var part): append(&part)
        case .end: finishRequest()
        }
    }

    /// Answers 400 to a request that is not HTTP. A broken socket is only closed.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, current == nil, !isClosing else {
            context.close(promise: nil)
            return
        }
        refuseAndClose(ReplyError(status: 400, message: "This is not an HTTP/1.1 request."))
    }

    private func begin(_ head: HTTPRequestHead) {
        gathering = IncomingRequest(head: head, body: ByteBuffer())
        if head.headers.first(name: "expect")?.lowercased() == "100-continue", current == nil, waiting.isEmpty {
            write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
        }
    }

    private func append(_ part: inout ByteBuffer) {
        guard let length = gathering?.body.readableBytes else { return }
        guard length + part.readableBytes <= Responder.largestBody else {
            gathering = nil
            refuseAndClose(ReplyError(status: 413, message: "The request body is larger than 64 MiB."))
            return
        }
        gathering?.body.writeBuffer(&part)
    }

    private func finishRequest() {
        guard let request = gathering else { return }
        gathering = nil
        core.records.received(path: request.target.path)
        observe?(Self.observed(request))
        waiting.append(request)
        if waiting.count > Self.mostWaiting {
            context?.close(promise: nil)
        } else if current == nil {
            answerNext()
        }
    }

    private static func observed(_ request: IncomingRequest) -> ObservedRequest {
        var headers: HTTP.HTTPHeaders = [:]
        for (name, value) in request.head.headers { headers.add(name, value) }
        return ObservedRequest(
            method: request.head.method.rawValue, path: request.head.uri, headers: headers,
            body: Array(request.body.readableBytesView), time: NIODeadline.nowSeconds)
    }

    private func answerNext() {
        guard !waiting.isEmpty, !isClosing else { return }
        let request = waiting.removeFirst()
        switch core.responder.answer(request) {
        case .garbage(let bytes):
            write(bytes)
            close(reset: false)
        case .reply(let plan): start(plan, keepAlive: request.keepAlive)
        }
    }

    private func start(_ plan: ReplyPlan, keepAlive: Bool) {
        let now = NIODeadline.now()
        let stream = ReplyStream(plan, core: core, sink: self, now: now)
        current = (stream, keepAlive)
        core.records.began()
        stream.pump(now)
    }

    /// Sends an error before the request is complete, and closes.
    private func refuseAndClose(_ error: ReplyError) {
        let body = ServedFormat.fallback.replies.errorBody(error)
        var bytes = ResponseHead.bytes(
            status: error.status, type: "application/json", framing: .length(body.count), requestID: 0,
            keepAlive: false)
        bytes.writeBytes(body)
        write(bytes)
        close(reset: false)
    }

    // MARK: ReplySink

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

    func replyEnded(_ end: ReplyEnd) {
        guard let current else { return }
        self.current = nil
        core.records.finished()
        if end != .complete || !current.keepAlive {
            close(reset: end == .reset)
        } else if !waiting.isEmpty {
            // In a later turn: recursion would fill the stack if many requests are pipelined.
            context?.eventLoop.assumeIsolated().execute { if self.current == nil { self.answerNext() } }
        }
    }

    /// Closes after all written bytes have been passed to the kernel.
    private func close(reset: Bool) {
        guard let context, !isClosing else { return }
        isClosing = true
        let flushed = context.eventLoop.makePromise(of: Void.self)
        flushed.futureResult.assumeIsolated().whenComplete { _ in
            if reset { self.sendResetOnClose() }
            self.context?.close(promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    }

    /// Lingering for zero seconds makes close() send RST (socket(7), SO_LINGER).
    private func sendResetOnClose() {
        guard let socket = context?.channel as? any SocketOptionProvider else { return }
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in
            // The socket is closed already.
        }
    }
}
