// One exchange whose response comes from a handler of the script: a whole response, a stream of events, or a reply in a
// provider's format.

internal import Base
internal import Chat
internal import HTTP
internal import JSON
internal import NIOCore

final class HandlerExchange: ServerExchange {
    /// Where the response stands.
    enum Response {
        /// Nothing has been sent.
        case awaited(any ResponseWriter)
        /// A reply of a model in the caller's format.
        case model(any ResponseWriter, ModelReply)
        /// Events, for this reader among others; nil on a WebSocket, whose session has the readers.
        case stream(LiveStream, StreamReader?)
        case over
    }

    let id: ExchangeID
    let asked: Asked
    private var response: Response
    private let core: ServerCore
    private var status = 200
    /// Bytes of the body so far, for the log.
    private var bytes = 0
    /// When a part of the response was written last; before the first, when the request came (monotonic seconds).
    private var lastWrite: Double
    /// The handler is told to wait: the client of a reply in a provider's format does not read.
    private var isWaitedFor = false
    /// The model of a stream.
    private var model: String?

    init(_ id: ExchangeID, _ asked: Asked, _ response: Response, _ core: ServerCore) {
        self.id = id
        self.asked = asked
        self.response = response
        self.core = core
        lastWrite = core.now
    }

    // MARK: The client

    func clientIsGone() {
        switch response {
        case .awaited, .model:
            core.handlerIsUnread(self)
            ended(status: 499)
        case .stream(let stream, let reader):
            if let reader { core.readerIsGone(reader, of: stream) }
        case .over: break
        }
    }

    func writabilityChanged() {
        switch response {
        case .stream(let stream, _):
            stream.pump(now: core.now)
            core.noteFlow(stream.flow(), of: stream)
        case .model(let writer, _): noteFlow(writer)
        case .awaited, .over: break
        }
    }

    /// The client has not read what was sent: `drained` will follow.
    var isCongested: Bool {
        switch response {
        case .stream(let stream, _): stream.isCongested
        case .model: isWaitedFor
        case .awaited, .over: false
        }
    }

    private func noteFlow(_ writer: any ResponseWriter) {
        guard isWaitedFor == writer.isWritable else { return }
        isWaitedFor.toggle()
        core.surroundings.deliver(isWaitedFor ? .congested(id) : .drained(id))
    }

    // MARK: The handler

    /// Sends a whole response.
    func respond(_ answer: ServedResponse) {
        switch response {
        case .awaited(let writer): respond(answer, writer)
        case .stream:
            // On a WebSocket, or after events: the body is the last event but one.
            if !answer.body.isEmpty { append([Self.event(answer)]) }
            end()
        case .model(let writer, let reply):
            // A handler of a model that answers by hand: its text is the reply.
            if !answer.body.isEmpty {
                write(reply.take([.text(TextBatch(String(decoding: answer.body, as: UTF8.self)))]), writer)
            }
            end()
        case .over: break
        }
    }

    private func respond(_ answer: ServedResponse, _ writer: any ResponseWriter) {
        let answer = asked.finished(answer)
        bytes = answer.body.count
        ended(status: answer.status)
        writer.respond(answer)
    }

    /// The body of a response as the data of an event.
    private static func event(_ answer: ServedResponse) -> StreamEvent {
        if answer.headers["content-type"] == "application/json" { return StreamEvent(data: answer.body) }
        var data = Array("{\"content\":".utf8)
        JSONWriter.append(String(decoding: answer.body, as: UTF8.self), to: &data)
        return StreamEvent(data: data + Array("}".utf8))
    }

    /// Sends what keeps a response in a provider's format open, after some silent seconds. It begins a stream: a failure
    /// after it has no HTTP status.
    func keepAlive(after seconds: Double, now: Double) {
        guard case .model(let writer, let reply) = response, now - lastWrite >= seconds, writer.isWritable else {
            return
        }
        lastWrite = now
        write(reply.keepAlive(), writer)
    }

    /// Begins a stream of events, before the first has come.
    func open(model: String?) {
        guard case .awaited(let writer) = response else { return }
        let stream = core.openStream(for: id, reconnects: asked.reconnects)
        self.model = model
        asked.beginEvents(writer, stream: stream.id)
        let reader = StreamReader(.events(writer, SSEWriter(stream: stream.id)), from: 1, now: core.now)
        response = .stream(stream, reader)
        stream.add(reader, now: core.now)
        append([StreamEventEncoder.start(stream: stream.id, model: model)])
    }

