// A request's head with what the server has found out about it.

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON
internal import NIOCore

/// One request as the core sees it.
struct Asked {
    /// What answers it.
    enum Target {
        case route(RouteTarget, [String: String])
        /// A reply of a model, or a list of models, in a provider's format.
        case model(ModelRoute)
        case otherMethod([String])
        case none
    }

    let head: RequestHead
    /// nil for a path that is not valid.
    let path: RequestPath?
    let target: Target
    /// The client's address.
    let client: String
    let requestID: String
    /// The pattern of its route.
    let routeLabel: String
    /// When it came (monotonic seconds).
    let time: Double
    private let corsFields: HTTPHeaders?
    private let hidesToken: Bool

    init(_ head: RequestHead, _ core: ServerCore) {
        self.head = head
        path = RequestPath(head.target)
        target = path.map { core.target(head, $0) } ?? .none
        routeLabel = path.map { [target] in core.label(target, head.method, $0) } ?? "other"
        client = Self.client(head, core.spec)
        requestID = RandomID.hex()
        time = core.now
        corsFields = core.access.corsFields(head.headers)
        hidesToken = core.access.needsToken
    }

    /// The last address in the last `X-Forwarded-For` is the one that our own proxy has seen. The client itself can have
    /// sent those before.
    private static func client(_ head: RequestHead, _ spec: ServerSpec) -> String {
        guard spec.trustsProxy,
            let field = head.headers.fields.last(where: { $0.name.lowercased() == "x-forwarded-for" }),
            let last = field.value.split(separator: ",").last
        else { return head.remoteAddress }
        let address = Snippet.trimmed(String(last))
        return isAddress(address) ? address : head.remoteAddress
    }

    /// Whether the text has only what addresses have, so that it can be a key of limits and stand in the log.
    private static func isAddress(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"):
                    true
                default: ".:[]%-_".utf8.contains(byte)
                }
            }
    }

    /// The path for the log, without the query, which may hold the token or a prompt.
    var loggedPath: String { Snippet.of(String(head.target.prefix { $0 != "?" })) }

    /// The client reconnects by itself with the id of the last event: EventSource, and libraries like it, send these two.
    var reconnects: Bool {
        head.headers["accept"]?.contains("text/event-stream") == true
            && head.headers["cache-control"]?.contains("no-cache") == true
    }

    /// The id of the event that the client had last, as it was sent. On a route of the script only an id of a stream's form
    /// counts: others are the script's own.
    var lastEventID: String? {
        guard head.method == "GET" else { return nil }
        let names = ["last_event_id", "lastEventId", "last-event-id"]
        let text = head.headers["last-event-id"] ?? names.lazy.compactMap { path?.value($0) }.first
        guard case .route(.handler, _) = target, let text else { return text }
        let id = EventID(text)
        return id == .lost || id?.stream.utf8.count == RandomID.streamDigits ? text : nil
    }

    // MARK: Answers

    /// The request for a handler.
    func request(
        _ id: ExchangeID, handler: Int, body: [UInt8], parameters: [String: String] = [:]
    ) -> ServedRequest {
        ServedRequest(
            id: id, handler: handler, method: head.method, path: path?.text ?? "/", query: visibleQuery,
            headers: visibleHeaders, body: body, parameters: parameters, client: client, requestID: requestID)
    }

    /// The header fields that a handler sees: not the token, which is a secret of the server.
    private var visibleHeaders: HTTPHeaders {
        guard hidesToken else { return head.headers }
        var headers = head.headers
        for name in AccessRules.tokenFields { headers[name] = nil }
        return headers
    }

    private var visibleQuery: [(name: String, value: String)] {
        let query = path?.query ?? []
        return hidesToken ? query.filter { !AccessRules.tokenParameters.contains($0.name) } : query
    }

    func response(to refusal: AccessRules.Refusal) -> ServedResponse {
        error(refusal.status, refusal.type, refusal.message)
    }

    /// An error of the server, in the form of the caller's format.
    func error(_ status: Int, _ type: String, _ message: String) -> ServedResponse {
        guard case .model(let route) = target else {
            return finished(Self.error(status, type, message, requestID: requestID))
        }
        return finished(route.format.response(ReplyError(status: status, message: message, type: type)))
    }

    static func error(_ status: Int, _ type: String, _ message: String, requestID: String?) -> ServedResponse {
        var error: JSONObject = ["message": .string(message), "type": .string(type)]
        if let requestID { error["request_id"] = .string(requestID) }
        return ServedResponse(
            status: status, type: "application/json", JSONWriter.bytes(["error": .object(error)]))
    }

    /// Begins a response of events. The fields keep proxies from buffering it, and EventSource waits a second before it
    /// reconnects.
    func beginEvents(_ writer: any ResponseWriter, stream: String?) {
        var headers: HTTPHeaders = [
            "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
        ]
        headers["x-moonrill-stream"] = stream
        writer.begin(status: 200, headers: finished(ServedResponse(headers: headers)).headers)
        writer.write(ByteBuffer(bytes: SSEWriter.retry(milliseconds: 1_000)))
    }

    /// The response with the fields that every response has.
    func finished(_ response: ServedResponse) -> ServedResponse {
        var response = response
        response.headers["x-request-id"] = requestID
        if response.headers["x-content-type-options"] == nil { response.headers["x-content-type-options"] = "nosniff" }
        for field in corsFields ?? [:] where response.headers[field.name] == nil {
            response.headers[field.name] = field.value
        }
        return response
    }
}

/// Random identifiers.
enum RandomID {
    /// 16 hexadecimal digits.
    static func hex() -> String { digits(16, "0123456789abcdef") }

    /// The digits of a stream's id: 128 bits, so that it cannot be guessed.
    static let streamDigits = 22

    static func stream() -> String {
        let alphabet: StaticString = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        return digits(streamDigits / 2, alphabet) + digits(streamDigits / 2, alphabet)
    }

    /// The digits of a random number of 64 bits.
    private static func digits(_ count: Int, _ alphabet: StaticString) -> String {
        let digits = Array(alphabet.description.utf8)
        var number = UInt64.random(in: .min ... .max)
        var text: [UInt8] = []
        for _ in 0..<count {
            text.append(digits[Int(number % UInt64(digits.count))])
            number /= UInt64(digits.count)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
