// One HTTP/1.1 connection: gathers requests, answers them in order, and closes.
//
// A client that closes its sending side (FIN) while a response runs counts as gone. TCP shows a process that has ended and
// one that has only shut down its sending side in the same way, and a stream that nobody reads costs money. Responses that
// are written at once, when the request arrives, are sent before the FIN is seen.

internal import Chat
internal import HTTP
internal import NIOCore
internal import NIOHTTP1

final class HTTP1Connection: ChannelInboundHandler, RemovableChannelHandler, ConnectionOwner, HTTP1InputDelegate {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    /// Bytes and time for which input is read and dropped after the last response. Closing a socket with unread input
    /// resets the connection, and the client may lose the response.
    private static let maximumDroppedBytes = 1 << 20
    private static let lingerTime = TimeAmount.seconds(2)
    /// Capacity that is reserved for a body on the word of its Content-Length.
    private static let maximumReservedBytes = 64 << 10

    /// A request whose body is being read.
    private struct Gathering {
        var head: CheckedHead
        var isHTTP10: Bool
        var keepsAlive: Bool
        var body: [UInt8] = []
        /// Sent in place of an answer when the request, which has no body, has ended.
        var refusal: ServedResponse?
    }

    private enum State {
        /// Waits for a head; `hasBegun` once a byte of it has come.
        case waiting(hasBegun: Bool)
        case gathering(Gathering)
        case responding(HTTP1Response, (any ServerExchange)?)
        /// A WebSocket was accepted, and the end of its request is awaited.
        case upgrading(RequestHead, accept: String)
        /// The last response is sent.
        case lingering
        case closed
    }

    /// What the decoder emits.
    private enum Item {
        case part(HTTPServerRequestPart)
        case broken(BrokenRequest)
    }

    private let environment: ConnectionEnvironment
    private let monitor: ConnectionMonitor
    private let input: HTTP1Input
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let isTLS: Bool
    private var remoteAddress = ""
    private var context: ChannelHandlerContext?
    private var state = State.waiting(hasBegun: false)
    private var queue = CircularBuffer<Item>(initialCapacity: 0)
    private var isProcessing = false
    private var hasServed = false

    /// The server stops: the response that runs is the last one.
    private(set) var isFinishing = false

