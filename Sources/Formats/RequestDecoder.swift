// The server's side of requests: what a path serves, and a body decoded into the common form.

package import Chat
package import JSON

/// Decodes the requests of one format.
package protocol RequestDecoder: Sendable {
    /// What the target serves; nil if the target is not of this format.
    /// - Parameter models: the names of the models that the server has, for lists of models.
    func route(_ target: RequestTarget, models: [String]) -> ServerRoute?

    /// Decodes the body of a request for a reply.
    /// - Throws: the refusal that the format's own provider would send.
    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest

    /// The body without the parts that only a provider can make and read: signatures, encrypted reasoning. A server that
    /// passes requests on removes them, because `request` accepts only those of the reply encoders, and a provider none of
    /// those.
    func withoutOpaqueParts(_ body: JSONValue) -> JSONValue
}

extension RequestDecoder {
    package func withoutOpaqueParts(_ body: JSONValue) -> JSONValue { body }

    /// Parses and decodes the body of a request that a server passes on.
    package func relayedRequest(_ body: [UInt8], target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        try request(withoutOpaqueParts(try Self.parsed(body)), target: target)
    }

    /// Parses and decodes the body of a request for a reply.
    package func request(_ body: [UInt8], target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        try request(try Self.parsed(body), target: target)
    }

    private static func parsed(_ body: [UInt8]) throws(ReplyError) -> JSONValue {
        do throws(JSONError) {
            return try JSONReader.strictValue(body)
        } catch {
            let place = error.offset.map { " (byte \($0))" } ?? ""
            throw ReplyError(
                status: 400, message: "We could not parse the JSON body of your request: \(error.message)\(place).")
        }
    }
}

extension JSONObject {
    /// The object with the array in a member replaced; the object itself if the member is no array.
    func mapping(_ name: String, _ change: ([JSONValue]) -> [JSONValue]) -> JSONObject {
        guard let elements = self[name]?.array else { return self }
        return with(name, .array(change(elements)))
    }
}

/// The target of an HTTP request.
package struct RequestTarget: Equatable, Sendable {
    /// The path, still percent-encoded.
    package var path: String
    /// The query without its question mark; empty if there is none.
    package var query: String

    package init(_ text: String) {
        path = String(text.prefix { $0 != "?" })
        query = String(text.drop { $0 != "?" }.dropFirst())
    }
}

/// What a target serves.
package enum ServerRoute: Equatable, Sendable {
    /// POST: a reply, streamed in this framing if the request asks for a stream.
    case reply(Framing)
    /// GET: this document.
    case document(JSONValue)
}

/// A request for a reply as a server received it.
package struct DecodedRequest: Equatable, Sendable {
    /// The request in the common form. `parameters` has the names of ``CommonOption``, and all other members unchanged.
    package var chat: ChatRequest
    /// Whether the reply is to be streamed.
    package var streams = false
    /// Whether a streamed reply reports its token counts.
    package var includesUsage = true
    /// Whether the request turns reasoning on or off; nil leaves it to the model.
    package var thinks: Bool?
    /// Members of the request that the format repeats in its reply.
    package var echoed = JSONObject()

    init(model: String, system: String? = nil, messages: [JSONValue], parameters: JSONObject = [:]) {
        chat = ChatRequest(model: model, system: system, messages: messages, parameters: parameters)
    }
}

/// An error that a server sends in place of a reply, or inside one.
package struct ReplyError: Error, Equatable, Sendable {
    package var status: Int
    package var message: String
    package var type: String
    package var code: String?
    /// The member of the request at fault.
    package var parameter: String?
    /// Seconds to wait, for formats that have a place for it in the body.
    package var retryAfter: Double?

    package init(
        status: Int, message: String, type: String = "invalid_request_error", code: String? = nil,
        parameter: String? = nil, retryAfter: Double? = nil
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.parameter = parameter
        self.retryAfter = retryAfter
    }

    /// The message after the parameter at fault: "max_tokens: must be ...".
    package var placedMessage: String { (parameter.map { "\($0): " } ?? "") + message }
}
