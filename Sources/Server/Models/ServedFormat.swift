// The wire format of a request: found by its path, for its body and its errors.

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON

/// The server's half of a format, in the framing that a request asks for.
struct ServedFormat: Sendable {
    /// The format's name in scripts: "openai".
    let name: String
    let framing: Framing
    let requests: any RequestDecoder
    let replies: any ReplyEncoder

    private init(_ name: String, _ coders: ServerCoders, _ framing: Framing) {
        self.name = name
        self.framing = framing
        requests = coders.requests
        replies = coders.replies(framing)
    }

    /// Chat Completions: the format of errors for paths of no known format.
    static let fallback = ServedFormat(WireFormat.openAIChat.name, .openAIChat, .serverSentEvents)

    /// Decodes the body of a request for a reply, and removes what only a script may send.
    /// - Throws: the refusal in the words of the format's provider.
    func request(_ body: [UInt8], target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        var request = try requests.relayedRequest(body, target: target)
        try request.makeTrusted()
        return request
    }

    /// The error in the form of the format.
    func response(_ error: ReplyError, headers: HTTPHeaders = [:]) -> ServedResponse {
        var response = ServedResponse(status: error.status, type: "application/json", replies.errorBody(error))
        for field in headers { response.headers.add(field.name, field.value) }
        return response
    }

    func response(_ error: HTTPError) -> ServedResponse { response(error.error, headers: error.headers) }
}

/// What a path of a model's API serves.
enum ModelRoute: Sendable {
    /// POST: a reply.
    case reply(ServedFormat)
    /// GET: this document.
    case document(JSONValue, ServedFormat)

    /// The method that the path is for.
    var method: String {
        switch self {
        case .reply: "POST"
        case .document: "GET"
        }
    }

    var format: ServedFormat {
        switch self {
        case .reply(let format), .document(_, let format): format
        }
    }

    /// Finds the format that serves a target; nil if none does. No two formats have a path for replies in common. Anthropic's
    /// list of models is at OpenAI's path, and differs by the header `anthropic-version`, which its clients always send. So is
    /// that of Gemini's version "v1", the default of google-genai; it differs by the header of the key.
    /// - Parameter models: the names of the models, for lists of them.
    static func find(_ target: RequestTarget, headers: HTTPHeaders, models: [String]) -> ModelRoute? {
        let isAnthropic = headers["anthropic-version"] != nil
        if isAnthropic, let document = ModelList.anthropic(target, models) {
            let format = WireFormat.anthropicMessages
            return format.served(format.framing).map { .document(document, $0) }
        }
        if headers["x-goog-api-key"] != nil, target.path.hasPrefix("/v1/models") {
            var target = target
            target.path = "/v1beta" + target.path.dropFirst("/v1".count)
            if let route = find(target, headers: headers, models: models) { return route }
        }
        for format in FormatCatalog.all {
            guard let route = format.server?.requests.route(target, models: models) else { continue }
            switch route {
            case .reply(let framing): return format.served(framing).map { .reply($0) }
            case .document(let document): return format.served(format.framing).map { .document(document, $0) }
            }
        }
        // Clients encode the slashes and colons in a model's name.
        var decoded = target
        decoded.path = target.path.percentDecoded
        guard decoded.path != target.path,
            case .document(let document, let format)? = find(decoded, headers: headers, models: models)
        else { return nil }
        return .document(document, format)
    }
}

extension WireFormat {
    fileprivate func served(_ framing: Framing) -> ServedFormat? { ServedFormat(self, framing) }
}

extension ServedFormat {
    /// The server's half of a format; nil for a format that only the client has.
    init?(_ format: WireFormat, _ framing: Framing) {
        guard let coders = format.server else { return nil }
        self.init(format.name, coders, framing)
    }
}
