// The server between the transport and the script: access, routes, exchanges, streams, metrics. Used on the server's event
// loop alone; it opens no socket and reads time only through its clock.

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON
internal import Logging
internal import NIOCore

/// What a core needs of its surroundings.
struct ServerSurroundings {
    /// Takes an event for the script.
    var deliver: (ServerEvent) -> Void
    /// Runs the function on the event loop after some seconds.
    var schedule: (Double, @escaping () -> Void) -> Void
    /// Monotonic seconds.
    var now: () -> Double
    var blocking: any BlockingRunner
    var logger: Logger
}

/// Runs functions that may block.
protocol BlockingRunner {
    /// Runs `body` on another thread, then `then` on the event loop, with nil if there is no such thread any more.
    func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value, then: @escaping (Value?) -> Void)
}

/// Answers the requests of one server.
final class ServerCore: RequestReceiver {
    let spec: ServerSpec
    let surroundings: ServerSurroundings
    let access: AccessRules
    private let routes: RouteTable
    private var limiter: ClientLimiter?
    private var exchanges: [ExchangeID: HandlerExchange] = [:]
    private var sockets: [ObjectIdentifier: SocketSession] = [:]
    private(set) var streams: StreamTable
    private var metrics = ServerMetrics()
    private var nextExchange: UInt64 = 1
    private var isDraining = false
    /// Rendered pages by title.
    private var pages: [String: ServedResponse] = [:]
    /// The last request that was looked up and not yet received.
    private var admitted: Asked?
    private var isTicking = false
    /// Called when the last exchange of a draining server has ended.
    private var onIdle: () -> Void = {}

    init(_ spec: ServerSpec, token: String?, _ surroundings: ServerSurroundings) throws(RoutePatternError) {
        self.spec = spec
        self.surroundings = surroundings
        access = AccessRules(spec, token: token)
        routes = try RouteTable(spec)
        limiter = spec.limits.perClientRPM.map { ClientLimiter(perMinute: $0) }
        streams = StreamTable(spec.streams)
    }

    var now: Double { surroundings.now() }

    // MARK: Requests

    func refusal(of head: RequestHead) -> ServedResponse? {
        let asked = Asked(head, self)
        let response = refusal(of: asked)
        admitted = asked
        if let response { log(asked, status: response.status, bytes: response.body.count) }
        return response
    }

    /// What ``refusal(of:)`` has found out, which nearly always comes just before.
    private func asked(_ head: RequestHead) -> Asked {
        defer { admitted = nil }
        if let admitted, admitted.head == head { return admitted }
        return Asked(head, self)
    }

    private func refusal(of asked: Asked) -> ServedResponse? {
        let head = asked.head
        if let refusal = access.refusal(ofHost: head.headers["host"]) { return asked.response(to: refusal) }
        guard let path = asked.path else {
            return asked.error(400, "invalid_request_error", "the path is not valid")
        }
        if head.method == "OPTIONS", head.headers["access-control-request-method"] != nil {
            if let preflight = access.preflight(head.headers) { return preflight }
            if let refusal = access.refusal(ofSite: head, runsHandler: true) { return asked.response(to: refusal) }
        }
        if isDraining {
            var response = asked.error(503, "overloaded_error", "the server stops")
            response.headers["retry-after"] = "5"
            return response
        }
        let isPublic: Bool
        let runsHandler: Bool
        switch asked.target {
        case .route(let target, _):
            isPublic = target.isPublic
            runsHandler = target.runsHandler
        case .model(.reply): (isPublic, runsHandler) = (false, true)
        case .model(.document): (isPublic, runsHandler) = (false, false)
        case .otherMethod, .none: (isPublic, runsHandler) = (false, false)
        }
        guard isPublic || access.hasToken(head.headers, path) else {
            var response = asked.error(401, "authentication_error", "the token is missing or wrong")
            response.headers["www-authenticate"] = "Bearer"
            return response
        }
        switch asked.target {
        case .otherMethod(["WS"]):
            var response = asked.error(426, "invalid_request_error", "this path is a WebSocket")
            response.headers["upgrade"] = "websocket"
            return response
        case .otherMethod(let methods):
            var response = asked.error(405, "invalid_request_error", "this path has \(methods.joined(separator: ", "))")
            response.headers["allow"] = methods.filter { $0 != "WS" }.joined(separator: ", ")
            return response
        case .none: return asked.error(404, "not_found_error", "nothing is served at \(path.text)")
        case .route, .model: break
        }
        return access.refusal(ofSite: head, runsHandler: runsHandler).map(asked.response)
    }