    private init(environment: ConnectionEnvironment, monitor: ConnectionMonitor, isTLS: Bool) {
        let limits = environment.limits
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = limits.headBytes
        decoderLimits.maxHeaderListSize = limits.headBytes
        self.environment = environment
        self.monitor = monitor
        self.isTLS = isTLS
        input = HTTP1Input(maximumHeadBytes: limits.headBytes)
        decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoderLimits))
        isFinishing = environment.registry.isStopping
    }

    /// Adds the handlers of a connection to the end of a pipeline.
    static func add(
        to channel: any Channel, environment: ConnectionEnvironment, monitor: ConnectionMonitor, isTLS: Bool
    ) throws {
        let connection = HTTP1Connection(environment: environment, monitor: monitor, isTLS: isTLS)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(connection.input)
        try pipeline.addHandler(connection.decoder)
        try pipeline.addHandler(connection)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        remoteAddress = context.channel.clientAddress
        monitor.owner = self
        input.delegate = self
        monitor.deadline = .now() + .limit(environment.limits.headSeconds)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        input.noteResult()
        enqueue(.part(unwrapInboundIn(data)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.headerOverflow: inputOverflowed()
        case is HTTPParserError: enqueue(.broken(.bad("This is not a valid HTTP/1.1 request.")))
        default: monitor.close()
        }
    }

    func inputArrived() {
        guard case .waiting(hasBegun: false) = state else { return }
        state = .waiting(hasBegun: true)
        // The time for the first head runs since the connection was accepted.
        if hasServed { monitor.deadline = .now() + .limit(environment.limits.headSeconds) }
    }

    func inputOverflowed() {
        let limits = environment.limits
        if case .waiting = state, !input.hasLineEnd {
            enqueue(.broken(RequestValidation.targetTooLong(limits)))
        } else {
            enqueue(.broken(RequestValidation.headTooLarge(limits)))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let last = state
        state = .closed
        queue.removeAll()
        if case .responding(let response, let exchange) = last, response.detach() { exchange?.clientIsGone() }
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        switch state {
        case .responding(_, let exchange): exchange?.writabilityChanged()
        case .waiting(hasBegun: false) where isWritable: awaitRequest()
        case .waiting, .gathering, .upgrading, .lingering, .closed: break
        }
        context.fireChannelWritabilityChanged()
    }

    private func enqueue(_ item: Item) {
        queue.append(item)
        process()
    }

    /// Handles what the decoder has emitted until a response runs or the client is behind with reading. A loop, not a
    /// recursion: many requests that are answered at once may be pipelined.
    private func process() {
        guard !isProcessing else { return }
        isProcessing = true
        while !isBlocked, let item = queue.popFirst() {
            switch (item, state) {
            case (_, .lingering), (_, .closed): queue.removeAll()
            case (.part(.head(let head)), _): begin(head)
            case (.part(.body(let bytes)), _): append(bytes)
            case (.part(.end), _): finishRequest()
            case (.broken(let broken), _): refuse(broken)
            }
        }
        isProcessing = false
        if isBlocked { input.hold() } else { input.resume() }
    }

    /// Whether the next item must wait. Without the second case, a client that pipelines requests and reads no responses
    /// would fill the memory.
    private var isBlocked: Bool {
        switch state {
        case .responding: true
        case .waiting: !isWritable
        case .gathering, .upgrading, .lingering, .closed: false
        }
    }

    /// Takes the next request, and begins the idle time.
    private func awaitRequest() {
        monitor.deadline = .now() + .limit(environment.limits.idleSeconds)
        process()
    }

    private func begin(_ received: HTTPRequestHead) {
        let checked: CheckedHead
        do {
            checked = try RequestValidation.check(
                received, isHTTP2: false, remoteAddress: remoteAddress, isTLS: isTLS, limits: environment.limits)
        } catch {
            return refuse(error)
        }
        if checked.isUpgrade {
            switch WebSocketHandshake.check(received, checked) {
            case .notWebSocket: break
            case .refused(let broken): return refuse(broken)
            case .valid(let accept):
                if let refusal = environment.receiver.refusal(ofSocket: checked.head) { return refuse(refusal) }
                state = .upgrading(checked.head, accept: accept)
                monitor.deadline = .now() + .limit(environment.limits.bodySeconds)
                return
            }
        }
        let connection = received.headers["connection"]
        let isHTTP10 = received.version != .http1_1
        var gathering = Gathering(
            head: checked, isHTTP10: isHTTP10,
            // NIO's decoder stops after a request for another protocol.
            keepsAlive: !checked.isUpgrade && !RequestValidation.has("close", in: connection)
                && (!isHTTP10 || RequestValidation.has("keep-alive", in: connection)))
        if let refusal = environment.receiver.refusal(of: checked.head) {
            guard checked.bodyLength == 0 else { return refuse(refusal, isHead: checked.head.method == "HEAD") }
            gathering.refusal = refusal
        } else if checked.expectsContinue {
            write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
        }
        gathering.body.reserveCapacity(min(checked.bodyLength ?? 0, Self.maximumReservedBytes))
        state = .gathering(gathering)
        monitor.deadline = .now() + .limit(environment.limits.bodySeconds)
    }

    private func append(_ bytes: ByteBuffer) {
        guard case .gathering(var gathering) = state else { return }
        // The state must not hold a second reference while the array grows.
        state = .closed
        guard gathering.body.count + bytes.readableBytes <= environment.limits.bodyBytes else {
            state = .gathering(gathering)
            return refuse(RequestValidation.bodyTooLarge(environment.limits))
        }
        gathering.body.append(contentsOf: bytes.readableBytesView)
        state = .gathering(gathering)
    }

    private func finishRequest() {
        switch state {
        case .gathering(let gathering): answer(gathering)
        case .upgrading(let head, let accept): openSocket(head, accept: accept)
        case .waiting, .responding, .lingering, .closed: break
        }
    }

    private func answer(_ gathering: Gathering) {
        monitor.deadline = nil
        hasServed = true
        let response = HTTP1Response(
            self, isHead: gathering.head.head.method == "HEAD", isHTTP10: gathering.isHTTP10,
            keepsAlive: gathering.keepsAlive)
        state = .responding(response, nil)
        input.hold()
        if let refusal = gathering.refusal { return response.respond(refusal) }
        let request = IncomingRequest(head: gathering.head.head, body: gathering.body)
        let exchange = environment.receiver.receive(request, response)
        if case .responding(let current, _) = state, current === response {
            state = .responding(response, exchange)
        } else if case .closed = state, response.wasCut {
            exchange.clientIsGone()
        }
    }

    // MARK: Output

    /// Asked for each event of a stream, so it is not read from the channel.
    private(set) var isWritable = true
    var dateField: String { environment.dateField() }

    func write(_ bytes: ByteBuffer, flush: Bool = true) {
        guard let context else { return }
        if flush {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        } else {
            context.write(wrapOutboundOut(bytes), promise: nil)
        }
    }

    /// Called by the response when it has ended.
    func responseEnded(_ response: HTTP1Response, keepsAlive: Bool) {
        guard case .responding(let current, _) = state, current === response else { return }
        guard keepsAlive, !isFinishing else { return closeAfterFlush() }
        state = .waiting(hasBegun: false)
        // Until the client has read enough of the response, the monitor's stall check is the only limit.
        if isWritable { awaitRequest() }
    }

    func responseAborted(_ response: HTTP1Response) {
        guard case .responding(let current, _) = state, current === response else { return }
        state = .closed
        monitor.reset()
    }

    /// Sends a response before the request is complete, and closes.
    private func refuse(_ broken: BrokenRequest) {
        refuse(environment.response(to: broken, remoteAddress: remoteAddress))
    }

    private func refuse(_ response: ServedResponse, isHead: Bool = false) {
        var bytes = HTTP1ResponseHead.bytes(
            status: response.status, headers: response.headers, framing: .length(response.body.count),
            connection: "close", date: dateField, room: response.body.count)
        if !isHead { bytes.writeBytes(response.body) }
        write(bytes)
        closeAfterFlush()
    }

    /// Closes once the kernel has all written bytes: the sending side first, and the rest when the client has closed, too.
    private func closeAfterFlush() {
        guard let context else { return }
        state = .lingering
        queue.removeAll()
        input.drop(atMost: Self.maximumDroppedBytes)
        let flushed = context.eventLoop.makePromise(of: Void.self)
        flushed.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.linger()
            case .failure: self.monitor.close()
            }
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    }

    private func linger() {
        guard let context, case .lingering = state else { return }
        monitor.deadline = .now() + Self.lingerTime
        context.close(mode: .output, promise: nil)
    }

    // MARK: ConnectionOwner

    func deadlinePassed() {
        switch state {
        case .waiting(let hasBegun):
            guard hasBegun else { return monitor.close() }
            refuse(
                BrokenRequest(
                    status: 408,
                    message: "The head of the request was not complete within \(environment.limits.headSeconds) s."))
        case .gathering, .upgrading:
            refuse(
                BrokenRequest(
                    status: 408,
                    message: "The body of the request was not complete within \(environment.limits.bodySeconds) s."))
        case .lingering, .closed: monitor.close()
        case .responding: break
        }
    }

    func finish() {
        isFinishing = true
        // A connection that has sent a part of a request gets its answer.
        guard case .waiting(hasBegun: false) = state else { return }
        if isWritable { monitor.close() } else { closeAfterFlush() }
    }

    // MARK: WebSocket

    private func openSocket(_ head: RequestHead, accept: String) {
        guard let context else { return }
        state = .closed
        input.hold()
        write(WebSocketHandshake.response(accept: accept, date: dateField))
        do {
            let pipeline = context.pipeline.syncOperations
            let socket = try WebSocketConnection.add(
                to: context.channel, environment: environment, monitor: monitor, input: input, head: head)
            socket.open()
            // The decoder gives the bytes behind the request to the handler after it.
            pipeline.removeHandler(self, promise: nil)
            let input = input
            pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in input.passThrough() }
        } catch {
            monitor.close()
        }
    }
}

extension Channel {
    /// The address of the client without its port.
    var clientAddress: String {
        guard let address = remoteAddress else { return "unix" }
        return address.ipAddress ?? "unix"
    }
}

extension TimeAmount {
    static func limit(_ seconds: Double) -> TimeAmount {
        // Limits are configured, and a century is no limit.
        .nanoseconds(Int64(min(max(seconds, 0), 3e9) * 1e9))
    }
}
