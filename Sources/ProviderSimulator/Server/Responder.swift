// From a whole request to its response: paths, keys, control headers and the faults that are due.

internal import Base
internal import Formats
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// A request, read whole.
struct IncomingRequest {
    var head: HTTPRequestHead
    var body: ByteBuffer

    var target: RequestTarget { RequestTarget(head.uri) }
    var keepAlive: Bool { head.isKeepAlive }
}

/// What a request gets.
enum Answer {
    case reply(ReplyPlan)
    /// Bytes that are not a response; the connection closes after them.
    case garbage(ByteBuffer)
}

/// The server's half of a format, in the framing that a request asks for.
struct ServedFormat {
    let name: String
    let framing: Framing
    let requests: any RequestDecoder
    let replies: any ReplyEncoder

    init(_ name: String, _ coders: ServerCoders, _ framing: Framing) {
        self.name = name
        self.framing = framing
        requests = coders.requests
        replies = coders.replies(framing)
    }

    /// The format of errors for requests of no known format.
    static let fallback = ServedFormat(WireFormat.openAIChat.name, .openAIChat, .serverSentEvents)
}

struct Responder {
    let options: SimulatorOptions
    private var queue: FaultQueue
    private var bucket: TokenBucket?
    private var recorded: RecordedAnswers?

    /// The largest request body accepted, in bytes.
    static let largestBody = 64 << 20

    /// The longest reply sent in one piece, in tokens.
    private static let longestWhole = 1_000_000

    init(_ options: SimulatorOptions) {
        self.options = options
        queue = FaultQueue(options.faults)
        recorded = options.recorded
        bucket = options.limit.map { TokenBucket(rate: $0) }
    }

    mutating func answer(_ request: IncomingRequest) -> Answer {
        let target = request.target
        for format in FormatCatalog.all {
            guard let server = format.server, let route = server.requests.route(target, models: SimulatedModels.all)
            else { continue }
            let served = ServedFormat(format.name, server, route.framing ?? format.framing)
            do {
                return try answer(request, route, served)
            } catch {
                return Self.refuse(error, request, served, extra: error.status == 405 ? [("Allow", route.method)] : [])
            }
        }
        let missing = ReplyError(
            status: 404,
            message:
                "Unknown path \(target.path.shortened(to: 200)). Try POST /v1/chat/completions, /v1/responses, "
                + "/v1/messages, /v1beta/models/{model}:streamGenerateContent, /api/chat, /v2/chat or /generate_stream, "
                + "or GET /v1/models.",
            code: "unknown_url")
        return Self.refuse(missing, request, .fallback)
    }

    private mutating func answer(
        _ request: IncomingRequest, _ route: ServerRoute, _ served: ServedFormat
    ) throws(ReplyError) -> Answer {
        guard request.head.method.rawValue == route.method else {
            throw ReplyError(
                status: 405, message: "Not allowed: \(request.head.method.rawValue). Use \(route.method) here.",
                code: "method_not_allowed")
        }
        try checkKey(request)
        switch route {
        case .document(let document):
            return .reply(Self.whole(JSONWriter.bytes(document), request, served))
        case .reply: return try reply(request, served)
        }
    }

    /// Any key is accepted, or none; "bad" and keys that begin with "invalid" are refused.
    private func checkKey(_ request: IncomingRequest) throws(ReplyError) {
        let headers = request.head.headers
        let field =
            headers.first(name: "authorization") ?? headers.first(name: "x-api-key")
            ?? headers.first(name: "api-key") ?? headers.first(name: "x-goog-api-key") ?? ""
        let key = field.lowercased().hasPrefix("bearer ") ? field.dropFirst(7).trimmed : field
        if key == "bad" || key.hasPrefix("invalid") {
            throw ReplyError(status: 401, message: "Incorrect API key provided.", code: "invalid_api_key")
        }
    }