    func receive(_ request: IncomingRequest, _ writer: any ResponseWriter) -> any ServerExchange {
        let asked = asked(request.head)
        switch asked.target {
        case .route(.handler, _), .route(.stream, _):
            if let last = asked.lastEventID { return resume(last, asked, writer) }
            return run(asked, request.body, writer)
        case .route(.stopStream, let parameters):
            return answer(asked, writer, stop(stream: parameters["stream"] ?? "", asked))
        case .route(.page(let title), _):
            return answer(asked, writer, page(title))
        case .route(.files(let directory), let parameters): return sendFile(asked, writer, directory, parameters)
        case .route(.health, _):
            return answer(asked, writer, ServedResponse(type: "text/plain; charset=utf-8", Array("ok\n".utf8)))
        case .route(.metrics, _):
            let gauges = ServerMetrics.Gauges(exchanges: exchanges.count, streams: streams.running)
            return answer(
                asked, writer,
                ServedResponse(
                    type: "text/plain; version=0.0.4; charset=utf-8", Array(metrics.text(gauges).utf8)))
        // `refusal(of:)` has answered this.
        case .route(.socket, _): return answer(asked, writer, asked.error(426, "invalid_request_error", "a WebSocket"))
        case .model(.reply(let format)): return ask(format, asked, request.body, writer)
        case .model(.document(let document, _)):
            return answer(asked, writer, ServedResponse(type: "application/json", JSONWriter.bytes(document)))
        // `refusal(of:)` has answered these.
        case .otherMethod, .none:
            return answer(asked, writer, asked.error(404, "not_found_error", "nothing is served here"))
        }
    }

    func response(toBroken status: Int, message: String, remoteAddress: String) -> ServedResponse {
        let requestID = RandomID.hex()
        metrics.count(route: "broken", status: status, seconds: 0)
        surroundings.logger.info("\(remoteAddress) - - \(status) \(message) \(requestID)")
        return Asked.error(status, "invalid_request_error", message, requestID: requestID)
    }

    private func page(_ title: String) -> ServedResponse {
        if let page = pages[title] { return page }
        let page = ChatPage.response(title: title, models: modelNames)
        pages[title] = page
        return page
    }

    /// Answers at once.
    private func answer(_ asked: Asked, _ writer: any ResponseWriter, _ response: ServedResponse) -> any ServerExchange
    {
        let response = asked.finished(response)
        log(asked, status: response.status, bytes: response.body.count)
        writer.respond(response)
        return EndedExchange()
    }

    private func sendFile(
        _ asked: Asked, _ writer: any ResponseWriter, _ directory: String, _ parameters: [String: String]
    ) -> any ServerExchange {
        let rest = (parameters["*"] ?? "").split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let request = FileRequest(path: rest, method: asked.head.method, headers: asked.head.headers)
        let exchange = FileExchange(asked, writer, self)
        exchange.start(request, FileService(directory: directory))
        return exchange
    }

    // MARK: Handlers

    /// Runs the handler of a route, or that of the model that a stream is asked of.
    private func run(_ asked: Asked, _ body: [UInt8], _ writer: any ResponseWriter) -> any ServerExchange {
        guard case .route(.handler(let number), let parameters) = asked.target else {
            return openStream(asked, body, writer)
        }
        return begin(asked, writer) { id in
            asked.request(id, handler: number, body: body, parameters: parameters)
        }
    }

    /// Begins an exchange whose response comes from a handler.
    private func begin(
        _ asked: Asked, _ writer: any ResponseWriter, _ request: (ExchangeID) -> ServedRequest
    ) -> any ServerExchange {
        if let refusal = takePlace(asked) { return answer(asked, writer, refusal) }
        let exchange = HandlerExchange(newID(), asked, .awaited(writer), self)
        exchanges[exchange.id] = exchange
        surroundings.deliver(.request(request(exchange.id)))
        return exchange
    }

