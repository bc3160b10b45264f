// A request from a caller in this process, which no socket carries: for tests, and for programs that embed a server.

internal import Chat
internal import HTTP
internal import NIOCore

/// One request and its response. Used on the receiver's event loop.
final class LocalCall: ResponseWriter {
    enum Event {
        case head(status: Int, headers: HTTP.HTTPHeaders)
        case body(ByteBuffer)
        /// The body has ended.
        case end
        /// The server has cut the response.
        case aborted
    }

    private enum Phase {
        case waiting
        case streaming
        case over
    }

    private let deliver: (Event) -> Void
    private var phase = Phase.waiting
    private var exchange: (any ServerExchange)?
    private var unreadBytes = 0

    private init(deliver: @escaping (Event) -> Void) { self.deliver = deliver }

    /// Sends a request.
    /// - Parameter deliver: receives the response in pieces. `didRead` must be called for those of the body.
    static func start(
        _ request: IncomingRequest, to receiver: any RequestReceiver, deliver: @escaping (Event) -> Void
    ) -> LocalCall {
        let call = LocalCall(deliver: deliver)
        if let refusal = receiver.refusal(of: request.head) {
            call.respond(refusal)
            return call
        }
        let exchange = receiver.receive(request, call)
        if call.phase != .over { call.exchange = exchange }
        return call
    }

    /// The caller has read bytes of the body.
    func didRead(_ count: Int) {
        let wasWritable = isWritable
        unreadBytes -= count
        if isWritable != wasWritable { exchange?.writabilityChanged() }
    }

    /// The caller wants no more of the response.
    func cancel() {
        guard phase != .over else { return }
        phase = .over
        exchange?.clientIsGone()
        exchange = nil
    }

    // MARK: ResponseWriter

    var isWritable: Bool { unreadBytes < Listener.highWaterMark }

    func respond(_ response: ServedResponse) {
        guard phase == .waiting else { return }
        phase = .over
        exchange = nil
        deliver(.head(status: response.status, headers: response.headers))
        if !response.body.isEmpty {
            unreadBytes += response.body.count
            deliver(.body(ByteBuffer(bytes: response.body)))
        }
        deliver(.end)
    }

    func begin(status: Int, headers: HTTP.HTTPHeaders) {
        guard phase == .waiting else { return }
        phase = .streaming
        deliver(.head(status: status, headers: headers))
    }

    func write(_ bytes: ByteBuffer) {
        guard phase == .streaming, bytes.readableBytes > 0 else { return }
        let wasWritable = isWritable
        unreadBytes += bytes.readableBytes
        deliver(.body(bytes))
        if isWritable != wasWritable { exchange?.writabilityChanged() }
    }

    func end() {
        guard phase == .streaming else { return }
        phase = .over
        exchange = nil
        deliver(.end)
    }

    func abort() {
        guard phase != .over else { return }
        phase = .over
        exchange = nil
        deliver(.aborted)
    }
}