    private mutating func reply(_ request: IncomingRequest, _ served: ServedFormat) throws(ReplyError) -> Answer {
        if bucket?.take(.now()) == false { return tooMany(request, served) }
        let controls = try RequestControls(request.head.headers, options)
        var own = controls.faults.map { FaultQueue($0) }
        let faults = own?.next() ?? queue.next()
        if let status = faults.status { return StatusFault(status).answer(request, served) }
        if let page = faults.page { return Self.answer(page, request, faults) }
        let bytes = Array(request.body.readableBytesView)
        let decoded = try served.requests.request(bytes, target: request.target)
        var fingerprint = Fingerprint(seed: controls.seed)
        fingerprint.add(bytes)
        let prompt = SimulatedPrompt(decoded, format: served.name)
        let reply =
            try recorded?.reply(to: decoded, prompt: prompt, fingerprint: fingerprint)
            ?? ReplyGenerator(prompt: prompt, seed: controls.seed, deltas: controls.deltas)
            .reply(to: decoded, fingerprint: fingerprint)
        guard decoded.streams, !faults.whole else {
            guard let tokens = reply.tokenCount, tokens <= Self.longestWhole else {
                throw ReplyError(
                    status: 400, message: "A reply of more than \(Self.longestWhole) tokens can only be streamed.",
                    parameter: "stream")
            }
            return .reply(
                Self.whole(
                    served.replies.body(reply.whole), request, served, id: fingerprint.value, faults: faults,
                    extra: limitHeaders))
        }
        let framing = Self.framing(faults, request, length: nil)
        let head = ResponseHead.bytes(
            status: 200, type: served.replies.streamType, framing: framing, requestID: fingerprint.value,
            keepAlive: request.keepAlive, extra: limitHeaders)
        let ending = reply.ending(hasReason: !faults.omitsFinish, hasEndMarker: !faults.omitsDone)
        return .reply(
            ReplyPlan(
                head: head, framing: framing,
                source: ReplyFrames(reply, encoder: served.replies.stream(reply.head), ending: ending), format: served,
                faults: faults, rate: controls.rate))
    }

    private var limitHeaders: [(String, String)] { options.tellsLimit ? bucket?.headers ?? [] : [] }

    private func tooMany(_ request: IncomingRequest, _ served: ServedFormat) -> Answer {
        let wait = bucket?.retryAfter
        let error = ReplyError(
            status: 429, message: "Rate limit reached for requests.", type: "requests", code: "rate_limit_exceeded",
            retryAfter: wait.map { Double($0) })
        return Self.refuse(
            error, request, served, extra: (wait.map { [("Retry-After", String($0))] } ?? []) + limitHeaders)
    }

    /// The framing of a body. `length` is nil for a stream.
    private static func framing(_ faults: ActiveFaults, _ request: IncomingRequest, length: Int?) -> BodyFraming {
        if let cut = faults.cut {
            if faults.promisesMore { return .length(cut.at * 2 + 1_024) }
            if cut.ending == .close { return .untilClose }
            if cut.ending == .closeInsideChunk { return .chunked }
        }
        if let length { return .length(length) }
        let isOld = request.head.version.major == 1 && request.head.version.minor == 0
        return isOld ? .untilClose : .chunked
    }

    /// A body sent in one piece.
    static func whole(
        _ body: [UInt8], _ request: IncomingRequest, _ format: ServedFormat, status: Int = 200, id: UInt64 = 0,
        faults: ActiveFaults = ActiveFaults(), extra: [(String, String)] = [], type: String = "application/json"
    ) -> ReplyPlan {
        let framing = framing(faults, request, length: body.count)
        let head = ResponseHead.bytes(
            status: status, type: type, framing: framing, requestID: id, keepAlive: request.keepAlive, extra: extra)
        return ReplyPlan(
            head: head, framing: framing, source: WholeBody(body, encoder: format.replies), format: format,
            faults: faults, rate: 0)
    }

    static func refuse(
        _ error: ReplyError, _ request: IncomingRequest, _ format: ServedFormat, extra: [(String, String)] = []
    ) -> Answer {
        .reply(whole(format.replies.errorBody(error), request, format, status: error.status, extra: extra))
    }

    private static func answer(
        _ page: ActiveFaults.Page, _ request: IncomingRequest, _ faults: ActiveFaults
    ) -> Answer {
        switch page {
        case .garbage:
            return .garbage(ByteBuffer(string: "\u{1}\u{2}this is not HTTP at all\r\n\r\nmoon moon moon\r\n"))
        case .html:
            let html =
                "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
                + "<body><h1>Welcome to the guest network</h1><p>Please accept the terms.</p></body></html>\n"
            return .reply(
                whole(Array(html.utf8), request, .fallback, faults: faults, type: "text/html; charset=utf-8"))
        case .empty:
            let type = ServedFormat.fallback.replies.streamType
            return .reply(whole([], request, .fallback, faults: faults, type: type))
        }
    }
}

extension ServerRoute {
    var method: String {
        switch self {
        case .reply: "POST"
        case .document: "GET"
        }
    }

    /// The framing of a reply.
    var framing: Framing? { if case .reply(let framing) = self { framing } else { nil } }
}