    /// The refusal if there are too many requests of this client, or of all together.
    func takePlace(_ asked: Asked) -> ServedResponse? {
        if exchanges.count >= spec.limits.concurrent {
            var response = asked.error(
                503, "overloaded_error", "the server is busy: \(spec.limits.concurrent) requests run")
            response.headers["retry-after"] = "1"
            return response
        }
        guard let wait = limiter?.take(asked.client, now: now) else { return nil }
        let limit = spec.limits.perClientRPM ?? 0
        let shown = limit == limit.rounded() && limit < 1e6 ? String(Int(limit)) : String(limit)
        var response = asked.error(429, "rate_limit_error", "more than \(shown) requests a minute")
        response.headers["retry-after"] = String(Int(wait.rounded(.up)))
        return response
    }

    func newID() -> ExchangeID {
        defer { nextExchange += 1 }
        return ExchangeID(nextExchange)
    }

    private func ask(
        _ format: ServedFormat, _ asked: Asked, _ body: [UInt8], _ writer: any ResponseWriter
    ) -> any ServerExchange {
        if let refusal = takePlace(asked) { return answer(asked, writer, refusal) }
        let decoded: DecodedRequest
        let model: Int
        do throws(ReplyError) {
            decoded = try format.request(body, target: RequestTarget(asked.head.target))
            model = try modelIndex(decoded.chat.model)
        } catch {
            return answer(asked, writer, format.response(error))
        }
        let name = decoded.chat.model.isEmpty ? spec.models[model] : decoded.chat.model
        let reply = ModelReply(
            format, decoded, id: RandomID.hex(), created: Int(SystemClock.unixTime()), model: name)
        let exchange = HandlerExchange(newID(), asked, .model(writer, reply), self)
        exchanges[exchange.id] = exchange
        startTicking()
        var request = asked.request(exchange.id, handler: spec.routes.count + model, body: body)
        request.chat = decoded.chat
        request.chat?.model = name
        surroundings.deliver(.request(request))
        return exchange
    }

    /// The number of the model that answers for a name: its own, or that of "*". No name is the first model.
    func modelIndex(_ name: String) throws(ReplyError) -> Int {
        if !name.isEmpty, let index = spec.models.firstIndex(of: name) ?? spec.models.firstIndex(of: "*") {
            return index
        }
        guard !name.isEmpty || !modelNames.isEmpty else {
            throw ReplyError(status: 400, message: "must name a model: this server has no default", parameter: "model")
        }
        let known = modelNames[try ModelList.index(of: name, among: modelNames)]
        return spec.models.firstIndex(of: known) ?? 0
    }

    /// The names that the server tells.
    var modelNames: [String] { spec.models.filter { $0 != "*" } }

    // MARK: Streams

    private func openStream(_ asked: Asked, _ body: [UInt8], _ writer: any ResponseWriter) -> any ServerExchange {
        if let refusal = takePlace(asked) { return answer(asked, writer, refusal) }
        var chat: ChatRequest
        let model: Int
        do throws(ReplyError) {
            chat = try streamRequest(asked, body).chat
            model = try modelIndex(chat.model)
        } catch {
            return answer(asked, writer, asked.error(error.status, error.type, error.placedMessage))
        }
        if chat.model.isEmpty { chat.model = spec.models[model] }
        let exchange = HandlerExchange(newID(), asked, .awaited(writer), self)
        exchanges[exchange.id] = exchange
        exchange.open(model: chat.model)
        var request = asked.request(exchange.id, handler: spec.routes.count + model, body: body)
        request.chat = chat
        surroundings.deliver(.request(request))
        return exchange
    }

    private func streamRequest(_ asked: Asked, _ body: [UInt8]) throws(ReplyError) -> StreamRequest {
        do throws(RequestRefusal) {
            return asked.head.method == "POST"
                ? try StreamRequest(body: body) : try StreamRequest(query: asked.path?.query ?? [])
        } catch {
            throw error.error
        }
    }