    /// Begins a stream of events for a WebSocket.
    func open(_ stream: LiveStream, model: String?) {
        self.model = model
        response = .stream(stream, nil)
        append([StreamEventEncoder.start(stream: stream.id, model: model)])
    }

    /// Sends chat events. The last one ends the response.
    func send(_ events: [ChatEvent]) {
        switch response {
        case .awaited(let writer):
            // A failure before the first output is a plain error.
            if case .failed(let failure)? = events.first {
                let error = ErrorMapping.error(failure)
                return respond(error.response(requestID: asked.requestID), writer)
            }
            open(model: nil)
            send(events)
        case .stream:
            var encoded: [StreamEvent] = []
            for event in events { StreamEventEncoder.encode(event) { encoded.append($0) } }
            append(encoded)
        case .model(let writer, let reply):
            write(reply.take(events), writer)
            // A reset that the format cannot express ends the response before the provider's reply.
            if case .over = response, events.last?.isTerminal != true { core.handlerIsUnread(self) }
        case .over: break
        }
    }

    /// Sends an event of the script's own.
    func emit(_ name: String?, _ value: JSONValue) {
        switch response {
        case .awaited:
            open(model: nil)
            emit(name, value)
        case .stream:
            do throws(EventNameError) {
                append([try StreamEventEncoder.custom(name: name, value)])
            } catch {
                core.logError("response:event: \(error.message) (request \(asked.requestID))")
            }
        // Formats of providers have no place for events of others.
        case .model, .over: break
        }
    }

    /// The handler has returned nothing.
    func end() {
        switch response {
        case .awaited: respond(ServedResponse(status: 204))
        case .stream(let stream, _): if !stream.isOver { append([StreamEventEncoder.ended(model: model)]) }
        case .model(let writer, let reply): write(reply.end(), writer)
        case .over: break
        }
    }

    /// The handler has raised an error. Its message is in the log alone.
    func fail() {
        let error = ErrorMapping.raised(requestID: asked.requestID)
        switch response {
        case .awaited: respond(error.response(requestID: asked.requestID))
        case .stream(let stream, _):
            if !stream.isOver { append([StreamEventEncoder.raised(requestID: asked.requestID)]) }
        case .model(let writer, let reply): write(reply.fail(error), writer)
        case .over: break
        }
    }

    /// Cuts the response.
    func cut() {
        switch response {
        case .awaited(let writer), .model(let writer, _):
            core.handlerIsUnread(self)
            ended(status: 503)
            writer.abort()
        case .stream(let stream, _): core.cancel(stream, "the server stops")
        case .over: break
        }
    }

    // MARK: Writing

    private func append(_ events: [StreamEvent]) {
        guard case .stream(let stream, _) = response, !events.isEmpty else { return }
        for event in events { bytes += event.data.count }
        let flow = stream.append(events, now: core.now)
        if stream.isOver { return ended(status: status) }
        core.noteFlow(flow, of: stream)
    }

    private func write(_ output: ModelReply.Output, _ writer: any ResponseWriter) {
        switch output {
        case .nothing: return
        case .whole(let answer): respond(answer, writer)
        case .piece(let piece):
            if let head = piece.head {
                writer.begin(status: 200, headers: asked.finished(ServedResponse(headers: head)).headers)
            }
            bytes += piece.bytes.count
            lastWrite = core.now
            if !piece.bytes.isEmpty { writer.write(ByteBuffer(bytes: piece.bytes)) }
            if piece.isLast {
                ended(status: status)
                writer.end()
            } else {
                noteFlow(writer)
            }
        }
    }

    /// Notes that the response is complete, or will never be.
    func ended(status: Int) {
        if case .over = response { return }
        // A stream stays readable for those who read it.
        if case .stream = response {} else { response = .over }
        core.ended(self, status: status, bytes: bytes)
    }
}

/// A client that reads a stream which another request has begun.
final class ReaderExchange: ServerExchange {
    private let stream: LiveStream
    private let reader: StreamReader
    private let asked: Asked
    private let core: ServerCore

    init(_ stream: LiveStream, _ reader: StreamReader, _ asked: Asked, _ core: ServerCore) {
        self.stream = stream
        self.reader = reader
        self.asked = asked
        self.core = core
        core.log(asked, status: 200, bytes: 0)
    }

    func clientIsGone() { core.readerIsGone(reader, of: stream) }

    func writabilityChanged() {
        stream.pump(now: core.now)
        core.noteFlow(stream.flow(), of: stream)
    }
}

/// An exchange that was answered at once.
final class EndedExchange: ServerExchange {
    func clientIsGone() {}
    func writabilityChanged() {}
}
