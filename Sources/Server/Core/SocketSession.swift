// A WebSocket: requests, cancellations and resumptions come as JSON messages, events go as JSON messages.

internal import Chat
internal import Formats
internal import HTTP
internal import JSON
internal import NIOCore

final class SocketSession: ServerSocket {
    private let asked: Asked
    private let writer: any SocketWriter
    private let core: ServerCore
    /// The streams that it reads.
    private var subscriptions: [(stream: LiveStream, reader: StreamReader)] = []

    /// Streams that one WebSocket may read at a time.
    private static let maxSubscriptions = 100

    init(_ asked: Asked, _ writer: any SocketWriter, _ core: ServerCore) {
        self.asked = asked
        self.writer = writer
        self.core = core
    }

    // MARK: ServerSocket

    func received(_ text: [UInt8]) {
        do throws(SocketRefusal) {
            switch try SocketCommand(text, isScripted: isScripted) {
            case .ask(let request, let ref): ask(request, text, ref: ref)
            case .cancel(let id):
                guard let stream = core.streams[id] else { return refuse("there is no stream of that id", ref: nil) }
                if !stream.isOver { core.cancel(stream, "stopped by the client") }
            case .resume(let last, let ref): resume(last, ref: ref)
            }
        } catch {
            writer.send(ByteBuffer(bytes: error.reply))
        }
    }

    /// A handler of the script takes the requests, in whatever form they have.
    private var isScripted: Bool { if case .route(.handler, _) = asked.target { true } else { false } }

    func closed() {
        core.log(asked, status: 101, bytes: 0)
        core.ended(self)
        let left = subscriptions
        subscriptions = []
        for (stream, reader) in left { core.readerIsGone(reader, of: stream) }
    }

    func writabilityChanged() {
        for (stream, _) in subscriptions {
            stream.pump(now: core.now)
            core.noteFlow(stream.flow(), of: stream)
        }
    }

    func close(_ code: Int, _ reason: String) { writer.close(code, reason: reason) }

    // MARK: Messages

    private func ask(_ asking: StreamRequest?, _ text: [UInt8], ref: JSONValue?) {
        guard hasRoom(ref) else { return }
        let asked = Asked(self.asked.head, core)
        if let refusal = core.takePlace(asked) {
            let message = refusal.status == 429 ? "too many requests a minute" : "the server is busy"
            return refuse(message, ref: ref, kind: refusal.status == 429 ? .rateLimit : .overloaded)
        }
        let id = core.newID()
        var request: ServedRequest
        do throws(ReplyError) {
            request = try self.request(id, asked, asking, text)
        } catch {
            return refuse(error.placedMessage, ref: ref)
        }
        let exchange = HandlerExchange(id, asked, .over, core)
        let stream = core.openStream(for: id, reconnects: false)
        subscribe(stream, from: 1, ref: ref)
        core.begin(exchange, request)
        exchange.open(stream, model: request.chat?.model)
    }

    private func request(
        _ id: ExchangeID, _ asked: Asked, _ asking: StreamRequest?, _ text: [UInt8]
    ) throws(ReplyError) -> ServedRequest {
        guard let asking else {
            guard case .route(.handler(let number), let parameters) = asked.target else {
                throw ReplyError(status: 404, message: "nothing is served here")
            }
            return asked.request(id, handler: number, body: text, parameters: parameters)
        }
        var chat = asking.chat
        let model = try core.modelIndex(chat.model)
        if chat.model.isEmpty { chat.model = core.spec.models[model] }
        var request = asked.request(id, handler: core.spec.routes.count + model, body: text)
        request.chat = chat
        return request
    }

    /// Refuses one stream too many.
    private func hasRoom(_ ref: JSONValue?) -> Bool {
        subscriptions.removeAll { $0.reader.isOver }
        if subscriptions.count < Self.maxSubscriptions { return true }
        refuse("more than \(Self.maxSubscriptions) streams at a time", ref: ref)
        return false
    }

    private func resume(_ last: EventID, ref: JSONValue?) {
        guard hasRoom(ref) else { return }
        guard let stream = core.streams[last.stream], last.number < stream.next else {
            let event = StreamEventEncoder.lost("the stream is no longer kept")
            return writer.send(
                ByteBuffer(bytes: SocketMessageWriter(stream: nil, ref: ref).message(event, number: 0)))
        }
        subscribe(stream, from: last.number + 1, ref: ref)
        core.noteFlow(stream.flow(), of: stream)
    }

    private func subscribe(_ stream: LiveStream, from number: Int, ref: JSONValue?) {
        let messages = SocketMessageWriter(stream: stream.id, ref: ref)
        let reader = StreamReader(.socket(writer, messages), from: number, now: core.now)
        stream.add(reader, now: core.now)
        if !reader.isOver { subscriptions.append((stream, reader)) }
    }

    private func refuse(_ message: String, ref: JSONValue?, kind: ErrorKind = .invalidRequest) {
        let event = StreamEventEncoder.failure(kind: kind.rawValue, message: message)
        writer.send(ByteBuffer(bytes: SocketMessageWriter(stream: nil, ref: ref).message(event, number: 0)))
    }
}
