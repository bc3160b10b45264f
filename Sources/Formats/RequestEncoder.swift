// The client's side of requests: what all formats write alike.

internal import Chat
internal import HTTP
internal import JSON

/// A request to encode, and where it goes.
struct EncoderInput {
    let request: ChatRequest
    let endpoint: Endpoint
    let context: RequestContext

    init(_ request: ChatRequest, endpoint: Endpoint) {
        self.request = request
        self.endpoint = endpoint
        context = RequestContext(request, endpoint: endpoint)
    }
}

/// Encodes one request of a format. Conforming types give the URL and the body.
protocol RequestEncoder {
    /// The media type asked for.
    static var accept: String { get }

    /// The header field that carries the key; a quirk of the endpoint overrides it.
    static var keyField: Quirks.KeyField { get }

    /// Header fields of the format. Fields of the endpoint with the same name replace them.
    static var headers: HTTPHeaders { get }

    init(input: EncoderInput)

    var input: EncoderInput { get }

    func url() throws(APIError) -> String

    func body() throws(APIError) -> JSONObject
}

extension RequestEncoder {
    static var accept: String { "text/event-stream" }
    static var keyField: Quirks.KeyField { .bearer }
    static var headers: HTTPHeaders { [:] }

    var request: ChatRequest { input.request }
    var endpoint: Endpoint { input.endpoint }
    var context: RequestContext { input.context }

    /// - Throws: an `APIError` of kind `invalidRequest` or `config` that names the field.
    static func encode(_ request: ChatRequest, endpoint: Endpoint, key: String?) throws(APIError) -> HTTPRequest {
        let encoder = Self(input: EncoderInput(request, endpoint: endpoint))
        let url = try encoder.url()
        let others = try RequestHeaders.make(for: endpoint, key: key, accept: accept, keyField: keyField)
        var headers = Self.headers
        if headers.fields.isEmpty {
            headers = others
        } else {
            for field in others { headers[field.name] = nil }
            for field in others { headers.add(field.name, field.value) }
        }
        let body = try encoder.body()
        return HTTPRequest(method: "POST", url: url, headers: headers, body: JSONWriter.bytes(.object(body)))
    }

    /// - Throws: an error if the request names no model.
    func checkModel() throws(APIError) {
        guard !request.model.isEmpty else { throw context.invalid("model", "must be named") }
    }

    /// - Throws: an error if the request continues a partial reply, which the format cannot express.
    func refuseContinuation() throws(APIError) {
        guard request.continuing == nil else {
            throw context.invalid(endpoint.provider, "cannot go on from a partial reply")
        }
    }
}