    /// Lets a client read a stream from the event after the one that it had last.
    /// - Parameter last: the id of that event, as the client sent it.
    private func resume(_ last: String, _ asked: Asked, _ writer: any ResponseWriter) -> any ServerExchange {
        let last = EventID(last)
        // EventSource connects again after each end, and stops at 204 (WHATWG HTML section 9.2.3).
        if last == .lost { return answer(asked, writer, ServedResponse(status: 204)) }
        guard let last, let stream = streams[last.stream], last.number < stream.next else {
            var bytes: [UInt8] = []
            asked.beginEvents(writer, stream: nil)
            SSEWriter.lost.append(
                StreamEventEncoder.lost("the stream is no longer kept"), number: EventID.lost.number, to: &bytes)
            writer.write(ByteBuffer(bytes: bytes))
            writer.end()
            log(asked, status: 200, bytes: bytes.count)
            return EndedExchange()
        }
        if stream.isOver, last.number == stream.next - 1 {
            return answer(asked, writer, ServedResponse(status: 204))
        }
        asked.beginEvents(writer, stream: stream.id)
        let reader = StreamReader(
            .events(writer, SSEWriter(stream: stream.id)), from: last.number + 1, now: now)
        let exchange = ReaderExchange(stream, reader, asked, self)
        stream.add(reader, now: now)
        noteFlow(stream.flow(), of: stream)
        return exchange
    }

    /// Opens a stream for an exchange.
    func openStream(for exchange: ExchangeID, reconnects: Bool) -> LiveStream {
        let linger = spec.streams.linger ?? (reconnects ? Self.reconnectSeconds : Self.overtakingSeconds)
        let stream = streams.open(id: RandomID.stream(), exchange: exchange, linger: linger)
        startTicking()
        return stream
    }

    /// Seconds for a client that reconnects by itself.
    private static let reconnectSeconds = 10.0
    /// Seconds for a reconnection that overtakes the end of the old connection.
    private static let overtakingSeconds = 0.06

    /// A reader's client is gone.
    func readerIsGone(_ reader: StreamReader, of stream: LiveStream) {
        guard stream.remove(reader) else { return noteFlow(stream.flow(), of: stream) }
        let departure = stream.departures
        let end = { [self] in
            guard !stream.isOver, !stream.hasReaders, stream.departures == departure else { return }
            cancel(stream, "nobody reads the stream")
        }
        if stream.linger > 0 { surroundings.schedule(stream.linger, end) } else { end() }
    }

    private func stop(stream id: String, _ asked: Asked) -> ServedResponse {
        guard let stream = streams[id] else {
            return asked.error(404, "not_found_error", "there is no stream of that id")
        }
        if !stream.isOver { cancel(stream, "stopped by the client") }
        return ServedResponse(status: 204)
    }

    /// Ends a stream from the server's side, and its handler.
    func cancel(_ stream: LiveStream, _ message: String) {
        _ = stream.append([StreamEventEncoder.failure(kind: ErrorKind.cancelled.rawValue, message: message)], now: now)
        guard let exchange = exchanges[stream.exchange] else { return }
        surroundings.deliver(.gone(exchange.id))
        exchange.ended(status: 499)
    }

    func noteFlow(_ flow: LiveStream.Flow, of stream: LiveStream) {
        switch flow {
        case .unchanged: break
        case .congested: surroundings.deliver(.congested(stream.exchange))
        case .drained: surroundings.deliver(.drained(stream.exchange))
        }
    }

    private func startTicking() {
        guard !isTicking else { return }
        isTicking = true
        surroundings.schedule(1) { [weak self] in self?.tick() }
    }

    private func tick() {
        streams.tick(now: now)
        keepAlive()
        isTicking = false
        if !streams.isEmpty || !exchanges.isEmpty { startTicking() }
    }

    /// Keeps silent responses in providers' formats open. Streams have heartbeats of their own.
    private func keepAlive() {
        let now = now
        for exchange in Array(exchanges.values) {
            exchange.keepAlive(after: spec.streams.heartbeatSeconds, now: now)
        }
    }

    // MARK: WebSockets

    func refusal(ofSocket head: RequestHead) -> ServedResponse? {
        var head = head
        head.method = "WS"
        return refusal(of: head)
    }

    func openSocket(_ head: RequestHead, _ writer: any SocketWriter) -> any ServerSocket {
        var head = head
        head.method = "WS"
        let asked = Asked(head, self)
        let session = SocketSession(asked, writer, self)
        sockets[ObjectIdentifier(session)] = session
        return session
    }

