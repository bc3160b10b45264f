// From a whole request to what is sent back. Knows paths, keys, control headers and which fault is due; writes
// nothing itself.

internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// A request, read whole.
struct IncomingRequest {
    var head: HTTPRequestHead
    var body: ByteBuffer

    var path: String { String(head.uri.prefix { $0 != "?" }) }
    var query: String { String(head.uri.drop { $0 != "?" }.dropFirst()) }
    var keepAlive: Bool { head.isKeepAlive }
}

/// What a request gets.
enum Answer {
    case reply(ReplyPlan)
    /// Bytes that are not a response; the connection closes after them.
    case garbage(ByteBuffer)
}

struct Responder {
    let options: SimulatorOptions
    private var ledger: FaultQueue
    private var bucket: TokenBucket?
    private let dialects: [any SimulatedFormat] = [
        ChatCompletions(), OpenAIResponses(), AnthropicMessages(), GeminiContent(), GeminiContent(isArray: true),
        OllamaChat(), TextGeneration(), CohereChat(),
    ]

    /// The largest request body taken, in bytes.
    static let largestBody = 64 << 20

    /// The longest reply sent in one piece, in tokens.
    private static let longestWhole = 1_000_000

    init(_ options: SimulatorOptions) {
        self.options = options
        ledger = FaultQueue(options.faults)
        bucket = options.limit.map { TokenBucket(rate: $0) }
    }

    mutating func answer(_ request: IncomingRequest) -> Answer {
        for dialect in dialects {
            guard let route = dialect.route(request.path, query: request.query) else { continue }
            do {
                return try answer(request, route, dialect)
            } catch {
                return Self.refuse(error, request, dialect, extra: error.status == 405 ? [("Allow", route.method)] : [])
            }
        }
        let missing = RequestRefusal(
            status: 404,
            message:
                "Unknown path \(request.path.shortened(to: 200)). Try POST /v1/chat/completions, /v1/responses, "
                + "/v1/messages, /v1beta/models/{model}:streamGenerateContent, /api/chat, /v2/chat or /generate_stream, "
                + "or GET /v1/models.",
            code: "unknown_url")
        return Self.refuse(missing, request, dialects[0])
    }

    private mutating func answer(
        _ request: IncomingRequest, _ route: SimulatorRoute, _ dialect: any SimulatedFormat
    ) throws(RequestRefusal) -> Answer {
        guard request.head.method.rawValue == route.method else {
            throw RequestRefusal(
                status: 405, message: "Not allowed: \(request.head.method.rawValue). Use \(route.method) here.",
                code: "method_not_allowed")
        }
        try checkKey(request)
        switch route {
        case .document(let document): return .reply(Self.whole(document.document, request, dialect))
        case .reply: return try reply(request, dialect)
        }
    }

    /// Any key will do, or none; "bad" and whatever begins with "invalid" are refused, to show what a wrong key does.
    private func checkKey(_ request: IncomingRequest) throws(RequestRefusal) {
        let headers = request.head.headers
        let field =
            headers.first(name: "authorization") ?? headers.first(name: "x-api-key")
            ?? headers.first(name: "api-key") ?? headers.first(name: "x-goog-api-key") ?? ""
        let key = field.lowercased().hasPrefix("bearer ") ? field.dropFirst(7).trimmed : field
        if key == "bad" || key.hasPrefix("invalid") {
            throw RequestRefusal(status: 401, message: "Incorrect API key provided.", code: "invalid_api_key")
        }
    }