    func ended(_ session: SocketSession) { sockets[ObjectIdentifier(session)] = nil }

    /// Begins an exchange whose events go to a WebSocket.
    func begin(_ exchange: HandlerExchange, _ request: ServedRequest) {
        exchanges[exchange.id] = exchange
        surroundings.deliver(.request(request))
    }

    // MARK: Commands

    func perform(_ commands: [ServerCommand]) {
        for command in commands {
            switch command {
            case .respond(let id, let response): exchanges[id]?.respond(response)
            case .open(let id, let model): exchanges[id]?.open(model: model)
            case .events(let id, let events): exchanges[id]?.send(events)
            case .emit(let id, let name, let value): exchanges[id]?.emit(name, value)
            case .sync(let id):
                // A response that is over keeps nobody waiting.
                if exchanges[id]?.isCongested != true { surroundings.deliver(.drained(id)) }
            case .end(let id): exchanges[id]?.end()
            case .raised(let id): exchanges[id]?.fail()
            case .report(let report): metrics.count(report)
            }
        }
    }

    /// An exchange is over.
    func ended(_ exchange: HandlerExchange, status: Int, bytes: Int) {
        guard exchanges.removeValue(forKey: exchange.id) != nil else { return }
        log(exchange.asked, status: status, bytes: bytes)
        if isDraining, exchanges.isEmpty { idle() }
    }

    /// Cancels the handler of an exchange whose client is gone.
    func handlerIsUnread(_ exchange: HandlerExchange) { surroundings.deliver(.gone(exchange.id)) }

    // MARK: The end

    /// Refuses new requests, lets those that run go on for some seconds, cuts the others.
    /// - Parameter end: called once, when all are over.
    func end(within seconds: Double, then end: @escaping () -> Void) {
        isDraining = true
        onIdle = end
        guard !exchanges.isEmpty, seconds > 0 else {
            cutAll()
            return idle()
        }
        surroundings.schedule(seconds) { [self] in
            cutAll()
            idle()
        }
    }

    private func idle() {
        let action = onIdle
        onIdle = {}
        for session in sockets.values { session.close(1001, "the server stops") }
        action()
    }

    /// Ends every exchange: streams with a failure event, other responses by cutting them.
    func cutAll() {
        for stream in streams.allRunning { cancel(stream, "the server stops") }
        for exchange in Array(exchanges.values) { exchange.cut() }
    }

    // MARK: Log

    func logError(_ message: String) { surroundings.logger.error("\(message)") }

    func log(_ asked: Asked, status: Int, bytes: Int) {
        let seconds = now - asked.time
        metrics.count(route: asked.routeLabel, status: status, seconds: seconds)
        let milliseconds = (seconds * 1_000 * 10).rounded() / 10
        surroundings.logger.info(
            "\(asked.client) \(asked.head.method) \(asked.loggedPath) \(status) \(bytes) bytes \(milliseconds) ms \(asked.requestID)"
        )
    }

    /// Looks a request up.
    func target(_ head: RequestHead, _ path: RequestPath) -> Asked.Target {
        let match = routes.match(head.method, path.segments)
        // A route that ends with * yields to the API of the models, as it does to every other path of the server.
        if case .found(let target, let parameters) = match, parameters["*"] == nil { return .route(target, parameters) }
        if !spec.models.isEmpty,
            let route = ModelRoute.find(RequestTarget(head.target), headers: head.headers, models: modelNames)
        {
            let isRight = head.method == route.method || (head.method == "HEAD" && route.method == "GET")
            if isRight { return .model(route) }
            guard case .found = match else { return .otherMethod([route.method]) }
        }
        switch match {
        case .found(let target, let parameters): return .route(target, parameters)
        case .otherMethod(let methods): return .otherMethod(methods)
        case .none: return .none
        }
    }

    /// The pattern of a route, for metrics.
    func label(_ target: Asked.Target, _ method: String, _ path: RequestPath) -> String {
        guard case .model(let route) = target else { return routes.label(method, path.segments) ?? "other" }
        return route.method == "POST" ? "chat \(route.format.name)" : "models \(route.format.name)"
    }
}