    private mutating func reply(
        _ request: IncomingRequest, _ dialect: any SimulatedFormat
    ) throws(RequestRefusal) -> Answer {
        if bucket?.take(.now()) == false { return tooMany(request, dialect) }
        let controls = try RequestControls(request.head.headers, options)
        var own = controls.faults.map { FaultQueue($0) }
        let faults = own?.next() ?? ledger.next()
        if let status = faults.status { return StatusFault(status).answer(request, dialect) }
        if let page = faults.page { return Self.answer(page, request, faults) }
        let bytes = Array(request.body.readableBytesView)
        let prompt = try dialect.prompt(path: request.path, body: try Self.json(bytes))
        var fingerprint = Fingerprint(seed: controls.seed)
        fingerprint.add(bytes)
        let reply = ReplyGenerator(prompt: prompt, seed: controls.seed, deltas: controls.deltas)
            .reply(fingerprint: fingerprint.value)
        guard prompt.streams, !faults.whole else {
            guard let tokens = reply.replyTokens, tokens <= Self.longestWhole else {
                throw RequestRefusal(
                    status: 400, message: "A reply of more than \(Self.longestWhole) tokens can only be streamed.",
                    parameter: "stream")
            }
            return .reply(
                Self.whole(
                    dialect.whole(reply), request, dialect, id: fingerprint.value, faults: faults, extra: limitHeaders))
        }
        let omissions = FrameOmissions(done: faults.omitsDone, finish: faults.omitsFinish)
        let framing = Self.framing(faults, request, length: nil)
        let head = ResponseHead.bytes(
            status: 200, type: dialect.streamType, framing: framing, requestID: fingerprint.value,
            keepAlive: request.keepAlive, extra: limitHeaders)
        return .reply(
            ReplyPlan(
                head: head, framing: framing, source: dialect.frames(reply, leavingOut: omissions), dialect: dialect,
                faults: faults, rate: controls.rate))
    }

    private var limitHeaders: [(String, String)] { options.tellsLimit ? bucket?.headers ?? [] : [] }

    private func tooMany(_ request: IncomingRequest, _ dialect: any SimulatedFormat) -> Answer {
        let wait = bucket?.retryAfter
        let refusal = RequestRefusal(
            status: 429, message: "Rate limit reached for requests.", type: "requests", code: "rate_limit_exceeded",
            retryAfter: wait.map { Double($0) })
        return Self.refuse(
            refusal, request, dialect, extra: (wait.map { [("Retry-After", String($0))] } ?? []) + limitHeaders)
    }

    private static func json(_ bytes: [UInt8]) throws(RequestRefusal) -> JSONValue {
        do {
            return try RequestJSON.read(bytes)
        } catch {
            throw RequestRefusal(
                status: 400,
                message: "We could not parse the JSON body of your request: \(error.reason) (byte \(error.offset)).")
        }
    }

    /// How the body's end is told. `length` is nil for a stream.
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
        _ body: ByteBuffer, _ request: IncomingRequest, _ dialect: any SimulatedFormat, status: Int = 200,
        id: UInt64 = 0,
        faults: ActiveFaults = ActiveFaults(), extra: [(String, String)] = [], type: String = "application/json"
    ) -> ReplyPlan {
        let framing = framing(faults, request, length: body.readableBytes)
        let head = ResponseHead.bytes(
            status: status, type: type, framing: framing, requestID: id, keepAlive: request.keepAlive, extra: extra)
        return ReplyPlan(
            head: head, framing: framing, source: WholeBody(body), dialect: dialect, faults: faults, rate: 0)
    }

    static func refuse(
        _ refusal: RequestRefusal, _ request: IncomingRequest, _ dialect: any SimulatedFormat,
        extra: [(String, String)] = []
    ) -> Answer {
        .reply(whole(dialect.errorBody(refusal), request, dialect, status: refusal.status, extra: extra))
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
                whole(
                    ByteBuffer(string: html), request, ChatCompletions(), faults: faults,
                    type: "text/html; charset=utf-8"))
        case .empty:
            let type = ChatCompletions().streamType
            return .reply(whole(ByteBuffer(), request, ChatCompletions(), faults: faults, type: type))
        }
    }
}

extension SimulatorRoute {
    var method: String {
        switch self {
        case .reply: "POST"
        case .document: "GET"
        }
    }
}

/// A body that is one frame.
final class WholeBody: FrameSource {
    private var body: ByteBuffer?
    let hasDeltas = false

    init(_ body: ByteBuffer) { self.body = body }

    func next(into buffer: inout ByteBuffer) -> FrameStep {
        guard var body else { return .end }
        self.body = nil
        buffer.writeBuffer(&body)
        return .control
    }
}
